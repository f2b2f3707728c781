"""Bars on a logarithmic scale: a few thousand and a few thousand million beside each other, each with its figures."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from prefix_lab.widgets.colours import COLOURS, OTHER
from prefix_lab.widgets.parameters.bars import Bar
from prefix_lab.widgets.picture import FAINT, INK, as_svg, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH, LINE, ROOM = 9.6, 0.44, 0.75  # inches: the picture, one bar, what the scale below takes
LONGEST = 42  # signs of a label in one line


def draw_bars(bars: Sequence[Bar], title: str, text: str) -> str:
    """The picture as `<svg>`; `title` and `text` are for those who hear it."""
    figure = new_figure(WIDTH, ROOM + LINE * len(bars))
    axes = figure.add_subplot()
    least = 10 ** (len(str(min(bar.count for bar in bars))) - 2)  # a decade below the shortest bar
    most = max(bar.total for bar in bars)
    axes.set_xscale("log")
    axes.set_xlim(max(0.5, least), most * 1.1)
    axes.set_ylim(len(bars) - 0.4, -0.6)
    for place, bar in enumerate(bars):
        draw_bar(axes, bar, place, max(0.5, least))
    axes.set_yticks(range(len(bars)), [textwrap.fill(bar.label, LONGEST) for bar in bars], parse_math=False)
    axes.tick_params(colors=INK, labelsize=9, length=0, which="both")
    axes.grid(axis="x", color=FAINT, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set_xlabel("parameters, each line ten times the one before", color=INK, fontsize=9)
    axes.minorticks_off()
    axes.xaxis.set_major_formatter(lambda value, _: short(value))
    for side in axes.spines.values():
        side.set_visible(False)
    return as_svg(figure, title, text)


def draw_bar(axes: Axes, bar: Bar, place: int, left: float) -> None:
    """What trains is filled, what is frozen is hatched; a faint frame goes on to all there is. The figures follow."""
    colour = COLOURS["prefix_len"] if bar.prefix else OTHER
    filled = {"facecolor": colour, "alpha": 0.75} if bar.trains else {"facecolor": "none", "hatch": "////"}
    axes.barh(place, bar.total - left, left=left, height=0.62, facecolor="none", edgecolor=FAINT, linewidth=0.8)
    axes.barh(place, bar.count - left, left=left, height=0.62, edgecolor=colour, linewidth=0.8, **filled)
    axes.annotate(
        bar.figures,
        (1, place),
        xycoords=("axes fraction", "data"),
        xytext=(8, 0),
        textcoords="offset points",
        va="center",
        fontsize=9,
        color=INK,
        parse_math=False,
        annotation_clip=False,
    )


def short(number: float) -> str:
    """1,000 → `1 thousand`, as far as words go."""
    for size, word in ((10**9, " billion"), (10**6, " million"), (10**3, ",000")):
        if number >= size:
            return f"{number / size:,.0f}{word}"
    return f"{number:,.0f}"
