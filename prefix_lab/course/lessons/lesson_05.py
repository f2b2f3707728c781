"""Lesson 5: what both forms of the encoder train, drawn; a row's key and value, their parameters, and the fold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from prefix_lab import PrefixTuningConfig
from prefix_lab.course.checking import DICE, SIZES, Verdict, answered, check_shape, exercise, wrong_number, wrong_tensor
from prefix_lab.course.shown import Drawn, drawn, plain_axes
from prefix_lab.course.training import digest
from prefix_lab.encoder import PrefixEncoder
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
        "table alone", (lengths[-1], direct(lengths[-1], layers, hidden)), (6, 0), textcoords="offset points", color=INK
    )
    told = [f"table alone: {direct(prefix_len, layers, hidden):,} at prefix_len {prefix_len}"]
    for inner, dashes in zip(encoder_hidden, ("-", "--", ":", "-."), strict=False):
        counts = [projected(one, layers, hidden, inner) for one in lengths]
        axes.plot(lengths, counts, color=COLOURS["encoder_hidden"], linewidth=2.4, linestyle=dashes)
        end = (lengths[-1], counts[-1])
        axes.annotate(f"encoder_hidden {inner}", end, (6, 0), textcoords="offset points", color=INK, va="center")
        cross = meeting(layers, hidden, inner)
        axes.plot([cross], [direct(1, layers, hidden) * cross], "o", color=INK, markersize=5)
        told.append(
            f"encoder_hidden {inner}: {projected(prefix_len, layers, hidden, inner):,}; fewer than the table from "
            f"prefix_len {int(cross) + 1} on"
        )
    axes.axvline(prefix_len, color=INK, linewidth=0.8, linestyle=":")
    axes.annotate(f"{prefix_len} virtual tokens", (prefix_len, 0.02), (4, 0), xycoords=("data", "axes fraction"),
                  textcoords="offset points", color=INK, fontsize=9)  # fmt: skip
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    plain_axes(axes, "Where the lines cross, both forms train equally many", "prefix_len, virtual tokens",
               "parameters that train", which="major")  # fmt: skip
    return drawn(figure, f"Parameters that train, {layers} layers of {hidden}", "\n".join(told))


def direct(prefix_len: int, layers: int, hidden: int) -> int:
    return prefix_len * 2 * layers * hidden


def projected(prefix_len: int, layers: int, hidden: int, encoder_hidden: int) -> int:
    row = 2 * layers * hidden
    return prefix_len * hidden + (hidden + 1) * encoder_hidden + (encoder_hidden + 1) * row


def meeting(layers: int, hidden: int, encoder_hidden: int) -> float:
    """The prefix_len at which both forms train equally many."""
    return projected(0, layers, hidden, encoder_hidden) / (2 * layers * hidden - hidden)


@exercise(5, 1)
def check_key_and_value(answer: Callable[[Tensor, int, int], tuple[Tensor, Tensor]]) -> Verdict:
    """`answer(table, layer, layers)` is the layer's key and value, each (prefix_len, hidden)."""
    prefix_len, layers, hidden = DICE.sample(SIZES, 3)
    table = torch.arange(prefix_len * 2 * layers * hidden).view(prefix_len, 2 * layers, hidden)
    for layer in (0, layers - 1, DICE.randrange(1, layers)):
        result, problem = answered(answer, table.flatten(1), layer, layers)
        if problem:
            return problem
        parts = list(result) if isinstance(result, tuple | list) else []
        if len(parts) != 2 or not all(isinstance(one, Tensor) for one in parts):
            return Verdict(False, f"your function gave {kind(result)}, expected two tensors: return key, value.")
        right = table[:, 2 * layer], table[:, 2 * layer + 1]  # each (prefix_len, hidden)
        for name, part in zip(("key", "value"), parts, strict=True):
            if part.shape != right[0].shape:
                return Verdict(
                    False, f"the {name} has shape {tuple(part.shape)}, expected (prefix_len, hidden) = "
                    f"({prefix_len}, {hidden}){shape_cause(part, right[0])}"
                )  # fmt: skip
        if all(map(torch.equal, parts, right)):
            continue
        causes = {
            "key and value are exchanged: the key comes first": (2 * layer + 1, 2 * layer),
            "this takes all keys first and all values after them; in the row each layer's key is followed by its own "
            "value": (layer, layers + layer),
            "this is right for the first layer only; a layer takes two pieces, so layer 1 begins at piece 2": (
                layer,
                layer + 1,
            ),
        }
        for cause, (key, value) in causes.items():
            there = 0 <= key < 2 * layers and 0 <= value < 2 * layers
            if there and all(map(torch.equal, parts, (table[:, key], table[:, value]))):
                return Verdict(False, f"for layer {layer} of {layers}: {cause}.")
        return Verdict(False, f"for layer {layer} of {layers} the shapes are right, but these are other numbers.")
    return Verdict(True, "key of layer 0, value of layer 0, key of layer 1, …: 2·layers pieces of hidden numbers.")


