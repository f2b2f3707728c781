"""Lesson 11: what is in a file, to the byte; how to go on from it, and how to serve from several."""

from __future__ import annotations

import json
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from prefix_lab.course.checking import (
    DICE,
    SIZES,
    NotYet,
    brief,
    called,
    exercise,
    generator,
    raised,
    same_number,
    same_tensor,
)
from prefix_lab.course.shown import Drawn, drawn, plain_axes
from prefix_lab.course.small_models import small_encoder
from prefix_lab.course.training import digest
from prefix_lab.widgets.colours import COLOURS, OTHER
from prefix_lab.widgets.picture import INK, new_figure

LENGTH = 8  # bytes that say how long the header is


class Anatomy(NamedTuple):
    """The three parts of a safetensors file: the header's length, the header, the numbers."""

    header_bytes: int
    header: dict
    number_bytes: int

    def __repr__(self) -> str:
        lines = [
            f"{LENGTH} bytes: how long the header is, {self.header_bytes}",
            f"{self.header_bytes} bytes: the header",
        ]
        lines += [f"    {name}: {what}" for name, what in self.header.items()]
        return "\n".join([*lines, f"{self.number_bytes:,} bytes: the numbers"])


def anatomy(file: Path) -> Anatomy:
    """Read a safetensors file with no library at all."""
    raw = file.read_bytes()
    length = int.from_bytes(raw[:LENGTH], "little")
    header = json.loads(raw[LENGTH : LENGTH + length])
    return Anatomy(length, header, len(raw) - LENGTH - length)


def bytes_of(module: nn.Module, trains: bool | None = None) -> int:
    """How many bytes its parameters take; of those that train, or do not, if so asked."""
    return sum(one.nbytes for one in module.parameters() if trains is None or one.requires_grad == trains)


def draw_bytes(rows: list[tuple[str, int]]) -> Drawn:
    """A bar for each thing, in bytes, on a logarithmic scale; those of the prefix in its colour."""
    figure = new_figure(9.6, 0.45 * len(rows) + 0.9)
    axes = figure.add_subplot()
    least = min(count for _, count in rows) / 10
    for place, (label, count) in enumerate(rows):
        colour = OTHER if "base" in label else COLOURS["prefix_len"]
        axes.barh(place, count - least, left=least, height=0.6, color=colour)
        axes.text(count * 1.1, place, f"{count:,}", va="center", fontsize=9, color=INK)
    axes.set(xscale="log", xlim=(least, max(count for _, count in rows) * 6), ylim=(len(rows) - 0.4, -0.6))
    axes.set_yticks(range(len(rows)), [label for label, _ in rows])
    plain_axes(axes, "", "bytes, each line ten times the one before", axis="x")
    axes.minorticks_off()
    axes.tick_params(length=0, labelsize=9)
    said = "\n".join(f"{label}: {count:,} bytes" for label, count in rows)
    return drawn(figure, "What is trained, and what is kept", said)


@exercise("bytes")
def check_bytes(answer: Any) -> str:
    """`answer(prefix_len, layers, hidden, bytes_each)` is how many bytes the saved numbers take."""
    for each in (4, 2):
        prefix_len, layers, hidden = DICE.sample(SIZES, 3)
        count = prefix_len * 2 * layers * hidden
        causes = {
            count: "That is how many numbers there are; each takes bytes_each bytes.",
            count * each // 2: "Every layer has a key and a value.",
            prefix_len * hidden * each: "That is the small table before the projection; what comes out of it is kept.",
            count * 4: "A number takes bytes_each bytes, and that is not always 4.",
            2 * layers * hidden * each: "That is one virtual token.",
        }
        given = {"prefix_len": prefix_len, "layers": layers, "hidden": hidden, "bytes_each": each}
        otherwise = "Kept is (prefix_len, 2·layers·hidden), whatever the projection was."
        same_number(answer, given, count * each, causes, otherwise)
    return "prefix_len · 2 · layers · hidden numbers; how they were trained makes no difference."


@exercise("kept")
def check_kept(answer: Any) -> str:
    """`answer(encoder)` is the computed prefix, (prefix_len, 2·layers·hidden), with no graph behind it."""
    encoder = small_encoder(*DICE.sample(SIZES, 4), projection=True)
    table, (first, _, last) = encoder.embedding.weight, encoder.transform
    right, before = encoder.transform(table).detach(), digest(encoder)
    result = called(answer, encoder)
    if digest(encoder) != before:
        raise NotYet("The encoder itself has changed; only look at it.")
    shapes = {
        tuple(table.shape): "That is the small table; what attention reads comes out of encoder.transform.",
        (1, *right.shape): "There is a batch axis too many: a prefix is kept once, for all texts.",
    }
    numbers = {
        "The tanh is inside transform already.": right.tanh(),
        "The tanh in the middle is left out; call transform as a whole.": last(first(table)),
    }
    otherwise = "Every virtual token has one row.", "Let encoder.transform work on the whole table."
    same_tensor(result, right, "(prefix_len, 2·layers·hidden)", shapes, numbers, otherwise)
    if result.requires_grad:
        raise NotYet("The numbers are right, and the whole graph still hangs on them: detach() lets it go.")
    return "The table, once through the projection. The projection itself can be forgotten."


