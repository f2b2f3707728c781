"""What a stepper does for a reader who comes for the first time, and for one who comes again."""

import pytest

from tests.browser.jupyterlab import notebook, take_picture
from tests.browser.steppers import View, page_from_disk, walk_of
from tests.browser.test_accessibility import serious

CELL = """import torch
from prefix_lab.debugger import record
from prefix_lab.widgets import Stepper


def change(x):
    y = x - 7
    return y


with record(keep="small") as recording:
    change(torch.arange(24.0).view(2, 3, 4))
stepper = Stepper(recording, at=2, tour=True, title="numbers", watches=["1 + 1"])
stepper"""
BUBBLES = ["All of this has already run", "The marked line", "Every name with its value", "The whole run on one line"]


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("visits") / "walk.html"
    walk_of().to_html(path, title="The walk")
    return path


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (900, "dark"), (390, "light")])
def test_the_tour_is_walked_with_the_enter_key_and_stays_in_view(browser, file, width, scheme):
    with page_from_disk(browser, file, viewport={"width": width, "height": 800}, color_scheme=scheme) as (page, wrong):
        page.goto(file.as_uri())
        View(page).at(0).press("?")
        page.get_by_role("button", name="Tour of the stepper").click()
        bubble = page.get_by_role("dialog", name="Tour of the stepper")
        for at, text in enumerate(BUBBLES):
            bubble.get_by_role("status").get_by_text(text).wait_for()
            assert bubble.get_attribute("aria-label") == f"Tour of the stepper: {at + 1} of 4"
            box = bubble.bounding_box()
            assert min(box["x"], box["y"]) >= 0
            assert box["x"] + box["width"] <= width
            assert box["y"] + box["height"] <= 800
            assert serious(page, ".pl-root") == []
            take_picture(page, f"tour-{width}-{at}")
            page.keyboard.press("Enter")
        bubble.wait_for(state="detached")
        assert page.evaluate("document.activeElement.matches('.pl-code')")
        assert wrong == []


def test_a_lesson_begins_the_tour_until_a_reader_has_ended_it(lab, either_window):
    with notebook(lab, either_window, "visits.ipynb", [CELL], run=False) as opened:
        page = opened.page
        page.evaluate("localStorage.clear()")
        for bubbles in (1, 0):
            page.locator(".jp-Cell .cm-content").click()
            page.keyboard.press("Control+Enter")
            view = View(page).at(2)
            page.wait_for_function("document.activeElement.closest('.pl-root')")
            assert page.locator(".pl-bubble").count() == bubbles
            if bubbles:
                page.keyboard.press("Escape")
                page.locator(".pl-bubble").wait_for(state="detached")
                page.wait_for_function("document.activeElement.matches('.pl-code')")
        x = view.variable("x")
        x.locator(".pl-opener").click()
        x.locator(".pl-tensor svg[role=img]").wait_for()
        assert "max 23" in x.locator(".pl-tensor").inner_text()
        view.press("n")
        view.at(3)
        view.variable("x").locator(".pl-tensor svg[role=img]").wait_for()
        take_picture(page, "stepper-tensor")


def test_panes_and_watches_are_as_they_were_left_in_this_notebook_and_in_no_other(lab, either_window):
    with notebook(lab, either_window, "left.ipynb", [CELL]) as opened:
        view = View(opened.page).at(2)
        watch = view.root.get_by_label("Watches").get_by_role("textbox")
        watch.fill("x.shape[0]")
        watch.press("Enter")
        view.root.locator(".pl-split").focus()
        opened.page.keyboard.press("ArrowLeft")
        share = view.root.locator(".pl-split").get_attribute("aria-valuenow")
        view.tab("calls")
    for name, chosen, now, watches in (
        ("left.ipynb", "calls", share, ["1 + 1", "x.shape[0]"]),
        ("other.ipynb", "variables", "62", ["1 + 1"]),
    ):
        with notebook(lab, either_window, name, [CELL]) as opened:
            view = View(opened.page).at(2)
            assert view.root.locator("[role=tab][aria-selected=true]").get_attribute("data-tab") == chosen
            assert view.root.locator(".pl-split").get_attribute("aria-valuenow") == now
            opened.until("stepper.watches", watches)