def shape_cause(part: Tensor, right: Tensor) -> str:
    if part.shape == right.T.shape and part.shape != right.shape:
        return ": rows and columns are exchanged."
    if part.dim() == 1 and part.shape[0] == right.shape[1]:
        return ": this is one virtual token's; take all rows with table[:, …]."
    if part.dim() == 2 and part.shape[1] == 2 * right.shape[1]:
        return ": key and value are still joined."
    return "."


def kind(result: Any) -> str:
    return f"{len(result)} parts" if isinstance(result, tuple | list) else f"a {type(result).__name__}"


@exercise(5, 2)
def check_prefix_tokens(prediction: Any, answer: Any) -> Verdict:
    """The shape of what the small table gives, before the MLP."""
    return check_shape(prediction, answer)


@exercise(5, 3)
def check_parameters(answer: Callable[[int, int, int, int], tuple[int, int]]) -> Verdict:
    """`answer(prefix_len, layers, hidden, encoder_hidden)` is what trains without and with projection."""
    for _ in range(4):
        prefix_len, layers, hidden, inner = DICE.sample(SIZES, 4)
        result, problem = answered(answer, prefix_len, layers, hidden, inner)
        if problem:
            return problem
        if not isinstance(result, tuple | list) or len(result) != 2:
            return Verdict(False, f"your function gave {kind(result)}, expected two numbers: table, projected.")
        row = 2 * layers * hidden
        small, first, second = prefix_len * hidden, hidden * inner, inner * row
        table, both = prefix_len * row, small + first + inner + second + row
        given = {"prefix_len": prefix_len, "layers": layers, "hidden": hidden, "encoder_hidden": inner}
        causes = {row: "that is one row; there are prefix_len of them", table // 2: "a key and a value"}
        otherwise = "a table has prefix_len rows of 2·layers·hidden numbers"
        if problem := wrong_number(lambda *_, one=result[0]: one, given, table, causes, otherwise):
            return Verdict(False, f"table alone: {problem.text}")
        causes = {
            small + first + second: "the two Linear layers have biases, encoder_hidden and 2·layers·hidden numbers",
            both - small: "the small table trains too: prefix_len · hidden",
            first + second: "the small table trains too, and the Linear layers have biases",
            both - first - inner: "there are two Linear layers, hidden → encoder_hidden and then on",
            both + table - small: "with projection there is a small table, prefix_len · hidden, and not the wide one",
            both - row: "the second Linear layer has a bias too, 2·layers·hidden numbers",
            both - inner: "the first Linear layer has a bias too, encoder_hidden numbers",
        }
        otherwise = "count the small table, and each Linear's weight and bias"
        if problem := wrong_number(lambda *_, one=result[1]: one, given, both, causes, otherwise):
            return Verdict(False, f"with projection: {problem.text}")
    return Verdict(True, "a wide table, or a small one and an MLP that all virtual tokens share.")


@exercise(5, 4)
def check_fold(answer: Callable[[PrefixEncoder], Tensor]) -> Verdict:
    """`answer(encoder)` is the flat table that gives what the projected encoder gives, to the last bit."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        return folded(answer)


def folded(answer: Callable[[PrefixEncoder], Tensor]) -> Verdict:
    encoder = random_encoder()
    prefix_len, hidden = encoder.embedding.weight.shape
    right = encoder(torch.arange(prefix_len)[None])[0]  # (prefix_len, 2·layers·hidden)
    first, _, last = encoder.transform
    before = digest(encoder)
    result, problem = answered(answer, encoder)
    if problem:
        return problem
    if digest(encoder) != before:
        return Verdict(False, "your function changed the encoder's own weights; it should only read them.")
    axes = "(prefix_len, 2·layers·hidden)"
    shapes = {
        (prefix_len, hidden): "that is the small table, before the MLP: let the MLP work on it",
        (1, *right.shape): "there is a batch axis left: a table has none, take [0]",
        last.weight.shape: "that is the last Linear's weight; the table is what comes out of it",
    }
    numbers = {
        "the Tanh between the two Linear layers is missing": last(first(encoder.embedding.weight)),
        "the last Linear's bias is missing": right - last.bias,
        "the virtual tokens come in another order: 0, 1, 2, …": right.flip(0),
    }
    otherwise = (
        "a row for each virtual token, and in it a key and a value for every layer",
        "look the virtual tokens 0, 1, 2, … up, and let encoder.transform work on them",
    )
    if problem := wrong_tensor(result, right, axes, shapes, numbers, otherwise):
        return problem
    if not torch.equal(result, right):
        return Verdict(False, "they differ in the last bits only: run the very same module, encoder.transform.")
    return Verdict(True, f"the same numbers to the last bit, {axes}, and no MLP is needed any more.")


def random_encoder() -> PrefixEncoder:
    """A projected encoder of sizes drawn anew."""
    prefix_len, layers, hidden, inner = DICE.sample(SIZES, 4)
    torch.manual_seed(DICE.randrange(1000))
    return PrefixEncoder(
        PrefixTuningConfig(
            num_virtual_tokens=prefix_len,
            num_layers=layers,
            token_dim=hidden,
            num_attention_heads=1,
            encoder_hidden_size=inner,
            prefix_projection=True,
        )
    )