@exercise("go_on")
def check_go_on(answer: Any) -> str:
    """`answer(encoder, kept)` puts the kept prefix into a direct encoder, so that training goes on from it."""
    encoder = small_encoder(*DICE.sample(SIZES, 4), projection=False)
    weight = encoder.embedding.weight
    kept = torch.randn(weight.shape, generator=generator())
    given, optimizer = kept.clone(), torch.optim.SGD(encoder.parameters(), lr=1.0)
    start = weight.detach().clone()
    try:
        result = answer(encoder, kept) if callable(answer) else ...
    except Exception as error:  # a leaf that requires grad was changed in place, most likely
        way_out = "Work under torch.no_grad()." if "leaf" in str(error) else ""
        raise raised("function", error, way_out) from error
    now = getattr(getattr(encoder, "embedding", None), "weight", None)
    if result is ... or (now is weight and torch.equal(weight, start)):
        raise NotYet("The encoder is as it was: copy the kept numbers into encoder.embedding.weight.")
    if not isinstance(now, Tensor) or now.shape != kept.shape or not torch.equal(now, given):
        raise NotYet("encoder.embedding.weight is not equal to what was kept.")
    if now is not weight:
        raise NotYet("This is a new parameter, and an optimizer made before still holds the old one: copy in place.")
    if not weight.requires_grad:
        raise NotYet("The numbers are there, but nothing trains: requires_grad has to stay.")
    encoder(torch.arange(len(kept))[None]).sum().backward()
    optimizer.step()
    if not torch.equal(kept, given):
        raise NotYet("Training now changes `kept` too: both are the same memory. copy_ makes a copy.")
    return "The same parameter with other numbers in it, and it trains."


class Served:
    """What a server needs of a wrapped model: names of adapters, one in use, and an answer that shows which it was."""

    def __init__(self, names: list[str]):
        self.peft_config = dict.fromkeys(names)
        self.active_adapter, self.off = names[0], False

    def set_adapter(self, name: str) -> None:
        """As PEFT's."""
        if name not in self.peft_config:
            raise ValueError(f"Adapter {name} not found.")
        self.active_adapter = name

    @contextmanager
    def disable_adapter(self) -> Any:
        """As PEFT's."""
        self.off = True
        try:
            yield
        finally:
            self.off = False

    def answer(self, word: str) -> str:
        """What it would write."""
        return word if self.off else f"{self.active_adapter}({word})"


HOW_MANY = "Requests: {wanted}. Replies that you gave: {given}."
OTHER_REPLY = "Request {number} gave {given}, expected {right}."


@exercise("serve")
def check_serve(answer: Any) -> str:
    """`answer(peft_model, requests, reply)` is a list of replies, in order; None as a name asks the bare base."""
    names = [f"adapter_{number}" for number in DICE.sample(range(100), 3)]
    peft_model = Served(names)
    words = DICE.sample(["garden", "piano", "river", "window", "paper", "yellow"], 6)
    requests = list(zip([names[1], names[0], None, names[1], names[2], None], words, strict=True))
    expected = [word if name is None else f"{name}({word})" for name, word in requests]
    result = called(answer, peft_model, requests, peft_model.answer)
    if not isinstance(result, list | tuple):
        raise NotYet("A list of replies is wanted; your function gave {given}.", given=brief(result))
    given = list(result)
    if len(given) != len(expected):
        raise NotYet(HOW_MANY, wanted=len(expected), given=len(given))
    if given != expected:
        cause = "Which adapter is in use when the reply is made?"
        if sorted(map(str, given)) == sorted(expected):
            cause = "All replies are there, in another order than the requests."
        elif all(one == two for one, two, (name, _) in zip(given, expected, requests, strict=True) if name):
            cause = "None asks for the base model alone: with peft_model.disable_adapter()."
        elif len({str(one).partition("(")[0] for one in given if "(" in str(one)}) <= 1:
            cause = "One adapter answered everything: set_adapter(name) belongs before each reply."
        wrong = next(number for number, (one, two) in enumerate(zip(given, expected, strict=True)) if one != two)
        raise NotYet(OTHER_REPLY, cause, number=wrong, given=brief(given[wrong]), right=repr(expected[wrong]))
    if peft_model.off or peft_model.active_adapter != names[0]:
        raise NotYet("The replies are right. Leave the model as it was: the adapter from before in use again.")
    return "One base in memory, and a prefix for each request."
