"""Lesson 7's checks: mask and positions, whose key a head reads, and attention without the prefix's share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from prefix_lab.course.checking import DICE, SIZES, TODO, Verdict, answered, exercise, is_open


@exercise(7, 1, "mask and positions")
def check_with_prefix(answer: Callable[[Tensor, int], tuple[Tensor, Tensor]]) -> Verdict:
    """`answer(attention_mask, prefix_len)` is the mask (batch, prefix_len+source), and positions that fit."""
    batch, source, prefix_len = DICE.sample(SIZES, 3)
    mask = torch.ones(batch, source, dtype=torch.long)
    mask[1:, -2:] = 0  # padding
    result, problem = answered(answer, mask.clone(), prefix_len)
    if problem:
        return problem
    if is_open(result):
        return Verdict(False, TODO)
    if not isinstance(result, tuple | list) or len(result) != 2 or not all(isinstance(r, Tensor) for r in result):
        return Verdict(False, "your function should return two tensors: the mask, and the positions.")
    return wrong_mask(result[0], mask, prefix_len) or wrong_positions(result[1], mask, prefix_len) or Verdict(
        True, "prefix_len ones before the mask; positions begin at prefix_len, since that much is already past."
    )  # fmt: skip


def wrong_mask(given: Tensor, mask: Tensor, prefix_len: int) -> Verdict | None:
    batch, source = mask.shape
    right = torch.cat([torch.ones(batch, prefix_len), mask], dim=1)
    axes = f"(batch, prefix_len+source) = {tuple(right.shape)}"
    if given.shape != right.shape:
        cause = "attention has a column for each virtual token too, so the mask must grow"
        if given.shape == (batch + prefix_len, source):
            cause = "it grew along batch; join along dim=1"
        return Verdict(False, f"the mask's shape is {tuple(given.shape)}, expected {axes}: {cause}.")
    if torch.equal(given.float(), right):
        return None
    causes = {
        "the ones stand behind the text; the prefix is its past, so they stand before it": torch.cat(
            [mask, torch.ones(batch, prefix_len)], dim=1
        ),
        "0 means that nobody may read there; every virtual token may be read": torch.cat(
            [torch.zeros(batch, prefix_len), mask], dim=1
        ),
        "the text's own padding was lost; keep the mask that came in": torch.ones_like(right),
    }
    cause = next((said for said, wrong in causes.items() if torch.equal(given.float(), wrong.float())), "other numbers")
    return Verdict(False, f"the mask's shape is right, its contents are not: {cause}.")


def wrong_positions(given: Tensor, mask: Tensor, prefix_len: int) -> Verdict | None:
    batch, source = mask.shape
    right = torch.arange(source) + prefix_len
    if given.shape[-1:] != (source,) or given.numel() not in (source, batch * source):
        cause = "one for each token of the text"
        if given.shape[-1:] == (prefix_len + source,):
            cause += "; virtual tokens have none, since their keys are made without the model"
        return Verdict(False, f"the positions' shape is {tuple(given.shape)}, expected (batch, source): {cause}.")
    if (given == right).all():
        return None
    causes = {
        "they begin at 0, as if there were no prefix": right - prefix_len,
        "they begin one too early; positions count from 0, so the prefix has taken 0 to prefix_len-1": right - 1,
        "they begin one too late; positions count from 0, so the prefix has taken 0 to prefix_len-1": right + 1,
    }
    cause = next(
        (said for said, wrong in causes.items() if (given == wrong).all()), "the model counts on from the past"
    )
    return Verdict(
        False, f"the positions are {given.flatten()[:4].tolist()}, …, expected {right[:4].tolist()}, …: {cause}."
    )


@exercise(7, 2, "whose key does a head read?")
def check_kv_head(answer: Callable[[int, int, int], int]) -> Verdict:
    """`answer(head, heads, kv_heads)` is the cached head that an asking head reads."""
    for _ in range(6):
        kv_heads, group = DICE.sample(SIZES, 2)
        heads = kv_heads * group
        head = DICE.randrange(heads)
        result, problem = answered(answer, head, heads, kv_heads)
        if problem:
            return problem
        if isinstance(result, int) and result == head // group:
            continue
        causes = {
            head % kv_heads: "heads that lie side by side share one; these take turns",
            head % group: "that is its place within its group",
            head // kv_heads: "divide by the size of a group, heads // kv_heads",
            head: "there are only kv_heads of them in the cache",
            head / group: "whole numbers only: //",
        }
        cause = causes.get(result, "how many asking heads share one cached head?") if is_number(result) else "a number"
        told = f"head {head} of heads={heads} with kv_heads={kv_heads} reads cached head {head // group}"
        return Verdict(False, f"{told}, and you gave {result}: {cause}.")
    return Verdict(True, "head // (heads // kv_heads): neighbours share a key and a value.")


def is_number(result: Any) -> bool:
    return isinstance(result, int | float)


@exercise(7, 3, "attention without the prefix's share")
def check_content(answer: Callable[[Tensor, int], Tensor]) -> Verdict:
    """`answer(attention, prefix_len)` is the attention on the source alone, each query's weights adding up to 1."""
    batch, heads, source, prefix_len = DICE.sample(SIZES, 4)
    draw = torch.Generator().manual_seed(DICE.randrange(10**6))
    scores = torch.randn(batch, heads, source, prefix_len + source, generator=draw)
    attention = scores.softmax(-1)
    right = attention[..., prefix_len:] / attention[..., prefix_len:].sum(-1, keepdim=True)
    result, problem = answered(answer, attention.clone(), prefix_len)
    if problem:
        return problem
    if not isinstance(result, Tensor):
        return Verdict(False, f"your function returned a {type(result).__name__}, expected a tensor.")
    axes = f"(batch, heads, source, source) = {tuple(right.shape)}"
    if result.shape != right.shape:
        cause = "drop the prefix's columns, the first prefix_len of the last axis"
        if result.shape == (batch, heads, source, prefix_len):
            cause = "these are the prefix's columns; the text's are the others"
        elif result.dim() == 4 and result.shape[2] != source:
            cause = "rows were dropped; the columns, the last axis, are those who are asked"
        return Verdict(False, f"the shape is {tuple(result.shape)}, expected {axes}: {cause}.")
    if torch.allclose(result.float(), right, atol=1e-5):
        return Verdict(True, "the text's share alone, made to add up to 1 again.")
    kept, first = attention[..., prefix_len:], attention[..., :source]
    causes = {
        "the rows do not add up to 1 yet; divide by their sum": kept,
        "a second softmax makes weights of weights; divide by the sum": kept.softmax(-1),
        "divided by the sum of each column; a query's weights are a row, dim=-1": kept / kept.sum(-2, keepdim=True),
        "divided by the sum of everything; each query adds up to 1 by itself": kept / kept.sum(),
        "these are the first columns, where the prefix is": first / first.sum(-1, keepdim=True),
    }
    cause = next((said for said, wrong in causes.items() if torch.allclose(result.float(), wrong, atol=1e-5)), "")
    return Verdict(
        False, f"the shape is right, the numbers are not: {cause or 'cut first, then divide by what is left'}."
    )
