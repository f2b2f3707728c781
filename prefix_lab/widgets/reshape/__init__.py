"""ReshapeView: each number through view, permute, split and cat, to be followed both ways; at first in PEFT's own run.

The journeys that come with it are `peft.peft_model.PeftModel.get_prompt`, from the table to the cache, for one stack of
layers, for fewer cached heads, and for an encoder-decoder. The page computes and draws them at any sizes
(`following.js`, which a test holds against PEFT); steps that a learner writes are run here, by torch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from prefix_lab.locale import N_, _, ngettext, paragraph
from prefix_lab.widgets.colours import COLOURS
from prefix_lab.widgets.flow.journey import Setting, cost, journey, rows_said
from prefix_lab.widgets.moving import STYLE, Moving
from prefix_lab.widgets.picture import preformatted
from prefix_lab.widgets.reshape.run import MOVES, PIECE, Piece, State, count_of, run
from prefix_lab.widgets.reshape.written import complete, start_of, steps_of
from prefix_lab.widgets.sizes import own_sizes, sizes_of, whole
from prefix_lab.widgets.stepper.page import linked

START = "batch prefix_len 2·layers·hidden"
FAMILIES = ("GPT-2", "Llama", "T5")
REACH = {"batch": 4, "prefix_len": 20, "layers": 12, "heads": 12, "kv_heads": 12, "head_dim": 64, "encoder_hidden": 64}
"""How far a slider goes at first; a larger size makes it longer."""
VALUES = 2**15  # so many numbers of a learner's own run go into the page
NOTES = {
    "table": N_(
        "The table that trains: a row for each virtual token. In it lie, one after the other, a key and a value for "
        "each layer."
    ),
    "short table": N_("The table that trains: a short row for each virtual token."),
    "lookup": N_("Each virtual token's row is looked up, the same for every text of the batch."),
    "short lookup": N_("Each virtual token's short row is looked up, the same for every text of the batch."),
    "linear in": N_("The projection begins: each number is made from all numbers of its row, and bent by Tanh."),
    "linear out": N_(
        "The projection ends: one long vector for each virtual token. In it lie, one after the other, a key and a "
        "value for each layer."
    ),
    "view": N_("The long vector is cut up: 2·layers pieces, in each the heads, in each head its numbers."),
    "cat": N_(
        "An encoder-decoder needs keys and values for two kinds of attention, so all pieces are put there twice."
    ),
    "permute": N_("Each layer wants its own piece, and in it each head its own tokens: so the axes change places."),
    "split in 2": N_("Two pieces for each layer: the first is its key, the second its value."),
    "split in 4": N_(
        "Four pieces for each layer. The decoder's own attention is to read the first two; the other two are meant for "
        "cross-attention."
    ),
    "cache of 2": N_("What attention reads: in each layer a key and a value, of each head, for each virtual token."),
    "cache of 4": N_(
        "What the decoder's own attention reads. The pieces meant for cross-attention are thrown away: with an even "
        "number of layers, half of the numbers are nowhere, and never learn."
    ),
}
SAID = {
    "back": N_("Back"),
    "next": N_("Next"),
    "colourBy": N_("Colour by"),
    "byView": N_("What if it were view, not permute?"),
    "wholeRow": N_("whole row of the table"),
    "letGo": N_("Let go"),
    "sizes": N_("Other sizes, another model, a projection"),
    "family": N_("model like"),
    "llama": N_("Llama, fewer cached heads"),
    "t5": N_("T5, BART: encoder and decoder"),
    "projection": N_("projection"),
    "drag": N_("Type a number, or drag."),
    "slider": N_("{name}, as a slider"),
    "element": N_("Follow an element of the cache"),
    "layer": N_("layer"),
    "head": N_("head"),
    "prefix_len": N_("virtual token"),
    "head_dim": N_("channel"),
    "key": N_("key"),
    "value": N_("value"),
    "crossKey": N_("cross key, unused"),
    "crossValue": N_("cross value, unused"),
    "keyAt": N_("key of layer {layer}"),
    "valueAt": N_("value of layer {layer}"),
    "hint": N_(
        "Click a number to follow it both ways. With keys: arrows go from number to number, Page Up and Page Down from "
        "block to block, n and p to the next step and the one before."
    ),
    "before": N_("before"),
    "after": N_("after"),
    "theStart": N_("the start"),
    "start": N_("start"),
    "axis": N_("axis {axis}:"),
    "axisOf": N_("axis {axis} of {step}"),
    "numberAt": N_("number {number}: {place}"),
    "stepAt": N_("Step {number} of {all}"),
    "step": N_("Step {number} of {all}: {code}"),
    "stepStart": N_("Step {number} of {all}: the start"),
    "stepInstead": N_("Step {number} of {all}: view in place of {code}"),
    "oneNumber": N_("one number"),
    "noTensors": N_("no tensors"),
    "noNumbers": N_("no numbers: an axis has size 0"),
    "lies": N_("{numbers} numbers, in memory in reading order: strides {strides}."),
    "wrote": N_("{name} wrote {numbers} numbers into new memory: strides {strides}."),
    "readsAnew": N_("{name} moved no numbers; it reads the same memory: strides {before} → {strides}."),
    "readsAsBefore": N_("{name} moved no numbers; it reads the same memory: strides {strides} as before."),
    "inOrder": N_("Reading order is memory order (contiguous)."),
    "outOfOrder": N_(
        "Reading order now jumps about in memory (not contiguous): where axes must be joined, view refuses."
    ),
    "noDifference": N_("view in place of {step}: here it makes no difference."),
    "noneWrong": N_("No number stands wrong here."),
    "wrongHere": N_(
        "view in place of {step}: the same shape, no error, but {off} of {count} numbers stand where they should not."
    ),
    "wrongSince": N_("Since view stood for it before, {off} of {count} numbers stand where they should not."),
    "wrongExample": N_(
        "E.g. at {place}, should be {right}, is {wrong}. view never moves a number; it only counts them off anew."
    ),
    "around": N_(
        "Too many numbers to draw: where they do not fit, this is what stands around the one that is followed."
    ),
    "copy": N_("◥ there already: a copy"),
    "deadMark": N_("✗ has nowhere to go: no layer reads it"),
    "wrongMark": N_("╱ stands where it should not"),
    "number": N_("Number {number} stands in the table: row {row}, which is virtual token {row}, and column {column}."),
    "madeNumber": N_(
        "Number {number} stands in column {column} of virtual token {row}'s long vector. It was made by row "
        "{column} of transform.2.weight, {inner} weights, and a bias, from all of row {row} of the table."
    ),
    "innerNumber": N_(
        "Inner number {number} of virtual token {row}: made from all of row {row} of the table, and read by every "
        "number of its long vector, with one weight for each."
    ),
    "tableNumber": N_(
        "Row {row} of the table, which is virtual token {row}, column {column}: through the projection it is in all "
        "{count} numbers of the long vector, and so in every layer and head."
    ),
    "asKey": N_("It is read as a key. Layers: {layers}; head {head}, virtual token {token}, channel {channel}."),
    "asValue": N_("It is read as a value. Layers: {layers}; head {head}, virtual token {token}, channel {channel}."),
    "askedBy": N_("Query heads {first} to {last} share this head."),
    "nowhere": N_(
        "It has nowhere to go: both its copies were meant for cross-attention and are thrown away. No layer reads it, "
        "and it never learns."
    ),
    "thrown": N_("This copy is thrown away with the rows for cross-attention; it is the other copy that is read."),
    "values": N_("In your run: {table} in the table, {cache} in the cache."),
    "madeValues": N_("In your run: {table} in the long vector, {cache} in the cache."),
    "row": N_(
        "Row {row} of the table is virtual token {row}: {count} numbers. At place {row} of the cache they are read by "
        "every head, as keys and values. Layers: {layers}."
    ),
    "rowMixed": N_(
        "Row {row} of the table is virtual token {row}. The projection makes {count} numbers from it. At place {row} "
        "of the cache they are read by every head, as keys and values. Layers: {layers}."
    ),
    "rowDead": N_("{dead} of the {count} have nowhere to go: no layer reads them."),
    "givenNumber": N_("Number {number} of the first tensor ends here: {place}."),
    "givenLost": N_("Number {number} of the first tensor is not there at the end."),
    "nowhereHere": N_("✗ nowhere"),
    "more": N_("{places}; … {count} places"),
}


class ReshapeView(Moving):
    """Step by step through PEFT's `get_prompt`, or through steps of your own; each number can be followed both ways.

    ReshapeView()                                                  what PEFT's get_prompt does, at tiny sizes
    ReshapeView("T5", sizes={"layers": 4})                         the same for an encoder-decoder; or "Llama"
    ReshapeView(peft_model)                                        at your model's sizes, with the numbers of its run
    ReshapeView(torch.arange(24), "view(2, 3, 4).permute(2, 0, 1).split(2)")
    ReshapeView((4, 6), "x = x.T", "x.reshape(2, 12)")
    ReshapeView("batch hidden", "view(batch, heads, head_dim)", sizes={"heads": 3})

    `first` is a model with a prefix, a journey that comes along ("GPT-2", "Llama" or "T5"), or, with `steps`, a tensor
    (only its shape and strides count), a shape, or axis names with spaces between them. The numbers shown are places in
    this first tensor, which is the table in PEFT's journey, or what the `projection` made of it.
    `steps` are texts, as in a source file. `sizes` gives names their numbers; those left out are tiny. `change(step=2)`
    moves from Python. Raises `ValueError` for a step that does not fit, and for more than 1,024 numbers of own steps.
    """

    _esm = linked(Path(__file__).parent / "reshape.js")
    _css = STYLE + (Path(__file__).parent / "reshape.css").read_text(encoding="utf-8")

    def __init__(
        self, first: Any = None, *steps: Any, sizes: Mapping[str, int] | None = None, projection: bool = False
    ):
        known = complete(sizes)
        self.stages: list[State] = []
        values, given = None, None
        chosen = {"step": 0, "colour": 1, "by_view": False, "at": None, "row": False}
        model = hasattr(first, "get_prompt")
        if model:
            of_model, values = read_model(first)
            chosen |= of_model
        elif not steps and (first is None or first in FAMILIES):
            chosen |= sizes_for(first or FAMILIES[0], known, sizes or {}, projection)
        else:
            start, axes = start_of(START if first is None or str(first) in FAMILIES else first, known)
            planned = steps_of(steps, known)
            self.stages = run(start, axes, planned, known)
            wrong = None
            if any(step.operation in MOVES for step in planned):
                wrong = for_page(run(start, axes, planned, known, by_view=True))
            given, chosen["colour"] = {"right": for_page(self.stages), "wrong": wrong}, 0
        super().__init__(
            data={
                "texts": {name: _(text) for name, text in SAID.items()},
                "notes": {name: _(text) for name, text in NOTES.items()},
                "colours": COLOURS,
                "reach": REACH,
                "fixed": model,
                "values": values,
                "given": given,
            },
            chosen=chosen,
        )

    def change(self, **choices: Any) -> None:
        """Move some controls, as by hand: `change(step=2, by_view=True)`. Raises `ValueError` for one there is not."""
        unknown = [name for name in choices if name not in self.chosen]
        if unknown:
            raise ValueError(f"{unknown[0]}={choices[unknown[0]]!r} is no choice here: {', '.join(self.chosen)}.")
        self.chosen = self.chosen | choices

    @property
    def text(self) -> str:
        """The whole journey in words."""
        return given_in_words(self.stages) if self.stages else journey_in_words(self.chosen)

    @property
    def still(self) -> str:
        return preformatted(self.text)


def sizes_for(family: str, known: Mapping[str, int], given: Mapping[str, int], projection: bool) -> dict[str, Any]:
    """Where the page's controls stand for a journey that comes along. Raises `ValueError` for heads that do not fit."""
    heads = known["heads"] if "heads" in given or family != "Llama" else 4
    kv_heads = known.get("kv_heads", 2 if family == "Llama" and heads % 2 == 0 else heads)
    if family != "T5":
        own_sizes(False, known["layers"], heads, known["head_dim"], kv_heads)  # which refuses what does not go together
    kv_heads = kv_heads if family == "Llama" else heads
    sizes = {name: known[name] for name in ("batch", "prefix_len", "layers", "head_dim")}
    sizes |= {"heads": heads, "kv_heads": kv_heads, "encoder_hidden": known.get("encoder_hidden", 4)}
    if not isinstance(projection, bool):
        raise ValueError(f"projection={projection!r}, expected True or False.")
    return {"family": family, "projection": projection, **sizes}


