"""ParameterBars: what trains and what is frozen, for prefix tuning and the ways beside it, or in one's own model."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import ipywidgets

from prefix_lab.locale import N_, _, paragraph
from prefix_lab.locale.room import wrapped
from prefix_lab.widgets.colours import COLOURS, OTHER
from prefix_lab.widgets.controls import Number, choice, grid
from prefix_lab.widgets.parameters.counting import Bar, base_parameters, parts_of, ways_to_train
from prefix_lab.widgets.picture import FAINT, INK, TextForm, as_svg, new_figure, still_picture
from prefix_lab.widgets.sizes import Sizes, shipped, sizes_of, whole
from prefix_lab.widgets.table import in_columns

if TYPE_CHECKING:
    from matplotlib.axes import Axes


WIDTH, LINE, ROOM = 8.9, 0.5, 0.8  # inches: the picture, one bar, what the scale below takes
LONGEST = 30  # signs of a label in one line
TYPE, NARROWEST = 9.5, 0.95  # points and share of the width: never below 12 pixels


def draw_bars(bars: Sequence[Bar], title: str, text: str) -> str:
    """The picture as `<svg>`; `title` and `text` are for those who hear it."""
    figure = new_figure(WIDTH, ROOM + LINE * len(bars))
    axes = figure.add_subplot()
    least = 10.0 ** (len(str(min(bar.count for bar in bars))) - 2)  # a decade below the shortest bar
    most = max(bar.total for bar in bars)
    axes.set_xscale("log")
    axes.set_xlim(max(0.5, least), most * 1.1)
    axes.set_ylim(len(bars) - 0.4, -0.6)
    for place, bar in enumerate(bars):
        draw_bar(axes, bar, place, max(0.5, least))
    axes.set_yticks(range(len(bars)), ["\n".join(wrapped(bar.label, LONGEST)) for bar in bars], parse_math=False)
    axes.tick_params(colors=INK, labelsize=TYPE, length=0, which="both")
    axes.grid(axis="x", color=FAINT, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set_xlabel(_("parameters, each line ten times the one before"), color=INK, fontsize=TYPE)
    axes.minorticks_off()
    axes.xaxis.set_major_formatter(lambda value, place: short(value))
    for side in axes.spines.values():
        side.set_visible(False)
    return as_svg(figure, title, text, NARROWEST)


def draw_bar(axes: Axes, bar: Bar, place: int, left: float) -> None:
    """What trains is filled, what is frozen is hatched; a faint frame goes on to all there is. The figures follow."""
    colour = COLOURS["prefix_len"] if bar.prefix else OTHER
    filled = {"facecolor": colour, "alpha": 0.75} if bar.trains else {"facecolor": "none", "hatch": "////"}
    axes.barh(place, bar.total - left, left=left, height=0.62, facecolor="none", edgecolor=FAINT, linewidth=0.8)
    axes.barh(place, bar.count - left, left=left, height=0.62, edgecolor=colour, linewidth=0.8, **filled)
    axes.annotate(
        bar.figures,
        (1, place),
        xycoords=("axes fraction", "data"),
        xytext=(8, 0),
        textcoords="offset points",
        va="center",
        fontsize=TYPE,
        color=INK,
        parse_math=False,
        annotation_clip=False,
    )


def short(number: float) -> str:
    """1,000 → `1 thousand`, as far as words go."""
    for size, words in (
        (10**9, _("{number:,.0f} billion")),
        (10**6, _("{number:,.0f} million")),
        (10**3, "{number:,.0f},000"),
    ):
        if number >= size:
            return words.format(number=number / size)
    return f"{number:,.0f}"


SAID = N_("What is filled trains; the faint frame goes on to the whole model.")
SAID_OF_MODULE = N_("What is filled trains, what is hatched is frozen; the faint frame goes on to the whole model.")
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
        self._encoder_hidden = encoder_hidden
        self._bars = ways_to_train(self._sizes, prefix_len, r, encoder_hidden)  # refuses before anything is shown
        self._controls = self._make_controls(prefix_len, r)
        super().__init__([grid([*self._controls.values()]), self._picture])
        self._draw()

    @property
    def bars(self) -> list[Bar]:
        """The bars that are shown, with their counts."""
        return list(self._bars)

    @property
    def text(self) -> str:
        """All that is shown, as plain text."""
        return as_text(self._title(), self._bars, self._note())

    @property
    def still(self) -> str:
        return still_picture(self._picture.value, self.text)

    def refresh(self) -> None:
        """Count a module's parameters anew, after some were frozen or added."""
        if self._module is not None:
            self._bars = parts_of(self._module)
            self._draw()

    def _make_controls(self, prefix_len: int, r: int) -> dict[str, Any]:
        encoder_hidden = self._sizes.token_dim if self._encoder_hidden is None else self._encoder_hidden
        values = {"prefix_len": prefix_len, "encoder_hidden": encoder_hidden, "r": r}
        names = [*dict.fromkeys([*shipped(), self._sizes.name])]
        made: dict[str, Any] = {"model": choice(names, _("model"), value=self._sizes.name)}
        for name, far in REACH.items():
            made[name] = Number(values[name], 1, far, _("r of LoRA") if name == "r" else name)
        for name, control in made.items():
            control.observe(lambda change, name=name: self._moved(name, change["new"]), "value")
        return made

    def _moved(self, name: str, value: Any) -> None:
        if name == "model":
            self._sizes = self._given if value == self._given.name else sizes_of(value)
            self._controls["encoder_hidden"].value = self._sizes.token_dim
            self._encoder_hidden = None  # PEFT's choice
        elif name == "encoder_hidden":
            self._encoder_hidden = value
        chosen = {one: self._controls[one].value for one in ("prefix_len", "r")}
        self._bars = ways_to_train(self._sizes, **chosen, encoder_hidden=self._encoder_hidden)
        self._draw()

    def _title(self) -> str:
        if self._module is not None:
            total = self._bars[0].total
            trains = sum(bar.count for bar in self._bars if bar.trains)
            text = _("{module}: {trains:,} of {total:,} parameters train, {percent:.4f} %")
            name, percent = type(self._module).__name__, 100 * trains / total
            return text.format(module=name, trains=trains, total=total, percent=percent)
        text = _("What trains, beside the {count:,} parameters of {model}")
        return text.format(count=base_parameters(self._sizes.config), model=self._sizes.name)

    def _note(self) -> str:
        if self._module is not None:
            return _(SAID_OF_MODULE)
        return paragraph(_(SAID), remarks(self._sizes))

    def _draw(self) -> None:
        title, note = escape(self._title()), escape(self._note())
        picture = draw_bars(self._bars, self._title(), self.text)
        scrolling = f"<div style='overflow-x: auto'>{picture}</div>"
        self._picture.value = f"<p style='margin: 0.5em 0'><b>{title}</b></p>{scrolling}<p>{note}</p>"


def remarks(sizes: Sizes) -> str:
    """What a reader of the two prefix bars should know of this model."""
    said = []
    if sizes.encoder_decoder and sizes.layers % 2 == 0 and sizes.readers == sizes.layers:
        said.append(_("Half of the prefix's rows never get a gradient here: ShapeFlow shows which."))
    if sizes.trouble is not None:
        needs = _("PEFT needs {fields} for this model's prefix; it is counted so.")
        said.append(needs.format(fields=sizes.trouble.way_out))
    return paragraph(*said)


def as_text(title: str, bars: Sequence[Bar], note: str) -> str:
    """The bars as lines of text."""
    rows = [
        (
            bar.label if bar.trains else _("{part}, frozen").format(part=bar.label),
            f"{bar.count:,}",
            _("{percent:8.4f} % of {total:,}").format(percent=bar.percent, total=bar.total),
        )
        for bar in bars
    ]
    return "\n".join([title, "", *in_columns(rows, right=[1]), "", note])
