"""Lesson 6: what both forms of the encoder train, drawn; their shapes, what a virtual token costs, and the fold."""

from __future__ import annotations

import re
from typing import Any

import torch

from prefix_lab.course.checking import (
    DICE,
    SIZES,
    TODO,
    NotYet,
    brief,
    called,
    chosen,
    exercise,
    filled_in,
    is_open,
    same_tensor,
    seen_there,
)
from prefix_lab.course.shown import Drawn, drawn, plain_axes
from prefix_lab.course.small_models import small_encoder
from prefix_lab.course.training import digest
from prefix_lab.locale import N_, _
from prefix_lab.widgets.colours import COLOURS
from prefix_lab.widgets.picture import INK, new_figure

LONGEST = 2000


def draw_forms(layers: int, hidden: int, encoder_hidden: tuple[int, ...], prefix_len: int) -> Drawn:
    """Trainable parameters against prefix_len: the table alone, and with a projection of each inner width."""
    figure = new_figure(8.6, 4.0)
    axes = figure.add_subplot()
    lengths = sorted({*range(1, LONGEST + 1, 20), prefix_len, LONGEST})
    axes.plot(lengths, [direct(one, layers, hidden) for one in lengths], color=COLOURS["prefix_len"], linewidth=2.4)
    axes.annotate(
        _("table alone"),
        (lengths[-1], direct(lengths[-1], layers, hidden)),
        (6, 0),
        textcoords="offset points",
        color=INK,
    )
    told = [
        _("table alone: {count:,} at prefix_len {prefix_len}").format(
            count=direct(prefix_len, layers, hidden), prefix_len=prefix_len
        )
    ]
    for inner, dashes in zip(encoder_hidden, ("-", "--", ":", "-."), strict=False):
        counts = [projected(one, layers, hidden, inner) for one in lengths]
        axes.plot(lengths, counts, color=COLOURS["encoder_hidden"], linewidth=2.4, linestyle=dashes)
        end = (lengths[-1], counts[-1])
        axes.annotate(f"encoder_hidden {inner}", end, (6, 0), textcoords="offset points", color=INK, va="center")
        cross = meeting(layers, hidden, inner)
        axes.plot([cross], [direct(1, layers, hidden) * cross], "o", color=INK, markersize=5)
        told.append(
            _("encoder_hidden {inner}: {count:,}; fewer than the table from prefix_len {cross} on").format(
                inner=inner, count=projected(prefix_len, layers, hidden, inner), cross=int(cross) + 1
            )
        )
    axes.axvline(prefix_len, color=INK, linewidth=0.8, linestyle=":")
    said = _("{count} virtual tokens").format(count=prefix_len)
    axes.annotate(said, (prefix_len, 0.02), (4, 0), xycoords=("data", "axes fraction"),
                  textcoords="offset points", color=INK, fontsize=9)  # fmt: skip
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.xaxis.set_major_formatter(lambda value, at: f"{value:,.0f}")
    axes.yaxis.set_major_formatter(lambda value, at: f"{value:,.0f}")
    plain_axes(axes, _("Where the lines cross, both forms train equally many"), _("prefix_len, virtual tokens"),
               _("parameters that train"), which="major")  # fmt: skip
    return drawn(
        figure,
        _("Parameters that train, {layers} layers of {hidden}").format(layers=layers, hidden=hidden),
        "\n".join(told),
    )


def direct(prefix_len: int, layers: int, hidden: int) -> int:
    return prefix_len * 2 * layers * hidden


def projected(prefix_len: int, layers: int, hidden: int, encoder_hidden: int) -> int:
    row = 2 * layers * hidden
    return prefix_len * hidden + (hidden + 1) * encoder_hidden + (encoder_hidden + 1) * row


def meeting(layers: int, hidden: int, encoder_hidden: int) -> float:
    """The prefix_len at which both forms train equally many."""
    return projected(0, layers, hidden, encoder_hidden) / (2 * layers * hidden - hidden)


