"""Two recordings side by side, in JupyterLab: the stages lead both, and what differs is said."""

import pytest

from prefix_lab.widgets.stepper.mirror import boundaries
from tests.browser.jupyterlab import notebook, take_picture
from tests.browser.steppers import View, recorded, walk_of

CELL = (
    "from prefix_lab.debugger import Recording\nfrom prefix_lab.widgets import Mirror\n"
    "ours, theirs = Recording.load('ours.recording'), Recording.load('theirs.recording')\n"
    "mirror = Mirror(ours, theirs, labels=('<b>prefix_lab</b>', 'PEFT'))\nmirror"
)
CHANGED = (
    "before, after = Recording.load('before.recording'), Recording.load('after.recording')\n"
    "parted = Mirror(before, after, labels=('before', 'after'))\nparted"
)
BEFORE = """
def scaled(numbers, by):
    return [by * one for one in numbers]


def run():
    numbers = [1, 2, 3]
    numbers = scaled(numbers, 2)
    return sum(numbers)
"""


@pytest.fixture(scope="module")
def pair():
    options = {"keep": "statistics", "model": False}
    return walk_of("prefix_lab", **options), walk_of("peft", **options)


@pytest.fixture(scope="module")
def opened(lab, either, pair, tmp_path_factory):
    for recording, name in zip(pair, ("ours", "theirs"), strict=True):
        recording.save(lab.root / f"{name}.recording")
    for name, source in (("before", BEFORE), ("after", BEFORE.replace("scaled(numbers, 2)", "scaled(numbers, 3)"))):
        recorded(tmp_path_factory.mktemp(name) / "program.py", source).save(lab.root / f"{name}.recording")
    with notebook(lab, either, "mirror.ipynb", [CELL, CHANGED], width=1600, height=1050) as notebook_:
        notebook_.page.keyboard.press("Control+b")  # the list of files
        notebook_.page.locator(".pl-root .pl-current").nth(3).wait_for(state="attached")
        yield notebook_


def sides(opened, number=0):
    mirror = opened.page.locator(".pl-mirror").nth(number)
    mirror.scroll_into_view_if_needed()
    return mirror, *(View(opened.page, root) for root in mirror.locator(".pl-root").all())


def test_every_stage_leads_both_sides_and_its_verdict_is_said(opened, pair):
    mirror, ours, theirs = sides(opened)
    assert mirror.locator(".pl-side-of > h3").all_inner_texts() == ["<b>prefix_lab</b>", "PEFT"]
    assert mirror.locator(".pl-verdict").count() == len(boundaries(*pair))
    for number, one in enumerate(boundaries(*pair)):
        if not (one.ours and one.theirs):
            continue
        mirror.locator(".pl-pair button:first-child").nth(number).click()
        ours.at(one.ours[0])
        theirs.at(one.theirs[0])
        mirror.locator(".pl-verdict").nth(number).click()
        ours.at(one.ours[1])
        theirs.at(one.theirs[1])
        assert f"Stage {one.stage}" in mirror.locator(".pl-strip-news").inner_text()
        opened.until("mirror.steps", {"ours": one.ours[1], "theirs": one.theirs[1]})


def test_each_side_walks_on_its_own_lines(opened):
    mirror, ours, theirs = sides(opened)
    mirror.get_by_role("button", name="encode: equal").first.click()
    opened.page.wait_for_timeout(200)
    kept = theirs.step
    ours.press("g")
    ours.at(0).press("n", "n")
    assert theirs.step == kept
    ours.press("b")
    assert ours.root.locator(".pl-condition").count() == 1
    assert theirs.root.locator(".pl-condition").count() == 0
    theirs.do("first")
    theirs.at(0)


def test_python_leads_both_sides(opened, pair):
    _, ours, theirs = sides(opened)
    split = next(one for one in boundaries(*pair) if one.stage == "split")
    opened.python("mirror.goto_stage('split')")
    ours.at(split.ours[0])
    theirs.at(split.theirs[0])
    take_picture(opened.page, "mirror-split")


def test_two_runs_of_a_program_show_where_they_part(opened):
    mirror, before, after = sides(opened, 1)
    mirror.get_by_role("button", name="Where the two part").click()
    for view, side in ((before, "ours"), (after, "theirs")):
        where = int(opened.python("", f"parted.pairs['parted']['{side}']"))
        assert view.at(where).step > 0
    opened.until("parted.steps", {"ours": before.step, "theirs": after.step})
    assert mirror.locator(".pl-strip-news").inner_text().startswith("Where the two part")
    take_picture(opened.page, "mirror-parted")
