"""Two recordings side by side, in a page of their own and in JupyterLab: one toolbar leads both, and what differs is
said."""

import pytest

from prefix_lab.widgets import Mirror
from tests.browser.jupyterlab import notebook, take_picture
from tests.browser.steppers import View, page_from_disk, recorded, walk_of
from tests.browser.test_accessibility import serious

BEFORE = """
def scaled(numbers, by):
    return [by * one for one in numbers]


def run():
    numbers = [1, 2, 3]
    numbers = scaled(numbers, 2)
    return sum(numbers)
"""
LOOKS = [(1280, "light"), (900, "dark"), (1920, "dark"), (390, "light")]


class Pair:
    """A mirror on a page: its two views, and what it says."""

    def __init__(self, page, number=0):
        self.page, self.root = page, page.locator(".pl-mirror").nth(number)
        self.root.locator(".pl-current").nth(1).wait_for(state="attached")
        self.ours, self.theirs = (View(page, root) for root in self.root.locator(".pl-root").all())

    def at(self, ours, theirs):
        self.ours.at(ours)
        self.theirs.at(theirs)
        return self

    def says(self, text):
        self.root.locator(".pl-places", has_text=text).wait_for()

    def do(self, does):
        self.root.locator(f".pl-toolbar:visible [data-does='{does}']").click()

    def button(self, name):
        return self.root.get_by_role("button", name=name, exact=True)


@pytest.fixture(scope="module")
def mirror():
    options = {"keep": "statistics", "model": False}
    return Mirror(walk_of("prefix_lab", **options), walk_of("peft", **options), labels=("<b>prefix_lab</b>", "PEFT"))


@pytest.fixture(scope="module")
def before_and_after(tmp_path_factory):
    sources = {"before": BEFORE, "after": BEFORE.replace("scaled(numbers, 2)", "scaled(numbers, 3)")}
    return [
        recorded(tmp_path_factory.mktemp(name) / "program.py", source, keep="statistics")
        for name, source in sources.items()
    ]


@pytest.fixture(scope="module")
def file(mirror, tmp_path_factory):
    path = tmp_path_factory.mktemp("mirror") / "mirror.html"
    mirror.to_html(path)
    return path


@pytest.fixture(params=LOOKS, ids=lambda look: f"{look[0]}-{look[1]}")
def pair(request, browser, file):
    width, scheme = request.param
    with page_from_disk(browser, file, viewport={"width": width, "height": 800}, color_scheme=scheme) as (page, wrong):
        page.goto(file.as_uri())
        yield Pair(page)
        take_picture(page, f"mirror-{scheme}-{width}")
        assert wrong == []


def test_there_is_room_for_code_and_nothing_is_cut_off(pair):
    wide = pair.page.viewport_size["width"]
    boxes = [view.code.bounding_box() for view in (pair.ours, pair.theirs)]
    assert (boxes[0]["y"] == boxes[1]["y"]) == (wide > 1400)  # side by side, or one above the other
    assert min(box["height"] for box in boxes) >= 200
    assert min(box["width"] for box in boxes) >= min(560, wide - 2)
    assert pair.root.locator(".pl-toolbar:visible").count() == 1
    assert pair.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert pair.page.title() == "<b>prefix_lab</b> beside PEFT · get_peft_model, PeftModelForSeq2SeqLM.forward"
    assert serious(pair.page, "html") == []


def test_the_toolbar_leads_both_stage_by_stage_and_line_by_line(browser, file, mirror):
    with page_from_disk(browser, file) as (page, wrong):
        page.goto(file.as_uri())
        pair = Pair(page).at(0, 0)
        stages = [one for one in mirror.boundaries if one.ours and one.theirs]
        for one in sorted(stages, key=lambda one: one.ours):
            pair.do("nextStage")
            pair.at(one.ours[0], one.theirs[0]).says(f"Both begin {one.stage}.")
        pair.button("encode: equal").click()
        encode = next(one for one in stages if one.stage == "encode")
        pair.at(encode.ours[1], encode.theirs[1]).says("Both end encode.")
        assert pair.root.locator(".pl-compared-equal", has_text="past_key_values").count() == 1
        assert page.url.endswith(f"#ours={encode.ours[1]}&theirs={encode.theirs[1]}")
        page.reload()
        pair = Pair(page).at(encode.ours[1], encode.theirs[1])
        pair.button("prepare").first.click()
        prepare = next(one for one in stages if one.stage == "prepare")
        pair.at(prepare.ours[0], prepare.theirs[0])
        for _ in range(60):
            was = page.evaluate("location.hash")
            pair.theirs.press("n")
            page.wait_for_function("(was) => location.hash !== was", arg=was)
            there = (pair.ours.step, pair.theirs.step)
            if there == (prepare.ours[1], prepare.theirs[1]):
                break
            assert there[0] < prepare.ours[1]  # the one that is there first waits for the other
            assert there[1] < prepare.theirs[1]
        pair.says("Both end prepare.")
        assert wrong == []