ENCODED = {
    "prefix": ("batch", "prefix_len"),
    "prefix_tokens": ("batch", "prefix_len", "hidden"),
    "past_key_values": ("batch", "prefix_len", "2·layers·hidden"),
}
"""Name in PrefixEncoder.forward → its axes, with projection."""
AXES = ("batch", "prefix_len", "hidden", "encoder_hidden", "2·layers·hidden", "layers·hidden", "layers", "source")
BY_NUMBERS = N_("{line}: {given} has numbers. Which axis is each? Write names, such as (batch, prefix_len).")
NO_AXIS = N_("{line}: {given!r} is no axis of this place. Names are {known}.")
HOW_MANY = N_("{line}: you gave {given} axes, and it has {right}.")
WIDE_ROW = N_(
    "{line}: not yet. Without projection the lookup gives rows so wide; with it the table is small, and a row is as "
    "wide as the first Linear takes."
)
INSIDE = N_(
    "{line}: encoder_hidden is inside the transform, between its two Linear layers. What does the last one give?"
)
LOOKED_UP = N_("{line}: it comes straight from the table, before the transform. How wide is a row of the table?")
HALF = N_("{line}: each layer takes a key and a value, so there is a factor 2.")
NARROW = N_("{line}: {given} is what goes into the transform. What does its last Linear give?")
OTHER_AXIS = N_("{line}: {given} is not at its place; (batch, prefix_len) comes first, and the lookup adds one axis.")


@exercise("encode_shapes", stage="encode")
def check_encode_shapes(stop: Any, answer: Any) -> str:
    """`answer` has the axes of what PrefixEncoder.forward holds, and both shapes were seen there."""
    check_axes(answer)
    seen_there(stop, FORWARD, "3, 20, 128", {"3, 20, 768": ONLY_END, "3, 20": ONLY_BEFORE})
    seen_there(stop, FORWARD, "3, 20, 768", {"3, 20, 128": ONLY_HALF})
    return _("A small row is looked up, and the transform makes it wide: the same axes as without projection.")


FORWARD = "PrefixEncoder.forward"
ONLY_BEFORE = N_(
    "You printed the shape of what comes in. Step over the lookup with `n`, and print `prefix_tokens.shape`."
)
ONLY_END = N_(
    "You saw `past_key_values`, which has gone through the transform. `prefix_tokens` has not: print its shape as well."
)
ONLY_HALF = N_("You saw `prefix_tokens`. Step over the transform, too, and print `past_key_values.shape`.")


def check_axes(answer: Any) -> None:
    """The axes of each name, and a reason for the first that is wrong."""
    for line, given in zip(ENCODED, filled_in(answer, ENCODED), strict=True):
        right, axes = ENCODED[line], axes_of(given)
        if any(axis.isdigit() for axis in axes):
            raise NotYet(BY_NUMBERS, line=line, given=brief(given))
        for axis in axes:
            if axis not in AXES:
                raise NotYet(NO_AXIS, line=line, given=axis, known=", ".join(AXES))
        if len(axes) != len(right):
            raise NotYet(HOW_MANY, line=line, given=len(axes), right=len(right))
        if axes != right:
            causes = {"encoder_hidden": INSIDE, "layers·hidden": HALF, "hidden": NARROW, "2·layers·hidden": WIDE_ROW}
            if line == "prefix_tokens":
                causes |= {"encoder_hidden": LOOKED_UP, "layers·hidden": LOOKED_UP}
            raise NotYet(causes.get(axes[-1], OTHER_AXIS) if axes[:2] == right[:2] else OTHER_AXIS, line=line,
                         given=brief(given))  # fmt: skip


def axes_of(given: Any) -> tuple[str, ...]:
    """The names in a text such as `(batch, prefix_len, 2*layers*hidden)`, each as the course writes it."""
    text = ",".join(map(str, given)) if isinstance(given, list | tuple) else str(given)
    text = re.sub(r"\s*[*·×]\s*", "·", text.replace("num_virtual_tokens", "prefix_len"))
    axes = re.split(r"[\s,]+", text.strip().strip("()[]").strip())
    same = {"layers·2·hidden": "2·layers·hidden", "2·hidden·layers": "2·layers·hidden"}
    return tuple(same.get(axis, axis) for axis in axes if axis)


