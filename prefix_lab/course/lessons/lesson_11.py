"""Lesson 11: what is in a file, which keys are written and where they go, and how to serve from several."""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from prefix_lab.course.checking import DICE, NotYet, brief, called, chosen, exercise, filled_in, plain, seen_there
from prefix_lab.course.shown import Drawn, drawn, plain_axes
from prefix_lab.locale import N_, _
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
            _("{bytes} bytes: how long the header is, {length}").format(bytes=LENGTH, length=self.header_bytes),
            _("{bytes} bytes: the header").format(bytes=self.header_bytes),
            *(f"    {name}: {what}" for name, what in self.header.items()),
            _("{bytes:,} bytes: the numbers").format(bytes=self.number_bytes),
        ]
        return "\n".join(lines)


def anatomy(file: Path) -> Anatomy:
    """Read a safetensors file with no library at all."""
    raw = file.read_bytes()
    length = int.from_bytes(raw[:LENGTH], "little")
    header = json.loads(raw[LENGTH : LENGTH + length])
    return Anatomy(length, header, len(raw) - LENGTH - length)


def draw_bytes(base: int, trained: int, kept: int) -> Drawn:
    """How many bytes the base model takes, what was trained before it, and what is kept, on a logarithmic scale."""
    rows = [
        (_("the base model"), base, OTHER),
        (_("what trained: table and projection"), trained, COLOURS["prefix_len"]),
        (_("what is kept: adapter_model.safetensors"), kept, COLOURS["prefix_len"]),
    ]
    figure = new_figure(9.6, 0.45 * len(rows) + 0.9)
    axes = figure.add_subplot()
    least, most = min(base, trained, kept) / 10, max(base, trained, kept)
    for place, (_label, count, colour) in enumerate(rows):
        axes.barh(place, count - least, left=least, height=0.6, color=colour)
        axes.text(count * 1.1, place, f"{count:,}", va="center", fontsize=9, color=INK)
    axes.set(xscale="log", xlim=(least, most * 6), ylim=(len(rows) - 0.4, -0.6))
    axes.set_yticks(range(len(rows)), [label for label, *_rest in rows])
    plain_axes(axes, "", _("bytes, each line ten times the one before"), axis="x")
    axes.minorticks_off()
    axes.tick_params(length=0, labelsize=9)
    line = _("{what}: {count:,} bytes")
    said = "\n".join(line.format(what=label, count=count) for label, count, _colour in rows)
    return drawn(figure, _("What is trained, and what is kept"), said)


ASKED_FOR, WRITTEN_BY = "get_peft_model_state_dict", "BasePromptEncoder._get_adapter_state_dict"
TABLE = ("10, 1024",)
NO_COUNT = N_("{name}: how many tensors? A whole number is wanted, and this is {given}.")
AT_HAND = N_("at_hand: in the frame of `get_peft_model_state_dict`, `p len(state_dict)` counts them all.")
OF_PROJECTION = N_("of_projection: count the names that begin with `prompt_encoder.default.transform`.")
GPT2_TOO = N_(
    "of_projection: these are many, since GPT-2's own names have `transformer` in them. Ask for the encoder's."
)
WITH_TABLE = N_("of_projection: this counts the small table, `embedding`, too. What of it is the projection?")
WRITTEN = N_("written: the shape of `prompt_embeddings` is wanted; this is {given}.")


@exercise("kept_keys", stage="keep")
def check_kept_keys(stop: Any, answer: Any = ...) -> str:
    """`answer` says how many tensors are at hand, how many of the projection, and the shape of the one written."""
    at_hand, of_projection, written = filled_in(answer, ("at_hand", "of_projection", "written"))
    if getattr(stop, "by", "") != "debugger":  # which shows all frames, and tells nobody what was looked at in them
        seen_there(stop, ASKED_FOR, ("59", "prompt_encoder.default.transform.0.weight"))
    seen_there(stop, WRITTEN_BY, TABLE)
    for name, one in (("at_hand", at_hand), ("of_projection", of_projection)):
        if not isinstance(plain(one), int) or isinstance(one, bool):
            raise NotYet(NO_COUNT, name=name, given=brief(one))
    if at_hand != 59:
        raise NotYet(AT_HAND)
    if of_projection != 4:
        raise NotYet(WITH_TABLE if of_projection == 5 else GPT2_TOO if of_projection > 5 else OF_PROJECTION)
    if numbers_in(written) != ["10", "1024"]:
        raise NotYet(WRITTEN, given=brief(written))
    return N_("All was at hand, and one tensor is handed back: what the projection has made.")


