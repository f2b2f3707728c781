"""What a stepper lives through: a million steps, a kernel that restarts, a notebook that is saved and opened again."""

import json

import pytest

from tests.browser.jupyterlab import TOKEN, take_picture
from tests.browser.steppers import Notebook, View, end_of_prompt, notebook, show, walk_of

LOAD = "from prefix_lab.debugger import Recording, record\nfrom prefix_lab.widgets import Stepper\n"
LOOP = """
def turn(total, i):
    total = total + i
    return total % 1000


def run():
    total = 0
    for i in range(170_000):
        total = turn(total, i)
    return total
"""
SAVE_STATE = "@jupyter-widgets/jupyterlab-manager:saveWidgetState"


@pytest.fixture(scope="module")
def walk(lab):
    walk_of().save(lab.root / "life.recording")
    return walk_of()


def test_a_million_steps_open_and_only_what_is_seen_is_in_the_page(lab, browser):
    (lab.root / "loop.py").write_text(LOOP)
    cells = [
        f"{LOAD}import loop\nwith record(['loop'], max_steps=1_000_000) as big:\n    loop.run()",
        "stepper = Stepper(big)\nstepper",
    ]
    with notebook(lab, browser, "million.ipynb", cells) as opened:
        view = opened.views()[0].at(0)
        assert opened.python("", "len(big)") == "1000000"
        assert "1,000,000" in view.root.locator(".pl-where").inner_text()
        view.do("last")
        view.at(999_999).press("S", "S", "N")
        cursor = "cursor = big.cursor(999_999)\ncursor.step_in(True), cursor.step_in(True), cursor.step_over(True)"
        view.at(int(opened.python(cursor, "cursor.index")))
        for _ in range(30):
            view.press("n")
        view.press("g")
        view.at(0)
        opened.python("stepper.step = 500_000")
        view.at(500_000).press("s", "s", "s")
        view.at(500_003)
        view.scroll_to(3).click()
        view.root.locator(".pl-condition").fill("i == 150000")
        view.root.locator(".pl-condition").press("Enter")
        view.press("c")
        view.page.wait_for_function("document.querySelector('.pl-track').getAttribute('aria-valuenow') > 800000")
        assert view.variable("i").locator(".pl-value").inner_text() == "150000"
        assert view.root.locator(".pl-line").count() < 60
        assert view.root.locator("*").count() < 600
        take_picture(view.page, "stepper-million")


def test_only_the_lines_in_view_are_in_the_page(lab, browser, walk):
    cells = [f"{LOAD}stepper = Stepper(Recording.load('life.recording'), at={end_of_prompt(walk)})\nstepper"]
    with notebook(lab, browser, "lines.ipynb", cells) as opened:
        view = opened.views()[0].at(end_of_prompt(walk))
        assert view.root.locator(".pl-line").count() < 60
        view.code.evaluate("(code) => (code.scrollTop = 1e6)")
        view.root.locator(f".pl-gutter[data-line='{lines(walk)}']").wait_for()
        assert view.root.locator(".pl-line").count() < 60


def lines(walk):
    """How long the file is that the walk's prompt is in."""
    file = walk.steps[end_of_prompt(walk)].file
    return len(walk.sources[file].split("\n"))


@pytest.mark.parametrize(("theme", "width"), [("light", 900), ("dark", 1920)])
def test_it_fits_a_cell(lab, browser, walk, theme, width):
    cells = [f"{LOAD}Stepper(Recording.load('life.recording'), at={end_of_prompt(walk)}, watches=['batch_size * 2'])"]
    with notebook(lab, browser, f"fits-{width}.ipynb", cells, theme=theme, width=width) as opened:
        opened.page.keyboard.press("Control+b")  # the list of files
        view = opened.views()[0].at(end_of_prompt(walk))
        view.press("b")
        parts = [view.root.locator(one).bounding_box() for one in (".pl-toolbar", ".pl-code", ".pl-side", ".pl-track")]
        around = view.root.bounding_box()
        for part in parts:
            assert part["width"] > 150
            assert part["x"] >= around["x"]
            assert part["x"] + part["width"] <= around["x"] + around["width"] + 1
        assert parts[1]["height"] > 200
        view.variable("past_key_values").locator(".pl-opener").click()
        view.root.locator(".pl-inside").wait_for()
        take_picture(view.page, f"stepper-{theme}-{width}")
        view.variable("past_key_values").locator(".pl-name").first.click()
        view.root.locator(".pl-history li button").first.wait_for()
        take_picture(view.page, f"stepper-history-{theme}-{width}")


def test_a_saved_stepper_opens_with_its_kernel_without_one_and_after_a_restart(lab, browser, walk):
    cells = [f"{LOAD}stepper = Stepper(Recording.load('life.recording'), at=40, watches=['1 + 1'])\nstepper"]
    with notebook(lab, browser, "saved.ipynb", cells) as opened:
        opened.views()[0].at(40)
        opened.page.evaluate(
            """async (toggle) => {
                const { commands } = jupyterapp;
                if (!commands.isToggled(toggle)) await commands.execute(toggle);
                await commands.execute('docmanager:save');
            }""",
            SAVE_STATE,
        )
        saved = json.loads((lab.root / "saved.ipynb").read_text())
        assert saved["metadata"]["widgets"]

        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(20_000)
        show(lab, page, "saved.ipynb")
        view = View(page, page.locator(".pl-root").first).at(40)
        view.press("G")
        view.at(len(walk) - 1)  # the kernel still knows the recording
        restart(Notebook(page), view)
        page.close()
    without_its_kernel(lab, browser)


def restart(opened, view):
    """After a restart it says so within its time limit, shows what it has, and goes on with that."""
    stood = view.step
    opened.page.evaluate("jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")
    view.page.wait_for_selector(".jp-NotebookPanel-toolbar [data-status='idle']")
    view.press("S")
    view.at(stood - 1)
    assert view.root.locator(".pl-current").count() == 1
    view.tab("search").get_by_role("searchbox").fill("prefix")
    view.page.keyboard.press("Enter")
    view.root.locator(".pl-news", has_text="kernel does not answer").wait_for()
    take_picture(view.page, "stepper-restarted")
    view.tab("variables")
    view.press("S")
    view.at(stood - 2)


def without_its_kernel(lab, browser):
    """With a kernel that knows nothing of it, and then with none, the picture that was saved is there and walks on;
    far steps say why they are not."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(20_000)
    address = f"{lab.url}/api/sessions"
    for session in page.request.get(f"{address}?token={TOKEN}").json():
        page.request.delete(f"{address}/{session['id']}?token={TOKEN}")
    show(lab, page, "saved.ipynb")
    view = View(page, page.locator(".pl-root").first).at(40)
    assert view.root.locator(".pl-variable").count() > 0
    page.evaluate("jupyterapp.shell.currentWidget.sessionContext.shutdown()")
    page.wait_for_function("jupyterapp.shell.currentWidget.sessionContext.hasNoKernel")
    view.do("in")
    view.at(41).press("s", "s")
    view.at(43).press("G")
    view.root.locator(".pl-news", has_text="kernel does not answer").wait_for()
    assert view.at(43).root.locator(".pl-current").count() == 1
    take_picture(page, "stepper-no-kernel")
    page.close()
