"""Whose keys are whose: a stepper that a reader has run takes the focus, and leaves JupyterLab what is JupyterLab's."""

import pytest

from tests.browser.jupyterlab import notebook, run_all
from tests.browser.steppers import View, walk_of

LOAD = "from prefix_lab.debugger import Recording\nfrom prefix_lab.widgets import Stepper"
CELLS = [LOAD, "stepper = Stepper(Recording.load('keys.recording'))\nstepper", "1 + 1", "2 + 2", "3 + 3"]
FOCUSED = "document.activeElement.matches('.pl-code')"
LOOK = """() => {
    const cells = [...document.querySelectorAll('.jp-NotebookPanel:not(.lm-mod-hidden) .jp-Notebook .jp-Cell')];
    const ran = cells.map((one) => one.querySelector('.jp-InputPrompt').textContent.replace(/[^0-9]/g, ''));
    return [cells.findIndex((one) => one.matches('.jp-mod-active')), ran.join(' ')];
}"""
SIDEBAR = "document.querySelector('#jp-left-stack').getBoundingClientRect().width > 0"


def looks(page, active, ran):
    """Wait until this cell is the active one, and the cells have these numbers."""
    page.wait_for_function(f"(wanted) => JSON.stringify(({LOOK})()) === JSON.stringify(wanted)", arg=[active, ran])


@pytest.fixture(scope="module")
def opened(lab, window):
    """A notebook where the first two cells were run by Shift+Enter."""
    walk_of().save(lab.root / "keys.recording")
    with notebook(lab, window, "keys.ipynb", CELLS, run=False) as opened:
        opened.page.locator(".jp-Cell").first.locator(".cm-content").click()
        opened.page.keyboard.press("Shift+Enter")
        looks(opened.page, 1, "1    ")
        opened.page.keyboard.press("Shift+Enter")
        yield opened


def test_a_stepper_that_was_run_has_the_keys_and_shift_enter_runs_the_next_cell(opened):
    page, view = opened.page, View(opened.page).at(0)
    page.wait_for_function(FOCUSED)
    assert view.root.locator(".pl-keys-here").is_visible()
    page.keyboard.press("s")
    view.at(1)
    for key in ("b", "d", "d", "x", "a", "m", "z", "Enter", "ArrowDown", "0", "0", "i", "i"):
        page.keyboard.press(key)
    looks(page, 2, "1 2   ")
    opened.until("stepper.step", 1)
    page.keyboard.press("Shift+Enter")
    looks(page, 3, "1 2 3  ")
    page.keyboard.press("Shift+Enter")
    looks(page, 4, "1 2 3 4 ")
    assert not page.evaluate(FOCUSED)
    assert view.root.get_by_role("button", name="Click here for keys").is_visible()


def test_shift_enter_goes_on_after_the_help_the_search_and_the_tour(opened):
    page = opened.page
    page.locator(".jp-Cell .cm-content").nth(1).click()
    page.keyboard.press("Shift+Enter")
    page.wait_for_function(f"{FOCUSED} && ({LOOK})()[0] === 2")
    for keys in (
        ["/", "Escape"],
        ["?", "Escape"],
        ["?", "Tab", "Enter", "Enter", "Enter", "Enter", "Enter"],
        ["Escape"],
    ):
        for key in keys:
            page.keyboard.press(key)
        assert page.evaluate(LOOK)[0] == 2, keys
    page.wait_for_function("document.activeElement.matches('.jp-Cell')")
    View(page).tab("variables")


def test_a_click_anywhere_inside_brings_the_keys_and_what_has_a_modifier_is_jupyterlabs(opened):
    page, view = opened.page, View(opened.page)
    for part in (".pl-keys-away", ".pl-where", ".pl-stack button", ".pl-variables"):
        page.locator(".jp-Cell .jp-InputPrompt").last.click()
        view.root.locator(part).first.click()
        before = view.step
        page.keyboard.press("s")
        view.at(before + 1)
    shown = page.evaluate(SIDEBAR)
    page.keyboard.press("Control+b")
    page.wait_for_function(f"({SIDEBAR}) !== {str(shown).lower()}")
    page.keyboard.press("Control+b")
    assert page.locator(".jp-Notebook .jp-Cell").count() == len(CELLS)


def test_escape_leaves_the_full_window_then_the_stepper(opened):
    page, view = opened.page, View(opened.page)
    view.press("f")
    page.wait_for_function("document.fullscreenElement")
    page.keyboard.press("Escape")
    page.wait_for_function(f"!document.fullscreenElement && {FOCUSED}")
    page.evaluate("Element.prototype.requestFullscreen = () => Promise.reject(new Error('not here')); 0")
    view.press("f")
    view.page.locator(".pl-root.pl-fixed").wait_for()
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("Escape")
    view.page.locator(".pl-root:not(.pl-fixed)").wait_for()
    page.wait_for_function(FOCUSED)
    page.keyboard.press("Escape")
    page.wait_for_function("document.activeElement.matches('.jp-Cell')")


def test_it_leaves_the_focus_alone_when_all_cells_run_wherever_it_stands(opened):
    page, view = opened.page, View(opened.page)
    for below in (3, 1, 0):
        while page.locator(".jp-Notebook .jp-Cell").count() > below + 2:
            page.locator(".jp-Cell .jp-InputPrompt").last.click()
            page.keyboard.press("d")
            page.keyboard.press("d")
        page.locator(".jp-Cell .jp-InputPrompt").first.click()
        opened.python("stepper.step = 1")
        run_all(page)
        view.at(0).code.evaluate("() => new Promise((done) => setTimeout(done, 300))")
        assert not page.evaluate(FOCUSED), below
    page.locator(".jp-Cell .jp-InputPrompt").last.click()
    page.keyboard.press("Control+Enter")
    page.wait_for_function(FOCUSED)
