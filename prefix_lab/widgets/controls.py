"""Controls that several widgets have: a number to type or to drag, and a grid in which they stand below each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ipywidgets
import traitlets

from prefix_lab.locale import _

LABEL = {"description_width": "9em"}
MOST = 10_000  # what may be typed


class Number(ipywidgets.HBox):
    """A whole number from `least` on: a box to type it in, and a slider that becomes longer for what is beyond `far`.

    Where `most` is given, nothing beyond it can be chosen.
    """

    value = traitlets.Int()

    def __init__(self, value: int, least: int, far: int, name: str, most: int | None = None) -> None:
        said = _("Type a number, or drag.")
        self.box = ipywidgets.BoundedIntText(
            value, least, max(MOST, value) if most is None else most, description=name, style=LABEL, tooltip=said
        )
        self.slider = ipywidgets.IntSlider(value, least, max(far, value), readout=False, tooltip=said)
        self.box.layout = ipywidgets.Layout(width="14.4em", flex="0 0 auto")
        self.slider.layout = ipywidgets.Layout(width="auto", min_width="6em", flex="1 1 auto")
        super().__init__([self.box, self.slider], value=value)
        for one in (self.box, self.slider):
            one.observe(lambda change: setattr(self, "value", change.new), "value")
        self.observe(lambda change: self.show(change.new), "value")

    def show(self, value: int) -> None:
        """Both stand at the value."""
        for one in (self.slider, self.box):
            one.max = max(one.max, value)
        self.slider.value = self.box.value = value


def choice(options: Sequence[Any], name: str, **more: Any) -> ipywidgets.Dropdown:
    """A menu, as wide as its place in the grid."""
    return ipywidgets.Dropdown(
        options=options, description=name, style=LABEL, layout=ipywidgets.Layout(width="auto"), **more
    )


def grid(controls: Sequence[ipywidgets.Widget]) -> ipywidgets.GridBox:
    """As many columns as there is room for, all equally wide."""
    columns = "repeat(auto-fill, minmax(min(100%, 28em), 1fr))"
    return ipywidgets.GridBox(
        controls, layout=ipywidgets.Layout(grid_template_columns=columns, grid_gap="2px 20px", width="100%")
    )