def read_model(model: Any) -> tuple[dict[str, Any], dict[str, list[float]] | None]:
    """The sizes of a model with a prefix, and the numbers of one run of its own `get_prompt`, if they are not too many.

    Raises `ValueError` for an adapter that has no table of keys and values.
    """
    import torch

    config = model.active_peft_config
    if getattr(config, "prefix_projection", None) is None:
        raise ValueError(
            f"first is a model with {type(config).__name__}; expected one with a prefix: "
            "get_peft_model(model, PrefixTuningConfig(task_type=…, num_virtual_tokens=20))."
        )
    heads, asking = config.num_attention_heads, sizes_of(model.get_base_model()).heads
    family = "T5" if config.num_transformer_submodules == 2 else "Llama" if asking != heads else "GPT-2"
    sizes = {
        "batch": 1,
        "prefix_len": config.num_virtual_tokens,
        "layers": config.num_layers,
        "heads": asking if family == "Llama" else heads,
        "kv_heads": heads,
        "head_dim": config.token_dim // heads,
        "encoder_hidden": whole("encoder_hidden_size", config.encoder_hidden_size or config.token_dim),
    }
    chosen = {"family": family, "projection": config.prefix_projection, **sizes}
    if 2 * config.num_layers * config.num_virtual_tokens * config.token_dim > VALUES:
        return chosen, None
    with torch.no_grad():
        made = model.get_prompt_embedding_to_save(model.active_adapter)
        cache = model.get_prompt(batch_size=1)
    layers = getattr(cache, "self_attention_cache", cache).layers
    kept = torch.cat([tensor[0].flatten() for layer in layers for tensor in (layer.keys, layer.values)])
    return chosen, {name: rounded(one.flatten()) for name, one in (("table", made), ("cache", kept))}


