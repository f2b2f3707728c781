"""Lesson 0's checks: a shape said before it is there, and the stage to look at."""

import pytest
import torch

from prefix_lab.course.lessons.lesson_00 import SYMPTOMS, check_first_shape, check_where_to_look, draw_walk
from prefix_lab.debugger import record
from prefix_lab.stages import STAGES, stage
from prefix_lab.widgets import predict
from prefix_lab.widgets.stepper.predict import Score


def encode(batch: int):
    table = torch.zeros(7, 5)
    prefix = torch.zeros(batch, 3, dtype=torch.long)
    prefix_tokens = table[prefix]
    return prefix_tokens


@pytest.fixture
def question():
    with record([encode]) as recording:
        encode(2)
    return predict(recording, at="encode", name="prefix_tokens", score=Score())


def test_a_shape_by_numbers_is_right_and_a_wrong_one_is_told_its_axis(question):
    assert not check_first_shape(question, ...).passed
    assert "Number of axes: you gave 2, it has 3." in check_first_shape(question, "(2, 3)").text
    assert "Axis 2 is not 7" in check_first_shape(question, (2, 3, 7)).text
    assert check_first_shape(question, "(2, 3, 5)").passed


def test_an_answer_given_in_the_picture_counts(question):
    question.answer = {"text": "(2, 3)", "number": 1}
    assert not check_first_shape(question, ...).passed
    question.answer = {"text": "(2, 3, 5)", "number": 2}
    assert check_first_shape(question, ...).passed


@pytest.mark.parametrize("hostile", [5, None, "question", object()])
def test_without_its_question_the_check_says_which_cell_to_run(hostile):
    assert "run the cell that shows it" in check_first_shape(hostile, "(2, 3, 5)").text


def test_the_solution_names_a_stage_for_every_symptom():
    assert check_where_to_look(dict(SYMPTOMS)).passed
    assert check_where_to_look({symptom: f" {name.upper()} " for symptom, name in SYMPTOMS.items()}).passed
    assert {stage(name).name for name in SYMPTOMS.values()} <= {row.name for row in STAGES}


@pytest.mark.parametrize("symptom", SYMPTOMS)
@pytest.mark.parametrize("wrong", ["choose", "learn", "encode"])
def test_a_wrong_stage_is_told_what_that_stage_does(symptom, wrong):
    text = check_where_to_look(SYMPTOMS | {symptom: wrong}).text
    assert text.startswith(symptom)
    assert stage(wrong).sentence[1:] in text


FIRST = next(iter(SYMPTOMS))
MISTAKES = {
    check_where_to_look: {
        "put your answer": dict.fromkeys(SYMPTOMS, ...),
        "not answered yet": SYMPTOMS | {FIRST: ...},
        "'preparation' is no stage": SYMPTOMS | {FIRST: "preparation"},
        "2 is no stage": SYMPTOMS | {FIRST: 2},
        "is gone": {},
        "expected the dict": list(SYMPTOMS.values()),
        "a ellipsis, expected the dict": ...,
    }
}


def test_what_a_learner_wrote_is_shown_as_text():
    assert "<script>" not in check_where_to_look(SYMPTOMS | {FIRST: "<script>alert(1)</script>"})._repr_html_()


def test_the_map_tells_every_stage_in_words_and_in_the_picture():
    picture = draw_walk()
    for row in STAGES:
        assert row.sentence in repr(picture)
        assert f"· {row.name}</text>" in picture.svg
