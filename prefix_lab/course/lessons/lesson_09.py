"""Lesson 9: rows without a gradient, the rows that a layer reads, and whether an encoder sees a prefix."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from prefix_lab import PrefixTuningConfig, get_peft_model
from prefix_lab.course.checking import DICE, SIZES, NotYet, brief, called, exercise, generator, pair
from prefix_lab.course.shown import Drawn, drawn, plain_axes
from prefix_lab.course.small_models import small_t5
from prefix_lab.course.training import digest
from prefix_lab.widgets.colours import COLOURS, OTHER
from prefix_lab.widgets.picture import INK, new_figure


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
    plain_axes(axes, title, "rows of the prefix; k and v: meant as key and value", "length of the gradient", axis="y")
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
    told = f"{len(alive)} of {count} rows get a gradient; none at all: {', '.join(map(str, dead)) or 'no row'}."
    return drawn(figure, title, told)


NO_ROWS = "A list of row numbers is wanted; your function gave {given}."
OTHER_ROWS = "The silent rows were {right}, and your function gave {given}."
TOO_HIGH = "There are 2·layers rows, counted from 0, and one or more of these numbers is none of them."
ALIVE = "These are the rows that do get a gradient."
SUMMED = "In row {row} the numbers +1 and -1 cancel out: sum what has no sign, .abs() or .norm()."
ROUNDED = "Row {row} has a gradient, of about 1e-12: small is not zero."
LONELY = "Row {row} has a single number that gets a gradient: look at all tokens and all numbers of a row."
MISSED = "Row {row} is missing."
TOO_MANY = "Row {row} gets a gradient."


@exercise("silent_rows")
def check_silent_rows(answer: Any) -> str:
    """`answer(gradient, layers)` are the rows, of 2·layers, in which no number has a gradient."""
    for _ in range(3):
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
    return "Not one number, of any virtual token: such a row never learns."


def as_rows(result: Any) -> list[int] | None:
    """Row numbers as a sorted list; None for anything else."""
    try:
        found = result.flatten().tolist() if isinstance(result, Tensor) else list(result)
        return sorted(int(row) for row in found)
    except (TypeError, ValueError, OverflowError):
        return None


OTHER_PAIR = "Layer {layer} of {layers} reads rows {right}, and your function gave {given}."


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
                (2 * layer, 2 * layer + 1): "That is so for a GPT-2, which splits in twos; here it is fours.",
                (4 * layer, 4 * layer + 1): "There are only 2·layers rows; after them they come again, from row 0.",
                right[::-1]: "The key comes first.",
                (4 * layer % layers, 4 * layer % layers + 1): "They come again after 2·layers rows, not after layers.",
                (4 * layer, 4 * layer + 2): "The four of a layer are: own key, own value, cross key, cross value.",
                tuple(doubled[4 * layer + 2 : 4 * layer + 4]): "Those two are the ones that are thrown away.",
            }
            cause = next((said for wrong, said in causes.items() if given == wrong), "Double the rows, cut and count.")
            raise NotYet(OTHER_PAIR, cause, layer=layer, layers=layers, right=right, given=brief(given))
    return "Rows 4·layer and 4·layer+1, modulo 2·layers. Can you see which rows that leaves out?"


NO_YES = "True or False is wanted; your function gave {given}."
TOUCHED = "Your function changed the model; an experiment leaves it as it was."
ENCODER_CAUSES = {
    (True, True): "You said yes to PEFT's layout too. Do you compare logits? Those change in any case; compare "
    "encoder_last_hidden_state.",
    (
        False,
        False,
    ): "You said no to a prefix that the encoder does read (layout='paper'). Is one of your two runs really "
    "without the prefix? Use `with peft_model.disable_adapter():`.",
    (True, False): "It is the other way round: True where the two outputs differ.",
}


@exercise("encoder_sees")
@torch.no_grad()
def check_encoder_sees(answer: Any) -> str:
    """`answer(peft_model, batch)` says whether the prefix changes the encoder's output."""
    source, target = DICE.sample(SIZES, 2)
    torch.manual_seed(DICE.randrange(10**6))
    batch = {"input_ids": torch.randint(3, 300, (2, source)), "labels": torch.randint(3, 300, (2, target))}
    said = []
    for layout in ("peft", "paper"):
        config = PrefixTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=3, layout=layout)
        model = get_peft_model(small_t5(layers=2), config).eval()
        before = digest(model)
        result = called(answer, model, dict(batch))
        if isinstance(result, Tensor) and result.numel() == 1:
            result = result.item()
        if not isinstance(result, bool):
            raise NotYet(NO_YES, given=brief(result))
        if digest(model) != before:
            raise NotYet(TOUCHED)
        said.append(result)
    if tuple(said) in ENCODER_CAUSES:
        raise NotYet(ENCODER_CAUSES[tuple(said)])
    return "Not with PEFT's layout: the encoder's output is equal, bit for bit. With the paper's it is another."