def rounded(numbers: Any) -> list[float]:
    return [float(f"{number:.6g}") for number in numbers.float().tolist()]


def for_page(stages: Sequence[State]) -> list[dict[str, Any]]:
    """Steps that torch ran, for the page: every tensor's shape, names and strides, and where each number came from."""
    return [
        {
            "code": stage.step.text if stage.step else "",
            "operation": stage.step.operation if stage.step else "",
            "note": "",
            "many": stage.many,
            "each": _("pieces") if stage.each == PIECE else stage.each,
            "moved": stage.moved,
            "instead": stage.instead,
            "memory": memory_in_words(stages, number),
            "parents": [int(one) for piece in stage.pieces for one in piece.parents],
            "pieces": [
                {
                    "shape": piece.shape,
                    "axes": piece.axes,
                    "label": piece.label,
                    "strides": piece.strides,
                    "contiguous": piece.contiguous,
                }
                for piece in stage.pieces
            ],
        }
        for number, stage in enumerate(stages)
    ]


IN_TEXT = ("lookup", "linear in", "linear out", "view", "cat", "permute", "split", "cache")


def journey_in_words(chosen: Mapping[str, Any]) -> str:
    """PEFT's journey as plain text: each step, its shape, and which rows are read."""
    two = chosen["family"] == "T5"
    kv_heads = chosen["kv_heads"] if chosen["family"] == "Llama" else None
    sizes = own_sizes(two, chosen["layers"], chosen["heads"], chosen["head_dim"], kv_heads)
    inner = chosen["encoder_hidden"] if chosen["projection"] else None
    setting = Setting(sizes, chosen["prefix_len"], chosen["projection"], chosen["batch"], inner)
    steps = [step for step in journey(setting) if step.key in IN_TEXT]
    lines = []
    for number, step in enumerate(steps, start=1):
        split = step.key if step.key not in ("split", "cache") else ""
        key = split or f"{step.key} {'in' if step.key == 'split' else 'of'} {4 if two else 2}"
        key = f"short {key}" if key == "lookup" and chosen["projection"] else key
        lines += [
            step_in_words(number, len(steps), step.shown),
            f"  {step.names} = {step.numbers}",
            f"  {_(NOTES[key])}",
        ]
    return "\n".join([*lines, *([rows_said(setting, cost(setting))] if two else [])])


