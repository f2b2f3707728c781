"""Lesson 1's pictures: attention without and with a prefix, and the share that a prefix of zeros takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prefix_lab.course.lessons.drawn import Drawn, drawn, plain_axes
from prefix_lab.widgets.colours import COLOURS
from prefix_lab.widgets.picture import FAINT, INK, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from torch import Tensor

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
