"""What a reader sees of the stepper without doing anything for it, in windows of many widths."""

import pytest

from tests.browser.steppers import View, page_from_disk, walk_of

PHONE = 390
# What sticks out of the pane with the source, of the current line and of all values beside lines. On a phone what the
# current line reads may lie below.
OUTSIDE = """(code) => {
    const { left, right, bottom } = code.getBoundingClientRect();
    const parts = code.querySelectorAll('.pl-current .pl-text, .pl-current .pl-text *, .pl-ghost');
    const sticksOut = (one) => {
        const its = one.getBoundingClientRect();
        const below = one.closest('.pl-current') && !one.matches('.pl-ghost-read') && its.bottom > bottom + 1;
        return its.left < left - 1 || its.right > right + 1 || below;
    };
    return [...parts].filter(sticksOut).map((one) => one.textContent);
}"""

# What scrolls sideways, the code aside.
SCROLLS = """(root) => [...root.querySelectorAll('*:not(.pl-code)')]
    .filter((one) => one.clientWidth && one.scrollWidth > one.clientWidth + 1)
    .filter((one) => ['auto', 'scroll'].includes(getComputedStyle(one).overflowX))
    .map((one) => one.className)"""


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("look") / "walk.html"
    walk_of().to_html(path, title="The walk")
    return path


@pytest.fixture
def seen(either, file, request):
    """The page in a window of a given width, and what went wrong in it."""
    height = 844 if request.param == PHONE else 720
    with page_from_disk(either, file, viewport={"width": request.param, "height": height}) as (page, wrong):
        page.goto(file.as_uri())
        yield View(page).at(0)
        assert wrong == []


WIDTHS = pytest.mark.parametrize("seen", [1280, 900, PHONE], indirect=True)


def go(view, step):
    view.page.evaluate(f"location.hash = 'step={step}'")
    return view.at(step)


@WIDTHS
def test_the_current_line_and_all_values_beside_lines_are_whole(seen):
    walk = walk_of()
    steps = [step.index for step in walk.steps if "get_prompt" in step.function or "Attention" in step.function]
    for at, step in enumerate(steps[::9]):
        go(seen, step)
        if not at:  # as it opens
            seen.page.reload()
            seen.at(step)
        assert seen.code.evaluate(OUTSIDE) == [], (step, walk.steps[step].text)


@WIDTHS
def test_a_line_says_what_it_gives_with_named_axes_then_what_it_reads_and_of_self_nothing(seen):
    walk = walk_of()
    line = "past_key_values = torch.cat([past_key_values, past_key_values], dim=2)"
    step = next(step.index for step in walk.steps if step.text == line and step.changed)
    current = go(seen, step).root.locator(".pl-current .pl-ghost")
    assert [said.replace("\xa0", " ") for said in current.all_inner_texts()] == [
        "gives past_key_values (batch 2, prefix_len 20, 4·layers 12, heads 4, head_dim 32)",
        "reads past_key_values (batch 2, prefix_len 20, 2·layers 6, heads 4, head_dim 32)",
    ]
    assert seen.root.locator(".pl-ghost", has_text="self").count() == 0


@WIDTHS
def test_changed_variables_stand_first_and_in_view_and_self_is_last(seen):
    walk = walk_of()
    step = next(step.index for step in walk.steps if "model_type = getattr" in step.text and step.changed)
    go(seen, step)
    seen.root.locator("[data-panel=variables]").evaluate("(panel) => (panel.scrollTop = 1e6)")
    seen.press("n")
    seen.root.locator(".pl-fresh", has_text="model_type").wait_for()
    names = seen.root.locator(".pl-variables > li .pl-name").all_inner_texts()
    assert (names[0], names[-1]) == ("model_type", "self")
    panel, first = (
        seen.root.locator(one).first.bounding_box() for one in ("[data-panel=variables]", ".pl-variables > li")
    )
    assert panel["y"] <= first["y"] <= panel["y"] + panel["height"] - first["height"]


@pytest.mark.parametrize("seen", [PHONE], indirect=True)
def test_on_a_phone_buttons_are_big_enough_and_nothing_but_code_scrolls_sideways(seen):
    seen.root.get_by_role("button", name="More buttons").click()
    seen.do("nextStage")
    seen.root.get_by_role("button", name="More buttons").click()
    for tab in ("calls", "search", "history", "variables"):
        seen.tab(tab)
        buttons = seen.root.locator("button:visible").all()
        assert [one.inner_text() for one in buttons if one.bounding_box()["height"] < 44] == []
        assert seen.root.evaluate(SCROLLS) == []
    assert seen.root.locator("[data-panel=variables]").bounding_box()["height"] > 150