SHOWN = 24  # numbers of a tensor that the text shows


def shape_in_words(piece: Piece) -> str:
    """`(batch, 3) = (2, 3)`, or the sizes alone where no axis has a name."""
    numbers = f"({', '.join(map(str, piece.shape))}{',' if len(piece.shape) == 1 else ''})"
    if not any(piece.axes):
        return numbers if piece.shape else _("() = one number")
    names = ", ".join(name or str(size) for name, size in zip(piece.axes, piece.shape, strict=True))
    return f"({names}) = {numbers}"


def shapes_in_words(stage: State) -> str:
    """The shape of all pieces in one, if they have one: `layers: 2 × (…)`."""
    if not stage.many:
        return shape_in_words(stage.pieces[0])
    shapes = list(dict.fromkeys(shape_in_words(piece) for piece in stage.pieces))
    if len(shapes) == 1:
        return f"{count_of(stage)} × {shapes[0]}"
    return "; ".join(shapes) or _("no tensors")


def memory_in_words(stages: Sequence[State], number: int) -> str:
    """One line about where the numbers lie: what a step moved, the strides, and whether they are in reading order."""
    stage = stages[number]
    strides = "; ".join(dict.fromkeys(tuple_of(piece.strides) for piece in stage.pieces))
    if stage.step is None:
        piece = stage.pieces[0]
        text = _("{numbers}, in memory not in reading order (not contiguous): strides {strides}.")
        if piece.contiguous:
            text = _("{numbers}, in memory in reading order: strides {strides}.")
        return text.format(numbers=counted(piece.origins.size), strides=strides)
    name, count = "view" if stage.instead else stage.step.operation, stage.origins.size
    name = {"[]": _("The index"), "=": _("Giving names")}.get(name, name)
    distinct = np.unique(stage.origins).size
    again = bool(distinct) and count > distinct
    if stage.moved:
        text = _("{name} wrote {numbers} into new memory: strides {strides}.")
        if again:
            text = _("{name} wrote {numbers} into new memory, each of the {distinct} {times} times: strides {strides}.")
        times = count // distinct if distinct else 0
        said = text.format(name=name, numbers=counted(count), strides=strides, distinct=distinct, times=times)
        return paragraph(said, order_of(stage))
    before = "; ".join(dict.fromkeys(tuple_of(piece.strides) for piece in stages[number - 1].pieces))
    offsets = [piece.offset for piece in stage.pieces]
    new = _("strides {before} → {strides}") if before != strides else _("strides {strides} as before")
    text = _("{name} moved no numbers; it reads the same memory: {strides}.")
    if any(offsets):
        text = ngettext(
            "{name} moved no numbers; it reads the same memory, from place {places} on: {strides}.",
            "{name} moved no numbers; it reads the same memory, from places {places} on: {strides}.",
            len(offsets),
        )
    new = new.format(before=before, strides=strides)
    zero = _("Stride 0 reads the same numbers again.") if any(0 in p.strides for p in stage.pieces) and again else ""
    return paragraph(text.format(name=name, places=listed(offsets), strides=new), zero, order_of(stage))


