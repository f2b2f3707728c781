"""JupyterLab's visual debugger at a stage of the walk, in our code and in PEFT's: seen, stepped, continued."""

import re

import pytest
from playwright.sync_api import Page

from tests.browser.jupyterlab import notebook, take_picture

SET = [
    "import warnings; warnings.simplefilter('ignore')\n"
    "import peft, prefix_lab\n"
    "from prefix_lab.breakpoints import break_at, breakpoints\n"
    "from prefix_lab.course import load_tiny_t5\n"
    "base, tokenizer = load_tiny_t5()\n"
    "batch = tokenizer(['garden', 'piano'], padding=True, return_tensors='pt')\n"
    "config = {library}.PrefixTuningConfig(task_type='SEQ_2_SEQ_LM', num_virtual_tokens=20, prefix_projection=True)\n"
    "model = {library}.get_peft_model(base, config)\n"
    "break_at('encode', where='{where}')",
    "model(**batch, labels=batch.input_ids).loss.shape",
    "breakpoints()",
]
CASES = [
    ("ours", "prefix_lab", "prefix_lab/encoder.py", "light", 1280),
    ("peft", "peft", "peft/tuners/prefix_tuning/model.py", "dark", 1920),
]
HIGHLIGHTED = ".jp-DebuggerEditor-highlight"
# The kernel knows of a debugger once it has answered the first request.
COMING = """() => jupyterapp.shell.currentWidget.sessionContext.session.kernel.anyMessage.connect((_, { msg }) => {
    window.debuggerIsComing ||= msg.header.msg_type === 'debug_reply' && msg.content.command === 'initialize';
})"""
CHOSEN = ".jp-DebuggerCallstackFrame.selected"


@pytest.mark.parametrize(("where", "library", "file", "theme", "width"), CASES)
def test_the_bug_stops_at_the_stage_in_the_side_bar_steps_and_goes_on(lab, browser, where, library, file, theme, width):
    cells = [text.format(where=where, library=library) for text in SET]
    with notebook(lab, browser, f"breakpoints-{where}.ipynb", cells, run=False, theme=theme, width=width) as opened:
        page = opened.page
        run(page, 0)
        ends(page, 0)
        said = output(page, 0)
        assert file in said
        assert "switch on the bug" in said

        page.evaluate(COMING)
        page.locator(".jp-DebuggerBugButton").first.click()
        page.wait_for_function("window.debuggerIsComing")
        run(page, 1)  # at once: it is still on its way
        variables = page.locator(".jp-DebuggerVariables")
        variables.get_by_text(re.compile(r"Tensor \((batch )?2, (prefix_len )?20\) int64")).first.wait_for(
            timeout=60_000
        )
        assert variables.get_by_text("PrefixEncoder with 118,144 parameters", exact=False).count() == 1
        first = page.locator(CHOSEN).inner_text()
        assert first.startswith("forward")
        assert f"{file}:" in first
        page.wait_for_function(f"document.querySelector('{HIGHLIGHTED}')?.textContent.includes('prefix_projection')")
        take_picture(page, f"breakpoint-{where}-{theme}")

        second = after(page, "next", first)
        assert second.startswith("forward")
        assert line_of(second) > line_of(first)
        inside = after(page, "stepIn", after(page, "next", second) if where == "ours" else second)
        assert file not in inside
        take_picture(page, f"breakpoint-{where}-{theme}-stepped")
        outside = after(page, "stepOut", inside)
        assert file in outside
        page.locator("[data-command='debugger:continue']").first.click()
        ends(page, 1)
        assert "torch.Size([])" in output(page, 1)

        page.locator(".lm-TabBar-tab", has_text=f"breakpoints-{where}").first.click()
        run(page, 2)
        ends(page, 2)
        assert "PrefixEncoder.forward" in output(page, 2)
        take_picture(page, f"breakpoint-{where}-{theme}-after")


def after(page: Page, command: str, before: str) -> str:
    """Click next, stepIn or stepOut; where it stands then."""
    page.locator(f"[data-command='debugger:{command}']").first.click()
    moved = f"before => {{ const e = document.querySelector('{CHOSEN}'); return e && e.innerText !== before; }}"
    page.wait_for_function(moved, arg=before)
    return page.locator(CHOSEN).inner_text()


def line_of(frame: str) -> int:
    return int(re.findall(r":(\d+)", frame)[-1])


def run(page: Page, number: int) -> None:
    """Run one cell."""
    page.locator(".jp-Notebook .jp-CodeCell").nth(number).locator(".cm-content").first.click()
    page.keyboard.press("Control+Enter")


def ends(page: Page, number: int) -> None:
    """Wait until a cell has its number, and the kernel rests."""
    page.wait_for_function(
        """number => {
            const prompts = [...document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')];
            const rests = document.querySelector(".jp-NotebookPanel-toolbar [data-status='idle']");
            return /[0-9]/.test(prompts[number]?.textContent) && rests;
        }""",
        arg=number,
        timeout=60_000,
    )


def output(page: Page, number: int) -> str:
    return page.locator(".jp-CodeCell").nth(number).locator(".jp-OutputArea").text_content()
