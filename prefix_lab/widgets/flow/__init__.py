"""ShapeFlow: the journey of the prefix as a picture whose every number follows the sliders, every axis by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from html import escape
from typing import Any

import ipywidgets

from prefix_lab.locale import N_, _
from prefix_lab.locale.room import columns
from prefix_lab.shapes import AXES
from prefix_lab.widgets.controls import LABEL, Number, choice, grid
from prefix_lab.widgets.flow.drawing import SHOWN, draw_journey, draw_rows
from prefix_lab.widgets.flow.journey import DTYPES, Cost, JourneyStep, Setting, cost, facts, journey, rows_said
from prefix_lab.widgets.picture import TextForm, still_picture
from prefix_lab.widgets.sizes import OWN, Sizes, own_sizes, shipped, sizes_of
from prefix_lab.widgets.table import in_columns, table

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
GROUPS = {
    N_("The model. Type a number, or drag: every shape below follows."): ("model", *OF_MODEL),
    N_("The prefix, and the texts that read it"): (
        "prefix_len",
        "projection",
        "encoder_hidden",
        "batch",
        "tokens",
        "dtype",
    ),
}


class Controls:
    """The controls, and the setting that they stand at. `changed` is called after each move of the user's."""

    def __init__(self, setting: Setting, changed: Any) -> None:
        self.setting, self.changed, self.quiet = setting, changed, False
        self.known: dict[str, Sizes] = {}
        numbers = {name: Number(1, 1, far, name, _(AXES.get(name, ""))) for name, far in REACH.items()}
        self.all = {
            "model": choice([*map(named, (*shipped(), *OWN.values()))], _("model")),
            "kv_heads": choice([1], "kv_heads", tooltip=_(AXES["kv_heads"])),
            "projection": ipywidgets.Checkbox(description=_("projection"), style=LABEL),
            "dtype": choice(list(DTYPES), "dtype"),
            **numbers,
        }
        self.show(setting)
        for name, control in self.all.items():
            control.observe(lambda change, name=name: self.move(name, change["new"]), "value")

    def box(self) -> ipywidgets.Widget:
        """The model's controls, then those of the prefix."""
        parts: list[ipywidgets.Widget] = []
        for said, names in GROUPS.items():
            parts += [ipywidgets.HTML(f"<b>{_(said)}</b>"), grid([self.all[one] for one in names])]
        return ipywidgets.VBox(parts)

    def move(self, name: str, value: Any) -> None:
        """The user moved one control: the setting that follows, shown by all of them."""
        if self.quiet or value is None:
            return
        self.show(moved(self.setting, name, value, self.known))
        self.changed()

    def show(self, setting: Setting) -> None:
        """Put every control where the setting is."""
        sizes, axes = setting.sizes, setting.axes
        self.setting, self.quiet = setting, True
        try:
            for name in REACH:
                self.all[name].value = setting.tokens if name == "tokens" else axes[name]
            self.all["tokens"].description = sizes.text_axis
            self.all["encoder_hidden"].disabled = not setting.projection
            self.all["kv_heads"].options = [sizes.heads] if sizes.encoder_decoder else divisors(sizes.heads)
            self.all["kv_heads"].disabled = sizes.encoder_decoder
            if sizes.config is not None and sizes.name not in shipped():
                self.known[sizes.name] = sizes  # a config of the learner's own stays in the menu
            self.all["model"].options = [*map(named, (*shipped(), *self.known, *OWN.values()))]
            chosen = {"model": sizes.name, "kv_heads": sizes.kv_heads}
            chosen |= {"projection": setting.projection, "dtype": setting.dtype}
            for name, value in chosen.items():
                self.all[name].value = value
        finally:
            self.quiet = False


def called(name: str) -> str:
    """A model's name; own sizes are told in the reader's language."""
    return _(name) if name in OWN.values() else name


def named(name: str) -> tuple[str, str]:
    """A name of the menu as it is shown, and itself."""
    return called(name), name


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


CHOICES = ("model", *OF_MODEL, "prefix_len", "projection", "batch", "encoder_hidden", "tokens", "dtype")


