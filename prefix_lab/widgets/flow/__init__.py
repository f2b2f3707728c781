"""ShapeFlow: the journey of the prefix as a picture whose every number follows the sliders, every axis by name.

The page computes, draws and moves by itself (`flow.js`); what Python says of the same setting is its text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import Any

from prefix_lab.locale import N_, _
from prefix_lab.locale.room import columns
from prefix_lab.shapes import AXES
from prefix_lab.widgets.colours import COLOURS
from prefix_lab.widgets.flow.journey import (
    DTYPES,
    FIGURES,
    STEPS,
    Cost,
    JourneyStep,
    Setting,
    cost,
    facts,
    journey,
    rows_said,
)
from prefix_lab.widgets.moving import STYLE, Moving
from prefix_lab.widgets.parameters.counting import base_parameters
from prefix_lab.widgets.sizes import OWN, Sizes, own_sizes, shipped, sizes_of
from prefix_lab.widgets.stepper.page import linked
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
TITLE = N_("The journey of a prefix: {model}, prefix_len {prefix_len}, without projection")
TITLE_PROJECTED = N_("The journey of a prefix: {model}, prefix_len {prefix_len}, with projection")
SAID = {
    "ofModel": N_("The model. Type a number, or drag: every shape below follows."),
    "ofPrefix": N_("The prefix, and the texts that read it"),
    "model": N_("model"),
    "projection": N_("projection"),
    "meaning": N_("{meaning}. Type a number, or drag."),
    "drag": N_("Type a number, or drag."),
    "slider": N_("{name}, as a slider"),
    "ownTwo": OWN[True],
    "ownOne": OWN[False],
    "title": TITLE,
    "titleProjected": TITLE_PROJECTED,
    "noCopy": N_("no copy"),
    "whichReads": N_("Which decoder layer reads which row"),
    "caption": N_(
        "The {rows} rows of the prefix, and below them the decoder layers that read them. The crossed ones are read "
        "by none."
    ),
    "captionCut": N_(
        "The first {shown} of the prefix's {rows} rows, and below them the decoder layers that read them. The "
        "crossed ones are read by none."
    ),
}


def for_page(known: Mapping[str, Sizes]) -> dict[str, Any]:
    """What the page computes with: the table of steps, the sizes in the menu, and every text, in the reader's language.

    `known` are sizes that do not ship, but stand in the menu.
    """
    sizes = {name: sizes_of(name) for name in shipped()} | dict(known)
    return {
        "texts": {name: _(text) for name, text in (SAID | FIGURES).items()},
        "steps": [step._asdict() | {"operation": _(step.operation), "sentence": _(step.sentence)} for step in STEPS],
        "models": {name: sizes_for_page(one) for name, one in sizes.items()},
        "own": {"two": OWN[True], "one": OWN[False]},
        "axes": {name: _(AXES[name]) for name in (*REACH, "kv_heads") if name in AXES},
        "colours": COLOURS,
        "dtypes": DTYPES,
        "reach": REACH,
    }


def sizes_for_page(sizes: Sizes) -> dict[str, Any]:
    """One model of the menu: its sizes, where PEFT fails with it, and how many parameters it has without a prefix."""
    trouble = sizes.trouble and {"step": sizes.trouble.step, "said": trouble_said(sizes)}
    numbers = {name: getattr(sizes, name) for name in (*OF_MODEL, "hidden", "readers", "encoder_decoder")}
    return numbers | {"label": sizes.name, "trouble": trouble, "base": base_parameters(sizes.config)}


def chosen_of(setting: Setting) -> dict[str, Any]:
    """Where the page's controls stand."""
    names = ("prefix_len", "projection", "encoder_hidden", "batch", "tokens", "dtype")
    sizes = {name: getattr(setting.sizes, name) for name in OF_MODEL}
    return {"model": setting.sizes.name, **sizes, **{name: getattr(setting, name) for name in names}}


