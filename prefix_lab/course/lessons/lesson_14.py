"""Lesson 14: a learner's line is put into a hunt's copy, and the mended copy is run against PEFT."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from prefix_lab.course import hunts, trials
from prefix_lab.course.checking import Verdict, exercise
from prefix_lab.course.shown import Drawn, drawn, plain_axes
from prefix_lab.widgets.colours import COLOURS
from prefix_lab.widgets.picture import FAINT, INK, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def rows_read(split: Callable[[Tensor], Any], layers: int, width: int) -> list[int]:
    """For each layer's key, then its value: the row that it came from, told by numbers that were put there."""
    marks = torch.arange(2 * layers).repeat_interleave(width // (2 * layers)).float().expand(1, 1, -1)
    cache = split(marks)
    return [int(one.flatten()[0]) for layer in cache.layers for one in (layer.keys, layer.values)]


def draw_rows(found: Mapping[str, list[int]]) -> Drawn:
    """Who reads which row: a filled square for each key and value; `found` has a list for each side."""
    figure = new_figure(7.6, 3.4)
    told = []
    for place, (name, rows) in enumerate(found.items(), 1):
        count = len(rows)
        axes = figure.add_subplot(1, len(found), place)
        readers = [f"{'value' if number % 2 else 'key'} of layer {number // 2}" for number in range(count)]
        for number, row in enumerate(rows):
            kind = {"hatch": "////", "fill": False} if number % 2 else {"facecolor": COLOURS["layers"]}
            square = (row - 0.42, number - 0.42)
            axes.add_patch(_square(square, edgecolor=COLOURS["layers"], linewidth=1.2, **kind))
        plain_axes(axes, name, "row of the prefix", "")
        axes.set_xlim(-0.5, count - 0.5)
        axes.set_ylim(count - 0.5, -0.5)
        axes.set_xticks(range(count))
        axes.set_yticks(range(count), labels=readers if place == 1 else [])
        axes.grid(color=FAINT, linewidth=0.4)
        axes.set_axisbelow(True)
        axes.set_aspect("equal")
        pairs = zip(readers, rows, strict=True)
        told.append(f"{name}: " + ", ".join(f"{reader} reads row {row}" for reader, row in pairs))
    return drawn(figure, "Which row of the prefix each layer's key and value is", ".\n".join(told) + ".")


def _square(corner: tuple[float, float], **look: Any) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle(corner, 0.84, 0.84, **look)


def draw_moves(moved: Mapping[str, list[float]]) -> Drawn:
    """How far the prefix's numbers are, on average, from where they began, after each step."""
    title = "How far the prefix has moved"
    figure, axes = two_lines({name: [1e4 * far for far in shares] for name, shares in moved.items()}, "prefix_len")
    plain_axes(axes, title, "training step", "mean distance, in 0.0001", axis="y")
    told = "; ".join(f"{name}: {far[-1]:.5f} after {len(far)} steps" for name, far in moved.items())
    return drawn(figure, f"{title} since training began, on average", f"{told}.")


def draw_positions(places: Mapping[str, list[int]], prefix_len: int) -> Drawn:
    """The position of the newest token at each call of the base model; the prefix lies below the line."""
    figure, axes = two_lines(places, "source")
    axes.axhspan(-0.5, prefix_len - 0.5, color=COLOURS["prefix_len"], alpha=0.25, linewidth=0)
    axes.annotate("the prefix", (1, (prefix_len - 1) / 2), color=INK, fontsize=9, va="center")
    plain_axes(axes, "Where the newest token is put", "call of the base model", "position", axis="y")
    axes.set_ylim(-0.5, None)
    told = "; ".join(f"{name}: positions {', '.join(map(str, found))}" for name, found in places.items())
    return drawn(figure, "The position of the newest token at each call of the base model", f"{told}.")


def two_lines(found: Mapping[str, list[float]], colour: str) -> tuple[Figure, Axes]:
    """The copy's numbers and the right ones, each with its name at its end; counted from 1."""
    figure = new_figure(7.2, 3.0)
    axes = figure.add_subplot()
    looks = [{"linestyle": "--", "marker": "x"}, {"linestyle": "-", "marker": "o"}]
    for (name, numbers), look in zip(found.items(), looks, strict=True):
        axes.plot(range(1, len(numbers) + 1), numbers, color=COLOURS[colour], markersize=5, **look)
        axes.annotate(name, (len(numbers), numbers[-1]), xytext=(8, -3), textcoords="offset points", color=INK)
    longest = max(map(len, found.values()))
    axes.set_xlim(0.6, 1.18 * longest)
    axes.set_xticks(range(1, longest + 1))
    return figure, axes


PRAISE = (
    "The base model is frozen, the prefix trains, and its gradient is PEFT's.",
    "Every number is where attention looks for it; permute moved the axes, and no reshape was needed.",
    "The mask is (batch, prefix_len+tokens), and all logits are PEFT's, with padding too.",
    "Layer i reads rows 2i and 2i+1, its key and its value, as in PEFT.",
    "The head is named before the modules are copied; it trains, and it is saved.",
    "Every model has a config of its own, with its own sizes.",
    "The labels arrive as they were given, and loss and logits are PEFT's.",
    "Trained in float32, read in the base's precision, on the base's device: as PEFT does.",
    "Cross-attention starts empty and is filled from the source; loss and text are PEFT's.",
    "Every call gets positions behind the prefix, and the text is PEFT's, token by token.",
)
HUNTS = {
    number: (
        getattr(hunts, f"Hunt{number}", None) or getattr(hunts, f"hunt_{number}"),
        getattr(trials, f"trial_{number:02}"),
        praise,
    )
    for number, praise in enumerate(PRAISE, 1)
}
"""Number → the copy, its trial, and what is said of a right mend."""


def check_hunt(number: int, wrong: Any, right: Any) -> Verdict:
    """The line of a hunt that is wrong, or lines, and what should stand there."""
    copy, trial, praise = HUNTS[number]
    return exercise(f"hunt_{number}")(trials.hunted)(copy, trial, wrong, right, praise)
