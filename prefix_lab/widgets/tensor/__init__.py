"""TensorView: a tensor's slices as a heat map with named axes, with statistics, NaN and Inf marked."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

import anywidget
import ipywidgets
import traitlets

from prefix_lab.locale import N_, _
from prefix_lab.widgets.colours import colours_of
from prefix_lab.widgets.controls import Number, choice, grid
from prefix_lab.widgets.picture import TextForm, still_picture
from prefix_lab.widgets.tensor.reading import slice_of, source_of, statistics_of
from prefix_lab.widgets.tensor.shown import (
    axis_named,
    facts_in_words,
    heat_map,
    in_words,
    place_in_words,
    sampling_in_words,
    statistics_rows,
    where_in_words,
)

SPANS = (N_("whole tensor"), N_("this slice"))
HINT = N_(
    "Point at a cell, or walk with the arrow keys, to hear its number. A click holds the cell, another lets it go."
)
STYLE = """
.prefix-lab-heat { position: relative; display: inline-block; width: 100%; }
.prefix-lab-heat > svg { display: block; }
.prefix-lab-heat:focus-visible { outline: 2px solid var(--jp-brand-color1, #1976d2); }
.prefix-lab-heat-cell { position: absolute; box-sizing: border-box; pointer-events: none;
  outline: 2px solid #000; box-shadow: 0 0 0 4px #fff; }
.prefix-lab-heat-cell.prefix-lab-held { outline-style: dashed; }
"""


class HeatMap(anywidget.AnyWidget):
    """The picture, and the cell that a reader is at, as its row and column there. `said` tells what is in it."""

    _esm = Path(__file__).parent / "heat.js"
    _css = STYLE
    picture = traitlets.Unicode().tag(sync=True)
    place = traitlets.List(traitlets.Float()).tag(sync=True)
    size = traitlets.List(traitlets.Int()).tag(sync=True)
    cell = traitlets.List(traitlets.Int()).tag(sync=True)
    held = traitlets.Bool().tag(sync=True)
    said = traitlets.Unicode().tag(sync=True)
    hint = traitlets.Unicode().tag(sync=True)


class TensorView(TextForm, ipywidgets.VBox):
    """Two axes of a tensor as a heat map, a slider for each other axis, and statistics.

    TensorView(weight)
    TensorView(key, "batch heads prefix_len head_dim")
    TensorView(key, axes, show=("heads", "prefix_len"))

    `tensor` is a torch tensor, a parameter or a NumPy array of any shape. `axes` are the names of its axes: a text with
    spaces between them, a sequence, or something from a recording that has `.axes`. `show` says which two are the rows
    and the columns, by name or number; left out, the last two. The tensor is read anew for each picture and never
    changed; the view keeps the tensor itself, until `close()`. Raises `ValueError` for what has no numbers to show.
    """

    def __init__(self, tensor: Any, axes: Any = None, show: Sequence[str | int] | None = None):
        self.source = source_of(tensor)
        self.axes = names_of(axes, self.source.shape)
        self.read()
        self.drawing, self.words = HeatMap(hint=_(HINT)), ipywidgets.HTML()
        self.drawing.observe(self.met, "cell")
        self.controls(shown_axes(show, self.axes))
        super().__init__([self.words, *([self.bar, self.drawing] if self.source.count else [])])
        self.draw()

    def controls(self, show: tuple[int | None, int | None]) -> None:
        shape, labels = self.source.shape, [axis_named(name, axis) for axis, name in enumerate(self.axes)]
        options = [(f"{axis}: {self.axes[axis] or _('axis')} ({size:,})", axis) for axis, size in enumerate(shape)] or [
            (_("none"), None)
        ]
        self.rows, self.columns = (
            choice(options, name, value=axis) if axis is not None else None
            for name, axis in zip((_("Rows"), _("Columns")), show, strict=True)
        )
        self.sliders = {
            axis: Number(0, 0, size - 1, labels[axis], most=size - 1)
            for axis, size in enumerate(shape)
            if size > 1 and len(shape) > 2
        }
        self.span = choice([(_(one), one) for one in SPANS], _("Colours span"))
        self.again = ipywidgets.Button(description=_("Read again"), tooltip=_("The tensor's numbers as they are now"))
        self.again.on_click(lambda button: self.refresh())
        if self.rows is not None:
            self.rows.observe(lambda change: self.chosen(self.columns, change), "value")
            self.columns.observe(lambda change: self.chosen(self.rows, change), "value")
        for control in (*self.sliders.values(), self.span):
            control.observe(lambda change: self.draw(), "value")
        both = [one for one in (self.rows, self.columns) if one is not None and len(shape) > 1]
        self.bar = grid([*both, *self.sliders.values(), self.span, self.again])

    def chosen(self, other: ipywidgets.Dropdown, change: Any) -> None:
        """An axis is rows or columns: where it was the other, the two change places."""
        if other.value == change.new:
            other.value = change.old
        else:
            self.draw()

    def read(self) -> None:
        self.statistics, self.seen = statistics_of(self.source), self.source.version()

    def refresh(self) -> None:
        """Look at the tensor's numbers as they are now."""
        self.read()
        self.draw()

    def draw(self) -> None:
        """The picture and the words for what the controls say."""
        if self.source.version() != self.seen:
            self.read()
        row, column = self.shown = tuple(None if one is None else one.value for one in (self.rows, self.columns))
        for axis, slider in self.sliders.items():
            slider.layout.display = "none" if axis in self.shown else ""
        if not self.source.count:
            self.slice = None
            self.words.value = self.head(_("This tensor has no numbers: an axis has size 0."))
            return
        others = [axis for axis in range(len(self.axes)) if axis not in self.shown]
        self.fixed = {axis: self.sliders[axis].value if axis in self.sliders else 0 for axis in others}
        self.slice = slice_of(self.source, row, column, self.fixed)
        self.words.value = self.head(sampling_in_words(self.slice))
        names = tuple("" if axis is None else axis_named(self.axes[axis], axis) for axis in self.shown)
        limit = self.slice.largest
        if self.span.value == SPANS[0]:
            ends = (self.statistics.least or 0, self.statistics.greatest or 0)
            limit = max(limit, *(abs(float(end)) for end in ends))
        title = _("Heat map of a tensor {facts}").format(facts=facts_in_words(self.source, self.axes))
        with self.drawing.hold_sync():
            self.drawing.cell, self.drawing.held = [], False
            drawn = heat_map(self.slice, names, limit or 1.0, self.source.kind, title, self.text)
            self.drawing.size, self.drawing.place = list(self.slice.numbers.shape), list(drawn.place)
            self.drawing.picture = drawn.svg

    def met(self, change: Any) -> None:
        """A reader is at a cell of the picture."""
        self.drawing.said = self.cell_in_words()

    def cell_in_words(self) -> str:
        """`batch 0, heads 1, prefix_len 3, head_dim 5: -0.4321`, of the cell that a reader is at; or nothing."""
        if not self.drawing.cell:
            return ""
        row, column = self.drawing.cell
        at = dict(zip(self.shown, (int(self.slice.rows[row]), int(self.slice.columns[column])), strict=True))
        place = self.fixed | {axis: index for axis, index in at.items() if axis is not None}
        value = self.slice.numbers[row, column]
        return f"{place_in_words(self.axes, place) or _('the one number')}: {value!s}"

    def head(self, note: str) -> str:
        """Shape, dtype and device, the statistics and what they are of, as HTML."""
        patches = "".join(
            f'<span style="white-space: nowrap"><span style="display: inline-block; width: 9px; height: 12px; '
            f'background: {colours_of(name)[0]}; border-radius: 2px"></span> {escape(axis_named(name, axis))} '
            f"{size:,}</span>"
            for axis, (name, size) in enumerate(zip(self.axes, self.source.shape, strict=True))
        )
        more = " · ".join([self.source.dtype, self.source.device, *self.source.more])
        rows = statistics_rows(self.statistics, self.source.kind) if self.source.count else []
        table = "".join(
            f'<span style="white-space: nowrap">{escape(name)} <b>{escape(value)}</b></span>' for name, value in rows
        )
        scope = _("of {scope}").format(scope=self.statistics.scope) if self.source.count else ""
        flex = "display: flex; flex-wrap: wrap; gap: 2px 16px"
        return (
            f'<div style="line-height: 1.6"><div style="{flex}">{patches}<span>{escape(more)}</span></div>'
            f'<div style="{flex}">{table}<span>{escape(scope)}</span></div><div>{escape(note)}</div></div>'
        )

    def close(self) -> None:
        """Let go of the tensor."""
        self.source = None
        super().close()

    @property
    def text(self) -> str:
        """What the view shows, in words; the cell that a reader is at, too."""
        if self.source is None:
            return _("<TensorView, closed>")
        facts, found, kind = facts_in_words(self.source, self.axes), self.statistics, self.source.kind
        if self.slice is None:
            return in_words(facts, found, kind, "", None)
        where = where_in_words(self.axes, *self.shown, self.fixed)
        return in_words(facts, found, kind, where, self.slice, self.cell_in_words())

    @property
    def still(self) -> str:
        return still_picture(self.words.value + self.drawing.picture, self.text)


def names_of(axes: Any, shape: Sequence[int]) -> tuple[str, ...]:
    """A name for each axis, "" where there is none. Raises `ValueError` when they are not as many as the axes."""
    if axes is None:
        return ("",) * len(shape)
    found = axes if isinstance(axes, str | tuple | list) else getattr(axes, "axes", axes)
    found = found.split() if isinstance(found, str) else found
    if not isinstance(found, tuple | list) or not all(isinstance(name, str) for name in found):
        raise ValueError(
            f"axes is {axes!r}; expected names such as 'batch heads prefix_len head_dim', or a sequence of them."
        )
    if len(found) != len(shape):
        raise ValueError(
            f"axes has {len(found)} names, {' '.join(found)!r}, but the tensor has {len(shape)} axes: {tuple(shape)}. "
            "Give one name for each axis, or leave axes out."
        )
    return tuple(found)


def shown_axes(show: Sequence[str | int] | None, axes: Sequence[str]) -> tuple[int | None, int | None]:
    """The axes that are rows and columns; None where a tensor has fewer than two."""
    if show is None or len(axes) < 2:
        last = [None, None, *range(len(axes))][-2:]
        return last[0], last[1]
    given = show if isinstance(show, Sequence) else [show]
    found = [axis if isinstance(axis, int) else axes.index(axis) if axis in axes else None for axis in given]
    fits = len(found) == 2 and all(isinstance(one, int) and -len(axes) <= one < len(axes) for one in found)
    numbers = [one % len(axes) for one in found] if fits else []
    if not numbers or numbers[0] == numbers[1]:
        named = " ".join(name or str(axis) for axis, name in enumerate(axes))
        raise ValueError(f"show is {show!r}; expected two different axes out of {named!r}, by name or number.")
    return numbers[0], numbers[1]
