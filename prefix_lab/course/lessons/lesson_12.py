"""Lesson 12: a condition, a value watched, a value changed at a stop, and which debugger for which question."""

from __future__ import annotations

import inspect
import io
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

import torch

from prefix_lab.breakpoints import stop_at
from prefix_lab.course.checking import (
    DICE,
    SIZES,
    TODO,
    NotYet,
    brief,
    exercise,
    filled_in,
    is_open,
    kind,
    plain,
    seen_there,
)
from prefix_lab.course.small_models import small_t5
from prefix_lab.locale import N_, _
from prefix_lab.widgets.table import Table, table

LAUNCH = Path(__file__).parents[3] / ".vscode" / "launch.json"


def line_of(function: Callable, text: str) -> int:
    """The number of the one line of a function that contains a text, as pdb's `tbreak`, `until` and `jump` take it.

    Raises `ValueError` when no line does, or several do.
    """
    function = inspect.unwrap(function)
    lines, first = inspect.getsourcelines(function)
    found = [number for number, line in enumerate(lines, first) if text in line]
    if len(found) != 1:
        raise ValueError(
            f"text={text!r} is in {len(found) or 'no'} lines of {function.__qualname__}, expected one. "
            "Take a text that stands there once."
        )
    return found[0]


def launch_configurations(path: Path = LAUNCH) -> Table:
    """What VS Code's Run and Debug offers in this project, by the name that it shows, and what it does."""
    heads = (N_("in the list of Run and Debug"), N_("note"))
    if not path.is_file():
        return table(heads, [(_("(there is no .vscode/launch.json here: open a clone of prefix_lab)"), "")])
    return table(heads, [(name, _(note)) for name, note in launched(path)])


def launched(path: Path = LAUNCH) -> list[tuple[str, str]]:
    """The name of each entry of a launch.json, and the first line of the note above it, empty where there is none."""
    notes, rows = [], []
    for line in map(str.strip, path.read_text(encoding="utf8").splitlines()):
        if line.startswith("//"):
            notes.append(line.removeprefix("//").strip())
        elif line.startswith('"name":'):
            rows.append((json.loads(f"{{{line.rstrip(',')}}}")["name"], "".join(notes[:1])))
            notes = []
    return rows


class Sizes(NamedTuple):
    """Of a model and a batch that a check draws; no two are alike."""

    batch: int
    prefix_len: int
    layers: int
    heads: int
    head_dim: int

    @property
    def hidden(self) -> int:
        return self.heads * self.head_dim


class Session(NamedTuple):
    """A debugger's session: all that was shown, and what ended it early, if something did."""

    shown: str
    error: BaseException | None = None


def drawn_sizes() -> Sizes:
    layers = DICE.choice((3, 5))  # at least a third one, and soon built
    return Sizes(*DICE.sample([one for one in SIZES if one != layers], 4)[:2], layers, *DICE.sample((2, 3, 4), 2))


@contextmanager
def small_call(library: Any, sizes: Sizes) -> Iterator[Callable[[], Any]]:
    """A call of a small T5 with a projected prefix, out of the way of the learner's random numbers."""
    config = library.PrefixTuningConfig(
        task_type="SEQ_2_SEQ_LM", num_virtual_tokens=sizes.prefix_len, prefix_projection=True, encoder_hidden_size=17
    )
    ids = torch.full((sizes.batch, 9), 3)
    with torch.random.fork_rng(devices=[]):
        model = library.get_peft_model(small_t5(sizes.layers, sizes.heads, sizes.head_dim), config).eval()
        yield lambda: model(input_ids=ids, labels=ids)


def session(library: Any, sizes: Sizes, stage: str, where: str, commands: list[str], condition: Any = None) -> Session:
    """The commands typed at a stage; whatever the learner's texts raise ends the session, and is told."""
    shown, ended = io.StringIO(), None
    with redirect_stdout(shown), redirect_stderr(shown), small_call(library, sizes) as call:
        try:
            with stop_at(stage, where, condition, commands=commands, debugger="pdb"):
                call()
        except (Exception, SystemExit) as error:
            ended = error
    return Session(shown.getvalue(), ended)