def called(name: str) -> str:
    """A model's name; own sizes are told in the reader's language."""
    return _(name) if name in OWN.values() else name


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


class ShapeFlow(Moving):
    """From the virtual tokens to attention: each step of PEFT's `get_prompt`, with every axis by name and number.

    `model` is a name of the sizes that ship ("t5-base", "gpt2", "llama-3-8b", …), a model's config, a model that has
    one, or a dict of a config's fields. `layers`, `heads`, `kv_heads` and `head_dim` change its sizes; `tokens` are
    those of the text that reads the prefix, `dtype` ("float32" or "bfloat16") is the model's, and so the cache's.
    `encoder_hidden` is the inner width of the projection, as wide as the prefix if left out.

    No model is built. `change(prefix_len=50)` moves the controls from Python; `text`, and so `print(flow)`, says it
    all in words. `state` is what a page without a kernel shows it from: see `prefix_lab.widgets.moving`.
    Raises `ValueError` for a name that is not known, and for sizes that do not go together.
    """

    _esm = linked(Path(__file__).parent / "flow.js")
    _css = STYLE

    def __init__(self, model: Any = "t5-base", prefix_len: int = 20, projection: bool = False, **choices: Any) -> None:
        start = changed(Setting(sizes_of(model)), {"prefix_len": prefix_len, "projection": projection, **choices})
        self._known: dict[str, Sizes] = {}
        super().__init__()
        self._show(start)

    def _show(self, setting: Setting) -> None:
        """Put every control where the setting is; sizes of the learner's own stay in the menu."""
        sizes = setting.sizes
        if sizes.config is not None and sizes.name not in shipped():
            self._known[sizes.name] = sizes
        with self.hold_sync():
            self.data, self.chosen = for_page(self._known), chosen_of(setting)

    @property
    def setting(self) -> Setting:
        """The sizes and choices that are shown."""
        given = dict(self.chosen)
        of_model = {name: given.pop(name) for name in OF_MODEL}
        name = given.pop("model")
        two = {own: encoder_decoder for encoder_decoder, own in OWN.items()}
        sizes = own_sizes(two[name], **of_model) if name in two else chosen(None, name, self._known)
        return Setting(sizes, **given)

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
        setting, costs = self.setting, cost(self.setting)
        rows = [(step.shown, step.names, step.numbers, step.dtype, step.sentence) for step in journey(setting)]
        said = [f"<b>{escape(headline(setting))}</b>", escape(trouble_said(setting.sizes))]
        said.append(table((), rows)._repr_html_() + table((), facts(setting, costs))._repr_html_())
        if setting.sizes.encoder_decoder:
            said.append(escape(rows_said(setting, costs)))
        return "".join(f"<div>{one}</div>" for one in said if one)

    def change(self, **choices: Any) -> None:
        """Move some controls, as by hand: `change(model="gpt2", prefix_len=50)`. Raises `ValueError`, and stays."""
        start = self.setting
        if "model" in choices:
            start = moved(start, "model", choices.pop("model"), self._known)
        self._show(changed(start, choices))


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


def headline(setting: Setting) -> str:
    """What is shown, in one line."""
    text = _(TITLE_PROJECTED if setting.projection else TITLE)
    return text.format(model=called(setting.sizes.name), prefix_len=setting.prefix_len)


def trouble_said(sizes: Sizes) -> str:
    """Why PEFT fails with these sizes, and what to set; empty where it does not."""
    trouble = sizes.trouble
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
    lines = [headline(setting), *filter(None, [trouble_said(setting.sizes)]), ""]
    for number, (step, row) in enumerate(zip(steps, rows, strict=True), start=1):
        lines += [f"{number:>2}  {row}", f"{indent}{step.sentence}"]
    lines += ["", *(f"{question}: {answer}" for question, answer in facts(setting, cost))]
    if setting.sizes.encoder_decoder:
        lines.append(rows_said(setting, cost))
    return "\n".join(lines)
