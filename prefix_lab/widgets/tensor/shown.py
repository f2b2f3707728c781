"""A slice as a heat map, and a tensor in words: blue below zero, red above, signs of their own for NaN and Inf."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from prefix_lab.locale import N_, _, paragraph
from prefix_lab.widgets.colours import colours_of
from prefix_lab.widgets.picture import FAINT, INK, as_svg, new_figure
from prefix_lab.widgets.table import in_columns
from prefix_lab.widgets.tensor.reading import Slice, Source, Statistics

if TYPE_CHECKING:
    from matplotlib.axes import Axes

GROUND, ON_GROUND = "#9d9d9d", "#000000"  # of what is no number; the picture has its own colours in either theme
FAULTS = (("NaN", "x", "xxx"), ("+Inf", "^", "|||"), ("-Inf", "v", "---"))
WIDTH, WRITTEN, MARKERS = 8.4, 12, 500
TYPE, NARROWEST = 10, 0.9  # points and share of the width: never below 12 pixels


class Drawn(NamedTuple):
    """The `<svg>`, and where its cells are: left, top, width and height as shares of the picture's."""

    svg: str
    place: tuple[float, float, float, float]


def heat_map(shown: Slice, names: tuple[str, str], limit: float, kind: str, title: str, told: str) -> Drawn:
    """The picture of a slice. `names` are those of its rows and columns, `limit` the number of the fullest colour."""
    rows, columns = shown.numbers.shape
    cell = min(0.5, (WIDTH - 1) / columns)
    high = min(max(rows * cell, 0.42), 5.2)
    figure = new_figure(max(columns * cell + 1.2, 4.2), high + 1.85)
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
        bar.ax.tick_params(colors=INK, labelsize=TYPE)
        bar.outline.set_edgecolor(FAINT)
        svg = as_svg(figure, title, told, NARROWEST)
    place = axes.get_position()
    return Drawn(svg, (place.x0, 1 - place.y1, place.width, place.height))


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
    axes.tick_params(colors=INK, labelsize=TYPE)


def write_numbers(axes: Axes, numbers: np.ndarray, scaled: np.ndarray, fault: np.ndarray) -> None:
    for (row, column), value in np.ndenumerate(numbers):
        if not fault[row, column]:
            colour = "#ffffff" if abs(scaled[row, column]) > 0.62 else "#000000"
            axes.text(column, row, short(value.item()), ha="center", va="center", fontsize=TYPE, color=colour)


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
        box = axes.legend(handles=handles, facecolor=GROUND, labelcolor=ON_GROUND, fontsize=TYPE, framealpha=1, **place)
        box.set_in_layout(True)


