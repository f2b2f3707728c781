"""Lesson 9: rows without a gradient, the rows that a layer reads, twins among layers, and what the encoder sees."""

from __future__ import annotations

import copy
from collections import Counter
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from prefix_lab.course.checking import (
    DICE,
    SIZES,
    NotYet,
    brief,
    called,
    chosen,
    exercise,
    filled_in,
    generator,
    pair,
    plain,
    seen_there,
)
from prefix_lab.course.shown import Drawn, drawn, plain_axes
from prefix_lab.course.tiny import load_tiny
from prefix_lab.locale import N_, _
from prefix_lab.widgets.colours import COLOURS, OTHER
from prefix_lab.widgets.picture import INK, new_figure


def deep_t5(layers: int = 4) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """The words' T5 with so many layers in encoder and decoder: its second one stands there again and again.

    With four layers it writes as well as with its own three.
    """
    model, tokenizer = load_tiny("t5", attn_implementation="eager")  # attention that can be looked at
    first, second, last = range(3)
    order = [first, *[second] * (layers - 2), last]
    for stack in (model.encoder, model.decoder):
        stack.block = nn.ModuleList(copy.deepcopy(stack.block[number]) for number in order)
        stack.config.num_layers = layers
        for number, block in enumerate(stack.block):
            for part in block.layer:
                for attention in ("SelfAttention", "EncDecAttention"):
                    if hasattr(part, attention):
                        getattr(part, attention).layer_idx = number
    model.config.num_layers = model.config.num_decoder_layers = layers
    return model, tokenizer


def draw_rows(gradient: Tensor, stacks: dict[str, int], title: str) -> Drawn:
    """A bar for each row, key and value in turn, of the gradient (prefix_len, 2·layers·hidden).

    `stacks` says for whom the rows were meant, and how many layers that are: {"decoder": 4}.
    """
    count = 2 * sum(stacks.values())
    norms = gradient.detach().view(len(gradient), count, -1).norm(dim=(0, 2)).tolist()
    figure = new_figure(8.6, 3.0)
    axes = figure.add_subplot()
    alive = [row for row in range(count) if norms[row] > 0]
    dead = [row for row in range(count) if norms[row] == 0]
    axes.bar(alive, [norms[row] for row in alive], color=COLOURS["layers"], width=0.8)
    axes.scatter(dead, [max(norms) * 0.04] * len(dead), marker="x", color=OTHER, s=44, linewidths=2)
    names = [f"{row}\n{'kv'[row % 2]}{row // 2 if len(stacks) == 1 else ''}" for row in range(count)]
    axes.set_xticks(range(count), names)
    plain_axes(
        axes, title, _("rows of the prefix; k and v: meant as key and value"), _("length of the gradient"), axis="y"
    )
    start = 0
    for name, layers in stacks.items():
        if len(stacks) > 1:
            axes.annotate(
                name, (start + layers - 0.5, 1), xycoords=("data", "axes fraction"), xytext=(0, -12), color=INK,
                textcoords="offset points", ha="center", fontsize=9,
            )  # fmt: skip
            axes.axvline(start - 0.5, color=INK, linewidth=0.7, linestyle=":")
        start += 2 * layers
    axes.set_ylim(0, max(norms) * 1.22)
    told = _("{alive} of {count} rows get a gradient; none at all: {dead}.").format(
        alive=len(alive), count=count, dead=", ".join(map(str, dead)) or _("no row")
    )
    return drawn(figure, title, told)


NO_ROWS = N_("A list of row numbers is wanted; your function gave {given}.")
OTHER_ROWS = N_("The silent rows were {right}, and your function gave {given}.")
TOO_HIGH = N_("There are 2·layers rows, counted from 0, and one or more of these numbers is none of them.")
ALIVE = N_("These are the rows that do get a gradient.")
SUMMED = N_("In row {row} the numbers +1 and -1 cancel out: sum what has no sign, .abs() or .norm().")
ROUNDED = N_("Row {row} has a gradient, of about 1e-12: small is not zero.")
LONELY = N_("Row {row} has a single number that gets a gradient: look at all tokens and all numbers of a row.")
MISSED = N_("Row {row} is missing.")
TOO_MANY = N_("Row {row} gets a gradient.")


@exercise("silent_rows")
def check_silent_rows(answer: Any) -> str:
    """`answer(gradient, layers)` are the rows, of 2·layers, in which no number has a gradient."""
    for _attempt in range(3):
        prefix_len, layers, hidden = DICE.sample(SIZES, 3)
        rows = 2 * layers
        gradient = torch.randn(prefix_len, rows, hidden, generator=generator())
        silent = sorted(DICE.sample(range(rows), layers - 1))
        gradient[:, silent] = 0
        alive = [row for row in range(rows) if row not in silent]
        weak, cancelled, lonely = DICE.sample(alive, 3)
        gradient[:, weak] *= 1e-12
        gradient[:, cancelled] = 0
        gradient[0, cancelled, 0], gradient[1, cancelled, 0] = 1.0, -1.0
        gradient[:, lonely] = 0
        gradient[-1, lonely, -1] = 1.0
        result = called(answer, gradient.flatten(1), layers)
        found = as_rows(result)
        if found is None:
            raise NotYet(NO_ROWS, given=brief(result))
        if found == silent:
            continue
        told = {"right": silent, "given": brief(found)}
        if any(row >= rows for row in found):
            raise NotYet(OTHER_ROWS, TOO_HIGH, **told)
        if found == alive:
            raise NotYet(OTHER_ROWS, ALIVE, **told)
        missed, wrong = sorted(set(silent) - set(found)), sorted(set(found) - set(silent))
        if missed:
            raise NotYet(OTHER_ROWS, MISSED, row=missed[0], **told)
        causes = {cancelled: SUMMED, weak: ROUNDED, lonely: LONELY}
        cause = causes.get(wrong[0], TOO_MANY) if len(wrong) == 1 else LONELY if lonely in wrong else TOO_MANY
        raise NotYet(OTHER_ROWS, cause, row=lonely if cause is LONELY else wrong[0], **told)
    return _("Not one number, of any virtual token: such a row never learns.")


