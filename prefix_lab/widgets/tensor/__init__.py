"""TensorView: a tensor's slices as a heat map with named axes, with statistics, NaN and Inf marked."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

import ipywidgets

from prefix_lab.widgets.colours import colours_of
from prefix_lab.widgets.picture import TextForm, still_picture
from prefix_lab.widgets.tensor.heat import heat_map, largest, slice_of
from prefix_lab.widgets.tensor.source import source_of
from prefix_lab.widgets.tensor.tell import (
    facts_in_words,
    in_words,
    sampling_in_words,
    statistics_of,
    statistics_rows,
    where_in_words,
)

STYLE = {"description_width": "initial"}
SPANS = ("whole tensor", "this slice")


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
        self.statistics, self.seen = statistics_of(self.source), self.source.version()
        self.drawing, self.words = ipywidgets.HTML(), ipywidgets.HTML()
        self.controls(shown_axes(show, self.axes))
        super().__init__([self.words, self.bar, self.drawing])
        self.draw()

    def controls(self, show: tuple[int | None, int | None]) -> None:
        shape = self.source.shape
        options = [(self.label(axis), axis) for axis in range(len(shape))]
        self.rows, self.columns = (
            ipywidgets.Dropdown(options=options or [("none", None)], value=axis, description=name, style=STYLE)
            if axis is not None
            else None
            for name, axis in zip(("Rows", "Columns"), show, strict=True)
        )
        self.sliders = {
            axis: ipywidgets.IntSlider(0, 0, size - 1, description=self.axes[axis] or f"axis {axis}", style=STYLE)
            for axis, size in enumerate(shape)
            if size > 1 and len(shape) > 2
        }
        self.span = ipywidgets.Dropdown(options=SPANS, description="Colours span", style=STYLE)
        self.again = ipywidgets.Button(description="Read again", tooltip="The tensor's numbers as they are now")
        self.again.on_click(lambda _: self.refresh())
        if self.rows is not None:
            self.rows.observe(lambda change: self.chosen(self.columns, change), "value")
            self.columns.observe(lambda change: self.chosen(self.rows, change), "value")
        for control in (*self.sliders.values(), self.span):
            control.observe(lambda _: self.draw(), "value")
        both = [one for one in (self.rows, self.columns) if one is not None and len(shape) > 1]
        wrap = ipywidgets.Layout(flex_flow="row wrap", align_items="center")
        shown = [*both, *self.sliders.values(), self.span, self.again] if self.source.count else []
        self.bar = ipywidgets.HBox(shown, layout=wrap)

    def label(self, axis: int) -> str:
        return f"{axis}: {self.axes[axis] or 'axis'} ({self.source.shape[axis]:,})"

    def chosen(self, other: ipywidgets.Dropdown, change: Any) -> None:
        """An axis is rows or columns: where it was the other, the two change places."""
        if other.value == change.new:
            other.value = change.old
        else:
            self.draw()

    def refresh(self) -> None:
        """Look at the tensor's numbers as they are now."""
        self.statistics, self.seen = statistics_of(self.source), self.source.version()
        self.draw()

    def draw(self) -> None:
        """The picture and the words for what the controls say."""
        if self.source.version() != self.seen:
            self.statistics, self.seen = statistics_of(self.source), self.source.version()
        row, column = (one.value if one is not None else None for one in (self.rows, self.columns))
        for axis, slider in self.sliders.items():
            slider.layout.display = "none" if axis in (row, column) else ""
        facts = facts_in_words(self.source, self.axes)
        if not self.source.count:
            self._text = in_words(facts, self.statistics, self.source.kind, "", None)
            self.words.value, self.drawing.value = self.head("This tensor has no numbers: an axis has size 0."), ""
            return
        sliders = {axis: slider.value for axis, slider in self.sliders.items() if axis not in (row, column)}
        fixed = {axis: sliders.get(axis, 0) for axis in range(len(self.axes)) if axis not in (row, column)}
        shown = slice_of(self.source, row, column, fixed)
        where = where_in_words(self.axes, row, column, fixed)
        self._text = in_words(facts, self.statistics, self.source.kind, where, shown)
        self.words.value = self.head(sampling_in_words(shown))
        names = tuple("" if axis is None else self.axes[axis] or f"axis {axis}" for axis in (row, column))
        limit = largest(shown.numbers)
        if self.span.value == SPANS[0]:
            ends = (self.statistics.least or 0, self.statistics.greatest or 0)
            limit = max(limit, *(abs(float(end)) for end in ends))
        kind = self.source.kind
        self.drawing.value = heat_map(shown, names, limit or 1.0, kind, f"Heat map of a tensor {facts}", self._text)

    def head(self, note: str) -> str:
        """Shape, dtype and device, the statistics and what they are of, as HTML."""
        patches = "".join(
            f'<span style="white-space: nowrap"><span style="display: inline-block; width: 9px; height: 12px; '
            f'background: {colours_of(name)[0]}; border-radius: 2px"></span> {escape(name or f"axis {axis}")} '
            f"{size:,}</span>"
            for axis, (name, size) in enumerate(zip(self.axes, self.source.shape, strict=True))
        )
        more = " · ".join([self.source.dtype, self.source.device, *self.source.more])
        rows = statistics_rows(self.statistics, self.source.kind) if self.source.count else []
        table = "".join(
            f'<span style="white-space: nowrap">{escape(name)} <b>{escape(value)}</b></span>' for name, value in rows
        )
        scope = f"of {self.statistics.scope}" if self.source.count else ""
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
        """What the view shows, in words."""
        return self._text

    @property
    def still(self) -> str:
        return still_picture(self.words.value + self.drawing.value, self.text)


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
        last = list(range(len(axes)))[-2:]
        return (None, None) if not last else (None, last[0]) if len(last) == 1 else (last[0], last[1])
    found = [axis if isinstance(axis, int) else axes.index(axis) if axis in axes else None for axis in show]
    fits = len(found) == 2 and all(isinstance(one, int) and -len(axes) <= one < len(axes) for one in found)
    numbers = [one % len(axes) for one in found] if fits else []
    if not numbers or numbers[0] == numbers[1]:
        named = " ".join(name or str(axis) for axis, name in enumerate(axes))
        raise ValueError(f"show is {show!r}; expected two different axes out of {named!r}, by name or number.")
    return numbers[0], numbers[1]