def stretches(found: np.ndarray) -> list[tuple[int, int, int]]:
    """Row, first column and the one after the last, for each run of marks; equal runs of rows are not joined."""
    edges = np.diff(np.pad(found, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    starts, ends = np.argwhere(edges == 1), np.argwhere(edges == -1)
    return [(int(row), int(start), int(end)) for (row, start), (below, end) in zip(starts, ends, strict=True)]


EDGE = 4  # rows and columns that the text shows from either end


def number(value: float | int | None) -> str:
    """A number in four digits; whole ones in full, "–" where there is none."""
    if value is None:
        return "–"
    return str(value) if isinstance(value, bool | int) else f"{value:.4g}"


def facts_in_words(source: Source, axes: Sequence[str]) -> str:
    """`(batch, hidden) = (2, 8), float32, cpu, requires_grad`."""
    sizes = f"({', '.join(map(str, source.shape))}{',' if len(source.shape) == 1 else ''})"
    names = f"({', '.join(axes)}{',' if len(axes) == 1 else ''}) = " if any(axes) and axes else ""
    shape = f"{names}{sizes}" if source.shape else _("() = one number")
    return ", ".join([shape, source.dtype, source.device, *source.more])


def statistics_rows(found: Statistics, kind: str) -> list[tuple[str, str]]:
    """Name and value of each statistic, as text."""
    moments = (found.least, found.greatest, found.mean, found.std)
    rows = [(name, number(value)) for name, value in zip(("min", "max", "mean", "std"), moments, strict=True)]
    rows.append((_("zeros"), f"{100 * found.zeros:.3g} %"))
    faults = [("NaN", f"{found.nan:,}"), ("+Inf", f"{found.plus_inf:,}"), ("-Inf", f"{found.minus_inf:,}")]
    return rows + (faults if kind == "float" else [])


ROWS = N_("rows {first}, … {last:,} of {all:,}, each {step:,} from the one before")
COLUMNS = N_("columns {first}, … {last:,} of {all:,}, each {step:,} from the one before")


def chosen_in_words(indices: np.ndarray, size: int, what: str) -> str:
    """`rows 0, 3, 6, … 189 of 192, each 3 from the one before`, or nothing when all are shown."""
    if indices.size == size:
        return ""
    first = ", ".join(f"{one:,}" for one in indices[:3].tolist())
    return _(what).format(first=first, last=int(indices[-1]), all=size, step=int(indices[1] - indices[0]))


def sampling_in_words(shown: Slice) -> str:
    """What a thinned-out picture shows and what its marks stand for, or nothing when it shows the whole slice."""
    if not shown.sampled:
        return ""
    said = [
        chosen_in_words(shown.rows, shown.full[0], ROWS),
        chosen_in_words(shown.columns, shown.full[1], COLUMNS),
    ]
    marks = _("NaN or Inf between them is not seen.")
    if shown.marks_all:
        marks = _("A mark for NaN or Inf stands also for those left out up to the next.")
    return paragraph(_("Too big to draw whole. Shown: {which}.").format(which="; ".join(filter(None, said))), marks)


def where_in_words(axes: Sequence[str], row: int | None, column: int | None, fixed: Mapping[int, int]) -> str:
    """`rows: prefix_len, columns: head_dim, at batch 0, heads 1`."""
    label = [axis_named(name, axis) for axis, name in enumerate(axes)]
    both = ((_("rows: {axis}"), row), (_("columns: {axis}"), column))
    said = [what.format(axis=label[axis]) for what, axis in both if axis is not None]
    return ", ".join([*said, *([_("at {place}").format(place=place_in_words(axes, fixed))] if fixed else [])])


def place_in_words(axes: Sequence[str], indices: Mapping[int, int]) -> str:
    """`batch 0, heads 1`, in the tensor's own order."""
    nameless = _("axis {axis}: {index:,}")
    return ", ".join(
        f"{axes[axis]} {indices[axis]:,}" if axes[axis] else nameless.format(axis=axis, index=indices[axis])
        for axis in sorted(indices)
    )


def axis_named(name: str, axis: int) -> str:
    """An axis by its name, or else by its number."""
    return name or _("axis {axis}").format(axis=axis)


def table_in_words(shown: Slice) -> str:
    """The numbers at the corners of the slice, in columns, with the indices of their rows and columns."""
    rows, columns = edges(shown.rows.size), edges(shown.columns.size)
    head = ["", *("…" if one is None else str(shown.columns[one]) for one in columns)]
    lines = [head]
    for row in rows:
        if row is None:
            lines.append(["…"] * len(head))
            continue
        cells = ["…" if one is None else number(shown.numbers[row, one].item()) for one in columns]
        lines.append([str(shown.rows[row]), *cells])
    return "\n".join(in_columns(lines, right=range(len(head))))


def edges(size: int) -> list[int | None]:
    if size <= 2 * EDGE:
        return list(range(size))
    return [*range(EDGE), None, *range(size - EDGE, size)]


def in_words(facts: str, found: Statistics, kind: str, where: str, shown: Slice | None, cell: str = "") -> str:
    """Everything as plain text, for a terminal and for screen readers."""
    said = ", ".join(f"{name} {value}" for name, value in statistics_rows(found, kind))
    lines = [_("tensor {facts}").format(facts=facts)]
    if not found.count or shown is None:
        return "\n".join([*lines, _("no numbers: an axis has size 0")])
    lines.append(_("{statistics}; of {scope}").format(statistics=said, scope=found.scope))
    return "\n".join([*lines, *filter(None, [where, sampling_in_words(shown), cell]), table_in_words(shown)])