def as_rows(result: Any) -> list[int] | None:
    """Row numbers as a sorted list; None for anything else."""
    try:
        found = result.flatten().tolist() if isinstance(result, Tensor) else list(result)
        return sorted(int(row) for row in found)
    except (TypeError, ValueError, OverflowError):
        return None


OTHER_PAIR = N_("Layer {layer} of {layers} reads rows {right}, and your function gave {given}.")


@exercise("rows_of")
def check_rows_of(answer: Any) -> str:
    """`answer(layer, layers)` is the row of the layer's key and that of its value, after PEFT's cat and split."""
    for layers in (4, DICE.choice(SIZES), 2 * DICE.choice(SIZES)):
        doubled = [*range(2 * layers)] * 2  # what cat([x, x]) makes of the rows
        for layer in range(layers):
            given = pair(called(answer, layer, layers), "key_row, value_row", int)
            right = tuple(doubled[4 * layer : 4 * layer + 2])
            if given == right:
                continue
            causes = {
                (2 * layer, 2 * layer + 1): N_("That is so for a GPT-2, which splits in twos; here it is fours."),
                (4 * layer, 4 * layer + 1): N_("There are only 2·layers rows; after them they come again, from row 0."),
                right[::-1]: N_("The key comes first."),
                (4 * layer % layers, 4 * layer % layers + 1): N_(
                    "They come again after 2·layers rows, not after layers."
                ),
                (4 * layer, 4 * layer + 2): N_("The four of a layer are: own key, own value, cross key, cross value."),
                tuple(doubled[4 * layer + 2 : 4 * layer + 4]): N_("Those two are the ones that are thrown away."),
            }
            cause = next(
                (said for wrong, said in causes.items() if given == wrong), N_("Double the rows, cut and count.")
            )
            raise NotYet(OTHER_PAIR, cause, layer=layer, layers=layers, right=right, given=brief(given))
    return _("Rows 4·layer and 4·layer+1, modulo 2·layers. Can you see which rows that leaves out?")


ATTENTION = "T5Attention.forward"
SOURCE = 18  # tokens of the lesson's records
NO_LAYER = N_("{line}: the number of a layer is wanted, and {given} is none.")
OTHER_TWIN = N_("{line}: not {given}.")
ITSELF = N_("That is the layer itself; which other one has the same numbers?")
NO_TWIN = N_("Compare the numbers that the debugger printed in the four layers.")
ONE_BY_ONE = N_(
    "You have not seen twins yet: no two layers answered alike. Ask for the same numbers in each of the four layers; "
    "`c` leads to the next one."
)


@exercise("twins", stage="attend")
def check_twins(stop: Any, answer: Any) -> str:
    """`answer` says which decoder layer has the prefix of layer 0, and which that of layer 1; `stop` showed both."""
    right = {"twin_of_0": 2, "twin_of_1": 3}
    for line, number in zip(right, map(plain, filled_in(answer, right)), strict=True):
        if not isinstance(number, int) or isinstance(number, bool):
            raise NotYet(NO_LAYER, line=line, given=brief(number))
        if number != right[line]:
            cause = ITSELF if str(number) == line[-1] else NO_TWIN
            raise NotYet(OTHER_TWIN, cause, line=line, given=number)
    if seen_there(stop, ATTENTION, ("tensor", "True")) is not None:
        said = Counter(one.answer for one in stop.asked if one.function == ATTENTION and "tensor(" in one.answer)
        compared = any(one.answer == "True" for one in stop.asked if "keys" in one.command)
        if not compared and max(said.values(), default=0) < 2:
            raise NotYet(ONE_BY_ONE)
    return _("Each layer has a prefix, and two and two share one.")


NO_COUNT = N_("{line}: a number is wanted, and {given} is none.")
OTHER_COUNT = N_("{line}: not {given}.")
CROSSING = {
    "cached": N_(
        "`p past_key_values.cross_attention_cache.get_seq_length(self.layer_idx)` counts the keys in its cache."
    ),
    "keys": N_("Go to the end of the function with `r`; there the third number of `p key_states.shape` counts them."),
}


@exercise("crossing", stage="attend")
def check_crossing(stop: Any, answer: Any) -> str:
    """`answer` says how many keys cross-attention has in its cache at the beginning, and how many it looks at."""
    right = {"cached": 0, "keys": SOURCE}
    given = dict(zip(right, map(plain, filled_in(answer, right)), strict=True))
    for line, number in given.items():
        if not isinstance(number, int) or isinstance(number, bool):
            raise NotYet(NO_COUNT, line=line, given=brief(number))
        if number != right[line]:
            raise NotYet(OTHER_COUNT, CROSSING[line], line=line, given=number)
    seen_there(stop, ATTENTION, "0")
    seen_there(stop, ATTENTION, str(SOURCE))
    return _("As many keys as the source has tokens, and none of them is the prefix's.")


@exercise("encoder_sees")
def check_encoder_sees(answer: Any) -> str:
    """`answer` is the letter of the measurement that tells whether the encoder reads the prefix."""
    causes = {
        "a": N_("Logits change as soon as the decoder reads the prefix, whatever the encoder does."),
        "b": N_("The loss is made of the logits, and they change in any case."),
        "d": N_("The encoder is frozen: its weights never get a gradient, with a prefix or without."),
    }
    chosen(answer, "c", causes)
    return _("Of these, it alone is made by nothing but the encoder.")
