"""Lesson 2: how wide a virtual token is, and how its vector is cut into layers and heads."""

from collections.abc import Callable

import torch
from torch import Tensor

from prefix_lab.course.checking import DICE, SIZES, Verdict, answered, exercise, wrong_number, wrong_tensor


@exercise(2, 1)
def check_row_width(answer: Callable[[int, int, int], int]) -> Verdict:
    """`answer(layers, heads, head_dim)` is the width of one virtual token's vector."""
    for _ in range(5):
        layers, heads, head_dim = DICE.sample(SIZES, 3)
        hidden = heads * head_dim
        causes = {
            layers * hidden: "every layer needs a key and a value",
            2 * hidden: "this is one layer's share, and every layer has its own",
            2 * layers * head_dim: "this is one head's share; hidden is heads · head_dim",
            4 * layers * hidden: "PEFT doubles the rows later, in `split`; the encoder makes 2·layers of them",
        }
        given = {"layers": layers, "heads": heads, "head_dim": head_dim}
        otherwise = "which axes lie in that vector, one after the other?"
        if problem := wrong_number(answer, given, 2 * layers * hidden, causes, otherwise):
            return problem
    return Verdict(True, "2 · layers · heads · head_dim, a key and a value for every layer.")


@exercise(2, 2)
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
    shapes = {
        rows.shape: "the view is right; what is missing is the permute that brings 2·layers to the front",
        prefix.shape: "view gives every axis its size, permute puts them in order",
    }
    numbers = {
        "heads come before head_dim in the vector: a head's numbers lie side by side": (
            prefix.view(batch, prefix_len, 2 * layers, head_dim, heads).permute(2, 0, 4, 1, 3)
        ),
    }
    otherwise = (
        "it has these five axes, in this order: first view, then permute",
        "a view into the final shape only renumbers: the axes have to change places with permute",
    )
    axes = "(2·layers, batch, heads, prefix_len, head_dim)"
    return wrong_tensor(result, right, axes, shapes, numbers, otherwise, same=torch.equal) or Verdict(
        True, f"every number is where attention will look for it, in {axes}."
    )
