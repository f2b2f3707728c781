"""The stepper in JupyterLab: every move by mouse and by keyboard, held against Python's cursor."""

import pytest

from prefix_lab.debugger import Breakpoint
from prefix_lab.debugger.cursor import COMPREHENSIONS, functions_of
from prefix_lab.debugger.stages import bands
from tests.browser.jupyterlab import notebook, take_picture
from tests.browser.steppers import end_of_prompt, hostile_recording, moves_of, recorded, views, walk_of

LOAD = "from prefix_lab.debugger import Recording\nfrom prefix_lab.widgets import Stepper\n"
KEYS = {
    "in": ("s", "l", "ArrowRight", "F11"),
    "inBack": ("S", "ArrowLeft"),
    "over": ("n", "j", "F10"),
    "overBack": ("N", "p", "k", "Shift+F10"),
    "out": ("o", "Shift+F11"),
    "outBack": ("O",),
}
RAISES = """
import torch


def mixed(x, weight):
    half = x / 2
    return half @ weight


def run():
    mixed(torch.zeros(4, 8), torch.ones(9, 3))
"""


@pytest.fixture(scope="module")
def walk():
    return walk_of()


@pytest.fixture(scope="module")
def opened(lab, either, walk, tmp_path_factory):
    """One notebook: a stepper, a second view of it, one of a failure, one of hostile values."""
    walk.save(lab.root / "walk.recording")
    folder = tmp_path_factory.mktemp("programs")
    recorded(folder / "raises.py", RAISES).save(lab.root / "raises.recording")
    hostile_recording(folder).save(lab.root / "hostile.recording")
    cells = [
        f"{LOAD}walk = Recording.load('walk.recording')\nheard = []\nstepper = Stepper(walk)\nskipped = stepper.skip\n"
        "stepper.on_step(lambda step: heard.append(step.index))\nstepper",
        "stepper",
        "failure = Stepper(Recording.load('raises.recording'))\nfailure",
        "hostile = Stepper(Recording.load('hostile.recording'))\nhostile",
    ]
    with notebook(lab, either, "stepper.ipynb", cells, width=1280, height=1000) as notebook_:
        notebook_.page.locator(".pl-root .pl-current").nth(3).wait_for(state="attached")
        yield notebook_


@pytest.fixture
def view(opened):
    """The first view, at the first step, with nothing set."""
    opened.until("stepper.step", views(opened)[0].step)
    opened.python(
        "stepper.step, stepper.breakpoints, stepper.watches, stepper.skip = 0, [], [], skipped\nheard.clear()"
    )
    view = views(opened)[0]
    view.root.scroll_into_view_if_needed()
    return view.at(0)


def lead(opened, view, step):
    """Python leads the reader there, once it has heard where the reader is."""
    opened.until("stepper.step", view.step)
    opened.python(f"stepper.goto({step})")
    return view.at(step)


