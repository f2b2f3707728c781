"""Lesson 1: attention with a prefix, the share that the prefix takes, and whether its order matters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from prefix_lab.course.checking import DICE, SIZES, Verdict, answered, exercise, generator, unfilled, wrong_tensor
from prefix_lab.course.shown import Drawn, drawn, plain_axes
from prefix_lab.widgets.colours import COLOURS
from prefix_lab.widgets.picture import FAINT, INK, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

OWN, PREFIX = COLOURS["source"], COLOURS["prefix_len"]


def draw_attention(before: Tensor, after: Tensor, letters: str) -> Drawn:
    """Two tables of attention weights, (source, source) and (source, prefix_len+source): a row asks, a column is read.

    The fuller a field, the more the row hears of that column.
    """
    prefix_len = after.shape[1] - before.shape[1]
    figure = new_figure(9.4, 4.3)
    left, right = figure.subplots(1, 2, width_ratios=[before.shape[1], after.shape[1]])
    draw_weights(left, before, letters, 0, "without a prefix")
    draw_weights(right, after, letters, prefix_len, f"with a prefix of {prefix_len}")
    lines = [
        f"{letter}: to its prefix {row[:prefix_len].sum():.2f}, to the letters {row[prefix_len:].sum():.2f}"
        for letter, row in zip(letters, after, strict=True)
    ]
    told = (
        f"Each row is the share that a letter of {letters!r} gives to what it reads, and adds up to 1. With the prefix:"
    )
    return drawn(figure, "What attention reads, without and with a prefix", "\n".join([told, *lines]))


def draw_weights(axes: Axes, weights: Tensor, letters: str, prefix_len: int, title: str) -> None:
    from matplotlib.patches import Rectangle

    for y, row in enumerate(weights.tolist()):
        for x, weight in enumerate(row):
            colour = PREFIX if x < prefix_len else OWN
            axes.add_patch(Rectangle((x, y), 0.94, 0.94, facecolor=colour, alpha=weight, edgecolor="none"))
            axes.add_patch(Rectangle((x, y), 0.94, 0.94, facecolor="none", edgecolor=FAINT, linewidth=0.5))
            axes.text(x + 0.47, y + 0.5, f"{weight:.2f}", color=INK, fontsize=8, ha="center", va="center")
    axes.set_xlim(0, weights.shape[1])
    axes.set_ylim(weights.shape[0], 0)
    axes.set_aspect("equal")
    plain_axes(
        axes, title, "is read: the prefix's keys 0, 1, …, then the letters'" if prefix_len else "is read", "asks"
    )
    axes.set_xticks([x + 0.47 for x in range(weights.shape[1])], [*map(str, range(prefix_len)), *letters])
    axes.set_yticks([y + 0.5 for y in range(len(letters))], list(letters))
    axes.tick_params(length=0)
    for side in axes.spines.values():
        side.set_visible(False)


def draw_shares(shares: dict[int, Tensor], letters: str) -> Drawn:
    """prefix_len → the share (source,) that a prefix takes of each letter's attention, as bars that end at 100 %."""
    figure = new_figure(9.0, 2.7)
    panels = figure.subplots(1, len(shares), sharey=True, squeeze=False)[0]
    lines = []
    for axes, (prefix_len, share) in zip(panels, shares.items(), strict=True):
        for y, one in enumerate(share.tolist()):
            axes.barh(y, 100 * one, height=0.7, color=PREFIX, alpha=0.75)
            axes.barh(y, 100 * (1 - one), left=100 * one, height=0.7, color=OWN, alpha=0.2)
            inside = one < 0.8
            place = 100 * one + 2 if inside else 100 * one - 2
            axes.text(place, y, f"{one:.0%}", color=INK, fontsize=8, ha="left" if inside else "right", va="center")
        plain_axes(axes, f"prefix_len {prefix_len}", "share of the prefix, %")
        axes.set_yticks(range(len(letters)), list(letters))
        axes.set_xlim(0, 100)
        axes.set_ylim(len(letters) - 0.5, -0.5)
        axes.tick_params(axis="y", length=0)
        said = ", ".join(f"{letter} {one:.0%}" for letter, one in zip(letters, share.tolist(), strict=True))
        lines.append(f"prefix_len {prefix_len}: {said}")
    return drawn(figure, "What a prefix of zeros takes of each letter's attention", "\n".join(lines))


def drawn_head() -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """query, keys, values of a head (source, head_dim), then a prefix's keys and values (prefix_len, head_dim)."""
    source, prefix_len, head_dim = DICE.sample(SIZES, 3)
    dice = generator()
    own = [torch.randn(source, head_dim, generator=dice) for _ in range(3)]
    added = [torch.randn(prefix_len, head_dim, generator=dice) for _ in range(2)]
    return *own, *added


