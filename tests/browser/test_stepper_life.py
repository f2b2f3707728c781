"""What a stepper lives through: a million steps, a kernel that restarts, a notebook that is saved and opened again."""

import json

import pytest

from tests.browser.jupyterlab import TOKEN, Notebook, change, notebook, open_page, take_picture
from tests.browser.steppers import View, end_of_prompt, views, walk_of

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


def test_a_million_steps_open_and_only_what_is_seen_is_in_the_page(lab, window):
    (lab.root / "loop.py").write_text(LOOP)
    cells = [
        f"{LOAD}import loop\nwith record(['loop'], max_steps=1_000_000) as big:\n    loop.run()",
        "stepper = Stepper(big)\nstepper",
    ]
    with notebook(lab, window, "million.ipynb", cells) as opened:
        view = views(opened)[0].at(0)
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


def test_it_fits_its_cell_and_only_the_lines_in_view_are_in_the_page(lab, window, walk):
    prompt = end_of_prompt(walk)
    cells = [f"{LOAD}Stepper(Recording.load('life.recording'), at={prompt}, watches=['batch_size * 2'])"]
    with notebook(lab, window, "fits.ipynb", cells) as opened:
        opened.page.keyboard.press("Control+b")  # the list of files
        view = views(opened)[0].at(prompt)
        view.press("b")
        view.variable("past_key_values").locator(".pl-opener").click()
        view.root.locator(".pl-inside").wait_for()
        for theme, width in (("light", 900), ("dark", 1920)):
            change(opened.page, theme, width)
            view.tab("variables")
            view.root.scroll_into_view_if_needed()
            parts = [view.root.locator(f".pl-{one}").bounding_box() for one in ("toolbar", "code", "side", "track")]
            around = view.root.bounding_box()
            for part in parts:
                assert part["width"] > 150
                assert part["x"] >= around["x"]
                assert part["x"] + part["width"] <= around["x"] + around["width"] + 1
            assert parts[1]["height"] > 200
            take_picture(view.page, f"stepper-{theme}-{width}")
            view.variable("past_key_values").locator(".pl-name").first.click()
            view.root.locator(".pl-history li button").first.wait_for()
            take_picture(view.page, f"stepper-history-{theme}-{width}")
        assert view.root.locator(".pl-line").count() < 60
        view.code.evaluate("(code) => (code.scrollTop = 1e6)")
        view.root.locator(f".pl-gutter[data-line='{lines(walk)}']").wait_for()
        assert view.root.locator(".pl-line").count() < 60


def lines(walk):
    """How long the file is that the walk's prompt is in."""
    return len(walk.sources[walk.steps[end_of_prompt(walk)].file].split("\n"))


def test_a_saved_stepper_opens_with_its_kernel_without_one_and_after_a_restart(lab, window, walk):
    hasty = "Stepper._esm = Stepper._esm.replace('PATIENCE = 8000', 'PATIENCE = 1500')\n"
    start = walk.find(function="PrefixEncoder.forward")[1].index  # no step beside it is skipped
    opening = f"stepper = Stepper(Recording.load('life.recording'), at={start}, watches=['1 + 1'])\nstepper"
    cells = [f"{LOAD}{hasty}{opening}"]
    with notebook(lab, window, "saved.ipynb", cells) as opened:
        views(opened)[0].at(start)
        opened.page.evaluate("toggle => jupyterapp.commands.execute(toggle)", SAVE_STATE)
        opened.page.evaluate("jupyterapp.commands.execute('docmanager:save')")
        saved = json.loads((lab.root / "saved.ipynb").read_text())
        assert saved["metadata"]["widgets"]

        page = open_page(lab, window, "saved.ipynb")
        view = View(page, page.locator(".pl-root").first).at(start)
        view.press("G")
        view.at(len(walk) - 1)  # the kernel still knows the recording
        restart(Notebook(page), view)
        page.close()
        opened.page.evaluate("toggle => jupyterapp.commands.execute(toggle)", SAVE_STATE)  # a setting of JupyterLab's
    without_its_kernel(lab, window, start)


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
    view.says("kernel does not answer")
    take_picture(view.page, "stepper-restarted")
    view.tab("variables")
    view.press("S")
    view.at(stood - 2)


def without_its_kernel(lab, window, start):
    """With a kernel that knows nothing of it, and then with none, the picture that was saved is there and walks on;
    far steps say why they are not."""
    address = f"{lab.url}/api/sessions"
    for session in window.request.get(f"{address}?token={TOKEN}").json():
        window.request.delete(f"{address}/{session['id']}?token={TOKEN}")
    page = open_page(lab, window, "saved.ipynb")
    view = View(page, page.locator(".pl-root").first).at(start)
    assert view.root.locator(".pl-variable").count() > 0
    page.evaluate("jupyterapp.shell.currentWidget.sessionContext.shutdown()")
    page.wait_for_function("jupyterapp.shell.currentWidget.sessionContext.hasNoKernel")
    view.do("in")
    view.at(start + 1).press("s", "s")
    view.at(start + 3).press("G")
    view.says("kernel does not answer")
    assert view.at(start + 3).root.locator(".pl-current").count() == 1
    take_picture(page, "stepper-no-kernel")
    page.close()
