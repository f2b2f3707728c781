"""ParameterBars: what trains and what is frozen, for prefix tuning and the ways beside it, or in one's own model."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

import ipywidgets

from prefix_lab.widgets.parameters.bars import Bar, parts_of, ways_to_train
from prefix_lab.widgets.parameters.counting import base_parameters
from prefix_lab.widgets.parameters.drawing import draw_bars
from prefix_lab.widgets.sizes import Sizes, shipped, sizes_of, whole
from prefix_lab.widgets.text_form import TextForm

SAID = "What is filled trains; the faint frame goes on to the whole model."
SAID_OF_MODULE = "What is filled trains, what is hatched is frozen; the faint frame goes on to the whole model."
REACH = {"prefix_len": 200, "encoder_hidden": 4096, "r": 256}


class ParameterBars(TextForm, ipywidgets.VBox):
    """Bars on a logarithmic scale, each with its number and its share in per cent.

    `model` is a name of the sizes that ship ("t5-base", "gpt2", …), a config, or a dict of its fields: then prompt
    tuning, a prefix, LoRA, a projected prefix and full fine-tuning are compared by arithmetic, with sliders. Or it is
    a module, wrapped by PEFT or not: then its own parameters are counted by what they belong to and whether they
    train; `refresh()` counts anew.

    Raises `ValueError` for a name that is not known, what is no size, and a module without parameters.
    """

    def __init__(
        self, model: Any = "t5-base", prefix_len: int = 20, r: int = 8, encoder_hidden: int | None = None
    ) -> None:
        self._module = model if hasattr(model, "named_parameters") else None
        self._picture = ipywidgets.HTML()
        if self._module is not None:
            self._controls: dict[str, Any] = {}
            self.refresh()
            super().__init__([self._picture])
            return
        self._sizes = sizes_of(model)
        prefix_len, r = whole("prefix_len", prefix_len), whole("r", r)
        self._given = self._sizes
        self._hidden = encoder_hidden
        self._bars = ways_to_train(self._sizes, prefix_len, r, encoder_hidden)  # refuses before anything is shown
        self._controls = self._make_controls(prefix_len, r)
        wide = ipywidgets.Layout(flex_flow="row wrap", width="100%")
        super().__init__([ipywidgets.Box([*self._controls.values()], layout=wide), self._picture])
        self._draw()

    @property
    def bars(self) -> list[Bar]:
        """The bars that are shown, with their counts."""
        return list(self._bars)

    @property
    def text(self) -> str:
        """All that is shown, as plain text."""
        return as_text(self._title(), self._bars, self._note())

    def refresh(self) -> None:
        """Count a module's parameters anew, after some were frozen or added."""
        if self._module is not None:
            self._bars = parts_of(self._module)
            self._draw()

    def _make_controls(self, prefix_len: int, r: int) -> dict[str, Any]:
        look = {"style": {"description_width": "8.5em"}, "layout": ipywidgets.Layout(width="20.5em")}
        hidden = self._sizes.token_dim if self._hidden is None else self._hidden
        values = {"prefix_len": prefix_len, "encoder_hidden": hidden, "r": r}
        names = [*dict.fromkeys([*shipped(), self._sizes.name])]
        made: dict[str, Any] = {
            "model": ipywidgets.Dropdown(options=names, value=self._sizes.name, description="model", **look)
        }
        for name, far in REACH.items():
            label = "r of LoRA" if name == "r" else name
            value = values[name]
            made[name] = ipywidgets.IntSlider(value, 1, max(far, value), description=label, **look)
        for name, control in made.items():
            control.observe(lambda change, name=name: self._moved(name, change["new"]), "value")
        return made

    def _moved(self, name: str, value: Any) -> None:
        if name == "model":
            self._sizes = self._given if value == self._given.name else sizes_of(value)
            self._hidden = None
            slider = self._controls["encoder_hidden"]
            slider.max = max(slider.max, self._sizes.token_dim)
            slider.value = self._sizes.token_dim  # PEFT's choice
            self._hidden = None
        elif name == "encoder_hidden":
            self._hidden = value
        chosen = {one: self._controls[one].value for one in ("prefix_len", "r")}
        self._bars = ways_to_train(self._sizes, **chosen, encoder_hidden=self._hidden)
        self._draw()

    def _title(self) -> str:
        if self._module is not None:
            total = self._bars[0].total
            trains = sum(bar.count for bar in self._bars if bar.trains)
            return (
                f"{type(self._module).__name__}: {trains:,} of {total:,} parameters train, {100 * trains / total:.4f} %"
            )
        return f"What trains, beside the {base_parameters(self._sizes.config):,} parameters of {self._sizes.name}"

    def _note(self) -> str:
        if self._module is not None:
            return SAID_OF_MODULE
        return f"{SAID} {remarks(self._sizes)}".strip()

    def _draw(self) -> None:
        title, note = escape(self._title()), escape(self._note())
        picture = draw_bars(self._bars, self._title(), self.text)
        self._picture.value = f"<p style='margin: 0.5em 0'><b>{title}</b></p>{picture}<p>{note}</p>"


def remarks(sizes: Sizes) -> str:
    """What a reader of the two prefix bars should know of this model."""
    said = []
    if sizes.encoder_decoder and sizes.layers % 2 == 0 and sizes.readers == sizes.layers:
        said.append("Half of the prefix's rows never get a gradient here: ShapeFlow shows which.")
    if sizes.trouble is not None:
        said.append(f"PEFT needs {sizes.trouble.way_out} for this model's prefix; it is counted so.")
    return " ".join(said)


def as_text(title: str, bars: Sequence[Bar], note: str) -> str:
    """The bars as lines of text."""
    labels = [f"{bar.label}{'' if bar.trains else ', frozen'}" for bar in bars]
    widths = max(map(len, labels)), max(len(f"{bar.count:,}") for bar in bars)
    lines = [
        f"{label:<{widths[0]}}  {bar.count:>{widths[1]},}  {bar.percent:8.4f} % of {bar.total:,}"
        for label, bar in zip(labels, bars, strict=True)
    ]
    return "\n".join([title, "", *lines, "", note])