RESULT_IN, MISSING = "set_peft_model_state_dict", 55
NO_NAME = N_("unexpected: a name is wanted, as a text; this is {given}.")
A_MISSING_ONE = N_("unexpected: the model has this one. Which name is in the file, and not in the model?")
NOT_UNEXPECTED = N_(
    "unexpected: `p load_result.unexpected_keys` prints it, in the frame of `set_peft_model_state_dict`."
)
ONE_UNEXPECTED = N_("missing: that many were unexpected. Those that the model has and the file has not are more.")
NOT_MISSING = N_("missing: `p len(load_result.missing_keys)` counts them, in the frame of `set_peft_model_state_dict`.")


@exercise("loaded")
def check_loaded(stop: Any, answer: Any = ...) -> str:
    """`answer` says what `load_state_dict` did not expect, and how many of the model's names the file does not have."""
    unexpected, missing = filled_in(answer, ("unexpected", "missing"))
    if getattr(stop, "by", "") == "debugger":  # which shows all frames, and tells nobody what was looked at in them
        seen_there(stop, "BasePromptEncoder._load_adapter_state_dict")
    else:
        seen_there(stop, RESULT_IN, (str(MISSING), "missing_keys="))
    if isinstance(unexpected, list | tuple) and len(unexpected) == 1:
        [unexpected] = unexpected
    if not isinstance(unexpected, str):
        raise NotYet(NO_NAME, given=brief(unexpected))
    if unexpected != "prompt_embeddings":
        raise NotYet(A_MISSING_ONE if "." in unexpected else NOT_UNEXPECTED)
    if not isinstance(plain(missing), int) or isinstance(missing, bool):
        raise NotYet(NO_COUNT, name="missing", given=brief(missing))
    if missing != MISSING:
        raise NotYet(ONE_UNEXPECTED if missing == 1 else NOT_MISSING)
    return N_("torch's own call took nothing and said nothing; the encoder's copies the table.")


def numbers_in(shape: Any) -> list[str]:
    """A shape's numbers, from a tuple or as a debugger printed it."""
    return re.findall(r"\d+", str(shape))


NOBODY_ELSE = {
    "a": N_("Neither file has a fingerprint: one has keys and values, the other the config."),
    "b": N_("The name is the same one, as it would be for the same folder. And PEFT does not compare it: it only needs "
    "a name where it has to find the base itself."),
    "d": N_("The header says names and shapes of what is in its own file, and the base is not in it."),
}  # fmt: skip


@exercise("who_notices")
def check_who_notices(answer: Any) -> str:
    """`answer` is the letter of who notices a base of other weights."""
    chosen(answer, "c", NOBODY_ELSE)
    return N_("Nobody: the prefix fits in shape, and what it was trained for is gone. The cell below shows it.")


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


HOW_MANY = N_("Requests: {wanted}. Replies that you gave: {given}.")
OTHER_REPLY = N_("Request {number} gave {given}, expected {right}.")
IN_USE = N_("Which adapter is in use when the reply is made?")
ANOTHER_ORDER = N_("All replies are there, in another order than the requests.")
THE_BASE = N_("None asks for the base model alone: with peft_model.disable_adapter().")
ONE_FOR_ALL = N_("One adapter answered everything: set_adapter(name) belongs before each reply.")


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
        cause = IN_USE
        if sorted(map(str, given)) == sorted(expected):
            cause = ANOTHER_ORDER
        elif all(one == two for one, two, (name, _) in zip(given, expected, requests, strict=True) if name):
            cause = THE_BASE
        elif len({str(one).partition("(")[0] for one in given if "(" in str(one)}) <= 1:
            cause = ONE_FOR_ALL
        wrong = next(number for number, (one, two) in enumerate(zip(given, expected, strict=True)) if one != two)
        raise NotYet(OTHER_REPLY, cause, number=wrong, given=brief(given[wrong]), right=repr(expected[wrong]))
    if peft_model.off or peft_model.active_adapter != names[0]:
        raise NotYet("The replies are right. Leave the model as it was: the adapter from before in use again.")
    return N_("One base in memory, and a prefix for each request.")
