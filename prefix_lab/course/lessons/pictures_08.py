"""Lesson 8's picture: which rows of the prefix get a gradient, and how much of it."""

from __future__ import annotations

from torch import Tensor

from prefix_lab.course.lessons.drawn import Drawn, drawn, plain_axes
from prefix_lab.widgets.colours import COLOURS, OTHER
from prefix_lab.widgets.picture import INK, new_figure


def draw_rows(gradient: Tensor, stacks: dict[str, int], title: str) -> Drawn:
    """A bar for each row, key and value in turn, of the gradient (prefix_len, 2·layers·hidden).

    `stacks` says for whom the rows were meant, and how many layers that are: {"decoder": 4}.
    """
    count = 2 * sum(stacks.values())
    norms = gradient.detach().view(len(gradient), count, -1).norm(dim=(0, 2)).tolist()
    figure = new_figure(8.6, 3.0)
    axes = figure.add_subplot()
    alive = [row for row in range(count) if norms[row] > 0]
    dead = [row for row in range(count) if norms[row] == 0]
    axes.bar(alive, [norms[row] for row in alive], color=COLOURS["layers"], width=0.8)
    axes.scatter(dead, [max(norms) * 0.04] * len(dead), marker="x", color=OTHER, s=44, linewidths=2)
    names = [f"{row}\n{'kv'[row % 2]}{row // 2 if len(stacks) == 1 else ''}" for row in range(count)]
    axes.set_xticks(range(count), names)
    plain_axes(axes, title, "rows of the prefix; k and v: meant as key and value", "length of the gradient", axis="y")
    start = 0
    for name, layers in stacks.items():
        if len(stacks) > 1:
            axes.annotate(
                name, (start + layers - 0.5, 1), xycoords=("data", "axes fraction"), xytext=(0, -12), color=INK,
                textcoords="offset points", ha="center", fontsize=9,
            )  # fmt: skip
            axes.axvline(start - 0.5, color=INK, linewidth=0.7, linestyle=":")
        start += 2 * layers
    axes.set_ylim(0, max(norms) * 1.22)
    told = f"{len(alive)} of {count} rows get a gradient; none at all: {', '.join(map(str, dead)) or 'no row'}."
    return drawn(figure, title, told)
