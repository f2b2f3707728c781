"""ShapeFlow's sliders and menus: made from a setting, read back into one.

Sliders of the model's own sizes (layers, heads, …) leave the real model for own sizes; those of the prefix keep it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import ipywidgets

from prefix_lab.shapes import AXES
from prefix_lab.widgets.flow.setting import DTYPES, Setting
from prefix_lab.widgets.sizes import OWN, Sizes, own_sizes, shipped, sizes_of

REACH = {
    "batch": 64,
    "prefix_len": 200,
    "tokens": 200,
    "encoder_hidden": 4096,
    "layers": 48,
    "heads": 64,
    "head_dim": 128,
}
"""How far a slider goes at first; a larger size makes it longer."""
OF_MODEL = ("layers", "heads", "kv_heads", "head_dim")


class Controls:
    """The controls, and the setting that they stand at. `changed` is called after each move of the user's."""

    def __init__(self, setting: Setting, changed: Any) -> None:
        self.setting, self.changed, self.quiet = setting, changed, False
        look = {"style": {"description_width": "8.5em"}, "layout": ipywidgets.Layout(width="20.5em")}
        self.known: dict[str, Sizes] = {}
        names = [*shipped(), *OWN.values()]
        self.model = ipywidgets.Dropdown(options=names, description="model", **look)
        self.projection = ipywidgets.Checkbox(description="projection", indent=True, **look)
        self.dtype = ipywidgets.Dropdown(options=list(DTYPES), description="dtype", **look)
        self.sliders = {
            name: ipywidgets.IntSlider(min=1, max=far, description=name, tooltip=AXES.get(name, ""), **look)
            for name, far in REACH.items()
        }
        self.kv_heads = ipywidgets.SelectionSlider(
            options=[1], description="kv_heads", tooltip=AXES["kv_heads"], **look
        )
        self.all = {"model": self.model, "projection": self.projection, "dtype": self.dtype, "kv_heads": self.kv_heads}
        self.all |= self.sliders
        self.show(setting)
        for name, control in self.all.items():
            control.observe(lambda change, name=name: self.move(name, change["new"]), "value")

    def box(self) -> ipywidgets.Widget:
        """The model's controls, then those of the prefix, in as many columns as there is room for."""
        names = ("model", "layers", "heads", "kv_heads", "head_dim")
        prefix = ("prefix_len", "projection", "encoder_hidden", "batch", "tokens", "dtype")
        wide = ipywidgets.Layout(flex_flow="row wrap", width="100%")
        return ipywidgets.VBox([ipywidgets.Box([self.all[one] for one in row], layout=wide) for row in (names, prefix)])

    def move(self, name: str, value: Any) -> None:
        """The user moved one control: the setting that follows, shown by all of them."""
        if self.quiet:
            return
        self.show(moved(self.setting, name, value, self.known))
        self.changed()

    def show(self, setting: Setting) -> None:
        """Put every control where the setting is."""
        sizes, axes = setting.sizes, setting.axes
        self.setting, self.quiet = setting, True
        try:
            values = {name: axes[name] for name in REACH if name != "tokens"} | {"tokens": setting.tokens}
            for name, value in values.items():
                slider = self.sliders[name]
                slider.max = max(slider.max, value)
                slider.value = value
            self.sliders["tokens"].description = sizes.text_axis
            self.sliders["encoder_hidden"].disabled = not setting.projection
            kv_heads = list(divisors(sizes.heads)) if not sizes.encoder_decoder else [sizes.heads]
            if self.kv_heads.options != tuple(kv_heads):
                self.kv_heads.options = kv_heads
            self.kv_heads.value = sizes.kv_heads
            self.kv_heads.disabled = sizes.encoder_decoder
            if sizes.config is not None and sizes.name not in shipped():
                self.known[sizes.name] = sizes  # a config of the learner's own stays in the menu
            self.model.options = (*shipped(), *self.known, *OWN.values())
            self.model.value, self.projection.value, self.dtype.value = sizes.name, setting.projection, setting.dtype
        finally:
            self.quiet = False


def divisors(number: int) -> tuple[int, ...]:
    """What kv_heads may be for this many heads."""
    return tuple(one for one in range(1, number + 1) if number % one == 0)


def moved(setting: Setting, name: str, value: Any, known: Mapping[str, Sizes] | None = None) -> Setting:
    """The setting after one control was moved. `known` are sizes that do not ship, but stand in the menu.

    Raises `ValueError` for a value that is refused.
    """
    if name == "model":
        return replace(setting, sizes=chosen(setting.sizes, value, known or {}), encoder_hidden=None)
    if name in OF_MODEL:
        old = setting.sizes
        values = {one: getattr(old, one) for one in OF_MODEL} | {name: value}
        if name == "heads":
            values["kv_heads"] = kv_heads_for(old, value)
        return replace(setting, sizes=own_sizes(old.encoder_decoder, **values))
    return replace(setting, **{name: value})


def chosen(old: Sizes, name: Any, known: Mapping[str, Sizes]) -> Sizes:
    """The sizes that a name of the menu stands for; own sizes begin with the old ones."""
    if isinstance(name, str) and name in known:
        return known[name]
    for encoder_decoder, own_name in OWN.items():
        if name == own_name:
            kv_heads = old.heads if encoder_decoder else old.kv_heads
            return own_sizes(encoder_decoder, old.layers, old.heads, old.head_dim, kv_heads)
    return sizes_of(name)


def kv_heads_for(old: Sizes, heads: Any) -> Any:
    """As many cached heads as before, or the most below that, so that they fit the new number of heads."""
    if old.kv_heads == old.heads or not isinstance(heads, int) or heads < 1:
        return heads
    return max(one for one in divisors(heads) if one <= old.kv_heads)