def attend(query: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    return (query @ keys.T).softmax(-1) @ values


@exercise(1, 1)
def check_attend_with_prefix(answer: Any) -> Verdict:
    """`answer(query, keys, values, prefix_keys, prefix_values)` is (source, head_dim)."""
    query, keys, values, prefix_keys, prefix_values = drawn_head()
    result, problem = answered(answer, query, keys, values, prefix_keys, prefix_values)
    if problem:
        return problem
    all_keys, all_values = torch.cat([prefix_keys, keys]), torch.cat([prefix_values, values])
    scores = query @ all_keys.T
    shapes = {all_keys.shape: "the prefix is read, and asks nothing: query stays as it was"}
    numbers = {
        "this is attention without the prefix": attend(query, keys, values),
        "this is attention to the prefix alone: the letters' own keys and values are missing": attend(
            query, prefix_keys, prefix_values
        ),
        "two softmaxes give the letters and the prefix a whole share each: join the keys first, then one softmax": (
            attend(query, keys, values) + attend(query, prefix_keys, prefix_values)
        ),
        "the keys begin with the prefix and the values end with it: both in the same order, or each key fetches "
        "another one's value": attend(query, all_keys, torch.cat([values, prefix_values])),
        "the keys end with the prefix and the values begin with it: both in the same order": attend(
            query, torch.cat([keys, prefix_keys]), all_values
        ),
        "the softmax runs over the queries: each row of weights must add up to 1, softmax(-1)": (
            scores.softmax(0) @ all_values
        ),
        "T5 has no division by √head_dim: leave it out here": (scores / query.shape[1] ** 0.5).softmax(-1) @ all_values,
        "the softmax is missing": scores @ all_values,
    }
    otherwise = "one row for each query", "join the prefix's keys with the letters', and the values too, then attend"
    right = attend(query, all_keys, all_values)
    return wrong_tensor(result, right, "(source, head_dim)", shapes, numbers, otherwise) or Verdict(
        True, "one softmax over the prefix's keys and the letters' keys together."
    )


@exercise(1, 2)
def check_prefix_share(answer: Any) -> Verdict:
    """`answer(query, keys, prefix_keys)` is (source,): the prefix's part of each row of weights."""
    query, keys, _, prefix_keys, _ = drawn_head()
    result, problem = answered(answer, query, keys, prefix_keys)
    if problem:
        return problem
    prefix_len = len(prefix_keys)
    scores = query @ torch.cat([prefix_keys, keys]).T  # (source, prefix_len+source)
    weights, masses = scores.softmax(-1), scores.exp()
    right = weights[:, :prefix_len].sum(-1)
    shapes = {
        weights[:, :prefix_len].shape: "these are the weights of each virtual token; add them up in each row",
        (prefix_len,): "one number for each query: sum over the last axis, not over the first",
        weights.shape: "these are all weights; take the prefix's columns and add them up in each row",
        (): "one number for each query: sum over the last axis alone",
    }
    of_prefix, of_letters = masses[:, :prefix_len].sum(-1), masses[:, prefix_len:].sum(-1)
    numbers = {
        "this is the share of the letters, 1 minus the prefix's": 1 - right,
        "this holds the prefix against the letters; its share is prefix / (prefix + letters)": of_prefix / of_letters,
        "these columns belong to letters: how many of the first are the prefix's? len(prefix_keys)": (
            weights[:, : len(keys)].sum(-1)
        ),
        "this is the average over the virtual tokens: sum them": weights[:, :prefix_len].mean(-1),
        "a softmax over the prefix alone always adds up to 1: it has to see the letters' keys, too": (
            torch.ones_like(right)
        ),
        "the scores themselves are no shares: the softmax takes e^score": (
            scores[:, :prefix_len].sum(-1) / scores.sum(-1)
        ),
        "the number of keys does not say it: what each query thinks of them does": (
            torch.full_like(right, prefix_len / scores.shape[1])
        ),
        "the softmax runs over the queries: softmax(-1)": scores.softmax(0)[:, :prefix_len].sum(-1),
    }
    otherwise = "one number for each query", "weights of all keys, then a sum"
    return wrong_tensor(result, right, "(source,)", shapes, numbers, otherwise) or Verdict(
        True, "e^score of the prefix's keys, as a part of e^score of all keys."
    )


ORDER_MATTERS = {"our head": False, "GPT-2": False, "Llama": False, "T5": True}
WHY = {
    "our head": "it adds up weight · value over all keys, and a sum does not know an order",
    "GPT-2": "it adds positions to the text's embeddings; the prefix's keys were never there",
    "Llama": "it turns the text's keys by their position before it caches them; the prefix's come ready-made",
    "T5": "it adds a number to each score that depends on how far apart the two places are, in the cache, too",
}


@exercise(1, 3)
def check_order(answer: Any) -> Verdict:
    """`answer` says for each model whether shuffling the prefix's rows changes its logits."""
    if problem := unfilled(answer, ORDER_MATTERS):
        return problem
    for name in ORDER_MATTERS:
        if not isinstance(answer[name], bool):
            return Verdict(False, f"{name}: {answer[name]!r}, expected True (it matters) or False.")
    for name, right in ORDER_MATTERS.items():
        if answer[name] != right:
            return Verdict(False, f"{name}: {WHY[name]}. So does the order matter?")
    return Verdict(True, "only where a score depends on the place in the cache. The next cell proves it.")
