"""Live stops in JupyterLab as a person meets them: typed wrong, then right, left in every way, and never in the way."""

import pytest
from playwright.sync_api import Page

from tests.browser.jupyterlab import TOKEN, Notebook, notebook, run_all, take_both, take_picture
from tests.browser.test_breakpoints import CHOSEN, COMING, after, ends, run

READY = """
import os, tempfile; os.environ["PREFIX_LAB_PROGRESS"] = tempfile.mkdtemp() + "/progress.json"
import peft
from prefix_lab.breakpoints import stop_at
from prefix_lab.course import load_tiny_t5, make_ready, show_passport
from prefix_lab.course.checking import exercise, seen_there
make_ready(live=True)
base, tokenizer = load_tiny_t5()
batch = tokenizer(["garden", "piano"], padding=True, return_tensors="pt")
config = peft.PrefixTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=20, prefix_projection=True)
model = peft.get_peft_model(base, config)
@exercise("prefix_tokens", stage="encode")
def check(stop, answer):
    seen_there(stop, "PrefixEncoder.forward", "torch.Size([2, 20, 128])")
    return "So it is."
"""
STOP = """
with stop_at("encode", where="peft", suggest=["n", "p prefix.shape", "c"]) as stop:
    _ = model(**batch, labels=batch.input_ids)
    print("the block ended")
check(stop, answer=128)
"""
OTHER, PASSPORT = "print('another', 6 * 7)", "show_passport()"
NAME = "live.ipynb"
GONE = COMING.replace("IsComing", "IsGone").replace("initialize", "disconnect")
# JupyterLab asks the debugger anew when a tab comes to the front. Told to switch it off while it asks, it switches it
# on again: so wait until all is answered.
COUNTED = """() => jupyterapp.shell.currentWidget.sessionContext.session.kernel.anyMessage.connect((_, { msg }) => {
    const change = { debug_request: 1, debug_reply: -1 }[msg.header.msg_type] ?? 0;
    window.unanswered = (window.unanswered ?? 0) + change;
    window.lastHeard = performance.now();
})"""
ANSWERED = "window.unanswered === 0 && performance.now() - window.lastHeard > 500"
BOX = "document.activeElement?.matches('.jp-Stdin-input') && document.activeElement.value === ''"
INTERRUPT = "[data-command='notebook:interrupt-kernel']"


@pytest.fixture(scope="module")
def opened(lab, browser):
    """The notebook, its first cell run."""
    with notebook(lab, browser, NAME, [READY.strip(), STOP.strip(), OTHER, PASSPORT], run=False) as made:
        run(made.page, 0)
        ends(made.page, 0)
        yield made


def output(page: Page, number: int) -> str:
    """What a cell shows, however its lines are broken."""
    return " ".join(page.locator(".jp-CodeCell").nth(number).locator(".jp-OutputArea").text_content().split())


def types(page: Page, *lines: str) -> None:
    """Each line, when the box for it is there and has the keys."""
    for line in lines:
        page.wait_for_function(BOX)
        before = page.locator(".jp-CodeCell").nth(1).locator(".jp-OutputArea").text_content().count(line)
        page.keyboard.type(line)
        page.keyboard.press("Enter")
        page.wait_for_function(
            """([line, before]) => document.querySelectorAll('.jp-CodeCell')[1].querySelector('.jp-OutputArea')
                .textContent.split(line).length - 1 > before""",
            arg=[line, before],
        )


def test_a_person_types_nonsense_then_asks_too_early_then_sees_it(opened: Notebook):
    page = opened.page
    run(page, 1)
    types(page, "nonsense", "p prefix_tokens.shape")
    take_picture(page, "live-asked-too-early")
    types(page, "c")
    ends(page, 1)
    said = output(page, 1)
    assert "Stopped in PrefixEncoder.forward, peft/tuners/prefix_tuning/model.py, line " in said
    assert "Try: n · p prefix.shape · c" in said
    assert "before it had a value there" in said
    run(page, 1)
    types(page, "n", "n", "p prefix_tokens.shape", "c")
    ends(page, 1)
    said = output(page, 1)
    assert "torch.Size([2, 20, 128])" in said
    assert "So it is." in said
    run(page, 3)
    ends(page, 3)
    passport = output(page, 3)
    assert "1 of 8 stages seen, 1 of them with my own hands." in passport
    assert "n × 2 · p prefix_tokens.shape · c" in passport
    assert "nonsense" not in passport
    assert "answered: 128" in passport
    page.locator(".prefix-lab-passport").scroll_into_view_if_needed()
    take_both(page, "live-passport")


