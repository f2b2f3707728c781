"""Lesson 2: attention with a prefix, the share that the prefix takes, and whether its order matters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from prefix_lab.course.checking import DICE, SIZES, NotYet, brief, called, exercise, filled_in, generator, same_tensor
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


@exercise("attend_with_prefix")
def check_attend_with_prefix(answer: Any) -> str:
    """`answer(query, keys, values, prefix_keys, prefix_values)` is (source, head_dim)."""
    query, keys, values, prefix_keys, prefix_values = drawn_head()
    result = called(answer, query, keys, values, prefix_keys, prefix_values)
    all_keys, all_values = torch.cat([prefix_keys, keys]), torch.cat([prefix_values, values])
    scores = query @ all_keys.T
    shapes = {tuple(all_keys.shape): "The prefix is read, and asks nothing: query stays as it was."}
    numbers = {
        "This is attention without the prefix.": attend(query, keys, values),
        "This is attention to the prefix alone: the letters' own keys and values are missing.": attend(
            query, prefix_keys, prefix_values
        ),
        "Two softmaxes give the letters and the prefix a whole share each: join the keys first, then one softmax.": (
            attend(query, keys, values) + attend(query, prefix_keys, prefix_values)
        ),
        "The keys begin with the prefix and the values end with it: both in the same order, or each key fetches "
        "another one's value.": attend(query, all_keys, torch.cat([values, prefix_values])),
        "The keys end with the prefix and the values begin with it: both in the same order.": attend(
            query, torch.cat([keys, prefix_keys]), all_values
        ),
        "The softmax runs over the queries: each row of weights must add up to 1, softmax(-1).": (
            scores.softmax(0) @ all_values
        ),
        "T5 has no division by √head_dim: leave it out here.": (
            (scores / query.shape[1] ** 0.5).softmax(-1) @ all_values
        ),
        "The softmax is missing.": scores @ all_values,
    }
    otherwise = "One row for each query.", "Join the prefix's keys with the letters', and the values too, then attend."
    same_tensor(result, attend(query, all_keys, all_values), "(source, head_dim)", shapes, numbers, otherwise)
    return "One softmax over the prefix's keys and the letters' keys together."


@exercise("prefix_share")
def check_prefix_share(answer: Any) -> str:
    """`answer(query, keys, prefix_keys)` is (source,): the prefix's part of each row of weights."""
    query, keys, _, prefix_keys, _ = drawn_head()
    result = called(answer, query, keys, prefix_keys)
    prefix_len = len(prefix_keys)
    scores = query @ torch.cat([prefix_keys, keys]).T  # (source, prefix_len+source)
    weights, masses = scores.softmax(-1), scores.exp()
    right = weights[:, :prefix_len].sum(-1)
    shapes = {
        (len(query), prefix_len): "These are the weights of each virtual token; add them up in each row.",
        (prefix_len,): "One number for each query: sum over the last axis, not over the first.",
        tuple(weights.shape): "These are all weights; take the prefix's columns and add them up in each row.",
        (): "One number for each query: sum over the last axis alone.",
    }
    of_prefix, of_letters = masses[:, :prefix_len].sum(-1), masses[:, prefix_len:].sum(-1)
    numbers = {
        "This is the share of the letters, 1 minus the prefix's.": 1 - right,
        "This is prefix / letters; the share is prefix / (prefix + letters).": of_prefix / of_letters,
        "These columns belong to letters: how many of the first are the prefix's? len(prefix_keys).": (
            weights[:, : len(keys)].sum(-1)
        ),
        "This is the average over the virtual tokens: sum them.": weights[:, :prefix_len].mean(-1),
        "A softmax over the prefix alone always adds up to 1: it has to see the letters' keys, too.": (
            torch.ones_like(right)
        ),
        "The scores themselves are no shares: the softmax takes e^score.": (
            scores[:, :prefix_len].sum(-1) / scores.sum(-1)
        ),
        "The number of keys does not say it: the share depends on the scores, which differ from query to query.": (
            torch.full_like(right, prefix_len / scores.shape[1])
        ),
        "The softmax runs over the queries: softmax(-1).": scores.softmax(0)[:, :prefix_len].sum(-1),
    }
    otherwise = "One number for each query.", "First the weights of all keys, then a sum."
    same_tensor(result, right, "(source,)", shapes, numbers, otherwise)
    return "e^score of the prefix's keys, as a part of e^score of all keys."


ORDER_MATTERS = {"our head": False, "GPT-2": False, "Llama": False, "T5": True}
WHY = {
    "our head": "It adds up weight · value over all keys, and a sum does not know an order.",
    "GPT-2": "It adds positions to the text's embeddings; the prefix's keys were never there.",
    "Llama": "It turns the text's keys by their position before it caches them; the prefix's come ready-made.",
    "T5": "It adds a number to each score that depends on how far apart the two places are, in the cache, too.",
}
TRUE_OR_FALSE = "{name}: True (it matters) or False is wanted, and this is {given}."
THINK_AGAIN = "{name}: not {given}. {why}"


@exercise("order")
def check_order(answer: Any) -> str:
    """`answer` says for each model whether shuffling the prefix's rows changes its logits."""
    given = dict(zip(ORDER_MATTERS, filled_in(answer, ORDER_MATTERS), strict=True))
    for name, one in given.items():
        if not isinstance(one, bool):
            raise NotYet(TRUE_OR_FALSE, name=name, given=brief(one))
    for name, right in ORDER_MATTERS.items():
        if given[name] != right:
            raise NotYet(THINK_AGAIN, name=name, given=given[name], why=WHY[name])
    return "Only where a score depends on the place in the cache. The next cell proves it."
