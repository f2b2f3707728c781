"""Lesson 6: where a head's numbers lie in the long vector, a shape, and a cache turned back into a table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache, DynamicCache

from prefix_lab.course.checking import DICE, SIZES, TODO, Verdict, answered, check_shape, exercise, is_open
from prefix_lab.past import past_key_values


@exercise(6, 1, "an address in the long vector")
def check_address(answer: Callable[[int, int, int, int, int], int]) -> Verdict:
    """`answer(layer, is_value, head, heads, head_dim)` is the first place of that head's numbers in the vector."""
    for asked in (0, 1, 0, 1):
        layers, heads, head_dim = DICE.sample(SIZES, 3)
        layer, head = DICE.randrange(1, layers), DICE.randrange(1, heads)
        result, problem = answered(answer, layer, asked, head, heads, head_dim)
        if problem:
            return problem
        piece = 2 * layer + asked
        right = (piece * heads + head) * head_dim
        if isinstance(result, int) and result == right:
            continue
        told = f"layer={layer}, is_value={asked}, head={head} of heads={heads}, head_dim={head_dim}"
        if not isinstance(result, int):
            return Verdict(False, f"for {told} your function gave {result!r}, expected a whole number.")
        causes = {
            "each layer takes two pieces, its key and its value": [
                (layer * heads + head) * head_dim,
                ((layer + asked) * heads + head) * head_dim,
            ],
            "the value comes one whole piece, heads · head_dim, after its key": [
                (2 * layer * heads + head) * head_dim,
                (2 * layer * heads + head) * head_dim + asked,
                (2 * layer * heads + head + asked) * head_dim,
            ],
            "the heads before this one take head_dim places each": [
                piece * heads * head_dim,
                piece * heads * head_dim + head,
            ],
            "that is counted in heads; each of them takes head_dim places": [piece * heads + head],
            "a head's numbers lie side by side, so head_dim is the fastest axis, not heads": [
                piece * heads * head_dim + head * heads,
            ],
        }
        cause = next((said for said, wrong in causes.items() if result in wrong), "count the pieces before it first")
        return Verdict(False, f"for {told} the numbers begin at {right}, and you gave {result}: {cause}.")
    return Verdict(True, "((2·layer + is_value) · heads + head) · head_dim: view does nothing else.")


@exercise(6, 2, "the shape after view")
def check_viewed(prediction: Any, answer: Any) -> Verdict:
    """The shape of the long vector once it is cut."""
    return check_shape(prediction, answer)


@exercise(6, 3, "a cache, turned back into a table")
def check_table_of(answer: Callable[[Cache, int], Tensor]) -> Verdict:
    """`answer(cache, prefix_len)` is the table from which `get_prompt` makes the cache's first prefix_len tokens."""
    layers, heads, head_dim, prefix_len = DICE.sample(SIZES, 4)
    tokens = prefix_len + DICE.choice(SIZES)
    numbers = torch.arange(2.0 * layers * heads * tokens * head_dim).view(layers, 2, 1, heads, tokens, head_dim)
    cache = DynamicCache([(key, value) for key, value in numbers])
    rows = numbers[:, :, 0, :, :prefix_len].flatten(0, 1)  # (2·layers, heads, prefix_len, head_dim)
    right = rows.permute(2, 0, 1, 3).flatten(1)  # (prefix_len, 2·layers·hidden)

    result, problem = answered(answer, cache, prefix_len)
    if problem:
        return problem
    if is_open(result):
        return Verdict(False, TODO)
    if not isinstance(result, Tensor):
        return Verdict(False, f"your function returned a {type(result).__name__}, expected a tensor.")
    axes = f"(prefix_len, 2·layers·hidden) = {tuple(right.shape)}"
    if result.shape != right.shape:
        width = 2 * layers * heads * head_dim
        if result.shape == (tokens, width):
            cause = f"these are all {tokens} tokens of the text; the prefix has room for the first {prefix_len}"
        elif result.shape == (1, *right.shape):
            cause = "there is a batch axis left: take the first text of each key and value with [0]"
        elif result.numel() == right.numel():
            cause = "every number is there; let the tokens be the first axis, and flatten the others"
        elif result.numel() * 2 == right.numel():
            cause = "half of the numbers: take keys and values"
        else:
            cause = "a row for each token, and in it a key and a value of every layer"
        return Verdict(False, f"the shape is {tuple(result.shape)}, expected {axes}: {cause}.")
    if torch.equal(result, right):
        made = past_key_values(result[None], layers, heads, 1)
        if all(torch.equal(made.layers[n].keys, numbers[n, 0, :, :, :prefix_len]) for n in range(layers)):
            return Verdict(True, f"{axes}, and from it get_prompt makes the same keys and values, bit for bit.")
    whole = numbers[:, :, 0]  # (layers, 2, heads, tokens, head_dim)
    keys_first = rows.view(layers, 2, *rows.shape[1:]).transpose(0, 1).flatten(0, 1)
    values_first = rows.view(layers, 2, *rows.shape[1:]).flip(1).flatten(0, 1)
    last = whole[:, :, :, -prefix_len:].flatten(0, 1)
    causes = {
        "the shape was made by view or reshape alone, so heads and tokens are mixed; let the tokens change places with "
        "the heads first": rows.reshape(right.shape),
        "heads and tokens are mixed within each layer: the tokens come to the front, before anything is flattened": (
            rows.flatten(1).view(2 * layers, prefix_len, -1).transpose(0, 1).flatten(1)
        ),
        "all keys come first here; each layer's key is followed by its own value": flat(keys_first),
        "the values come before the keys": flat(values_first),
        "these are the last tokens of the text, and the prefix is its beginning": flat(last),
        "a head's numbers lie side by side: heads come before head_dim": rows.permute(2, 0, 3, 1).flatten(1),
    }
    cause = next((said for said, wrong in causes.items() if torch.equal(result, wrong)), "other numbers")
    return Verdict(False, f"the shape {axes} is right, the numbers are not where they belong: {cause}.")


def flat(rows: Tensor) -> Tensor:
    """(2·layers, heads, prefix_len, head_dim) → (prefix_len, 2·layers·hidden)."""
    return rows.permute(2, 0, 1, 3).flatten(1)