@pytest.mark.parametrize(
    ("way", "words"),
    [("c", "the block ended"), ("q", "Quit: the rest of the block"), (INTERRUPT, "Interrupted: the stop")],
)
def test_a_stop_is_left_by_going_on_by_quitting_and_by_the_square(opened: Notebook, way, words):
    page = opened.page
    run(page, 1)
    if way == INTERRUPT:
        page.wait_for_function(BOX)
        page.locator(INTERRUPT).first.click()
    else:
        types(page, way)
    ends(page, 1)
    assert words in output(page, 1)
    assert "So it is." in output(page, 1)  # what was seen when the cell ran before still counts
    run(page, 2)
    ends(page, 2)
    assert "another 42" in output(page, 2)


def test_jupyterlab_runs_no_other_cell_while_a_stop_waits_and_says_what_to_do(opened: Notebook):
    page = opened.page
    run(page, 1)
    page.wait_for_function(BOX)
    run(page, 2)
    page.get_by_text("Cell not executed due to pending input").wait_for()
    page.get_by_role("button", name="Ok").click()
    page.locator(".jp-Stdin-input").last.click()
    types(page, "c")
    ends(page, 1)


def test_when_all_cells_are_run_the_lesson_types_and_says_how_to_type_oneself(opened: Notebook):
    page = opened.page
    run_all(page)
    said = output(page, 1)
    assert "Run this cell by itself, and the keyboard is yours." in said
    assert "ipdb> p prefix.shape torch.Size([2, 20])" in said
    assert "the lesson typed, and you watched" in said
    take_picture(page, "live-run-all")


def test_with_the_bug_on_it_stops_in_the_side_bar_and_the_breakpoint_goes_with_the_block(opened: Notebook):
    page = opened.page
    page.evaluate(COMING)
    page.evaluate(COUNTED)
    page.locator(".jp-DebuggerBugButton").first.click()
    page.wait_for_function("window.debuggerIsComing")
    run(page, 1)
    first = page.locator(CHOSEN).inner_text(timeout=60_000)
    assert "prefix_tuning/model.py:" in first
    take_picture(page, "live-with-the-bug")
    after(page, "next", first)
    page.locator("[data-command='debugger:continue']").first.click()
    ends(page, 1)
    said = output(page, 1)
    assert "Your debugger is on, so it stops in PrefixEncoder.forward, peft/tuners/prefix_tuning/model.py" in said
    assert "the block ended" in said
    assert "So it is." in said
    page.locator(".lm-TabBar-tab", has_text="live").first.click()
    page.wait_for_function(ANSWERED)
    page.evaluate(GONE)
    page.locator(".jp-DebuggerBugButton").first.click()
    page.wait_for_function("window.debuggerIsGone")
    run(page, 2)
    ends(page, 2)
    run(page, 1)
    types(page, "c")
    ends(page, 1)


def test_after_a_restart_a_stop_out_of_order_says_what_is_missing_and_then_opens(opened: Notebook):
    page = opened.page
    run(page, 1)
    page.wait_for_function(BOX)
    page.evaluate("jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")
    page.wait_for_selector(".jp-NotebookPanel-toolbar [data-status='idle']", timeout=30_000)
    run(page, 1)
    page.get_by_text("NameError").first.wait_for()
    run(page, 0)
    ends(page, 0)
    run(page, 1)
    types(page, "n", "n", "p prefix_tokens.shape", "c")
    ends(page, 1)
    assert "So it is." in output(page, 1)


def test_a_page_that_is_closed_at_a_stop_and_opened_again_runs_any_cell(opened: Notebook, lab, browser):
    """The last one, since it closes the page that all share."""
    run(opened.page, 1)
    opened.page.wait_for_function(BOX)
    opened.page.close()
    page = browser.new_page()
    try:
        page.goto(f"{lab.url}/lab/tree/{NAME}?token={TOKEN}&reset")
        page.wait_for_selector(".jp-CodeCell >> nth=3", timeout=60_000)
        run(page, 2)
        page.get_by_text("another 42").wait_for()
        assert Notebook(page).python("", "stop.by, stop.hits") == "('hand', 1)"
    finally:
        page.close()
