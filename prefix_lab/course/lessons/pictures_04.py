"""Lesson 4's picture: the width that preparation reads, and the one that the model caches."""

from __future__ import annotations

from prefix_lab.course.lessons.drawn import Drawn, drawn, plain_axes
from prefix_lab.course.lessons.shipped_04 import readings
from prefix_lab.widgets.colours import COLOURS
from prefix_lab.widgets.picture import INK, new_figure

READ, CACHED = COLOURS["hidden"], COLOURS["head_dim"]


def draw_widths() -> Drawn:
    """A line for each model: a ring at PEFT's token_dim, a dot at heads · head_dim, a bar where they part."""
    rows = readings()
    figure = new_figure(9.0, 4.4)
    axes = figure.add_subplot()
    told = []
    for y, row in enumerate(rows):
        read = row.found["token_dim"][0]
        axes.plot([read, row.cached], [y, y], color=INK, linewidth=2.2, zorder=1)
        axes.plot(row.cached, y, "o", color=CACHED, markersize=7, zorder=2)
        axes.plot(
            read, y, "o", markersize=12, markerfacecolor="none", markeredgecolor=READ, markeredgewidth=2, zorder=3
        )
        said = f"{read}" if row.fits else f"{read} read, {row.cached} cached"
        axes.annotate(said, (max(read, row.cached), y), (11, 0), textcoords="offset points", color=INK, fontsize=8.5,
                      va="center", fontweight="normal" if row.fits else "bold")  # fmt: skip
        told.append(f"{'✓' if row.fits else '✗'} {row.name}: {said}")
    axes.plot([], [], "o", markersize=12, markerfacecolor="none", markeredgecolor=READ, markeredgewidth=2,
              label="token_dim, as PEFT's preparation reads it")  # fmt: skip
    axes.plot([], [], "o", color=CACHED, markersize=7, label="heads · head_dim, as the model caches it")
    axes.set_xscale("log", base=2)
    axes.set_xlim(320, 90_000)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.set_ylim(len(rows) - 0.4, -0.6)
    plain_axes(axes, "A dot in its ring: the prefix fits", "numbers in one key of one layer", axis="x")
    axes.set_yticks(range(len(rows)), [row.name for row in rows])
    axes.tick_params(axis="y", length=0)
    axes.legend(loc="lower right", fontsize=8.5, frameon=False, labelcolor=INK)
    return drawn(figure, "The width that is read and the width that is cached", "\n".join(told))
