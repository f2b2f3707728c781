"""A two-dimensional slice of a tensor, thinned out to what a picture can show, with the marks for NaN and Inf."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from prefix_lab.widgets.tensor.source import DENSE, Source

ROWS, COLUMNS = 64, 96
PARTS = {"magnitude": np.abs, "real part": np.real, "imaginary part": np.imag}


@dataclass(frozen=True)
class Slice:
    """`numbers` are those at `rows` and `columns`, indices out of `full`, the whole slice's size.

    `nan`, `plus_inf` and `minus_inf` have the shape of `numbers`; each says whether there is such a number between its
    row and column and the next ones shown (`marks_all`), or, in a slice too big to look through, right there.
    """

    numbers: np.ndarray
    rows: np.ndarray
    columns: np.ndarray
    full: tuple[int, int]
    nan: np.ndarray
    plus_inf: np.ndarray
    minus_inf: np.ndarray
    marks_all: bool

    @property
    def sampled(self) -> bool:
        return self.numbers.shape != self.full


def slice_of(source: Source, row: int | None, column: int | None, fixed: Mapping[int, int], part: str) -> Slice:
    """The numbers along two axes (None for an axis that is not there), the others held at the indices in `fixed`."""
    full = tuple(1 if axis is None else source.shape[axis] for axis in (row, column))
    steps = [max(1, -(-size // most)) for size, most in zip(full, (ROWS, COLUMNS), strict=True)]
    rows, columns = (np.arange(0, size, step) for size, step in zip(full, steps, strict=True))
    everything = full[0] * full[1] <= DENSE
    taken = [slice(None) if everything else slice(None, None, step) for step in steps]
    index: list[int | slice] = [fixed.get(axis, 0) for axis in range(len(source.shape))]
    for axis, one in ((row, taken[0]), (column, taken[1])):
        if axis is not None:
            index[axis] = one
    seen = source.read(tuple(index))
    seen = PARTS[part](seen) if source.kind == "complex" else seen
    if row is not None and column is not None and row > column:
        seen = seen.T
    seen = seen.reshape((1, 1) if column is None else (1, -1) if row is None else seen.shape)
    shown = np.array(seen[:: steps[0], :: steps[1]] if everything else seen)
    marks = [shrunk(found, rows, columns, everything) for found in faults(seen)]
    return Slice(shown, rows, columns, full, *marks, marks_all=everything)


def faults(numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where there is NaN, +Inf, -Inf."""
    if numbers.dtype.kind in "biu":
        return (np.zeros(numbers.shape, bool),) * 3
    return np.isnan(numbers), np.isposinf(numbers), np.isneginf(numbers)


def shrunk(found: np.ndarray, rows: np.ndarray, columns: np.ndarray, everything: bool) -> np.ndarray:
    """For each number shown, whether anything was found from there to the next."""
    if not everything or not found.any():
        return found if not everything else np.zeros((rows.size, columns.size), bool)
    return np.logical_or.reduceat(np.logical_or.reduceat(found, rows, axis=0), columns, axis=1)


def chosen_in_words(indices: np.ndarray, size: int, what: str) -> str:
    """`rows 0, 3, 6, … 189 of 192 (every 3rd)`, or nothing when all are shown."""
    if indices.size == size:
        return ""
    step = int(indices[1] - indices[0])
    ending = {1: "st", 2: "nd", 3: "rd"}.get(step % 10, "th") if step % 100 not in (11, 12, 13) else "th"
    first = ", ".join(f"{one:,}" for one in indices[:3].tolist())
    return f"{what} {first}, … {int(indices[-1]):,} of {size:,} (every {step:,}{ending})"
