"""Questions in a stepper, in JupyterLab: asked before the line runs, answered by keyboard, explained, counted."""

import pytest

from tests.browser.jupyterlab import notebook, take_picture
from tests.browser.steppers import views, walk_of

CELL = (
    "from prefix_lab.debugger import Recording\nfrom prefix_lab.widgets import predict\n"
    "from prefix_lab.widgets.stepper.predict import Score\n"
    "recording, score = Recording.load('predict.recording'), Score()\n"
    "first = predict(recording, 'encode', 'past_key_values', score=score)\nfirst"
)
WRONG = "(batch, prefix_len, hidden)"
RIGHT = "(batch, prefix_len, 2*layers*hidden)"


@pytest.fixture(scope="module")
def opened(lab, window):
    walk_of().save(lab.root / "predict.recording")
    cells = [CELL, "second = predict(recording, 'encode', 'prefix_tokens', score=score)\nsecond"]
    with notebook(lab, window, "predict.ipynb", cells, height=1000) as notebook_:
        notebook_.page.locator(".pl-root .pl-current").nth(1).wait_for(state="attached")
        yield notebook_


def test_the_answer_is_not_to_be_seen_until_it_is_given(opened):
    view = views(opened)[0]
    bar = view.root.locator(".pl-question")
    assert "What shape will past_key_values have?" in bar.inner_text()
    assert view.root.locator(".pl-ghost-next").count() == 0
    assert "768" not in view.root.inner_text()
    take_picture(view.page, "predict-asked")


def test_it_is_answered_by_keyboard_corrected_explained_and_counted(opened):
    view = views(opened)[0]
    bar = view.root.locator(".pl-question")
    bar.get_by_role("textbox").focus()
    view.page.keyboard.type(WRONG)
    view.page.keyboard.press("Enter")
    bar.locator(".pl-wrong", has_text="Axis 2 is not hidden = 128.").wait_for()
    assert bar.get_by_role("textbox").input_value() == WRONG
    assert bar.get_by_role("button", name="Show the answer").count() == 0
    assert view.root.locator(".pl-ghost-next").count() == 0
    take_picture(view.page, "predict-wrong")
    bar.get_by_role("textbox").fill(RIGHT)
    bar.get_by_role("textbox").press("Enter")
    bar.locator(".pl-right", has_text="Right.").wait_for()
    assert "(batch, prefix_len, 2·layers·hidden) = (2, 20, 768)" in bar.inner_text()
    assert "1 of 2 right, 0 at the first try" in bar.inner_text()
    view.root.locator(".pl-ghost-next", has_text="2·layers·hidden").wait_for()
    opened.until("first.tries", 2)
    take_picture(view.page, "predict-right")


def test_the_button_checks_too_and_numbers_will_do(opened):
    view = views(opened)[1]
    view.root.scroll_into_view_if_needed()
    bar = view.root.locator(".pl-question")
    bar.get_by_role("textbox").fill("2, 20, 128")
    bar.get_by_role("button", name="Check").click()
    bar.locator(".pl-right").wait_for()
    opened.until("str(second.score)", "2 of 2 right, 1 at the first try")


def test_the_question_stays_at_its_step_and_moves_go_on(opened):
    view = views(opened)[1]
    asked = view.step
    view.press("n")
    view.root.locator(f".pl-track:not([aria-valuenow='{asked}'])").wait_for()
    assert not view.root.locator(".pl-question").is_visible()
    view.press("N")
    view.at(asked).root.locator(".pl-question").wait_for()


def test_the_answer_is_shown_to_those_who_ask_for_it_after_three_tries(opened):
    again = "second.is_right, second.tries, second.question = False, 2, second.question | {'done': False}"
    opened.python(f"{again}; second.answer_with('(1, 2)')")
    view = views(opened)[1]
    bar = view.root.locator(".pl-question")
    bar.get_by_role("button", name="Show the answer").click()
    bar.locator("p", has_text="prefix_tokens is (batch, prefix_len, hidden) = (2, 20, 128).").wait_for()
    assert "The line reads prefix" in bar.inner_text()


def test_python_answers_and_the_view_shows_it(opened):
    opened.python("third = predict(recording, 'encode', 'past_key_values'); third.answer_with('(1, 2)')")
    assert "Right. past_key_values is" in opened.python("said = third.answer_with('2, 20, 768')", "said")
    assert "2·layers·hidden" in opened.python("", "repr(third)")