def test_every_button_moves_as_pythons_cursor_does(opened, view, walk):
    for start in (1, len(walk) // 2):
        for does, there in moves_of(walk, start).items():
            lead(opened, view, start).do(does)
            view.at(there)
            assert view.line() == walk.steps[there].line
            opened.until("stepper.step", there)


def test_every_key_moves_as_pythons_cursor_does(opened, view, walk):
    start = len(walk) // 2
    for does, there in moves_of(walk, start).items():
        for key in KEYS[does]:
            lead(opened, view, start).press(key)
            view.at(there)
    last = len(walk) - 1
    for far, key, there in ((0, "G", last), (0, "End", last), (last, "g", 0), (last, "Home", 0)):
        lead(opened, view, far).press(key)
        view.at(there)
    opened.until("stepper.step == stepper.cursor.index == 0", True)


def test_a_run_of_quick_keys_ends_where_python_ends(opened, view, walk):
    cursor = walk.cursor()
    view.press(*"nnsnnssnnosnn")
    for key in "nnsnnssnnosnn":
        {"n": cursor.step_over, "s": cursor.step_in, "o": cursor.step_out}[key]()
    view.at(cursor.index)
    opened.until("stepper.step", cursor.index)


def test_at_the_ends_it_says_so(view, walk):
    view.press("S")
    view.says("This is the first step.")
    view.do("last")
    view.at(len(walk) - 1).do("in")
    view.says("This is the last step.")


def test_it_runs_to_a_breakpoint_that_was_clicked_and_back(opened, view, walk):
    cursor = walk.cursor()
    cursor.run_to(Breakpoint("PrefixEncoder.forward"))
    line = walk.steps[cursor.index + 1].line
    lead(opened, view, cursor.index + 1)
    view.scroll_to(line).click()
    opened.until("[one['line'] for one in stepper.breakpoints]", [line])
    view.do("first")
    view.at(0).do("run")
    view.at(cursor.index + 1)
    view.do("last")
    view.at(len(walk) - 1).do("runBack")
    view.at(cursor.index + 1).press("c")
    view.says("No breakpoint is reached in this direction.")
    box = view.root.get_by_role("checkbox")
    box.uncheck()
    opened.until("stepper.breakpoints[0]['on']", False)
    view.press("c")
    view.says("No breakpoint is set.")
    view.root.get_by_role("button", name="Remove: model.py").click()
    opened.until("stepper.breakpoints", [])


def test_a_condition_is_checked_as_it_is_typed(opened, view, walk):
    cursor = walk.cursor()
    cursor.run_to(Breakpoint("PrefixEncoder.forward"))
    inside = cursor.index + 1
    lead(opened, view, inside)
    view.scroll_to(view.line()).click(modifiers=["Shift"])
    condition = view.root.locator(".pl-condition")
    assert condition.evaluate("(one) => one === document.activeElement")
    view.page.keyboard.type("prefix.shape[0] =")
    view.root.locator(".pl-problem", has_text="This is not an expression").wait_for()
    opened.until("stepper.breakpoints[0]['condition']", "")
    view.page.keyboard.type("= 99")
    assert view.root.locator(".pl-breakpoints .pl-problem").inner_text() == ""
    view.page.keyboard.press("Enter")
    opened.until("stepper.breakpoints[0]['condition']", "prefix.shape[0] == 99")
    assert view.root.locator(".pl-gutter.pl-stop").get_attribute("title") == "prefix.shape[0] == 99"
    view.press("g")
    view.at(0).press("c")
    view.says("No breakpoint is reached in this direction.")
    opened.python("stepper.breakpoints = [stepper.breakpoints[0] | {'condition': 'prefix.shape[0] == 2'}]")
    view.root.locator(".pl-gutter, .pl-condition").first.wait_for()
    view.press("c")
    view.at(inside)


def test_the_timeline_is_dragged_and_walked_with_keys_and_has_no_room_for_what_is_stepped_past(opened, view, walk):
    columns, comprehensions = walk.columns, functions_of(walk, COMPREHENSIONS)
    walked = [step for step, place in enumerate(columns.step_place) if columns.places[place][1] not in comprehensions]
    box = view.track.bounding_box()
    mouse = view.page.mouse
    mouse.move(box["x"] + 5, box["y"] + 9)
    mouse.down()
    for part in (0.2, 0.5, 0.75):
        mouse.move(box["x"] + part * box["width"], box["y"] + 9)
    mouse.up()
    near = "(one) => Math.abs(one[0].getAttribute('aria-valuenow') - one[1]) <= 8"  # a stretch is drawn as one
    view.page.wait_for_function(near, arg=[view.track.element_handle(), walked[int(0.75 * len(walked))]])
    opened.until("stepper.step", view.step)
    assert view.step in walked
    view.do("undo")
    view.at(0)
    view.track.focus()
    view.page.keyboard.press("PageDown")
    view.page.wait_for_function(near, arg=[view.track.element_handle(), walked[len(walked) // 20]])
    after = walked[walked.index(view.step) + 1]
    view.page.keyboard.press("ArrowRight")
    view.at(after)
    view.page.keyboard.press("End")
    view.at(len(walk) - 1)


def test_the_stages_are_visited_by_band_button_and_key(opened, view, walk):
    stages = {name: runs for name, _, runs in bands(walk)}
    view.root.locator("[data-stage='encode']").first.click()
    view.at(stages["encode"][0].first)
    view.root.locator(".pl-stage", has_text="Stage encode").wait_for()
    view.do("nextStage")  # encode was called by split, which goes on
    view.at(stages["encode"][0].last + 1).says("Stage split goes on here")
    view.root.locator(".pl-stage", has_text="Stage split").wait_for()
    view.press("[")
    view.at(stages["encode"][0].first)
    view.press("[")
    view.at(stages["split"][0].first)


def test_python_leads_and_hears(opened, view, walk):
    opened.python("stepper.goto_stage('split')")
    start = next(runs[0].first for name, _, runs in bands(walk) if name == "split")
    view.at(start).press("n")
    cursor = walk.cursor(start)
    cursor.step_over()
    view.at(cursor.index)
    opened.until("heard", [start, cursor.index])
    opened.python("stepper.watches = ['1 + 1']")
    view.root.locator(".pl-watched", has_text="2").wait_for()


def test_configs_caches_and_tensors_open_and_stay_open(opened, view, walk):
    lead(opened, view, end_of_prompt(walk))
    for name, inside in (
        ("peft_config", "num_virtual_tokens"),
        ("past_key_values", "self_attention_cache"),
        ("prompt_tokens", "Its numbers were not kept. record(…, keep="),
    ):
        row = view.variable(name)
        row.locator(".pl-opener").click()
        row.locator(".pl-inside", has_text=inside).wait_for()
        assert row.locator(".pl-opener").get_attribute("aria-expanded") == "true"
    view.press("N")
    view.page.wait_for_timeout(50)
    view.variable("peft_config").locator(".pl-inside").wait_for()
    view.variable("peft_config").locator(".pl-opener").click()
    assert view.variable("peft_config").locator(".pl-inside").count() == 0
    take_picture(view.page, "stepper-variables")


def test_a_frame_of_the_stack_is_looked_at_without_moving(opened, view, walk):
    cursor = walk.cursor()
    cursor.run_to(Breakpoint("PrefixEncoder.forward"))
    lead(opened, view, cursor.index)
    outer = cursor.stack[1] if cursor.stack[0].index == cursor.index else cursor.stack[-2]
    view.root.locator(".pl-stack button").nth(1).click()
    view.root.locator(".pl-stack li:nth-child(2) [aria-current]").wait_for()
    assert view.line() == outer.line
    assert view.step == cursor.index
    opened.until("stepper.step", cursor.index)


def test_watches_are_added_refused_and_taken_away(opened, view, walk):
    lead(opened, view, end_of_prompt(walk))
    watch = view.root.locator(".pl-pane-watches input")
    watch.fill("batch_size * (")
    watch.press("Enter")
    view.root.locator(".pl-pane-watches .pl-problem", has_text="missing").wait_for()
    watch.fill("prompt_tokens.shape[1] + batch_size")
    watch.press("Enter")
    view.root.locator(".pl-watched", has_text="22").wait_for()
    assert view.root.locator(".pl-pane-watches .pl-problem").inner_text() == ""
    watch.fill("nowhere")
    watch.press("Enter")
    view.root.locator(".pl-watched", has_text="not known here").wait_for()
    opened.until("stepper.watches", ["prompt_tokens.shape[1] + batch_size", "nowhere"])
    view.root.get_by_role("button", name="Remove: nowhere").click()
    opened.until("stepper.watches", ["prompt_tokens.shape[1] + batch_size"])


def test_undo_goes_back_jump_by_jump(opened, view, walk):
    for key in ("G", "g", "]"):
        view.press(key)
        view.page.wait_for_timeout(100)
    for there in (0, len(walk) - 1, 0):
        view.press("u")
        view.at(there)


def test_help_lists_the_keys_and_escape_closes_it(view):
    view.press("?")
    dialog = view.root.get_by_role("dialog")
    dialog.wait_for()
    assert "Step over, backwards" in dialog.inner_text()
    take_picture(view.page, "stepper-help")
    view.page.keyboard.press("Escape")
    dialog.wait_for(state="detached")
    view.do("help")
    dialog.get_by_role("button", name="Close").click()
    dialog.wait_for(state="detached")
    view.press("n")
    assert view.root.locator(".pl-current").count() == 1


def test_it_fills_the_window_and_comes_back(view):
    small = view.root.bounding_box()["height"]
    view.do("full")
    view.page.wait_for_function("document.fullscreenElement?.matches('.pl-root')")
    assert view.root.bounding_box()["height"] > small + 100
    take_picture(view.page, "stepper-full")
    view.press("f")
    view.page.wait_for_function("!document.fullscreenElement")
    assert view.root.bounding_box()["height"] == small


def test_the_splitter_moves_by_mouse_and_keys(view):
    source, split = view.root.locator(".pl-source"), view.root.locator(".pl-split")
    before = source.bounding_box()["width"]
    box = split.bounding_box()
    view.page.mouse.move(box["x"] + 2, box["y"] + 40)
    view.page.mouse.down()
    view.page.mouse.move(box["x"] - 150, box["y"] + 40, steps=3)
    view.page.mouse.up()
    dragged = source.bounding_box()["width"]
    assert dragged < before - 100
    split.focus()
    view.page.keyboard.press("ArrowRight")
    view.page.keyboard.press("ArrowRight")
    assert source.bounding_box()["width"] > dragged + 20
    assert split.get_attribute("aria-valuenow").isdecimal()


def test_its_keys_are_not_the_notebooks(opened, view):
    page = view.page
    cells = page.locator(".jp-Notebook .jp-Cell")
    before = (
        cells.count(),
        page.locator(".jp-Cell.jp-mod-selected").count(),
        page.locator(".jp-Notebook").get_attribute("class"),
    )
    view.press("d", "d", "a", "j", "k", "b", "b", "x", "z", "m", "y", "Enter", "0", "0", "i", "i")
    view.press("ArrowDown", "ArrowUp")
    after = (
        cells.count(),
        page.locator(".jp-Cell.jp-mod-selected").count(),
        page.locator(".jp-Notebook").get_attribute("class"),
    )
    assert after == before
    assert page.get_by_role("dialog").count() == 0
    view.root.locator("[role=tab][data-tab=variables]").click()  # i has opened the tree of calls in its place
    watch = view.root.locator(".pl-pane-watches input")
    watch.click()
    page.keyboard.type("jkbddnNsSgGu?/[]=+ a")
    assert watch.input_value() == "jkbddnNsSgGu?/[]=+ a"
    assert cells.count() == before[0]
    page.keyboard.press("Control+a")
    page.keyboard.press("Backspace")
    assert watch.input_value() == ""
    opened.until("walk is stepper.recording", True)


def test_two_views_of_one_stepper_follow_each_other(opened, view):
    other = views(opened)[1]
    view.press("n", "n")
    here = view.step
    other.root.scroll_into_view_if_needed()
    other.at(here).press("n")
    view.at(other.step)
    other.press("b")
    assert view.root.locator(".pl-gutter.pl-stop").count() == 1
    assert view.root.locator(".pl-condition").count() == 1


def test_an_exception_shows_its_step_and_the_shapes(opened):
    view = views(opened)[2]
    view.root.scroll_into_view_if_needed()
    view.root.locator(".pl-failed").click()
    view.root.locator(".pl-line.pl-at-exception").wait_for()
    said = view.root.inner_text()
    for part in ("raises RuntimeError", "(4, 8)", "(9, 3)"):
        assert part in said
    assert view.root.locator(".pl-current", has_text="half @ weight").count() == 1
    take_picture(view.page, "stepper-exception")


def test_hostile_values_are_text_in_jupyterlab_too(opened):
    view = views(opened)[3]
    view.root.scroll_into_view_if_needed()
    bounds = view.root.bounding_box()
    last = int(opened.python("", "len(hostile.recording)")) - 1
    for step in [*range(0, last, 9), last]:
        opened.python(f"hostile.step = {step}")
        view.at(step)
    for name in ("keys", "values", "__proto__"):
        view.root.get_by_role("button", name=f"Show what is inside: {name}", exact=True).click()
    view.root.locator(".pl-inside").nth(2).wait_for()
    view.variable("constructor").locator(".pl-name").first.click()
    view.root.locator(".pl-history li button").first.wait_for()
    search = view.tab("search").get_by_role("searchbox")
    search.fill("pwned")
    search.press("Enter")
    view.root.locator(".pl-found-value").first.wait_for()
    view.tab("variables")
    take_picture(view.page, "stepper-hostile")
    assert view.page.evaluate("window.pwned") is None
    assert view.root.locator("img, script, style, iframe").count() == 0
    after = view.root.bounding_box()
    assert (after["width"], after["height"]) == (bounds["width"], bounds["height"])
