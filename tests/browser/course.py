"""Every lesson, opened in a real JupyterLab and gone through cell by cell: `make course` prints how long each took.

At a live stop somebody types: in an exercise first nonsense, and it is not yet solved; then, with the answers of the
solution in the cell, what the solution types, and it is. The pictures are in build/pictures. Its time is why it is no
part of `make test`, which runs the lessons in a kernel.
"""

import re
import time

import nbformat
import pytest
from playwright.sync_api import Page

from notebooks.build import lessons
from tests.browser.jupyterlab import ERRORS, Lab, take_picture

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
TRY = re.compile(r"Try: (.*?)\nipdb>", re.DOTALL)
LIMIT = 180_000


@pytest.mark.parametrize("lesson", lessons(), ids=lambda path: path.stem)
def test_a_lesson_is_gone_through_by_hand_and_its_live_stops_are_typed_wrong_and_right(open_notebook, lab: Lab, lesson):
    path = f"en/{lesson.stem}.ipynb"
    cells = nbformat.read(lab.root / path, as_version=4).cells
    page = open_notebook(path)
    page.evaluate(COUNT_REPLIES)
    start, stops = time.monotonic(), 0
    for number, cell in enumerate(cells):
        if cell.cell_type != "code":
            continue
        live = "suggest=" in cell.source
        stops += live
        if not (live and "exercise" in cell.metadata.get("tags", ())):
            run_by_hand(page, number)
            continue
        assert "Not yet" in run_by_hand(page, number, ["nonsense"]), cell.source
        solution = next(one.source for one in cells[number:] if "<summary>Solution" in one.source)
        [code] = re.findall(r"```python\n(.*?)\n```", solution, re.DOTALL)
        shown = run_by_hand(page, number, source=code.replace("commands=", "suggest="))
        assert "Not yet" not in shown, shown
        assert "Right" in shown
    print(f"{lesson.stem}: {time.monotonic() - start:.1f} s, {stops} live stops")
    assert page.evaluate(ERRORS) == []
    assert page.get_by_text("Error displaying widget").count() == 0
    assert page.get_by_text("Loading widget...").count() == 0
    take_picture(page, f"course-{lesson.stem}")


def run_by_hand(page: Page, number: int, typed: list[str] | None = None, source: str | None = None) -> str:
    """Run a cell, and type at its stops these lines, or those that are suggested, and then `c`; what the cell shows."""
    page.evaluate(CHOOSE, [number, source])
    before, shown = page.evaluate("window.replies"), ""
    page.keyboard.press("Control+Enter")
    while True:
        page.wait_for_function(DONE_OR_ASKED, arg=before, timeout=LIMIT)
        shown = page.evaluate(SHOWN, number)
        if page.evaluate("window.replies") > before:
            return shown
        if typed is None:
            typed = [" ".join(one.split()) for text in TRY.findall(shown) for one in text.split("·")]
        page.evaluate(TYPED)
        page.keyboard.type(typed.pop(0) if typed else "c")
        page.keyboard.press("Enter")
