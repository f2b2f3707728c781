"""Lesson 7's pictures: where attention looks, in the prefix and in the text, and what share each head gives away."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from prefix_lab.course.lessons.drawn import Drawn, drawn, plain_axes
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
