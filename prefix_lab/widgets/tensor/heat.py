"""A slice of a tensor, and its heat map: blue below zero, red above, a pattern of its own for NaN, +Inf and -Inf.

A slice has two dimensions and is thinned out to what a picture can show, with the marks for NaN and Inf.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from prefix_lab.widgets.colours import colours_of
from prefix_lab.widgets.picture import FAINT, INK, as_svg, new_figure
from prefix_lab.widgets.tensor.source import DENSE, Source

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROWS, COLUMNS = 64, 96


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


def slice_of(source: Source, row: int | None, column: int | None, fixed: Mapping[int, int]) -> Slice:
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


def largest(numbers: np.ndarray) -> float:
    """The greatest finite magnitude, 0 where there is none."""
    found = np.abs(numbers.astype(np.float64))
    return float(found[np.isfinite(found)].max(initial=0.0))


def number(value: float | int | None) -> str:
    """A number in four digits; whole ones in full, "–" where there is none."""
    if value is None:
        return "–"
    return str(value) if isinstance(value, bool | int) else f"{value:.4g}"


GROUND, ON_GROUND = "#9d9d9d", "#000000"  # of what is no number; the picture has its own colours in either theme
FAULTS = (("NaN", "x", "xxx"), ("+Inf", "^", "|||"), ("-Inf", "v", "---"))
WIDTH, WRITTEN, MARKERS = 8.6, 12, 500


def heat_map(shown: Slice, names: tuple[str, str], limit: float, kind: str, title: str, told: str) -> str:
    """The `<svg>` of a slice. `names` are those of its rows and columns, `limit` the number of the fullest colour."""
    rows, columns = shown.numbers.shape
    cell = min(0.46, (WIDTH - 1) / columns)
    high = min(max(rows * cell, 0.42), 5.2)
    figure = new_figure(max(columns * cell + 1.2, 4.2), high + 1.75)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of letters that matplotlib's font lacks: the page's has them
        axes = figure.add_subplot()
        scaled = shown.numbers.astype(np.float64) / limit
        fault = shown.nan | shown.plus_inf | shown.minus_inf
        image = axes.imshow(
            np.ma.masked_array(np.where(np.isfinite(scaled), scaled, 0), fault),
            cmap=colours(),
            vmin=-1,
            vmax=1,
            aspect="auto",
            interpolation="none",
        )
        label_axes(axes, shown, names)
        if rows <= WRITTEN and columns <= WRITTEN:
            write_numbers(axes, shown.numbers, scaled, fault)
        mark_faults(axes, shown, min(72 * cell, 72 * high / rows))
        bar = figure.colorbar(image, ax=axes, orientation="horizontal", aspect=45, fraction=0.06, pad=0.02)
        ticks = [0, 1] if kind == "bool" else [-1, -0.5, 0, 0.5, 1]
        said = ["False", "True"] if kind == "bool" else [number(tick * limit) for tick in ticks]
        bar.set_ticks(ticks, labels=said)
        bar.ax.tick_params(colors=INK, labelsize=9)
        bar.outline.set_edgecolor(FAINT)
        return as_svg(figure, title, told)


def colours():
    from matplotlib import colormaps

    return colormaps["RdBu_r"].with_extremes(bad=GROUND)


def label_axes(axes: Axes, shown: Slice, names: tuple[str, str]) -> None:
    """Names and indices; the side along which an axis runs has the axis's colour."""
    for side, axis, indices, name in (
        ("left", axes.yaxis, shown.rows, names[0]),
        ("top", axes.xaxis, shown.columns, names[1]),
    ):
        every = max(1, -(-indices.size // (9 if side == "left" else 12)))
        places = range(0, indices.size, every) if name else []
        axis.set_ticks(list(places), labels=[f"{indices[place]:,}" for place in places])
        axis.set_label_text(name, color=INK, fontsize=11, parse_math=False)
        axes.spines[side].set(color=colours_of(name)[0], linewidth=4, visible=bool(name))
    axes.xaxis.set_label_position("top")
    axes.xaxis.tick_top()
    for side in ("right", "bottom"):
        axes.spines[side].set_visible(False)
    axes.tick_params(colors=INK, labelsize=9)


def write_numbers(axes: Axes, numbers: np.ndarray, scaled: np.ndarray, fault: np.ndarray) -> None:
    for (row, column), value in np.ndenumerate(numbers):
        if not fault[row, column]:
            colour = "#ffffff" if abs(scaled[row, column]) > 0.62 else "#000000"
            axes.text(column, row, short(value.item()), ha="center", va="center", fontsize=7.5, color=colour)


def short(value: float | int | bool) -> str:
    """A number in the five letters that a cell has room for, where that can be."""
    if isinstance(value, bool):
        return "T" if value else "F"
    text = str(value) if isinstance(value, int) else f"{value:.2f}" if 0.01 <= abs(value) < 100 or not value else ""
    return text if text and len(text) <= 6 else f"{value:.0e}".replace("e-0", "e-").replace("e+0", "e")


def mark_faults(axes: Axes, shown: Slice, cell: float) -> None:
    """A sign in each cell; where they are many, a pattern over each row's stretch of them. A legend says which."""
    from matplotlib.patches import Patch, Rectangle

    handles = []
    for (label, sign, hatch), found in zip(FAULTS, (shown.nan, shown.plus_inf, shown.minus_inf), strict=True):
        if not found.any():
            continue
        if found.sum() <= MARKERS:
            rows, columns = np.nonzero(found)
            size = min(max(0.55 * cell, 5), 11) ** 2
            axes.scatter(columns, rows, size * 2, marker="s", c=GROUND, linewidths=0)
            handles.append(axes.scatter(columns, rows, size, marker=sign, c=ON_GROUND, label=label))
        else:
            style = {"facecolor": GROUND, "edgecolor": ON_GROUND, "hatch": hatch, "linewidth": 0}
            for row, start, end in stretches(found):
                axes.add_patch(Rectangle((start - 0.5, row - 0.5), end - start, 1, **style))
            handles.append(Patch(**style, label=label))
    if handles:
        place = {"loc": "lower right", "bbox_to_anchor": (1, 1.0), "ncols": 3, "borderaxespad": 2.8}
        box = axes.legend(handles=handles, facecolor=GROUND, labelcolor=ON_GROUND, fontsize=9, framealpha=1, **place)
        box.set_in_layout(True)


def stretches(found: np.ndarray) -> list[tuple[int, int, int]]:
    """Row, first column and the one after the last, for each run of marks; equal runs of rows are not joined."""
    edges = np.diff(np.pad(found, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    starts, ends = np.argwhere(edges == 1), np.argwhere(edges == -1)
    return [(int(row), int(start), int(end)) for (row, start), (_, end) in zip(starts, ends, strict=True)]
