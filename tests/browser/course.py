"""Every lesson, in each language, gone through in a real JupyterLab: `make course` prints how long each took.

At a live stop somebody types: in an exercise first nonsense, and it is not yet solved; then, with the answers of the
solution in the cell, what the solution types, and it is. So it is with the exercises that have no stop: as they are,
and then solved. The pictures are in build/pictures, each lesson from top to bottom. Its time is why it is no part of
`make test`, which runs the lessons in a kernel. `-k zh` is for Chinese alone.
"""

import re
import time

import nbformat
import pytest
from playwright.sync_api import Page

from notebooks.build import LANGUAGES, SOLUTION, lessons, said
from prefix_lab.breakpoints.live import TRY
from prefix_lab.course.ready import NOT_YET, PASSED
from tests.browser.jupyterlab import ERRORS, Lab, change, take_picture

COUNT_REPLIES = """() => {
    window.replies = 0;
    const { kernel } = jupyterapp.shell.currentWidget.sessionContext.session;
    kernel.anyMessage.connect((_, { msg }) => { window.replies += msg.header.msg_type === 'execute_reply'; });
}"""
CHOOSE = """([number, source]) => {
    const { content } = jupyterapp.shell.currentWidget;
    content.activeCellIndex = number;
    content.mode = 'command';
    content.node.focus();
    if (source !== null) content.activeCell.model.sharedModel.setSource(source);
    return content.scrollToItem(number);
}"""
DONE_OR_ASKED = """before => window.replies > before ||
    (document.activeElement?.matches('.jp-Stdin-input') && !document.activeElement.dataset.typed)"""
TYPED = "document.activeElement.dataset.typed = 'yes'"
SHOWN = "number => jupyterapp.shell.currentWidget.content.widgets[number].outputArea.node.textContent"
UNFOLD = """() => {
    document.querySelectorAll('.jp-Notebook details').forEach(one => { one.open = true; });
    return jupyterapp.commands.execute('application:toggle-left-area');
}"""
HEIGHT = """() => {
    const { widgets } = jupyterapp.shell.currentWidget.content;
    return widgets.at(-1).node.getBoundingClientRect().bottom - widgets[0].node.getBoundingClientRect().top;
}"""
LIMIT = 180_000
LOOKS = (("light", 1280), ("light", 900), ("dark", 1920))


@pytest.mark.parametrize("lesson", lessons(), ids=lambda path: path.stem)
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_lesson_is_gone_through_by_hand_and_answered_wrong_and_right(open_notebook, lab: Lab, language, lesson):
    path = f"{language}/{lesson.stem}.ipynb"
    cells = nbformat.read(lab.root / path, as_version=4).cells
    page = open_notebook(path)
    page.evaluate(COUNT_REPLIES)
    wrong, right, solution = (plain(said(text, language)) for text in (NOT_YET, PASSED, SOLUTION))
    start, stops, solved = time.monotonic(), 0, 0
    for number, cell in enumerate(cells):
        if cell.cell_type != "code":
            continue
        live = "suggest=" in cell.source
        stops += live
        if "exercise" not in cell.metadata.get("tags", ()):
            run_by_hand(page, number, language)
            continue
        shown = run_by_hand(page, number, language, ["nonsense"] if live else None)
        assert wrong in shown or not live, shown
        answer = next(one.source for one in cells[number:] if f"<summary>{solution}" in one.source)
        [code] = re.findall(r"```python\n(.*?)\n```", answer, re.DOTALL)
        shown = run_by_hand(page, number, language, source=code.replace("commands=", "suggest="))
        assert wrong not in shown, shown
        assert right in shown or not live, shown
        solved += right in shown
    print(f"{path}: {time.monotonic() - start:.1f} s, {stops} live stops, {solved} exercises solved")
    assert solved
    assert page.evaluate(ERRORS) == []
    assert page.get_by_text("Error displaying widget").count() == 0
    assert page.get_by_text("Loading widget...").count() == 0
    take_whole(page, f"course-{path.removesuffix('.ipynb').replace('/', '-')}")


def plain(text: str) -> str:
    """What stands on a page for a message with markup, up to its first named place."""
    return re.sub(r"<.*?>", "", text).partition("{")[0].strip()


def take_whole(page: Page, name: str) -> None:
    """A picture of the notebook from top to bottom: a window as high as all of it."""
    page.evaluate(UNFOLD)
    for theme, width in LOOKS:
        change(page, theme, width)
        page.set_viewport_size({"width": width, "height": 900})
        for _ in range(3):  # what was never in view takes its height only then
            page.set_viewport_size({"width": width, "height": min(int(page.evaluate(HEIGHT)) + 200, 32_000)})
            page.evaluate("document.querySelectorAll('.jp-WindowedPanel-outer').forEach(one => one.scrollTo(0, 0))")
            page.wait_for_timeout(700)
        take_picture(page, f"{name}-{theme}-{width}")


def run_by_hand(
    page: Page, number: int, language: str, typed: list[str] | None = None, source: str | None = None
) -> str:
    """Run a cell, and type at its stops these lines, or those that are suggested, and then `c`; what the cell shows."""
    suggested = re.compile(re.escape(plain(said(TRY, language))) + r"\s*(.*?)\nipdb>", re.DOTALL)
    page.evaluate(CHOOSE, [number, source])
    before, shown = page.evaluate("window.replies"), ""
    page.keyboard.press("Control+Enter")
    while True:
        page.wait_for_function(DONE_OR_ASKED, arg=before, timeout=LIMIT)
        shown = page.evaluate(SHOWN, number)
        if page.evaluate("window.replies") > before:
            return shown
        if typed is None:
            typed = [" ".join(one.split()) for text in suggested.findall(shown) for one in text.split("·")]
        page.evaluate(TYPED)
        page.keyboard.type(typed.pop(0) if typed else "c")
        page.keyboard.press("Enter")
