"""Lesson 02: attention with a prefix, the share that it takes, its place in a real model, and whether order matters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from prefix_lab.course.checking import (
    DICE,
    SIZES,
    NotYet,
    brief,
    called,
    exercise,
    filled_in,
    generator,
    plain,
    same_tensor,
    seen_there,
)
from prefix_lab.course.shown import Drawn, drawn, plain_axes
from prefix_lab.locale import N_, _
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
    draw_weights(left, before, letters, 0, _("without a prefix"))
    draw_weights(right, after, letters, prefix_len, _("with a prefix of {prefix_len}").format(prefix_len=prefix_len))
    line = _("{letter}: to its prefix {prefix:.2f}, to the letters {letters:.2f}")
    lines = [
        line.format(letter=letter, prefix=row[:prefix_len].sum(), letters=row[prefix_len:].sum())
        for letter, row in zip(letters, after, strict=True)
    ]
    told = _(
        "Each row is the share that a letter of {letters} gives to what it reads, and adds up to 1. With the prefix:"
    ).format(letters=letters)
    return drawn(figure, _("What attention reads, without and with a prefix"), "\n".join([told, *lines]))


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
    below = _("is read: the prefix's keys 0, 1, …, then the letters'") if prefix_len else _("is read")
    plain_axes(axes, title, below, _("asks"))
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
        plain_axes(axes, f"prefix_len {prefix_len}", _("share of the prefix, %"))
        axes.set_yticks(range(len(letters)), list(letters))
        axes.set_xlim(0, 100)
        axes.set_ylim(len(letters) - 0.5, -0.5)
        axes.tick_params(axis="y", length=0)
        said = ", ".join(f"{letter} {one:.0%}" for letter, one in zip(letters, share.tolist(), strict=True))
        lines.append(f"prefix_len {prefix_len}: {said}")
    return drawn(figure, _("What a prefix of zeros takes of each letter's attention"), "\n".join(lines))


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
    shapes = {tuple(all_keys.shape): N_("The prefix is read, and asks nothing: query stays as it was.")}
    numbers = {
        N_("This is attention without the prefix."): attend(query, keys, values),
        N_("This is attention to the prefix alone: the letters' own keys and values are missing."): attend(
            query, prefix_keys, prefix_values
        ),
        N_("Two softmaxes give letters and prefix a whole share each: join the keys first, then one softmax."): (
            attend(query, keys, values) + attend(query, prefix_keys, prefix_values)
        ),
        N_(
            "The keys begin with the prefix and the values end with it: both in the same order, or each key fetches "
            "another one's value."
        ): attend(query, all_keys, torch.cat([values, prefix_values])),
        N_("The keys end with the prefix and the values begin with it: both in the same order."): attend(
            query, torch.cat([keys, prefix_keys]), all_values
        ),
        N_("The softmax runs over the queries: each row of weights must add up to 1, softmax(-1)."): (
            scores.softmax(0) @ all_values
        ),
        N_("T5 has no division by √head_dim: leave it out here."): (
            (scores / query.shape[1] ** 0.5).softmax(-1) @ all_values
        ),
        N_("The softmax is missing."): scores @ all_values,
    }
    otherwise = (
        N_("One row for each query."),
        N_("Join the prefix's keys with the letters', and the values too, then attend."),
    )
    same_tensor(result, attend(query, all_keys, all_values), "(source, head_dim)", shapes, numbers, otherwise)
    return N_("One softmax over the prefix's keys and the letters' keys together.")


@exercise("prefix_share")
def check_prefix_share(answer: Any) -> str:
    """`answer(query, keys, prefix_keys)` is (source,): the prefix's part of each row of weights."""
    query, keys, _values, prefix_keys, _prefix_values = drawn_head()
    result = called(answer, query, keys, prefix_keys)
    prefix_len = len(prefix_keys)
    scores = query @ torch.cat([prefix_keys, keys]).T  # (source, prefix_len+source)
    weights, masses = scores.softmax(-1), scores.exp()
    right = weights[:, :prefix_len].sum(-1)
    shapes = {
        (len(query), prefix_len): N_("These are the weights of each virtual token; add them up in each row."),
        (prefix_len,): N_("One number for each query: sum over the last axis, not over the first."),
        tuple(weights.shape): N_("These are all weights; take the prefix's columns and add them up in each row."),
        (): N_("One number for each query: sum over the last axis alone."),
    }
    of_prefix, of_letters = masses[:, :prefix_len].sum(-1), masses[:, prefix_len:].sum(-1)
    numbers = {
        N_("This is the share of the letters, 1 minus the prefix's."): 1 - right,
        N_("This is prefix / letters; the share is prefix / (prefix + letters)."): of_prefix / of_letters,
        N_("These columns belong to letters: how many of the first are the prefix's? len(prefix_keys)."): (
            weights[:, : len(keys)].sum(-1)
        ),
        N_("This is the average over the virtual tokens: sum them."): weights[:, :prefix_len].mean(-1),
        N_("A softmax over the prefix alone always adds up to 1: it has to see the letters' keys, too."): (
            torch.ones_like(right)
        ),
        N_("The scores themselves are no shares: the softmax takes e^score."): (
            scores[:, :prefix_len].sum(-1) / scores.sum(-1)
        ),
        N_("The number of keys does not say it: the share depends on the scores, which differ from query to query."): (
            torch.full_like(right, prefix_len / scores.shape[1])
        ),
        N_("The softmax runs over the queries: softmax(-1)."): scores.softmax(0)[:, :prefix_len].sum(-1),
    }
    otherwise = N_("One number for each query."), N_("First the weights of all keys, then a sum.")
    same_tensor(result, right, "(source,)", shapes, numbers, otherwise)
    return N_("e^score of the prefix's keys, as a part of e^score of all keys.")


