"""ShapeFlow: the journey of the prefix as a picture whose every number follows the sliders."""

from __future__ import annotations

from dataclasses import replace
from html import escape
from typing import Any

import ipywidgets

from prefix_lab.widgets.flow.controls import OF_MODEL, Controls, moved
from prefix_lab.widgets.flow.cost import cost
from prefix_lab.widgets.flow.drawing import draw_journey
from prefix_lab.widgets.flow.journey import Step, journey
from prefix_lab.widgets.flow.rows import SHOWN, draw_rows
from prefix_lab.widgets.flow.setting import Setting
from prefix_lab.widgets.flow.words import as_text, facts, headline, rows_said, trouble_said
from prefix_lab.widgets.sizes import sizes_of
from prefix_lab.widgets.text_form import TextForm

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
    def steps(self) -> list[Step]:
        """The steps of the journey, with names and numbers."""
        return journey(self.setting)

    @property
    def text(self) -> str:
        """All that is shown, as plain text."""
        return as_text(self.setting, self.steps, cost(self.setting))

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
            picture += draw_rows(setting.sizes, "Which decoder layer reads which row", rows_said(setting, costs))
        self._picture.value = picture


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
    left = "text-align: left; vertical-align: top"
    rows = "".join(
        f"<tr><th scope='row' style='{left}; padding-right: 1.2em; white-space: nowrap'>{escape(question)}</th>"
        f"<td style='{left}'>{escape(answer)}</td></tr>"
        for question, answer in facts(setting, cost(setting))
    )
    trouble = trouble_said(setting)
    warning = (
        f"<p style='border-left: 4px solid #c64b40; padding-left: 0.7em; margin: 0.5em 0'>✗ {escape(trouble)}</p>"
        if trouble
        else ""
    )
    return f"<div style='line-height: 1.5'>{warning}<table>{rows}</table></div>"


def caption(setting: Setting) -> str:
    """What the picture of the rows shows."""
    rows = 2 * setting.sizes.layers
    which = f"The {rows} rows of the prefix" if rows <= SHOWN else f"The first {SHOWN} of the prefix's {rows} rows"
    return f"{which}, and below them the decoder layers that read them. The crossed ones are read by none."
