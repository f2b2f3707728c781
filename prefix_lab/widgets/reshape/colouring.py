"""By what the numbers can be coloured: an axis somewhere on the journey, whose index each number keeps for ever."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from prefix_lab.widgets.colours import OTHER, colours_of
from prefix_lab.widgets.reshape.names import MOVES
from prefix_lab.widgets.reshape.run import Stage

NAMELESS = "#b0467e"  # for an axis without a name: in no axis's colour, and as readable in either theme
PALEST, FULLEST = 0.05, 0.82


@dataclass(frozen=True)
class Colouring:
    """`index` has, for each flat position in the first tensor, its index along the axis, or -1 where it has none."""

    label: str
    index: np.ndarray
    count: int
    colour: str
    meanings: tuple[str, ...] = ()

    def shade(self, origin: int) -> float:
        """How opaque a number's cell is: the later the index, the fuller."""
        index = int(self.index[origin])
        return 0.0 if index < 0 else PALEST + (FULLEST - PALEST) * index / max(self.count - 1, 1)


def colourings(stages: Sequence[Stage], meanings: Mapping[str, Sequence[str]]) -> list[Colouring]:
    """Every axis that gives each number one index and tells at least two apart, those that say the same once."""
    found: list[Colouring] = []
    total = stages[0].origins.size
    for stage in stages:
        for label, name, index, count in axes_of(stage, total):
            if index is None or count < 2 or any(np.array_equal(index, one.index) for one in found):
                continue
            label = f"{label} ({stage.step.operation})" if any(one.label == label for one in found) else label
            colour = colours_of(name)[0] if name else NAMELESS
            colour = NAMELESS if colour == OTHER and not name else colour
            found.append(Colouring(label, index, count, colour, tuple(meanings.get(name, ()))))
    return found


def axes_of(stage: Stage, total: int) -> list[tuple[str, str, np.ndarray | None, int]]:
    """Label, name, index of each number and size, for each axis of the pieces, and for which piece it is in."""
    pieces = stage.pieces
    where = stage.step.operation if stage.step else "start"
    numbers = [np.full(piece.origins.size, number) for number, piece in enumerate(pieces)]
    found = [(f"{stage.each} of {where}", stage.each, numbers, len(pieces))] if stage.many and pieces else []
    if pieces and all(piece.shape == pieces[0].shape for piece in pieces):
        for axis, (size, name) in enumerate(zip(pieces[0].shape, pieces[0].axes, strict=True)):
            index = np.indices(pieces[0].shape)[axis].ravel()
            found.append((name or f"axis {axis} of {where}", name, [index] * len(pieces), size))
    return [
        (label, name, once(stage.origins, np.concatenate(indices), total), count)
        for label, name, indices, count in found
    ]


def once(origins: np.ndarray, indices: np.ndarray, total: int) -> np.ndarray | None:
    """Index by origin; None when a number that is there twice has two."""
    index = np.full(total, -1)
    index[origins] = indices
    return index if np.array_equal(index[origins], indices) else None


def first_choice(stages: Sequence[Stage], choices: Sequence[Colouring]) -> int:
    """The axis of layers; or else the one that a permute brings to the front; or else the first."""
    for number, choice in enumerate(choices):
        if "layers" in choice.label.split("·") and "hidden" not in choice.label:
            return number
    for stage in stages:
        if stage.step and stage.step.operation in MOVES and len(stage.pieces[0].shape):
            front = once(stage.origins, np.indices(stage.pieces[0].shape)[0].ravel(), stages[0].origins.size)
            return next(
                (
                    number
                    for number, one in enumerate(choices)
                    if front is not None and np.array_equal(one.index, front)
                ),
                0,
            )
    return 0
