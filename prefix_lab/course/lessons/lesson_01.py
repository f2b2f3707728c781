"""Lesson 1: how wide a virtual token is, and how its vector is cut into layers and heads."""

from typing import Any

import torch

from prefix_lab.course.checking import DICE, SIZES, called, exercise, same_number, same_tensor


@exercise("row_width")
def check_row_width(answer: Any) -> str:
    """`answer(layers, heads, head_dim)` is the width of one virtual token's vector."""
    for _ in range(5):
        layers, heads, head_dim = DICE.sample(SIZES, 3)
        hidden = heads * head_dim
        causes = {
            layers * hidden: "Every layer needs a key and a value.",
            2 * hidden: "This is one layer's share, and every layer has its own.",
            2 * layers * head_dim: "This is one head's share; hidden is heads · head_dim.",
            4 * layers * hidden: "PEFT doubles the rows later, in `split`; the encoder makes 2·layers of them.",
        }
        given = {"layers": layers, "heads": heads, "head_dim": head_dim}
        same_number(answer, given, 2 * layers * hidden, causes, "Which axes lie in that vector, one after the other?")
    return "2 · layers · heads · head_dim, a key and a value for every layer."


@exercise("split")
def check_split(answer: Any) -> str:
    """`answer(prefix, layers, heads)` is (2·layers, batch, heads, prefix_len, head_dim)."""
    batch, prefix_len, layers, heads, head_dim = DICE.sample(SIZES, 5)
    prefix = torch.arange(batch * prefix_len * 2 * layers * heads * head_dim, dtype=torch.float32)
    prefix = prefix.view(batch, prefix_len, 2 * layers * heads * head_dim)
    rows = prefix.view(batch, prefix_len, 2 * layers, heads, head_dim)
    right = rows.permute(2, 0, 3, 1, 4)  # (2·layers, batch, heads, prefix_len, head_dim)
    result = called(answer, prefix, layers, heads)
    shapes = {
        tuple(
            rows.shape
        ): "The view is right, and this is still its order. permute(…) brings 2·layers to the front; it "
        "leaves its tensor as it is, and gives a new one: return that.",
        tuple(prefix.shape): "view gives every axis its size, permute puts them in order.",
    }
    numbers = {
        "A view or reshape into the final shape only renumbers: the axes have to change places with permute.": (
            prefix.reshape(right.shape)
        ),
        "Heads come before head_dim in the vector: a head's numbers lie side by side.": (
            prefix.view(batch, prefix_len, 2 * layers, head_dim, heads).permute(2, 0, 4, 1, 3)
        ),
        "2·layers come before heads in the vector: a layer's heads lie side by side.": (
            prefix.view(batch, prefix_len, heads, 2 * layers, head_dim).permute(3, 0, 2, 1, 4)
        ),
    }
    otherwise = (
        "It has these five axes, in this order: first view, then permute.",
        "Look at both: view cuts the last axis into 2·layers, heads and head_dim, permute only moves whole axes.",
    )
    axes = "(2·layers, batch, heads, prefix_len, head_dim)"
    same_tensor(result, right, axes, shapes, numbers, otherwise, same=torch.equal)
    return f"Every number is where attention will look for it, in {axes}."
