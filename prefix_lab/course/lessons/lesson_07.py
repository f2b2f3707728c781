"""Lesson 7: where a head's numbers lie in the long vector, a shape, and a cache turned back into a table."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import DynamicCache

from prefix_lab.course.checking import DICE, SIZES, NotYet, answered_shape, called, exercise, same_number, same_tensor
from prefix_lab.past import past_key_values

TWO_PIECES = "Each layer takes two pieces, its key and its value."
WHOLE_PIECE = "The value comes one whole piece, heads · head_dim, after its key."
HEADS_BEFORE = "The heads before this one take head_dim places each."


@exercise("address")
def check_address(answer: Any) -> str:
    """`answer(layer, is_value, head, heads, head_dim)` is the first place of that head's numbers in the vector."""
    for is_value in (0, 1, 0, 1):
        layers, heads, head_dim = DICE.sample(SIZES, 3)
        layer, head = DICE.randrange(1, layers), DICE.randrange(1, heads)
        piece, of_layer = (2 * layer + is_value) * heads, 2 * layer * heads + head
        causes = {
            (layer * heads + head) * head_dim: TWO_PIECES,
            ((layer + is_value) * heads + head) * head_dim: TWO_PIECES,
            of_layer * head_dim: WHOLE_PIECE,
            of_layer * head_dim + is_value: WHOLE_PIECE,
            (of_layer + is_value) * head_dim: WHOLE_PIECE,
            piece * head_dim: HEADS_BEFORE,
            piece * head_dim + head: HEADS_BEFORE,
            piece + head: "That is counted in heads; each of them takes head_dim places.",
            piece * head_dim + head * heads: "A head's numbers lie side by side: head_dim is the fastest axis.",
        }
        given = {"layer": layer, "is_value": is_value, "head": head, "heads": heads, "head_dim": head_dim}
        same_number(answer, given, (piece + head) * head_dim, causes, "Count the pieces before it first.")
    return "((2·layer + is_value) · heads + head) · head_dim: view does nothing else."


@exercise("viewed")
def check_viewed(prediction: Any, answer: Any) -> str:
    """The shape of the long vector once it is cut."""
    return answered_shape(prediction, answer)


@exercise("table_of")
def check_table_of(answer: Any) -> str:
    """`answer(cache, prefix_len)` is the table from which `get_prompt` makes the cache's first prefix_len tokens."""
    layers, heads, head_dim, prefix_len = DICE.sample(SIZES, 4)
    tokens = prefix_len + DICE.choice(SIZES)
    counted = torch.arange(2.0 * layers * heads * tokens * head_dim).view(layers, 2, 1, heads, tokens, head_dim)
    cache = DynamicCache([(key, value) for key, value in counted])
    rows = counted[:, :, 0, :, :prefix_len].flatten(0, 1)  # (2·layers, heads, prefix_len, head_dim)
    right = flat(rows)  # (prefix_len, 2·layers·hidden)

    result = called(answer, cache, prefix_len)
    width = 2 * layers * heads * head_dim
    shapes = {
        (tokens, width): "These are all tokens of the text; the prefix has room for the first prefix_len.",
        (1, *right.shape): "There is a batch axis left: take the first text of each key and value with [0].",
        tuple(rows.shape): "Every number is there; let the tokens be the first axis, and flatten the others.",
        (prefix_len, width // 2): "This is half of the numbers: take keys and values.",
    }
    by_layer = rows.view(layers, 2, *rows.shape[1:])
    numbers = {
        "The shape was made by view or reshape alone, so heads and tokens are mixed; let the tokens change places with "
        "the heads first.": rows.reshape(right.shape),
        "Heads and tokens are mixed within each layer: the tokens come to the front, before anything is flattened.": (
            rows.flatten(1).view(2 * layers, prefix_len, -1).transpose(0, 1).flatten(1)
        ),
        "All keys come first here; each layer's key is followed by its own value.": (
            flat(by_layer.transpose(0, 1).flatten(0, 1))
        ),
        "The values come before the keys.": flat(by_layer.flip(1).flatten(0, 1)),
        "These are the last tokens of the text, and the prefix is its beginning.": (
            flat(counted[:, :, 0, :, -prefix_len:].flatten(0, 1))
        ),
        "A head's numbers lie side by side: heads come before head_dim.": rows.permute(2, 0, 3, 1).flatten(1),
    }
    otherwise = (
        "A row for each token, and in it a key and a value of every layer.",
        "In the row of a token come the pieces, then the heads of each piece, then the numbers of each head.",
    )
    axes = "(prefix_len, 2·layers·hidden)"
    same_tensor(result, right, axes, shapes, numbers, otherwise, same=torch.equal)
    made = past_key_values(result[None], layers, heads, 1)
    if not all(torch.equal(made.layers[n].keys, counted[n, 0, :, :, :prefix_len]) for n in range(layers)):
        raise NotYet("get_prompt makes other keys from this table.")
    return f"{axes}, and from it get_prompt makes the same keys and values, bit for bit."


def flat(rows: Tensor) -> Tensor:
    """(2·layers, heads, prefix_len, head_dim) → (prefix_len, 2·layers·hidden)."""
    return rows.permute(2, 0, 1, 3).flatten(1)