TOGETHER = ("4, 11, 32",)  # heads, prefix_len+target, head_dim
THE_PREFIX = N_("You saw the prefix alone, before the line had run. Type `n` until the arrow is below `torch.cat`.")
NO_NUMBER_OF_KEYS = N_("{name}: how many keys are held? A whole number is wanted, and this is {given}.")
BEFORE = N_("before: axis 2 of `self.keys.shape` has the tokens, and so far there are only virtual ones.")
ALONE = N_("after: these are the virtual tokens alone. Is the arrow below the line with `torch.cat`?")
TEXT_ALONE = N_("after: these are the letters that came in, `key_states`. What does `self.keys` hold after the line?")
AFTER = N_("after: axis 2 of `self.keys.shape` once the line has run: the prefix, and behind it the letters.")
A_CACHE = N_("asked_by: {given} keeps what it is given. One call further up stands who computed it.")
TOO_FAR = N_("asked_by: {given} only calls the attention. One frame lower, `d`, the keys are made.")
NO_CLASS = N_("asked_by: climb with `u` until `self` is no cache any more. `p type(self)` says its class.")


@exercise("same_line")
def check_same_line(stop: Any, answer: Any = ...) -> str:
    """`answer` says how many keys a layer held before and after `torch.cat`, and which class asked for it."""
    before, after, asked_by = filled_in(answer, ("before", "after", "asked_by"))
    seen_there(stop, "DynamicLayer.update", TOGETHER, {"4, 5, 32": THE_PREFIX})
    if stop.by != "debugger":  # which shows all frames, and tells nobody what was looked at in them
        seen_there(stop, "T5Attention.forward")
    for name, one in (("before", before), ("after", after)):
        if not isinstance(plain(one), int) or isinstance(one, bool):
            raise NotYet(NO_NUMBER_OF_KEYS, name=name, given=brief(one))
    if before != 5:
        raise NotYet(BEFORE)
    if after != 11:
        raise NotYet({5: ALONE, 6: TEXT_ALONE}.get(after, AFTER))
    said = getattr(asked_by, "__name__", str(asked_by))
    if "T5Attention" not in said:
        cause = A_CACHE if "Cache" in said or said == "DynamicLayer" else TOO_FAR if "T5" in said else NO_CLASS
        raise NotYet(cause, given=said)
    return N_("The attention hands its new keys to the cache, and gets them back with the prefix before them.")


ORDER_MATTERS = {"head": False, "GPT-2": False, "Llama": False, "T5": True}
WHY = {
    "head": N_("It adds up weight · value over all keys, and a sum does not know an order."),
    "GPT-2": N_("It adds positions to the text's embeddings; the prefix's keys were never there."),
    "Llama": N_("It turns the text's keys by their position before it caches them; the prefix's come ready-made."),
    "T5": N_("It adds a number to each score that depends on how far apart the two places are, in the cache, too."),
}
TRUE_OR_FALSE = N_("{name}: True (it matters) or False is wanted, and this is {given}.")
THINK_AGAIN = N_("{line}: not {given}.")


@exercise("order")
def check_order(answer: Any) -> str:
    """`answer` says for each model whether shuffling the prefix's rows changes its logits."""
    given = dict(zip(ORDER_MATTERS, filled_in(answer, ORDER_MATTERS), strict=True))
    for name, one in given.items():
        if not isinstance(one, bool):
            raise NotYet(TRUE_OR_FALSE, name=name, given=brief(one))
    for name, right in ORDER_MATTERS.items():
        if given[name] != right:
            raise NotYet(THINK_AGAIN, WHY[name], line=name, given=given[name])
    return N_("Only where a score depends on the place in the cache. The next cell proves it.")
