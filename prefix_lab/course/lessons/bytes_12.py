"""Lesson 12's views: what a safetensors file consists of, and how many bytes each thing takes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

from torch import nn

from prefix_lab.course.lessons.drawn import Drawn, drawn, plain_axes

LENGTH = 8  # bytes that say how long the header is


class Anatomy(NamedTuple):
    """The three parts of a safetensors file: the header's length, the header, the numbers."""

    header_bytes: int
    header: dict
    number_bytes: int

    def __repr__(self) -> str:
        lines = [
            f"{LENGTH} bytes: how long the header is, {self.header_bytes}",
            f"{self.header_bytes} bytes: the header",
        ]
        lines += [f"    {name}: {what}" for name, what in self.header.items()]
        return "\n".join([*lines, f"{self.number_bytes:,} bytes: the numbers"])


def anatomy(file: Path) -> Anatomy:
    """Read a safetensors file with no library at all."""
    raw = file.read_bytes()
    length = int.from_bytes(raw[:LENGTH], "little")
    header = json.loads(raw[LENGTH : LENGTH + length])
    return Anatomy(length, header, len(raw) - LENGTH - length)


def bytes_of(module: nn.Module, trains: bool | None = None) -> int:
    """How many bytes its parameters take; of those that train, or do not, if so asked."""
    return sum(one.nbytes for one in module.parameters() if trains is None or one.requires_grad == trains)


def draw_bytes(rows: list[tuple[str, int]]) -> Drawn:
    """A bar for each thing, in bytes, on a logarithmic scale; those of the prefix in its colour."""
    from prefix_lab.widgets.colours import COLOURS, OTHER
    from prefix_lab.widgets.picture import INK, new_figure

    figure = new_figure(9.6, 0.45 * len(rows) + 0.9)
    axes = figure.add_subplot()
    least = min(count for _, count in rows) / 10
    for place, (label, count) in enumerate(rows):
        colour = OTHER if "base" in label else COLOURS["prefix_len"]
        axes.barh(place, count - least, left=least, height=0.6, color=colour)
        axes.text(count * 1.1, place, f"{count:,}", va="center", fontsize=9, color=INK)
    axes.set(xscale="log", xlim=(least, max(count for _, count in rows) * 6), ylim=(len(rows) - 0.4, -0.6))
    axes.set_yticks(range(len(rows)), [label for label, _ in rows])
    plain_axes(axes, "", "bytes, each line ten times the one before", axis="x")
    axes.minorticks_off()
    axes.tick_params(length=0, labelsize=9)
    said = "\n".join(f"{label}: {count:,} bytes" for label, count in rows)
    return drawn(figure, "What is trained, and what is kept", said)