class ShapeFlow(TextForm, ipywidgets.VBox):
    """From the virtual tokens to attention: each step of PEFT's `get_prompt`, with every axis by name and number.

    `model` is a name of the sizes that ship ("t5-base", "gpt2", "llama-3-8b", …), a model's config, a model that has
    one, or a dict of a config's fields. `layers`, `heads`, `kv_heads` and `head_dim` change its sizes; `tokens` are
    those of the text that reads the prefix, `dtype` ("float32" or "bfloat16") is the model's, and so the cache's.
    `encoder_hidden` is the inner width of the projection, as wide as the prefix if left out.

    No model is built. `change(prefix_len=50)` moves the controls from Python; `text`, and so `print(flow)`, says it
    all in words. Raises `ValueError` for a name that is not known, and for sizes that do not go together.
    """

    def __init__(self, model: Any = "t5-base", prefix_len: int = 20, projection: bool = False, **choices: Any) -> None:
        start = changed(Setting(sizes_of(model)), {"prefix_len": prefix_len, "projection": projection, **choices})
        self._controls = Controls(start, self._draw)
        self._picture, self._panel = ipywidgets.HTML(), ipywidgets.HTML()
        super().__init__([self._controls.box(), self._panel, self._picture])
        self._draw()

    @property
    def setting(self) -> Setting:
        """The sizes and choices that are shown."""
        return self._controls.setting

    @property
    def steps(self) -> list[JourneyStep]:
        """The steps of the journey, with names and numbers."""
        return journey(self.setting)

    @property
    def text(self) -> str:
        """All that is shown, as plain text."""
        return as_text(self.setting, self.steps, cost(self.setting))

    @property
    def still(self) -> str:
        return still_picture(self._panel.value + self._picture.value, self.text)

    def change(self, **choices: Any) -> None:
        """Move some controls, as by hand: `change(model="gpt2", prefix_len=50)`. Raises `ValueError`, and stays."""
        start = self.setting
        if "model" in choices:
            start = moved(start, "model", choices.pop("model"), self._controls.known)
        self._controls.show(changed(start, choices))
        self._draw()

    def _draw(self) -> None:
        setting, steps, costs = self.setting, self.steps, cost(self.setting)
        self._panel.value = panel(setting)
        picture = draw_journey(steps, setting, headline(setting), as_text(setting, steps, costs))
        if setting.sizes.encoder_decoder:
            picture += f"<p style='margin: 0.8em 0 0.2em'>{escape(caption(setting))}</p>"
            picture += draw_rows(setting.sizes, _("Which decoder layer reads which row"), rows_said(setting, costs))
        self._picture.value = f"<div style='overflow-x: auto'>{picture}</div>"


def changed(setting: Setting, choices: dict[str, Any]) -> Setting:
    """The setting with some choices made, those of the model's sizes together. Raises `ValueError` as ShapeFlow."""
    unknown = [name for name in choices if name not in CHOICES]
    if unknown:
        raise ValueError(
            f"{unknown[0]}={choices[unknown[0]]!r} is no choice here. The choices are {', '.join(CHOICES)}."
        )
    # heads before kv_heads, since the one is held against the other
    for name in [name for name in OF_MODEL if choices.get(name) is not None]:
        setting = moved(setting, name, choices[name])
    return replace(setting, **{name: value for name, value in choices.items() if name not in OF_MODEL})


def panel(setting: Setting) -> str:
    """The figures as a table, and above it why PEFT fails with these sizes where it does."""
    trouble = trouble_said(setting)
    warning = (
        f"<p style='border-left: 4px solid #c64b40; padding-left: 0.7em; margin: 0.5em 0'>✗ {escape(trouble)}</p>"
        if trouble
        else ""
    )
    return f"<div style='line-height: 1.5'>{warning}{table((), facts(setting, cost(setting)))._repr_html_()}</div>"


def caption(setting: Setting) -> str:
    """What the picture of the rows shows."""
    rows = 2 * setting.sizes.layers
    text = _(
        "The {rows} rows of the prefix, and below them the decoder layers that read them. The crossed ones are read "
        "by none."
    )
    if rows > SHOWN:
        text = _(
            "The first {shown} of the prefix's {rows} rows, and below them the decoder layers that read them. The "
            "crossed ones are read by none."
        )
    return text.format(rows=rows, shown=SHOWN)


def headline(setting: Setting) -> str:
    """What is shown, in one line."""
    text = _("The journey of a prefix: {model}, prefix_len {prefix_len}, without projection")
    if setting.projection:
        text = _("The journey of a prefix: {model}, prefix_len {prefix_len}, with projection")
    return text.format(model=called(setting.sizes.name), prefix_len=setting.prefix_len)


def trouble_said(setting: Setting) -> str:
    """Why PEFT fails with these sizes, and what to set; empty where it does not."""
    trouble = setting.sizes.trouble
    if trouble is None:
        return ""
    text = _(
        "As it is, PEFT fails with this model. {reason} Way out: PrefixTuningConfig({fields}, …). What is shown here "
        "is the journey with it."
    )
    return text.format(reason=trouble.reason, fields=trouble.way_out)


def as_text(setting: Setting, steps: Sequence[JourneyStep], cost: Cost) -> str:
    """All of it as plain text."""
    rows = in_columns([(step.shown, f"{step.names} = {step.numbers}", step.dtype) for step in steps])
    indent = " " * (max(columns(step.shown) for step in steps) + 6)
    lines = [headline(setting), *filter(None, [trouble_said(setting)]), ""]
    for number, (step, row) in enumerate(zip(steps, rows, strict=True), start=1):
        lines += [f"{number:>2}  {row}", f"{indent}{step.sentence}"]
    lines += ["", *(f"{question}: {answer}" for question, answer in facts(setting, cost))]
    if setting.sizes.encoder_decoder:
        lines.append(rows_said(setting, cost))
    return "\n".join(lines)
