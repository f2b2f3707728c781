"""What all checks of exercises are made of: a verdict, a learner's function called with care, and a note of success.

A check never raises on a wrong answer, so that a lesson runs top to bottom before anything is solved. It looks for the
plain mistake first and the subtle one last, and stops at the first that it finds.
"""

from __future__ import annotations

import functools
import html
import random
from collections.abc import Callable
from typing import Any, NamedTuple

from prefix_lab.course import progress
from prefix_lab.course.cells import cell_to_run

DICE = random.Random()  # of our own: the learner's random numbers stay as they are
SIZES = (3, 5, 7, 11, 13)  # odd primes, so that two axes, or twice one of them, are never mistaken for each other
TODO = "not answered yet: put your answer in place of ..., and run the cell again"


class Verdict(NamedTuple):
    """What a check says; in a notebook it is shown in colour."""

    passed: bool
    text: str

    def __repr__(self) -> str:
        return f"{'right' if self.passed else 'not yet'}: {self.text}"

    def _repr_html_(self) -> str:
        colour = "--jp-success-color1, #2e7d32" if self.passed else "--jp-warn-color1, #e65100"
        return (
            f'<p role="status" style="border-left: 4px solid var({colour}); padding: 2px 10px; margin: 4px 0">'
            f"<b>{'Right' if self.passed else 'Not yet'}</b>: {html.escape(self.text)}</p>"
        )


class Exercise(NamedTuple):
    """One exercise of the course, by lesson and number."""

    lesson: int
    number: int
    title: str


EXERCISES: dict[str, Exercise] = {}
"""The check's name → its exercise, of the lessons that were imported."""

Check = Callable[..., Verdict]


def exercise(lesson: int, number: int, title: str) -> Callable[[Check], Check]:
    """Mark a check as that of an exercise: when it passes, the learner's progress notes it."""

    def marked(check: Check) -> Check:
        EXERCISES[check.__name__] = Exercise(lesson, number, title)

        @functools.wraps(check)
        def checked(*answers: Any, **named: Any) -> Verdict:
            verdict = check(*answers, **named)
            if verdict.passed:
                progress.note(lesson, number)
            return verdict

        return checked

    return marked


def answered(answer: Any, *arguments: object, **named: object) -> tuple[Any, Verdict | None]:
    """The learner's function called; with a verdict when it is still a stub or raises."""
    if answer is ...:
        return None, Verdict(False, TODO)
    try:
        result = answer(*arguments, **named)
    except Exception as error:  # whatever the learner's code raises is for the learner to read
        return None, raised("function", error)
    if result is ... or result is None:
        return None, Verdict(False, TODO)
    return result, None


def raised(what: str, error: Exception) -> Verdict:
    """What the learner's code raised; for a name that is not there, with the cell to run first."""
    advice = cell_to_run(error)
    return Verdict(False, f"your {what} raised {type(error).__name__}: {error}{advice and f'. {advice}'}")


def is_open(answer: Any) -> bool:
    """Whether a stub's place still holds `...`, alone or inside."""
    if answer is ... or answer is None:
        return True
    if isinstance(answer, dict):
        return any(is_open(one) for one in answer.values())
    return isinstance(answer, list | tuple | set) and any(is_open(one) for one in answer)


def check_shape(prediction: Any, answer: Any) -> Verdict:
    """For `predict(...)`: the answer to its question, by names or numbers, from a cell instead of the picture."""
    if is_open(answer):
        return Verdict(False, TODO)
    if not hasattr(prediction, "answer_with"):
        return Verdict(False, "the first argument is the question: run the cell that shows it, and then this one.")
    text = ", ".join(map(str, answer)) if isinstance(answer, list | tuple) else str(answer)
    said = prediction.answer_with(f"({text.strip().strip('()')})")
    return Verdict(prediction.is_right, said.removeprefix("Right. "))