BROKE_OFF = N_("The session broke off, {kind}: {said}.")
FIVE = re.compile(r"\[(\d+), (\d+), (\d+), (\d+), (\d+)\]")  # the sizes of five axes, as a torch.Size is printed
GET_PROMPT = "PeftModel.get_prompt"
OTHER_LINES = {
    "past_key_values.view(": N_("view cuts the last axis in three; nothing is longer than it was."),
    "permute(": N_("permute moves axes, each as long as before."),
    "prompt_encoder(": N_("The encoder makes the rows of each layer once. A later line has them twice."),
    "if peft_config": N_("That line asks whether to do it. The one below does it."),
}
NO_SUCH_LINE = N_("PEFT's get_prompt has no such line. Copy the one that the arrow -> showed before the axis grew.")
OTHER_LINE = N_("That line makes no axis longer. Where does `display` show a shape that it did not show before?")
NOT_WATCHED = N_(
    "That is the line, but you have not seen it happen: the shape of past_key_values before it and after it, in this "
    "stop. `display past_key_values.shape` shows it whenever it changes."
)


@exercise("watched", stage="split")
def check_watched(stop: Any, answer: Any) -> str:
    """`answer` is the line of PEFT's get_prompt that makes an axis twice as long, and the stop showed that it does."""
    import peft

    if is_open(answer):
        raise NotYet(TODO)
    given = answer.strip().removeprefix("->").strip() if isinstance(answer, str) else ""
    if not given or given not in map(str.strip, inspect.getsource(peft.PeftModel.get_prompt).splitlines()):
        raise NotYet(NO_SUCH_LINE)
    if "torch.cat([past_key_values, past_key_values]" not in given:
        raise NotYet(next((said for text, said in OTHER_LINES.items() if text in given), OTHER_LINE))
    by_hand = seen_there(stop, GET_PROMPT)
    shapes = [
        tuple(map(int, sizes)) for one in stop.asked if one.function == GET_PROMPT for sizes in FIVE.findall(one.answer)
    ]
    if by_hand and not any((one[0], one[1], 2 * one[2], *one[3:]) in shapes for one in shapes):
        raise NotYet(NOT_WATCHED)
    return _("The rows of every layer, twice: for self-attention, and for the cross-attention that PEFT empties again.")


NO_LOSS = N_("A loss is wanted, as a number, and this is {given}.")
AS_BEFORE = N_(
    "Nothing was changed at this stop, so the loss is what it was. At the stop, "
    "the name past_key_values holds the cache: what should it hold, if there is none?"
)
AS_ZEROS = N_(
    "That is the loss with zeros: keys of zero still take their share. No key at all is another thing than a zero."
)
OTHER_LOSS = N_("The loss is {given}, and without a prefix {right}: something changed, but it is still there.")
HERE = "T5ForConditionalGeneration.forward"


@exercise("unread", stage="attend")
def check_unread(stop: Any, without: Any, answer: Any) -> str:
    """`answer` is PEFT's loss after a change at the stop, `without` that of the base model: the two are equal."""
    if answer is None or is_open(answer):
        raise NotYet(TODO)
    given, right = plain(answer), plain(without)
    if isinstance(given, bool) or not isinstance(given, int | float):
        raise NotYet(NO_LOSS, given=brief(answer))
    seen_there(stop, HERE)
    if given == right:
        return _("PEFT made a prefix, and the T5 never got it. Nothing in a file has changed.")
    typed = [one.command for one in stop.asked]
    if not any("=" in line or "zero_" in line for line in typed):
        raise NotYet(AS_BEFORE)
    raise NotYet(
        AS_ZEROS if any("zero" in line or "* 0" in line for line in typed) else OTHER_LOSS, **told(given, right)
    )


def told(given: float, right: float) -> dict[str, str]:
    return {"given": f"{given:.4f}", "right": f"{right:.4f}"}


