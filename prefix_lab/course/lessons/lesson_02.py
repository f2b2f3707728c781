"""Lesson 2: how wide a virtual token is, and how its vector is cut into layers and heads."""

from collections.abc import Callable

import torch
from torch import Tensor

from prefix_lab.course.checking import DICE, SIZES, Verdict, answered, exercise


@exercise(2, 1, "how wide is a virtual token?")
def check_row_width(answer: Callable[[int, int, int], int]) -> Verdict:
    """`answer(layers, heads, head_dim)` is the width of one virtual token's vector."""
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


@exercise(2, 2, "view and permute")
def check_split(answer: Callable[[Tensor, int, int], Tensor]) -> Verdict:
    """`answer(prefix, layers, heads)` is (2·layers, batch, heads, prefix_len, head_dim)."""
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