def order_of(stage: State) -> str:
    if all(piece.contiguous for piece in stage.pieces):
        return _("Reading order is memory order (contiguous).")
    return _("Reading order now jumps about in memory (not contiguous): where axes must be joined, view refuses.")


def given_in_words(stages: Sequence[State]) -> str:
    """Steps that a learner wrote, as plain text."""
    lines = []
    for number, stage in enumerate(stages):
        lines += [step_in_words(number, len(stages) - 1, stage.step.text if stage.step else "")]
        lines += [f"  {shapes_in_words(stage)}", f"  {memory_in_words(stages, number)}"]
        for piece in stage.pieces:
            reads = f"{piece.label}: {few(piece.origins)}"
            lines.append(f"  {reads if piece.label else _('reads {numbers}').format(numbers=few(piece.origins))}")
    return "\n".join(lines)


def step_in_words(number: int, last: int, code: str) -> str:
    """`Step 2 of 3: permute(2, 0, 1)`."""
    return _(SAID["step" if code else "stepStart"]).format(number=number, all=last, code=code)


def few(numbers: np.ndarray) -> str:
    shown = " ".join(map(str, numbers[:SHOWN].tolist())) or _("no numbers")
    return _("{first} … ({count} numbers)").format(first=shown, count=numbers.size) if numbers.size > SHOWN else shown


def counted(count: int) -> str:
    return ngettext("{count} number", "{count} numbers", count).format(count=count)


def tuple_of(numbers: Sequence[int]) -> str:
    return f"({', '.join(map(str, numbers))}{',' if len(numbers) == 1 else ''})"


def listed(numbers: Sequence[int]) -> str:
    shown = [*map(str, numbers[:8])] + ["…"] * (len(numbers) > 8)
    return ", ".join(shown)