def test_a_side_moved_alone_is_said_to_be_ahead_and_is_led_back(browser, file, mirror):
    with page_from_disk(browser, file) as (page, wrong):
        page.goto(file.as_uri())
        pair = Pair(page).at(0, 0)
        pair.button("PEFT alone").click()
        pair.do("nextStage")
        pair.do("nextStage")
        prepare = next(one for one in mirror.boundaries if one.stage == "prepare")
        pair.at(0, prepare.theirs[0]).says("PEFT is ahead: <b>prefix_lab</b> has not begun choose.")
        pair.button("Together again: move <b>prefix_lab</b>").click()
        pair.at(prepare.ours[0], prepare.theirs[0]).says("Both begin prepare.")
        page.keyboard.press("u")
        pair.at(0, prepare.theirs[0])
        pair.ours.press("m", "m", "m", "n")  # ours, theirs, both
        pair.says("waits until <b>prefix_lab</b> has come as far")
        pair.theirs.press("g", "]", "s", "b")
        choose = next(one for one in mirror.boundaries if one.stage == "choose")
        pair.at(choose.ours[0] + 1, choose.theirs[0] + 1).theirs.press("]", "C")
        pair.at(choose.ours[0], choose.theirs[0] + 1)  # theirs has run back to its breakpoint, ours has followed
        pair.ours.press("/")
        assert pair.ours.root.get_by_role("searchbox").is_visible()
        assert not pair.theirs.root.get_by_role("searchbox").is_visible()
        assert wrong == []


def test_two_runs_of_a_program_go_step_by_step_to_where_they_part(browser, before_and_after, tmp_path):
    Mirror(*before_and_after, labels=("before", "after")).to_html(tmp_path / "parted.html")
    with page_from_disk(browser, tmp_path / "parted.html") as (page, wrong):
        page.goto((tmp_path / "parted.html").as_uri())
        pair = Pair(page).at(0, 0)
        pair.ours.press("s")
        pair.at(1, 1).says("Both are at the same step.")
        pair.button("after alone").click()
        pair.do("in")
        pair.at(1, 2).says("after is ahead by this many steps: 1.")
        pair.button("Where the two part").click()
        pair.at(2, 2).says("Here the two part. Where the two part: numbers differs: [2, 4, 6], and [3, 6, 9].")
        pair.button("both").click()
        pair.do("in")
        pair.at(3, 3).says("Both are past where they part.")
        different = pair.root.locator(".pl-compared-different")
        assert different.inner_text().split() == ["≠", "by", "before", "2", "after", "3"]
        assert serious(page, "html") == []
        assert wrong == []


def test_in_jupyterlab_keys_and_python_lead_both(lab, either, mirror):
    for recording, name in ((mirror.ours, "ours"), (mirror.theirs, "theirs")):
        recording.save(lab.root / f"{name}.recording")
    cell = (
        "from prefix_lab.debugger import Recording\nfrom prefix_lab.widgets import Mirror\n"
        "mirror = Mirror(Recording.load('ours.recording'), Recording.load('theirs.recording'))\nmirror"
    )
    split = next(one for one in mirror.boundaries if one.stage == "split")
    with notebook(lab, either, "mirror.ipynb", [cell]) as opened:
        pair = Pair(opened.page)
        opened.python("mirror.goto_stage('split')")
        pair.at(split.ours[0], split.theirs[0]).says("Both begin split.")
        pair.ours.press("[")
        pair.says("Both begin encode.")
        encode = next(one for one in mirror.boundaries if one.stage == "encode")
        opened.until("mirror.steps", {"ours": encode.ours[0], "theirs": encode.theirs[0]})
        pair.root.scroll_into_view_if_needed()
        take_picture(opened.page, "mirror-lab-1280")
        assert min(view.code.bounding_box()["height"] for view in (pair.ours, pair.theirs)) >= 200
        opened.page.set_viewport_size({"width": 900, "height": 900})  # the files are open at the left
        pair.root.scroll_into_view_if_needed()
        take_picture(opened.page, "mirror-lab-900")
        boxes = [view.code.bounding_box() for view in (pair.ours, pair.theirs)]
        assert min(box["width"] for box in boxes) >= 300
        assert min(box["height"] for box in boxes) >= 100
