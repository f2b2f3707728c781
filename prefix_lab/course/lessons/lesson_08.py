"""Lesson 8: where attention looks, drawn; mask and positions, whose key a head reads, the prefix's share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from prefix_lab.course.checking import (
    DICE,
    SIZES,
    WHOLE,
    called,
    exercise,
    generator,
    pair,
    same_number,
    same_tensor,
)
from prefix_lab.course.shown import Drawn, drawn, plain_axes
from prefix_lab.widgets.colours import COLOURS
from prefix_lab.widgets.picture import FAINT, INK, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_attention(maps: dict[str, Tensor], tokens: Sequence[str]) -> Drawn:
    """Attention of one head, (source, source) or (source, prefix_len+source) each; a title for each of them."""
    source = len(tokens)
    widths = [one.shape[-1] for one in maps.values()]
    figure = new_figure(min(10.5, 1.2 + 0.24 * sum(widths)), 1.2 + 0.24 * source)
    panels = figure.subplots(1, len(maps), width_ratios=widths, squeeze=False)[0]
    told = []
    for axes, (title, weights) in zip(panels, maps.items(), strict=True):
        prefix_len = weights.shape[-1] - source
        draw_map(axes, weights.detach().double().numpy(), prefix_len, tokens)
        plain_axes(axes, title)
        share = f", {weights[:, :prefix_len].sum() / source:.0%} of it on the prefix" if prefix_len else ""
        told.append(f"{title}: {source} queries by {weights.shape[-1]} keys{share}; no query looks at later letters.")
    panels[0].set_ylabel("who asks", color=INK, fontsize=9)
    figure.supxlabel(
        "who is asked: prefix (numbered) and source (letters); the fuller a cell, the larger the weight",
        color=INK,
        fontsize=9,
    )
    return drawn(figure, "Where one head of layer 0 looks", "\n".join(told))


def draw_map(axes: Axes, weights: np.ndarray, prefix_len: int, tokens: Sequence[str]) -> None:
    """Each cell in the colour of its axis, the fuller the larger its weight."""
    from matplotlib.colors import to_rgb

    image = np.zeros((*weights.shape, 4))
    image[:, :prefix_len, :3] = to_rgb(COLOURS["prefix_len"])
    image[:, prefix_len:, :3] = to_rgb(COLOURS["source"])
    image[..., 3] = weights.clip(0, 1) ** 0.5  # a weight of 0.04 is still to be seen
    axes.imshow(image, aspect="equal", interpolation="none")
    letters = [one if one.strip() else "␣" for one in tokens]
    axes.set_xticks(range(weights.shape[1]), [*map(str, range(prefix_len)), *letters], parse_math=False)
    axes.set_yticks(range(len(letters)), letters, parse_math=False)
    axes.tick_params(length=0)
    if prefix_len:
        axes.axvline(prefix_len - 0.5, color=INK, linewidth=1)


def draw_shares(attentions: Sequence[Tensor], prefix_len: int) -> Drawn:
    """How much of its attention each head of each layer gives to the prefix; `attentions` as the model gives them."""
    shares = [one[..., :prefix_len].sum(-1).mean((0, 2)).tolist() for one in attentions]  # layers × heads
    figure = new_figure(7.5, 2.8)
    axes = figure.add_subplot()
    heads = len(shares[0])
    for layer, row in enumerate(shares):
        left = layer * (heads + 1)
        axes.bar(range(left, left + heads), row, color=COLOURS["prefix_len"], width=0.8)
        axes.bar(
            range(left, left + heads),
            [1 - one for one in row],
            bottom=row,
            color=COLOURS["source"],
            width=0.8,
            alpha=0.45,
        )
        axes.annotate(
            f"layer {layer}", (left + (heads - 1) / 2, 1.02), ha="center", color=INK, fontsize=9, annotation_clip=False
        )
    places = [layer * (heads + 1) + head for layer in range(len(shares)) for head in range(heads)]
    axes.set_xticks(places, [str(head) for _ in shares for head in range(heads)])
    axes.set_ylim(0, 1.12)
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0 %", "25 %", "50 %", "75 %", "100 %"])
    plain_axes(axes, "", "heads", "share of attention")
    for name, height in (("prefix", shares[-1][-1] / 2), ("source", (1 + shares[-1][-1]) / 2)):
        axes.annotate(name, (places[-1] + 0.55, height), color=INK, fontsize=9, va="center", annotation_clip=False)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.grid(axis="y", color=FAINT, linewidth=0.5)
    axes.set_axisbelow(True)
    told = [f"layer {n}: " + ", ".join(f"{one:.0%}" for one in row) for n, row in enumerate(shares)]
    return drawn(figure, "What share of its attention each head gives to the prefix", "\n".join(told))


@exercise("with_prefix")
def check_with_prefix(answer: Any) -> str:
    """`answer(attention_mask, prefix_len)` is the mask (batch, prefix_len+source), and positions that fit."""
    batch, source, prefix_len = DICE.sample(SIZES, 3)
    mask = torch.ones(batch, source, dtype=torch.long)
    mask[1:, -2:] = 0  # padding
    given, positions = pair(called(answer, mask.clone(), prefix_len), "mask, position_ids")
    ones, hidden = torch.ones(batch, prefix_len, dtype=torch.long), torch.zeros(batch, prefix_len, dtype=torch.long)
    shapes = {(batch + prefix_len, source): "It grew along batch; join along dim=1."}
    numbers = {
        "The ones stand behind the text; the prefix is its past, so they stand before it.": torch.cat([mask, ones], 1),
        "0 hides a key; every virtual token may be read.": torch.cat([hidden, mask], 1),
        "The text's own padding was lost; keep the mask that came in.": torch.ones(batch, prefix_len + source),
    }
    otherwise = (
        "Attention has a column for each virtual token too, so the mask must grow.",
        "1 where a key may be read, 0 where it is padding: ones for the prefix, then the mask that came in.",
    )
    right, axes = torch.cat([ones, mask], 1), "(batch, prefix_len+source)"
    same_tensor(given, right, axes, shapes, numbers, otherwise, name="the mask")
    same_positions(positions, mask, prefix_len)
    return "prefix_len ones before the mask; positions begin at prefix_len: that much is already past."


def same_positions(given: Any, mask: Tensor, prefix_len: int) -> None:
    """Positions, (batch, source), (1, source) or (source,), count on behind the prefix."""
    batch, source = mask.shape
    right = (torch.arange(source) + prefix_len).expand(batch, source)
    if isinstance(given, Tensor) and given.shape in ((source,), (1, source)):
        given = given.expand(batch, source)
    too_many = "One for each token of the text; virtual tokens have none: their keys are made without the model."
    shapes = dict.fromkeys([(prefix_len + source,), (1, prefix_len + source), (batch, prefix_len + source)], too_many)
    numbers = {
        "They begin at 0, as if there were no prefix.": right - prefix_len,
        "They begin one too early; positions count from 0, so the prefix has taken 0 to prefix_len-1.": right - 1,
        "They begin one too late; positions count from 0, so the prefix has taken 0 to prefix_len-1.": right + 1,
    }
    otherwise = "One for each token of the text.", "The model counts on from the past."
    same_tensor(given, right, "(batch, source)", shapes, numbers, otherwise, name="the positions")


@exercise("kv_head")
def check_kv_head(answer: Any) -> str:
    """`answer(head, heads, kv_heads)` is the cached head that an asking head reads."""
    for _ in range(6):
        kv_heads, group = DICE.sample(SIZES, 2)
        heads = kv_heads * group
        head = DICE.randrange(heads)
        causes = {
            head % kv_heads: "Heads that lie side by side share one; these take turns.",
            head % group: "That is its place within its group.",
            head // kv_heads: "Divide by the size of a group, heads // kv_heads.",
            head: "There are only kv_heads of them in the cache.",
            head / group: WHOLE,
        }
        given = {"head": head, "heads": heads, "kv_heads": kv_heads}
        same_number(answer, given, head // group, causes, "How many asking heads share one cached head?")
    return "head // (heads // kv_heads): neighbours share a key and a value."


@exercise("content")
def check_content(answer: Any) -> str:
    """`answer(attention, prefix_len)` is the attention on the source alone, each query's weights adding up to 1."""
    batch, heads, source, prefix_len = DICE.sample(SIZES, 4)
    attention = torch.randn(batch, heads, source, prefix_len + source, generator=generator()).softmax(-1)
    kept, first = attention[..., prefix_len:], attention[..., :source]
    result = called(answer, attention.clone(), prefix_len)
    shapes = {
        (batch, heads, source, prefix_len): "These are the prefix's columns; the text's are the others.",
        tuple(
            attention[:, :, prefix_len:].shape
        ): "Rows were dropped, the queries; the keys are the columns, the last axis.",
    }
    numbers = {
        "The rows do not add up to 1 yet; divide by their sum.": kept,
        "A second softmax makes weights of weights; divide by the sum.": kept.softmax(-1),
        "Divided by the sum of each column; a query's weights are a row, dim=-1.": kept / kept.sum(-2, keepdim=True),
        "Divided by the sum of everything; each query adds up to 1 by itself.": kept / kept.sum(),
        "These are the first columns, where the prefix is.": first / first.sum(-1, keepdim=True),
    }
    otherwise = (
        "Drop the prefix's columns, the first prefix_len of the last axis.",
        "Cut first, then divide by what is left.",
    )
    axes, right = "(batch, heads, source, source)", kept / kept.sum(-1, keepdim=True)
    same_tensor(result, right, axes, shapes, numbers, otherwise)
    return "The text's share alone, made to add up to 1 again."