TOOLS = {"a": "pdb", "b": "post_mortem", "c": "recording", "d": "condition", "e": "bug", "f": "change"}
WHY_NOT = {
    "pdb": N_("{place}: a plain stop would do it in the end. Which tool is made for it?"),
    "post_mortem": N_("{place}: post-mortem is for an error that has ended the call, and here none has."),
    "recording": N_("{place}: a recording shows what has happened; it has to be made before, and changes nothing."),
    "condition": N_("{place}: a condition chooses among many calls. That is not the difficulty here."),
    "bug": N_("{place}: the bug belongs to JupyterLab's page, and what you want is not a matter of the mouse."),
    "change": N_("{place}: here you want to see what happens, not what would."),
}
SPECIAL = {
    ("a", "bug"): N_("a: over ssh there is no page of JupyterLab's. What works wherever there is a keyboard?"),
    ("b", "recording"): N_("b: nothing was recorded, and the call is over. What remains of it is the error itself."),
    ("b", "pdb"): N_("b: a stop has to be set before; the call is over. What remains of it is the error itself."),
    ("c", "pdb"): N_("c: pdb only goes forward. A step too far, and you begin anew."),
    ("d", "pdb"): N_("d: it would stop three hundred times. What makes it pass the others by?"),
    ("f", "recording"): N_("f: a recording cannot run on differently. Only a program that runs can be changed."),
}
NO_TOOL = N_("{place}: {given} is none of {tools}.")


@exercise("which_tool")
def check_which_tool(answer: Any) -> str:
    """`answer` names the tool for each of the situations."""
    for place, given in zip(TOOLS, filled_in(answer, TOOLS), strict=True):
        chosen = given.strip().lower() if isinstance(given, str) else given
        if chosen not in WHY_NOT:
            raise NotYet(NO_TOOL, place=place, given=brief(given), tools=", ".join(WHY_NOT))
        if chosen != TOOLS[place]:
            raise NotYet(SPECIAL.get((place, chosen), WHY_NOT[chosen]), place=place)
    return _("Each for what it is best at. Two of them together are often better still: a condition, then the mouse.")


NO_CONDITION = N_("The condition is a text, and this is {given}.")
FAILED = N_("{said}. Which attribute of self has the layer's number?")
STOPPED = N_("Of the layers 0 to {last}, it stopped in these: {stops}.")
NEVER = N_("Of the layers 0 to {last}, it stopped in none. It has to be true when self.layer_idx is 1.")
TOO_LATE = N_("Layers are counted from 0.")
TOO_OFTEN = N_("The condition has to be true in the second layer only.")
ANY_SIZES = N_("It has to be true when self.layer_idx is 1, whatever the model's sizes are.")
NOT_THERE = N_(
    "Where the layer's forward begins, there is no {name}: a condition knows the function's arguments, and self is one "
    "of them. The layer keeps its number in an attribute of self."
)


@exercise("condition")
def check_condition(answer: Any) -> str:
    """`answer` lets the debugger stop in the second layer of transformers' decoder, and in no other."""
    if is_open(answer):
        raise NotYet(TODO)
    if not isinstance(answer, str):
        raise NotYet(NO_CONDITION, given=brief(answer))
    import peft

    sizes = drawn_sizes()
    commands = ["p ('layer', self.layer_idx)", "c"] * sizes.layers
    seen = session(peft, sizes, "attend", "transformers", commands, condition=answer)
    if seen.error:
        raise refusal(answer, seen.error)
    if "failed here, so this stops" in seen.shown:
        raise NotYet(FAILED, said=next(line for line in seen.shown.splitlines() if "failed here" in line))
    stops = [int(number) for number in re.findall(r"^\('layer', (\d+)\)$", seen.shown, re.M)]
    if stops != [1]:
        why = TOO_LATE if stops == [2] else TOO_OFTEN if len(stops) > 1 else ANY_SIZES
        raise NotYet(STOPPED if stops else NEVER, why, last=sizes.layers - 1, stops=", ".join(map(str, stops)))
    return _("One stop, in the second of {layers} layers.").format(layers=sizes.layers)


COMPARE = N_("To compare, write ==.")


def refusal(answer: str, error: BaseException) -> NotYet:
    """Why a condition could not be set, or ended the session."""
    if not isinstance(error, ValueError):
        return NotYet(BROKE_OFF, kind=kind(error), said=str(error))
    if found := re.search(r" asks for (.+), which has no value yet", str(error)):
        return NotYet(NOT_THERE, name=found[1])
    return NotYet("{said}", COMPARE if re.search(r"[^=!<>]=[^=]", answer) else "", said=str(error))
