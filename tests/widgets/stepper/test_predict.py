"""`predict`: a shape is asked for before the line runs; many spellings are right, and what is wrong is told."""

from __future__ import annotations

import pytest
import torch

from prefix_lab.debugger import Breakpoint
from prefix_lab.widgets import Stepper, predict
from prefix_lab.widgets.stepper.predict import SCORE, Score, sizes_of
from tests.debugger.recorded import recorded, refuses
from tests.widgets.stepper.walks import walk


@pytest.fixture
def score():
    return Score()


@pytest.fixture
def asked(score):
    """PEFT's projection: (batch, prefix_len, 2·layers·hidden) = (2, 20, 768)."""
    return predict(walk(), "encode", "past_key_values", score=score)


def test_it_stands_before_the_line_and_tells_nothing_of_what_comes(asked):
    assert isinstance(asked, Stepper)
    step = asked.cursor.step
    assert step.text == "past_key_values = self.transform(prefix_tokens)"
    assert "past_key_values" not in asked.cursor.locals
    assert asked.question["step"] == step.index
    assert asked.question["before"] == f"Line {step.line} of PrefixEncoder.forward is about to run:"
    assert asked.question["code"] == step.text
    assert f"is about to run:\n    {step.text}\nWhat shape" in repr(asked)
    assert "768" not in repr(asked)
    assert "What shape will past_key_values have?" in repr(asked)
    assert (asked.question["done"], asked.question["said"]) == (False, "")


@pytest.mark.parametrize(
    "answer",
    [
        "(batch, prefix_len, 2·layers·hidden)",
        "batch, prefix_len, 2·layers·hidden",
        "[batch,prefix_len,2*layers*hidden]",
        "( batch , prefix_len , 2 × layers × hidden )",
        "batch, prefix_len, 2 layers hidden",
        "batch, prefix_len, hidden*layers*2",
        "batch, prefix_len, layers·256",
        "(2, 20, 768)",
        "2,20,768",
        "[2, 20, 768]",
        "(2, prefix_len, 768,)",
        "  2, 20,   6*hidden  ",
    ],
)
def test_an_answer_is_right_in_any_spelling_by_names_or_numbers(asked, answer):
    said = asked.answer_with(answer)
    assert said.startswith("Right. past_key_values is (batch, prefix_len, 2·layers·hidden) = (2, 20, 768)"), said
    assert "The line reads prefix_tokens (batch, prefix_len, hidden) = (2, 20, 128)." in said
    assert asked.question["done"]
    assert asked.is_right


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("(batch, prefix_len)", "Number of axes: you gave 2, it has 3."),
        ("768", "Number of axes: you gave 1, it has 3."),
        ("", "Write one name or number for each axis"),
        ("()", "Write one name or number for each axis"),
        ("(batch, prefix_len, hidden)", "Axis 2 is not hidden = 128."),
        ("(batch, 21, 768)", "Axis 1 is not 21."),
        ("(prefix_len, batch, 768)", "Axis 0 is not prefix_len = 20."),
        ("(batch, prefix_len, colour)", "'colour' is neither a number nor made of this recording's axes: batch"),
        ("(batch, prefix_len, hidden / 0)", "is neither a number nor"),
        ("(batch, prefix_len, <b>768</b>)", "is neither a number nor"),
        ("(batch, prefix_len, 768.0)", "is neither a number nor"),
        ("(batch, prefix_len, " + "9" * 30 + ")", "Axis 2 is not"),
    ],
)
def test_a_wrong_answer_is_told_what_is_wrong_and_not_what_is_right(asked, answer, said):
    heard = asked.answer_with(answer)
    assert said in heard
    assert "768" in answer or "768" not in heard
    assert not asked.question["done"]
    assert not asked.is_right


def test_help_comes_with_the_second_try_and_the_answer_only_when_it_is_asked_for(asked):
    first, second, *later = (asked.answer_with("(batch, prefix_len, hidden)") for _ in range(5))
    assert first == "Axis 2 is not hidden = 128."
    right = "These axes of your answer are right: 0, 1."
    assert second == f"{first} {right} The line reads prefix_tokens (batch, prefix_len, hidden) = (2, 20, 128)."
    assert later == [second] * 3
    assert (asked.question["offer"], asked.question["done"]) == ("Show the answer", False)
    asked.set_state({"answer": {"show": True}})
    assert "past_key_values is (batch, prefix_len, 2·layers·hidden) = (2, 20, 768)" in asked.question["said"]
    assert (asked.question["offer"], asked.question["done"]) == ("", True)
    assert not asked.is_right


