"""Lesson 8: rows without a gradient, the rows that a layer reads, and whether an encoder sees a prefix."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from prefix_lab import PrefixTuningConfig, get_peft_model
from prefix_lab.course.checking import DICE, SIZES, Verdict, answered, exercise, generator
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


@exercise(8, 1)
def check_silent_rows(answer: Callable[[Tensor, int], list[int]]) -> Verdict:
    """`answer(gradient, layers)` are the rows, of 2·layers, in which no number has a gradient."""
    for _ in range(3):
        prefix_len, layers, hidden = DICE.sample(SIZES, 3)
        rows = 2 * layers
        draw = generator()
        gradient = torch.randn(prefix_len, rows, hidden, generator=draw)
        silent = sorted(DICE.sample(range(rows), layers - 1))
        gradient[:, silent] = 0
        alive = [row for row in range(rows) if row not in silent]
        weak, cancelled, lonely = DICE.sample(alive, 3)
        gradient[:, weak] *= 1e-12
        gradient[:, cancelled] = 0
        gradient[0, cancelled, 0], gradient[1, cancelled, 0] = 1.0, -1.0
        gradient[:, lonely] = 0
        gradient[-1, lonely, -1] = 1.0
        result, problem = answered(answer, gradient.flatten(1), layers)
        if problem:
            return problem
        found = as_rows(result)
        if found is None:
            return Verdict(False, f"your function returned {result!r:.60}, expected a list of row numbers.")
        if found == silent:
            continue
        told = f"the silent rows were {silent}, and you gave {found}"
        causes = {
            "one or more of these numbers is no row: there are 2·layers of them": any(r >= rows for r in found),
            "these are the rows that do get a gradient": found == alive,
            f"row {lonely} has a single number that gets a gradient: look at all tokens and all numbers of a row": (
                lonely in found
            ),
            f"row {cancelled} has +1 and -1 in it: sum what has no sign, .abs() or .norm()": cancelled in found,
            f"row {weak} has a gradient, of about 1e-12: small is not zero": weak in found,
            f"row {next(iter(set(silent) - set(found)), 0)} is missing": bool(set(silent) - set(found)),
        }
        return Verdict(False, f"{told}: {next((cause for cause, holds in causes.items() if holds), 'others')}.")
    return Verdict(True, "not one number, of any virtual token: such a row never learns.")


def as_rows(result: Any) -> list[int] | None:
    """Row numbers as a sorted list; None for anything else."""
    try:
        found = result.flatten().tolist() if isinstance(result, Tensor) else list(result)
        return sorted(int(row) for row in found)
    except (TypeError, ValueError, OverflowError):
        return None


@exercise(8, 2)
def check_rows_of(answer: Callable[[int, int], tuple[int, int]]) -> Verdict:
    """`answer(layer, layers)` is the row of the layer's key and that of its value, after PEFT's cat and split."""
    for layers in (4, DICE.choice(SIZES), 2 * DICE.choice(SIZES)):
        doubled = [*range(2 * layers)] * 2  # what cat([x, x]) makes of the rows
        for layer in range(layers):
            result, problem = answered(answer, layer, layers)
            if problem:
                return problem
            right = tuple(doubled[4 * layer : 4 * layer + 2])
            pair = isinstance(result, tuple | list) and len(result) == 2
            if not pair or not all(isinstance(row, int) for row in result):
                return Verdict(
                    False, f"your function returned {result!r:.60}, expected numbers of two rows: key, value."
                )
            given = tuple(result)
            if given == right:
                continue
            told = f"layer {layer} of {layers} reads rows {right}, and you gave {given}"
            causes = {
                (2 * layer, 2 * layer + 1): "that is so for a GPT-2, which splits in twos; here it is fours",
                (4 * layer, 4 * layer + 1): f"there are only {2 * layers} rows; after them they come again, from row 0",
                right[::-1]: "the key comes first",
                (4 * layer % layers, 4 * layer % layers + 1): "they come again after 2·layers rows, not after layers",
                (4 * layer, 4 * layer + 2): "the four of a layer are: own key, own value, cross key, cross value",
                tuple(doubled[4 * layer + 2 : 4 * layer + 4]): "those two are the ones that are thrown away",
            }
            return Verdict(False, f"{told}: {causes.get(given, 'double the rows, cut them in fours, and count')}.")
    return Verdict(True, "rows 4·layer and 4·layer+1, modulo 2·layers. Can you see which rows that leaves out?")


@exercise(8, 3)
def check_encoder_sees(answer: Callable[[Any, dict[str, Tensor]], bool]) -> Verdict:
    """`answer(peft_model, batch)` says whether the prefix changes the encoder's output."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        return judged(answer)


def judged(answer: Callable[[Any, dict[str, Tensor]], bool]) -> Verdict:
    source, target = DICE.sample(SIZES, 2)
    torch.manual_seed(DICE.randrange(10**6))
    batch = {"input_ids": torch.randint(3, 300, (2, source)), "labels": torch.randint(3, 300, (2, target))}
    said = {}
    for layout in ("peft", "paper"):
        config = PrefixTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=3, layout=layout)
        model = get_peft_model(small_t5(layers=2), config).eval()
        before = digest(model)
        result, problem = answered(answer, model, dict(batch))
        if problem:
            return problem
        if isinstance(result, Tensor) and result.numel() == 1:
            result = result.item()
        if not isinstance(result, bool):
            return Verdict(False, f"your function returned a {type(result).__name__}, expected True or False.")
        if digest(model) != before:
            return Verdict(False, "your function changed the model; an experiment leaves it as it was.")
        said[layout] = result
    causes = {
        (True, True): "you said yes to PEFT's layout too. Do you compare logits? Those change in any case; compare "
        "encoder_last_hidden_state",
        (False, False): "you said no to a prefix that the encoder does read (layout='paper'). Is one of your two runs "
        "really without the prefix? Use `with peft_model.disable_adapter():`",
        (True, False): "the other way round: True where the two outputs differ",
    }
    given = (said["peft"], said["paper"])
    if given in causes:
        return Verdict(False, f"{causes[given]}.")
    return Verdict(
        True, "not with PEFT's layout: the encoder's output is equal, bit for bit. With the paper's it is another."
    )
