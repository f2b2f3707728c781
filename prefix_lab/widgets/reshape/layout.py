"""Where the numbers of a tensor stand in a picture.

The last axis goes to the right, the one before downwards, and each further axis as frames around them, beside or below
each other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

CELL, LINE = 26, 20  # a number's width and height, in pixels
PAD, TITLE, GAP = 5, 14, 6
LONGEST = 32  # numbers in a line: what is longer goes on below
WIDE, SHAPELY = 880, 2.6  # the width to stay below, and the width for one of height that looks well
NARROW = 480  # what needs no more than this stays in one row
LETTER = 6.1  # width of a letter in a frame's title


@dataclass(frozen=True)
class Frame:
    """Around what has one index along an axis. `axis` is -1 for a whole piece."""

    x: float
    y: float
    width: float
    height: float
    axis: int
    index: int


@dataclass(frozen=True)
class Layout:
    """`cells` has a row (x, y) for each number in reading order; `ways` an arrow for each axis."""

    width: float
    height: float
    cells: np.ndarray
    frames: tuple[Frame, ...]
    ways: tuple[str, ...]


def lay_out(shape: Sequence[int]) -> Layout:
    """The places of all numbers of a tensor of this shape; its height and width may be zero."""
    full = (1, 1, *shape)[-max(2, len(shape)) :]
    lead = len(full) - len(shape)
    line = min(full[-1], LONGEST)
    lines = -(-full[-1] // LONGEST)
    width, row = line * CELL, lines * LINE + (GAP if lines > 1 else 0)
    height = full[-2] * row
    tracks = [Track(1, 0, row), Track(max(line, 1), CELL, LINE)]
    boxes: list[tuple[float, float]] = []
    for size in reversed(full[:-2]):
        box = (width + 2 * PAD, height + PAD + TITLE)
        track = Track(in_a_row(size, *box), box[0] + GAP, box[1] + GAP)
        boxes.insert(0, box)
        tracks.insert(0, track)
        width = min(size, track.row) * track.x - GAP
        height = -(-size // track.row) * track.y - GAP
    deep = len(full) - 2
    at = np.indices(full).reshape(len(full), -1)  # each number's index along each axis
    x, y = (sum(one) for one in zip(*map(Track.place, tracks, at), strict=True))
    cells = np.stack([x + deep * PAD, y + deep * TITLE], axis=1).astype(float)
    ways = tuple(track.way(size) for track, size in zip(tracks, full, strict=True))[lead:]
    return Layout(max(width, 0), max(height, 0), cells, frames_of(full, tracks, boxes, lead), ways)


class Track(NamedTuple):
    """How an axis runs: `row` places side by side, `x` apart, and each further row of them `y` below."""

    row: int
    x: float
    y: float

    def place(self, index: Any) -> tuple[Any, Any]:
        """Right and down, for an index or an array of them."""
        return index % self.row * self.x, index // self.row * self.y

    def way(self, size: int) -> str:
        """An arrow: to the right, downwards, or first the one and then the other."""
        return "→" if self.row >= size > 1 or self.x == CELL else "↓" if self.row == 1 else "→↓"


def in_a_row(size: int, width: float, height: float) -> int:
    """How many boxes look best side by side, so that all rows are full and none too wide."""

    def beauty(row: int) -> float:
        return -abs(math.log(row * (width + GAP) / (size // row * (height + GAP)) / SHAPELY))

    if 0 < size * (width + GAP) <= NARROW:
        return size
    fitting = [row for row in range(1, size + 1) if size % row == 0 and row * (width + GAP) <= WIDE]
    return max(fitting, key=beauty, default=1)


def frames_of(
    full: Sequence[int], tracks: Sequence[Track], boxes: Sequence[tuple[float, float]], lead: int
) -> tuple[Frame, ...]:
    """The frames of all axes but the last two, the outermost first."""
    found = []
    for axis, (width, height) in enumerate(boxes):
        for index in np.ndindex(*full[: axis + 1]):
            x, y = (sum(one) for one in zip(*map(Track.place, tracks, index), strict=True))
            found.append(Frame(x + axis * PAD, y + axis * TITLE, width, height, axis - lead, index[-1]))
    return tuple(found)


def together(layouts: Sequence[Layout]) -> tuple[Layout, list[Frame]]:
    """Several pieces in one picture, each in a frame of its own, in rows as long as there is room."""
    x = y = high = 0.0
    cells, frames, pieces = [np.empty((0, 2))], [], []
    for number, one in enumerate(layouts):
        width, height = one.width + 2 * PAD, one.height + PAD + TITLE
        if x and x + width > WIDE:
            x, y, high = 0.0, y + high + GAP, 0.0
        pieces.append(Frame(x, y, width, height, -1, number))
        cells.append(one.cells + np.array([x + PAD, y + TITLE]))
        frames += [Frame(f.x + x + PAD, f.y + y + TITLE, f.width, f.height, f.axis, f.index) for f in one.frames]
        x, high = x + width + GAP, max(high, height)
    wide = max((frame.x + frame.width for frame in pieces), default=0)
    ways = layouts[0].ways if layouts else ()
    return Layout(wide, y + high, np.concatenate(cells), tuple(frames), ways), pieces
