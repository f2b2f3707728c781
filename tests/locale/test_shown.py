"""What is shown comes from the catalogue: in a language of brackets, no English word stands outside of them."""

import re

import pytest
import torch

from prefix_lab.course import table
from prefix_lab.course.checking import RAISED, NotYet
from prefix_lab.course.progress import show_progress
from prefix_lab.course.ready import Verdict, self_check
from prefix_lab.terminal.commands import main
from prefix_lab.widgets import Mirror, ParameterBars, ReshapeView, ShapeFlow, Stepper, TensorView, predict
from tests.course.mistakes import MISTAKES
from tests.course.test_exercises import CHECKS, LIVE, SOLUTIONS
from tests.course.test_lessons import PICTURES
from tests.locale.pseudo import names_of, untranslated
from tests.widgets.stepper.walks import walk

pytestmark = [
    pytest.mark.usefixtures("brackets"),
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning"),
]


@pytest.mark.parametrize(
    ("shown", "words"),
    [
        (lambda: str(NotYet("This is new.")), ["This", "new"]),
        (lambda: str(NotYet(RAISED, what="heart", kind="KeyError", said="a b")), ["heart"]),
        (lambda: repr(Verdict(True, "Well done.")), ["Well", "done"]),
        (
            lambda: repr(table(("batch", "your answer"), [("a", "text")], "Everything is well.")),
            ["your", "answer", "Everything", "well"],
        ),
    ],
)
def test_a_planted_text_that_no_catalogue_has_is_found(shown, words):
    assert untranslated(shown())[: len(words)] == words


@pytest.mark.parametrize("check", sorted({*MISTAKES, *LIVE}))
def test_a_check_says_nothing_that_is_not_in_the_catalogue(check):
    found = {}
    for cause, given in answers_to(check):
        verdict = CHECKS[check](*given)
        names = {name for one in given for name in re.findall(r"\w+", repr(one))}
        if words := untranslated(repr(verdict), *names, *NAMES.get(check, "").split()):
            found[cause] = (words, verdict.text)
    assert found == {}


NAMES = {
    "check_ending": "classes logits",
    "check_lora_layer": "forward down",
    "check_own_batch": "labels",
    "check_own_split": "train",
    "check_chosen": "config table",
    "check_which_tool": "pdb recording condition bug change",
    "check_question_ans": "dropped",
    "check_why_there": "name amber",
    "check_condition": "condition not expression invalid syntax Write one that true false such",  # an error of break_at
}
"""What a check says besides, that is the name of something: an axis, a key of its dictionary, a tool."""


def answers_to(check):
    """What a check is given, the right answer and the wrong ones."""
    if check in LIVE:
        yield from ((f"right {number}", given) for number, given in enumerate(LIVE[check].right))
        yield from LIVE[check].mistakes.items()
    if check in MISTAKES:
        solution = SOLUTIONS[check]
        yield "right", (*solution.first, solution.answer)
        yield from ((cause, solution.written(mistake)) for cause, mistake in MISTAKES[check].items())


@pytest.mark.parametrize("told", PICTURES)
def test_a_picture_says_nothing_that_is_not_in_the_catalogue(told):
    assert untranslated(repr(PICTURES[told]()), "medium", "with", "alone") == []  # a size, and labels of the test


WIDGETS = {
    "flow": lambda: ShapeFlow("flan-t5-small", projection=True),
    "flow of one stack": lambda: ShapeFlow("llama-3-8b"),
    "bars": lambda: ParameterBars("t5-base"),
    "bars of a module": lambda: ParameterBars(torch.nn.Linear(2, 2)),
    "reshape": lambda: ReshapeView("T5"),
    "a tensor": lambda: TensorView(torch.arange(40_000).view(200, 2, 100)),
    "stepper": lambda: Stepper(walk()),
    "mirror": lambda: Mirror(walk("prefix_lab"), walk("peft")),
}


@pytest.mark.parametrize("name", WIDGETS)
def test_a_widgets_text_says_nothing_that_is_not_in_the_catalogue(name):
    assert untranslated(WIDGETS[name]().text, *names_of(walk("prefix_lab")), *names_of(walk("peft"))) == []


def test_a_question_of_the_stepper_says_nothing_that_is_not_in_the_catalogue():
    question = predict(walk(), at="encode", name="past_key_values")
    said = [question.text]
    for answer in ("batch", "(batch, nothing, hidden)", "(batch, 7, hidden)", "(batch, prefix_len, 2·layers·hidden)"):
        question.answer_with(answer)
        said.append(question.text)
    assert untranslated("\n".join(said)) == []


@pytest.mark.parametrize("shown", [lambda: show_progress(), lambda: show_progress(14), self_check])
def test_progress_and_the_self_check_say_nothing_that_is_not_in_the_catalogue(shown):
    assert untranslated(repr(shown())) == []


@pytest.mark.parametrize("arguments", [["walk"], ["walk", "--config-only", "--model", "llama-3-8b"], ["progress"]])
def test_a_command_says_nothing_that_is_not_in_the_catalogue(arguments, capsys):
    main(arguments)
    assert untranslated(capsys.readouterr().out) == []