def test_who_asked_for_the_answer_may_still_give_it_and_it_was_not_the_first_try(asked, score):
    asked.show_answer()
    assert asked.answer_with("2, 20, 768").startswith("Right.")
    assert str(score) == "1 of 1 right, 0 at the first try"


def test_the_score_counts_questions_and_those_right_at_the_first_try(score):
    assert str(score) == "0 of 0 right, 0 at the first try"
    one = predict(walk(), "encode", "prefix_tokens", score=score)
    two = predict(walk(), "encode", "past_key_values", score=score)
    three = predict(walk(), "encode", "past_key_values", score=score)  # the same question again
    one.answer_with("batch, prefix_len, hidden")
    one.answer_with("batch, prefix_len, hidden")
    assert str(score) == "1 of 2 right, 1 at the first try"
    two.answer_with("batch, prefix_len, hidden")
    two.answer_with("2, 20, 768")
    three.answer_with("2, 20, 768")
    assert (len(score.asked), len(score.right)) == (2, 2)
    assert "2 of 2 right" in two.question["score"]
    assert "[2 of 2 right" in repr(two)


def test_without_a_score_of_ones_own_the_sessions_counts():
    before = len(SCORE.asked)
    predict(walk(), "encode", "prefix_tokens")
    assert len(SCORE.asked) - before in (0, 1)
    assert any(name == "prefix_tokens" for _, name, _ in SCORE.asked)


def test_a_view_answers_by_the_trait_and_is_told_by_the_other(asked):
    asked.set_state({"answer": {"text": "2, 20, 768"}})
    assert asked.question["done"]
    assert asked.question["given"] == "2, 20, 768"
    assert asked.question["said"].startswith("Right.")


@pytest.mark.parametrize("answer", [{}, {"text": 5}])
def test_an_answer_that_is_no_text_is_wrong_and_breaks_nothing(asked, answer):
    asked.set_state({"answer": answer})
    assert not asked.is_right


def test_a_place_is_a_stage_a_function_a_step_its_number_or_a_breakpoint(score):
    recording = walk()
    start = recording.find(function="PrefixEncoder.forward", event="call")[0]
    places = ["encode", "PrefixEncoder.forward", start, start.index, Breakpoint("PrefixEncoder.forward")]
    steps = {predict(recording, place, "prefix_tokens", score=score).cursor.index for place in places}
    assert len(steps) == 1
    assert len(score.asked) == 1


def test_a_place_that_is_not_there_is_refused_with_those_near_it():
    with refuses(ValueError, "at='PrefixEncoder.foward'", "PrefixEncoder.forward"):
        predict(walk(), "PrefixEncoder.foward", "x")
    with refuses(ValueError, "at='zzzzqqq'", "print(recording)"):
        predict(walk(), "zzzzqqq", "x")
    with refuses(ValueError, "at=1.5", "expected a step, a stage's name"):
        predict(walk(), 1.5, "x")
    with refuses(IndexError, "step 100000000"):
        predict(walk(), 10**8, "x")


def test_a_name_that_gets_no_tensor_is_refused_with_those_that_do():
    with refuses(ValueError, "name='hidden' gets no tensor in PrefixEncoder.forward", "prefix_tokens, past_key_values"):
        predict(walk(), "encode", "hidden")
    with refuses(ValueError, "name='model' gets no tensor", "No name does"):
        predict(walk(), "choose", "model")


def shapes():
    x = torch.zeros(3, 4)
    scalar = x.sum()
    y = x.T
    return y, scalar


def test_without_names_a_shape_is_asked_for_by_numbers(score):
    recording = recorded(shapes, [shapes])
    asked = predict(recording, "shapes", "y", score=score)
    assert "as in (2, 20)" in asked.question["text"]
    assert "answer with numbers" in asked.answer_with("(a, 3)")
    assert asked.answer_with("4, 3") == "Right. y is (4, 3). The line reads x (3, 4)."


def test_a_tensor_without_axes_is_answered_by_nothing_between_parentheses(score):
    asked = predict(recorded(shapes, [shapes]), "shapes", "scalar", score=score)
    assert "Number of axes: you gave 1, it has 0." in asked.answer_with("1")
    assert asked.answer_with("()").startswith("Right. scalar is ()")


def test_the_sizes_of_the_axes_are_those_of_the_recording():
    sizes = sizes_of(walk())
    assert {name: sizes[name] for name in ("batch", "prefix_len", "hidden", "layers")} == {
        "batch": 2,
        "prefix_len": 20,
        "hidden": 128,
        "layers": 3,
    }
    assert sizes_of(recorded(shapes, [shapes])) == {}
