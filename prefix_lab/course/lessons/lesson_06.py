"""Lesson 6: what both forms of the encoder train, drawn; a row's key and value, their parameters, and the fold."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from prefix_lab.course.checking import (
    DICE,
    SIZES,
    NotYet,
    answered_shape,
    called,
    close,
    compare_numbers,
    exercise,
    pair,
    same_tensor,
)
from prefix_lab.course.shown import Drawn, drawn, plain_axes
from prefix_lab.course.small_models import small_encoder
from prefix_lab.course.training import digest
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


EXCHANGED = "For layer {layer} of {layers} key and value are exchanged: the key comes first."
KEYS_FIRST = (
    "For layer {layer} of {layers} this takes all keys first and all values after them; in the row each layer's key is "
    "followed by its own value."
)
ONE_PIECE = (
    "This is right for the first layer only, and you were asked for layer {layer} of {layers}: a layer takes two "
    "pieces, so layer 1 begins at piece 2."
)


@exercise("key_and_value")
def check_key_and_value(answer: Any) -> str:
    """`answer(table, layer, layers)` is the layer's key and value, each (prefix_len, hidden)."""
    prefix_len, layers, hidden = DICE.sample(SIZES, 3)
    table = torch.arange(prefix_len * 2 * layers * hidden).view(prefix_len, 2 * layers, hidden)
    shapes = {
        (hidden, prefix_len): "Rows and columns are exchanged.",
        (hidden,): "This is one virtual token's; take all rows with table[:, …].",
        (prefix_len, 2 * hidden): "Key and value are still joined.",
    }
    otherwise = "One row for each virtual token.", "They come from another place of the row."
    for layer in (0, layers - 1, DICE.randrange(1, layers)):
        given = pair(called(answer, table.flatten(1), layer, layers), "key, value", Tensor)
        right = 2 * layer, 2 * layer + 1
        for said, places in {
            EXCHANGED: right[::-1],
            KEYS_FIRST: (layer, layers + layer),
            ONE_PIECE: (layer, layer + 1),
        }.items():
            if places != right and all(map(close, given, (table[:, place] for place in places))):
                raise NotYet(said, layer=layer, layers=layers)
        for name, part, place in zip(("the key", "the value"), given, right, strict=True):
            same_tensor(part, table[:, place], "(prefix_len, hidden)", shapes, {}, otherwise, name=name)
    return "Key of layer 0, value of layer 0, key of layer 1, …: 2·layers pieces of hidden numbers."


@exercise("prefix_tokens")
def check_prefix_tokens(prediction: Any, answer: Any) -> str:
    """The shape of what the small table gives, before the MLP."""
    return answered_shape(prediction, answer)


@exercise("parameters")
def check_parameters(answer: Any) -> str:
    """`answer(prefix_len, layers, hidden, encoder_hidden)` is what trains without and with projection."""
    for _ in range(4):
        prefix_len, layers, hidden, inner = DICE.sample(SIZES, 4)
        one, other = pair(called(answer, prefix_len, layers, hidden, inner), "table, projected")
        row = 2 * layers * hidden
        small, first, second = prefix_len * hidden, hidden * inner, inner * row
        table, both = prefix_len * row, small + first + inner + second + row
        given = {"prefix_len": prefix_len, "layers": layers, "hidden": hidden, "encoder_hidden": inner}
        causes = {row: "That is one row; there are prefix_len of them.", table // 2: "Count a key and a value."}
        otherwise = "A table has prefix_len rows of 2·layers·hidden numbers."
        compare_numbers(one, given, table, causes, otherwise, "`table`")
        causes = {
            small + first + second: "The two Linear layers have biases, encoder_hidden and 2·layers·hidden numbers.",
            both - small: "The small table trains too: prefix_len · hidden.",
            first + second: "The small table trains too, and the Linear layers have biases.",
            both - first - inner: "There are two Linear layers, hidden → encoder_hidden and then on.",
            both + table - small: "With projection there is a small table, prefix_len · hidden, and not the wide one.",
            both - row: "The second Linear layer has a bias too, 2·layers·hidden numbers.",
            both - inner: "The first Linear layer has a bias too, encoder_hidden numbers.",
        }
        otherwise = "Count the small table, and each Linear's weight and bias."
        compare_numbers(other, given, both, causes, otherwise, "`projected`")
    return "A wide table, or a small one and an MLP that all virtual tokens share."


@exercise("fold")
@torch.no_grad()
def check_fold(answer: Any) -> str:
    """`answer(encoder)` is the flat table that gives what the projected encoder gives, to the last bit."""
    encoder = small_encoder(*DICE.sample(SIZES, 4), projection=True)
    prefix_len, hidden = encoder.embedding.weight.shape
    right = encoder(torch.arange(prefix_len)[None])[0]  # (prefix_len, 2·layers·hidden)
    first, _, last = encoder.transform
    before = digest(encoder)
    result = called(answer, encoder)
    if digest(encoder) != before:
        raise NotYet("Your function changed the encoder's own weights; it should only read them.")
    axes = "(prefix_len, 2·layers·hidden)"
    shapes = {
        (prefix_len, hidden): "That is the small table, before the MLP: let the MLP work on it.",
        (1, *right.shape): "There is a batch axis left: a table has none, take [0].",
        tuple(last.weight.shape): "That is the last Linear's weight; the table is what comes out of it.",
    }
    numbers = {
        "The Tanh between the two Linear layers is missing.": last(first(encoder.embedding.weight)),
        "The last Linear's bias is missing.": right - last.bias,
        "The virtual tokens come in another order: 0, 1, 2, …": right.flip(0),
    }
    otherwise = (
        "A row for each virtual token, and in it a key and a value for every layer.",
        "Look the virtual tokens 0, 1, 2, … up, and let encoder.transform work on them.",
    )
    same_tensor(result, right, axes, shapes, numbers, otherwise)
    if not torch.equal(result, right):
        raise NotYet("They differ in the last bits only: run the very same module, encoder.transform.")
    return f"The same numbers to the last bit, {axes}, and no MLP is needed any more."
