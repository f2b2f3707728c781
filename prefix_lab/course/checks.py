"""Checks for the exercises: each tries an answer at sizes drawn anew, and names the likely cause when it is wrong.

A check never raises on a wrong answer, so that a lesson runs top to bottom before anything is solved. It looks for
the plain mistake first and the subtle one last, and stops at the first that it finds.
"""

import html
import random
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

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


def answered(answer: Callable, *arguments: object) -> tuple[object, Verdict | None]:
    """The learner's function called; with a verdict when it is still a stub or raises."""
    try:
        result = answer(*arguments)
    except Exception as error:  # whatever the learner's code raises is for the learner to read
        return None, Verdict(False, f"your function raised {type(error).__name__}: {error}")
    if result is ... or result is None:
        return None, Verdict(False, TODO)
    return result, None


def check_row_width(answer: Callable[[int, int, int], int]) -> Verdict:
    """Lesson 1, exercise 1: `answer(layers, heads, head_dim)` is the width of one virtual token's vector."""
    for _ in range(5):
        layers, heads, head_dim = DICE.sample(SIZES, 3)
        result, problem = answered(answer, layers, heads, head_dim)
        if problem:
            return problem
        right = 2 * layers * heads * head_dim
        if result == right:
            continue
        asked = f"for layers={layers}, heads={heads}, head_dim={head_dim} it gave {result}, and the width is {right}"
        causes = {
            layers * heads * head_dim: "every layer needs a key and a value",
            2 * heads * head_dim: "this is one layer's share, and every layer has its own",
            2 * layers * head_dim: "this is one head's share; hidden is heads · head_dim",
            4
            * layers
            * heads
            * head_dim: "PEFT doubles the rows later, in `split`; the encoder makes 2·layers of them",
        }
        return Verdict(
            False, f"{asked}. {causes.get(result, 'Which axes lie in that vector, one after the other?').capitalize()}."
        )
    return Verdict(True, "2 · layers · heads · head_dim, a key and a value for every layer.")


def check_split(answer: Callable[[Tensor, int, int], Tensor]) -> Verdict:
    """Lesson 1, exercise 2: `answer(prefix, layers, heads)` is (2·layers, batch, heads, prefix_len, head_dim)."""
    batch, prefix_len, layers, heads, head_dim = DICE.sample(SIZES, 5)
    prefix = torch.arange(batch * prefix_len * 2 * layers * heads * head_dim, dtype=torch.float32)
    prefix = prefix.view(batch, prefix_len, 2 * layers * heads * head_dim)
    rows = prefix.view(batch, prefix_len, 2 * layers, heads, head_dim)
    right = rows.permute(2, 0, 3, 1, 4)  # (2·layers, batch, heads, prefix_len, head_dim)

    result, problem = answered(answer, prefix, layers, heads)
    if problem:
        return problem
    if not isinstance(result, Tensor):
        return Verdict(False, f"your function returned a {type(result).__name__}, expected a tensor.")
    axes = "(2·layers, batch, heads, prefix_len, head_dim)"
    if result.shape != right.shape:
        hint = "view gives every axis its size, permute puts them in order"
        if result.shape == rows.shape:
            hint = "the view is right; what is missing is the permute that brings 2·layers to the front"
        elif result.dim() == 5 and sorted(result.shape) == sorted(right.shape):
            hint = "every axis is there, in another order"
        return Verdict(False, f"the shape is {tuple(result.shape)}, expected {axes} = {tuple(right.shape)}: {hint}.")
    if not torch.equal(result, right):
        cause = "a view into the final shape only renumbers: the axes have to change places with permute"
        if torch.equal(result, prefix.view(batch, prefix_len, 2 * layers, head_dim, heads).permute(2, 0, 4, 1, 3)):
            cause = "heads come before head_dim in the vector: a head's numbers lie side by side"
        return Verdict(False, f"the shape {axes} is right, the numbers are not where they belong: {cause}.")
    return Verdict(True, f"every number is where attention will look for it, in {axes}.")
