"""Lesson 5's picture: what both forms of the encoder train, for every prefix_len."""

from __future__ import annotations

from prefix_lab.course.lessons.drawn import Drawn, drawn, plain_axes
from prefix_lab.widgets.colours import COLOURS
from prefix_lab.widgets.picture import INK, new_figure

LONGEST = 2000


def draw_forms(layers: int, hidden: int, encoder_hidden: tuple[int, ...], prefix_len: int) -> Drawn:
    """Trainable parameters against prefix_len: the table alone, and with a projection of each inner width."""
    figure = new_figure(8.6, 4.0)
    axes = figure.add_subplot()
    lengths = sorted({*range(1, LONGEST + 1, 20), prefix_len, LONGEST})
    axes.plot(lengths, [direct(one, layers, hidden) for one in lengths], color=COLOURS["prefix_len"], linewidth=2.4)
    axes.annotate(
        "table alone", (lengths[-1], direct(lengths[-1], layers, hidden)), (6, 0), textcoords="offset points", color=INK
    )
    told = [f"table alone: {direct(prefix_len, layers, hidden):,} at prefix_len {prefix_len}"]
    for inner, dashes in zip(encoder_hidden, ("-", "--", ":", "-."), strict=False):
        counts = [projected(one, layers, hidden, inner) for one in lengths]
        axes.plot(lengths, counts, color=COLOURS["encoder_hidden"], linewidth=2.4, linestyle=dashes)
        end = (lengths[-1], counts[-1])
        axes.annotate(f"encoder_hidden {inner}", end, (6, 0), textcoords="offset points", color=INK, va="center")
        cross = meeting(layers, hidden, inner)
        axes.plot([cross], [direct(1, layers, hidden) * cross], "o", color=INK, markersize=5)
        told.append(
            f"encoder_hidden {inner}: {projected(prefix_len, layers, hidden, inner):,}; fewer than the table from "
            f"prefix_len {int(cross) + 1} on"
        )
    axes.axvline(prefix_len, color=INK, linewidth=0.8, linestyle=":")
    axes.annotate(f"{prefix_len} virtual tokens", (prefix_len, 0.02), (4, 0), xycoords=("data", "axes fraction"),
                  textcoords="offset points", color=INK, fontsize=9)  # fmt: skip
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    plain_axes(axes, "Where the lines cross, both forms train equally many", "prefix_len, virtual tokens",
               "parameters that train", which="major")  # fmt: skip
    return drawn(figure, f"Parameters that train, {layers} layers of {hidden}", "\n".join(told))


def direct(prefix_len: int, layers: int, hidden: int) -> int:
    return prefix_len * 2 * layers * hidden


def projected(prefix_len: int, layers: int, hidden: int, encoder_hidden: int) -> int:
    row = 2 * layers * hidden
    return prefix_len * hidden + (hidden + 1) * encoder_hidden + (encoder_hidden + 1) * row


def meeting(layers: int, hidden: int, encoder_hidden: int) -> float:
    """The prefix_len at which both forms train equally many."""
    return projected(0, layers, hidden, encoder_hidden) / (2 * layers * hidden - hidden)