MORE = {
    "a": N_("Only what has prefix_len in its shape grows, and the two Linear layers have not."),
    "c": N_(
        "That is what the table alone would cost. With projection the wide rows are computed, and only the small ones "
        "are kept."
    ),
    "d": N_("The MLP is shared, and stays as it is. But each virtual token has a row of its own in the small table."),
}


@exercise("more_tokens")
def check_more_tokens(answer: Any) -> str:
    """`answer` is the letter of what 20 virtual tokens more cost with a projection."""
    chosen(answer, "b", MORE)
    return _("20 · 128. The table alone would need 20 · 768 more: with many virtual tokens the projection is cheaper.")


@exercise("fold")
@torch.no_grad()
def check_fold(answer: Any) -> str:
    """`answer(encoder)` is the flat table that gives what the projected encoder gives, to the last bit."""
    encoder = small_encoder(*DICE.sample(SIZES, 4), projection=True)
    prefix_len, hidden = encoder.embedding.weight.shape
    right = encoder(torch.arange(prefix_len)[None])[0]  # (prefix_len, 2·layers·hidden)
    first, _tanh, last = encoder.transform
    before = digest(encoder)
    result = called(answer, encoder)
    if digest(encoder) != before:
        raise NotYet(N_("Your function changed the encoder's own weights; it should only read them."))
    axes = "(prefix_len, 2·layers·hidden)"
    shapes = {
        (prefix_len, hidden): N_("That is the small table, before the MLP: let the MLP work on it."),
        (1, *right.shape): N_("There is a batch axis left: a table has none, take [0]."),
        tuple(last.weight.shape): N_("That is the last Linear's weight; the table is what comes out of it."),
    }
    numbers = {
        N_("The Tanh between the two Linear layers is missing."): last(first(encoder.embedding.weight)),
        N_("The last Linear's bias is missing."): right - last.bias,
        N_("The virtual tokens come in another order: 0, 1, 2, …"): right.flip(0),
    }
    otherwise = (
        N_("A row for each virtual token, and in it a key and a value for every layer."),
        N_("Look the virtual tokens 0, 1, 2, … up, and let encoder.transform work on them."),
    )
    same_tensor(result, right, axes, shapes, numbers, otherwise)
    if not torch.equal(result, right):
        raise NotYet(N_("They differ in the last bits only: run the very same module, encoder.transform."))
    return _("The same numbers to the last bit, {axes}, and no MLP is needed any more.").format(axes=axes)


DECIDES = "inference_mode"
PROJECTED = N_("prefix_projection is True here, as it was in training: this half of the `if` would lead inside.")
NOT_THE_NAME = N_("{given} is not what that `if` asks for. It joins two names with `and`; write the one that says no.")
NOT_PRINTED = N_(
    "You have the name. Print it where PEFT asks for it: `p config.inference_mode` in PrefixEncoder.__init__."
)


@exercise("no_transform")
def check_no_transform(stop: Any, answer: Any) -> str:
    """`answer` is the name in the config because of which the encoder gets no transform, seen in its `__init__`."""
    if is_open(answer):
        raise NotYet(TODO)
    given = str(answer).strip().removeprefix("not ").removeprefix("config.").removesuffix("=True")
    if given.removeprefix("self.") == "prefix_projection":
        raise NotYet(PROJECTED)
    if given != DECIDES:
        raise NotYet(NOT_THE_NAME, given=brief(answer))
    seen_there(stop, "PrefixEncoder.__init__", ("True", "False", "inference_mode=True"))
    if stop.by != "debugger" and not any(DECIDES in one.command + one.answer for one in stop.asked):
        raise NotYet(NOT_PRINTED)
    return _(
        "What is saved has been folded, so there is nothing to project: the wide table waits for the file's numbers."
    )
