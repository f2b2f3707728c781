"""What all checks of exercises are made of: a verdict, a learner's answer looked at with care, and a note of success.

A check never raises on a wrong answer, so that a lesson runs top to bottom before anything is solved. It looks for the
plain mistake first and the subtle one last, and stops at the first that it finds.
"""

from __future__ import annotations

import functools
import html
import random
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from prefix_lab.course import progress
from prefix_lab.course.cells import cell_to_run

DICE = random.Random()  # of our own: the learner's random numbers stay as they are
SIZES = (3, 5, 7, 11, 13)  # odd primes, so that two axes, or twice one of them, are never mistaken for each other
TODO = "not answered yet: put your answer in place of ..., and run the cell again"


def generator() -> torch.Generator:
    """Random numbers for tensors that are not the learner's."""
    return torch.Generator().manual_seed(DICE.randrange(2**31))


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


class Later(NamedTuple):
    """What would answer an exercise: it opens with a click, when the reader has tried."""

    number: int
    shown: Any

    @property
    def title(self) -> str:
        return f"Exercise {self.number} first. Then open this: it has the answer."

    def _repr_html_(self) -> str:
        return f"<details><summary>{html.escape(self.title)}</summary>{self.shown._repr_html_()}</details>"

    def __repr__(self) -> str:
        return f"{self.title}\n{self.shown!r}"


def after_exercise(number: int, shown: Any) -> Later:
    """A picture or a table that answers an exercise, folded until it is wanted."""
    return Later(number, shown)


Check = Callable[..., Verdict]


def exercise(lesson: int, number: int) -> Callable[[Check], Check]:
    """Mark a check as that of an exercise, by its place in `progress.EXERCISES`: when it passes, that is noted."""

    def marked(check: Check) -> Check:
        @functools.wraps(check)
        def checked(*answers: Any, **named: Any) -> Verdict:
            verdict = check(*answers, **named)
            if verdict.passed:
                progress.note(lesson, number)
            return verdict

        checked.exercise = (lesson, number)
        return checked

    return marked


def answered(answer: Any, *arguments: object, **named: object) -> tuple[Any, Verdict | None]:
    """The learner's function called; with a verdict when it is still a stub, raises, or forgets its `return`."""
    if answer is ...:
        return None, Verdict(False, TODO)
    try:
        result = answer(*arguments, **named)
    except Exception as error:  # whatever the learner's code raises is for the learner to read
        return None, raised("function", error)
    if is_open(result):
        return None, Verdict(False, TODO)
    if result is None:
        return None, Verdict(False, "your function gave None: what it makes has to be handed back, with `return`.")
    return result, None


def raised(what: str, error: Exception) -> Verdict:
    """What the learner's code raised; for a name that is not there, with the cell to run first."""
    advice = cell_to_run(error)
    return Verdict(False, f"your {what} raised {type(error).__name__}: {error}{advice and f'. {advice}'}")


def is_open(answer: Any) -> bool:
    """Whether a stub's place still holds `...`, alone or inside."""
    if isinstance(answer, Mapping):
        answer = list(answer.values())
    return answer is ... or (isinstance(answer, list | tuple | set) and any(map(is_open, answer)))


def unfilled(answer: Any, lines: Iterable[str]) -> Verdict | None:
    """What is wrong with the form of a dict that the learner filled in; None when nothing is."""
    if not isinstance(answer, dict):
        return Verdict(False, f"your answer is a {type(answer).__name__}, expected the dict of the cell, filled in.")
    if missing := [line for line in lines if line not in answer]:
        return Verdict(False, f"the line {missing[0]!r} is gone. Put it back as it was.")
    return Verdict(False, TODO) if is_open([answer[line] for line in lines]) else None


def wrong_number(
    answer: Any, given: Mapping[str, Any], right: int, causes: Mapping[Any, str], otherwise: str
) -> Verdict | None:
    """The learner's function called with the values of `given`; None when it gives `right`.

    `causes` has the likely mistake for a wrong number, `otherwise` a word for every other.
    """
    result, problem = answered(answer, *given.values())
    if problem:
        return problem
    asked = ", ".join(f"{name}={value}" for name, value in given.items())
    if isinstance(result, bool) or not isinstance(result, int | float):
        return Verdict(False, f"for {asked} you gave {result!r:.60}, expected a number: {otherwise}.")
    if result == right and isinstance(result, int):
        return None
    cause = "a whole number is wanted, // in place of /" if result == right else causes.get(result, otherwise)
    return Verdict(False, f"for {asked} you gave {result}, and it is {right}: {cause}.")


def close(result: Tensor, other: Tensor) -> bool:
    """Whether two tensors have the same shape and numbers, but for the last digits of a sum."""
    return result.shape == other.shape and torch.allclose(result.float(), other.float(), rtol=1e-4, atol=1e-5)


def wrong_tensor(
    result: Any,
    right: Tensor,
    axes: str,
    shapes: Mapping[tuple[int, ...], str],
    numbers: Mapping[str, Tensor],
    otherwise: tuple[str, str],
    same: Callable[[Tensor, Tensor], bool] = close,
    name: str = "",
) -> Verdict | None:
    """What is wrong with a tensor of the learner's; None when it is `right`, whose axes are `axes`.

    `shapes` has the likely mistake for a wrong shape, `numbers` the wrong tensor that each mistake makes, `otherwise` a
    word for every other shape and every other number. `name` says which one it is, where there are several.
    """
    of_it = f" of {name}" if name else ""
    if not isinstance(result, Tensor):
        return Verdict(False, f"your function gave a {type(result).__name__}, expected a tensor{of_it}.")
    named = f"{axes} = {tuple(right.shape)}"
    if result.shape != right.shape:
        same_axes = sorted(result.shape) == sorted(right.shape)
        cause = shapes.get(tuple(result.shape), "every axis is there, in another order" if same_axes else otherwise[0])
        return Verdict(False, f"the shape{of_it} is {tuple(result.shape)}, expected {named}: {cause}.")
    if same(result, right):
        return None
    cause = next((said for said, wrong in numbers.items() if same(result, wrong)), otherwise[1])
    return Verdict(False, f"the shape{of_it} is right, {named}, and the numbers are not: {cause}.")


def check_shape(prediction: Any, answer: Any) -> Verdict:
    """For `predict(...)`: the answer to its question, by names or numbers, from a cell instead of the picture."""
    if answer is None or is_open(answer):
        return Verdict(False, TODO)
    if not hasattr(prediction, "answer_with"):
        return Verdict(False, "the first argument is the question: run the cell that shows it, and then this one.")
    text = ", ".join(map(str, answer)) if isinstance(answer, list | tuple) else str(answer)
    said = prediction.answer_with(f"({text.strip().strip('()')})")
    return Verdict(prediction.is_right, said.removeprefix("Right. "))
