"""Lesson 12: pdb's commands, typed into a real stop; shapes on the way through split; a condition; launch.json.

And an editor's talk with `prefix-lab dap`: what its buttons say, and where that leads.
"""

from __future__ import annotations

import inspect
import io
import itertools
import json
import linecache
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import torch

import prefix_lab
from prefix_lab.breakpoints import stop_at
from prefix_lab.course.checking import DICE, SIZES, TODO, NotYet, brief, exercise, filled_in, is_open, kind
from prefix_lab.course.small_models import small_t5
from prefix_lab.shapes import evaluate
from prefix_lab.widgets.table import Table, table

LAUNCH = Path(__file__).parents[3] / ".vscode" / "launch.json"


def line_with(function: Callable, text: str) -> str:
    """`file:line` of the one line of a function that contains a text, as pdb's `b` and `tbreak` take it.

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
    return f"{inspect.getsourcefile(function)}:{found[0]}"


def launch_configurations(path: Path = LAUNCH) -> Table:
    """What VS Code's Run and Debug offers in this project, with the first line of the note beside each."""
    heads = ("in the list of Run and Debug", "note")
    if not path.is_file():
        return table(heads, [("(there is no .vscode/launch.json here: open a clone of prefix_lab)", "")])
    notes, rows = [], []
    for line in map(str.strip, path.read_text(encoding="utf8").splitlines()):
        if line.startswith("//"):
            notes.append(line.removeprefix("//").strip())
        elif line.startswith('"name":'):
            rows.append((json.loads(f"{{{line.rstrip(',')}}}")["name"], *notes[:1]))
            notes = []
    return table(heads, rows)


ASK_FOR_MORE = ("interact", "debug", "commands", "run", "restart")
"""pdb's commands that read on from the keyboard, or begin anew: nobody types here."""

MOVES = ("n", "next", "s", "step", "r", "return", "unt", "until", "c", "cont", "continue")
PROMPT = "(Pdb) "


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


NO_LIST = 'Give a list with one text for each command, such as ["n", "p prefix.shape"].'
NO_COMMANDS = "Each command is a text, and there should be at least one."
ASKS_FOR_MORE = "{command!r} asks for more from the keyboard, and here only your list is typed."
BROKE_OFF = "The session broke off, {kind}: {said}."
LEAVES = "q ends the whole program. c lets it go on."
TOO_EARLY = (
    "At {command!r} that name had no value yet. The arrow -> shows the line that runs NEXT, so the name in front of "
    "its = is still to come: one more n, or r, which goes on until the function returns."
)
ANSWERED_WITH = "{command!r} was answered with {said!r}."
INTO_TORCH = "s stepped into torch's own code, away from our function. n runs the whole line; r comes back out."
BEFORE_PROJECTION = (
    "That is (batch, prefix_len, hidden), before the projection. One line further, past_key_values is made."
)
CAME_IN = (
    "What came in was shown, (batch, prefix_len). Go on with n until the projection has run, and then ask for "
    "past_key_values."
)
AT_ONCE = "c lets the program go on at once, and nothing was looked at. Put it last."
NUMBERS = "That shows the numbers. Ask for .shape, or type shapes()."
NO_SHAPE = "It walked, and showed no shape after the projection. p prints an expression; shapes() prints every tensor."


@exercise("commands")
def check_commands(answer: Any) -> str:
    """`answer` is typed where our `PrefixEncoder.forward` begins, and should show the shape after the projection."""
    if is_open(answer):
        raise NotYet(TODO)
    if not isinstance(answer, list | tuple):
        raise NotYet(NO_LIST)
    if not answer or not all(isinstance(line, str) and line.strip() for line in answer):
        raise NotYet(NO_COMMANDS)
    for line in answer:
        if line.split()[0] in ASK_FOR_MORE:
            raise NotYet(ASKS_FOR_MORE, command=line)
    sizes = drawn_sizes()
    seen = session(prefix_lab, sizes, "encode", "ours", [*answer])
    if seen.error:
        raise NotYet(BROKE_OFF, kind=kind(seen.error), said=str(seen.error))
    if not shows(seen.shown, sizes.batch, sizes.prefix_len, 2 * sizes.layers * sizes.hidden):
        raise why_not_shown(seen.shown, sizes)
    return "Your commands showed (batch, prefix_len, 2·layers·hidden), at sizes drawn anew."


def shows(text: str, *shape: int) -> bool:
    """Whether the text has this shape in it, as a torch.Size, a tuple or a list."""
    return re.search(rf"[\[(]{', '.join(map(str, shape))}[\])]", text) is not None


def why_not_shown(shown: str, sizes: Sizes) -> NotYet:
    """The likely cause, by what the session shows."""
    typed = [part.partition("\n") for part in shown.split(PROMPT)[1:]]
    lines = [line.strip() for line, _, _ in typed]
    if any(re.fullmatch(r"(q|quit|exit)\b.*", line) for line in lines):
        return NotYet(LEAVES)
    for line, _, said in typed:
        if "*** NameError: name 'past_key_values'" in said or "*** NameError: name 'prefix_tokens'" in said:
            return NotYet(TOO_EARLY, command=line)
        if "***" in said:
            return NotYet(ANSWERED_WITH, command=line, said=said[said.index("***") :].splitlines()[0])
    if "module.py(" in shown and any(line in ("s", "step") for line in lines):
        return NotYet(INTO_TORCH)
    if shows(shown, sizes.batch, sizes.prefix_len, sizes.hidden):
        return NotYet(BEFORE_PROJECTION)
    if shows(shown, sizes.batch, sizes.prefix_len):
        return NotYet(CAME_IN)
    if next((number for number, line in enumerate(lines) if line in ("c", "cont", "continue")), None) == 0:
        return NotYet(AT_ONCE)
    numbers = any("tensor(" in said for line, _, said in typed if line.split()[0] not in MOVES)
    return NotYet(NUMBERS if numbers else NO_SHAPE)


MOMENTS = ("view", "cat", "split")
AFTER_SPLIT = {
    "view": "batch prefix_len 2·layers heads head_dim",
    "cat": "batch prefix_len 4·layers heads head_dim",
    "split": "4 batch heads prefix_len head_dim",
}
"""What PEFT's `get_prompt` makes of the prefix, for an encoder-decoder; of split's blocks, one."""

ALIASES = {
    "num_virtual_tokens": "prefix_len",
    "batch_size": "batch",
    "num_layers": "layers",
    "num_heads": "heads",
    "num_attention_heads": "heads",
}
NO_TEXT = "{moment}: {given} is of type {kind}; write the names in one text."
NO_AXIS = "{moment}: {axis!r} is no axis here. There are {known}, numbers, and products such as 2·layers."
ONE_MODEL = "{moment}: these are the numbers of one model. Say it by names, so that it holds for every model."
OTHER_ORDER = "{moment}: every axis is there, in another order."
OTHER_AXES = "{moment}: not {given}."


@exercise("split_shapes")
def check_split_shapes(answer: Any) -> str:
    """`answer[moment]` names the axes of past_key_values after PEFT's view, its cat, and of a block after its split."""
    sizes = Sizes(*DICE.sample(SIZES, 5))
    for moment, given in zip(MOMENTS, filled_in(answer, MOMENTS), strict=True):
        right_axes(moment, given, sizes)
    return "Nothing is computed on the way: axes are cut, doubled, and change places."


def axes_in(text: str) -> list[str]:
    """The axes of an answer, however it is written."""
    plain = re.sub(r"\s*[·*×]\s*", "·", text.strip().strip("()[]"))
    axes = [one for one in re.split(r"[,\s]+", plain) if one]
    return [re.sub(r"[^\W\d]\w*", lambda name: ALIASES.get(name[0], name[0]), one) for one in axes]


def right_axes(moment: str, given: Any, sizes: Sizes) -> None:
    """The axes of one moment are those that PEFT makes."""
    if not isinstance(given, str):
        raise NotYet(NO_TEXT, moment=moment, given=brief(given), kind=kind(given))
    known = sizes._asdict() | {"hidden": sizes.hidden}
    axes, right = axes_in(given), AFTER_SPLIT[moment].split()
    for axis in axes:
        if evaluate(axis, known) is None:
            raise NotYet(NO_AXIS, moment=moment, axis=axis, known=", ".join(known))
    seen, wanted = ([evaluate(axis, known) for axis in some] for some in (axes, right))
    if seen == wanted:
        return
    if axes and all(axis.isdigit() for axis in axes):
        raise NotYet(ONE_MODEL, moment=moment)
    if sorted(seen) == sorted(wanted):
        raise NotYet(OTHER_ORDER, "What does permute put first?" if moment == "split" else "", moment=moment)
    raise NotYet(OTHER_AXES, cause(moment, seen, sizes), moment=moment, given=brief(given))


def cause(moment: str, seen: Sequence[int | None], sizes: Sizes) -> str:
    rows = 2 * sizes.layers
    if sizes.hidden in seen or rows * sizes.hidden in seen:
        return "view has cut hidden already, into heads and head_dim."
    if moment == "cat" and rows in seen:
        return "cat puts the tensor behind itself along one axis, and that axis is twice as long then. Which one?"
    if moment == "cat":
        return "cat makes one axis twice as long, and leaves the others. Look at dim=."
    if moment == "split" and (rows in seen or 2 * rows in seen):
        return (
            "split has cut that first axis: past_key_values is a tuple now, with a block for each layer. Look at [0]."
        )
    if moment == "split" and sizes.layers in seen:
        return "A block is one layer's. How many rows of keys and values has it, before half of them is thrown away?"
    return "These sizes are not what comes out. Stop behind that line, and type shapes()."


NO_CONDITION = "The condition is a text, and this is {given}."
FAILED = "{said}. Which attribute of self has the layer's number?"
STOPPED = "Of the layers 0 to {last}, it stopped in these: {stops}."
NEVER = "Of the layers 0 to {last}, it stopped in none. It has to be true when self.layer_idx is 1."
TOO_LATE = "Layers are counted from 0."
TOO_OFTEN = "The condition has to be true in the second layer only."
ANY_SIZES = "It has to be true when self.layer_idx is 1, whatever the model's sizes are."
NOT_THERE = (
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
    return f"One stop, in the second of {sizes.layers} layers."


def refusal(answer: str, error: BaseException) -> NotYet:
    """Why a condition could not be set, or ended the session."""
    if not isinstance(error, ValueError):
        return NotYet(BROKE_OFF, kind=kind(error), said=str(error))
    if found := re.search(r" asks for (.+), which has no value yet", str(error)):
        return NotYet(NOT_THERE, name=found[1])
    return NotYet("{said}", "To compare, write ==." if re.search(r"[^=!<>]=[^=]", answer) else "", said=str(error))


BUTTONS = {
    "continue": "▷ continue",
    "next": "↷ step over",
    "stepIn": "↓ step into",
    "stepOut": "↑ step out",
    "stepBack": "↶ step back",
    "reverseContinue": "◁ reverse",
}
"""The protocol's moves, and what an editor's buttons call them."""


class Editor:
    """Says to `prefix-lab dap` what an editor's buttons say, and prints where the recording stands after each.

    Use it in a `with` block. Raises `RuntimeError` with the adapter's words when it refuses something.
    """

    def __init__(self, file: str | Path):
        command = [sys.executable, "-m", "prefix_lab", "dap", str(file)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.numbers, self.events = itertools.count(1), []

    def __enter__(self) -> Editor:
        said = self.ask("initialize", adapterID="debugpy", clientID="lesson 12", supportsVariableType=True)
        self.goes_back = said.get("supportsStepBack", False)
        self.ask("attach")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(timeout=10)

    def break_in(self, function: str) -> None:
        """A breakpoint at a function, by its name; and begin."""
        (answer,) = self.ask("setFunctionBreakpoints", breakpoints=[{"name": function}])["breakpoints"]
        if not answer["verified"]:
            raise RuntimeError(answer["message"])
        self.ask("configurationDone")
        self.wait_for("stopped")

    def press(self, button: str) -> None:
        """One of `BUTTONS`: go there, and print the line and the tensors that are known at it."""
        self.ask(button, threadId=1)
        self.wait_for("stopped")
        top = self.ask("stackTrace", threadId=1, levels=1)["stackFrames"][0]
        line = linecache.getline(top["source"]["path"], top["line"]).strip()
        print(f"{BUTTONS[button]:12}  {line}")
        locals_ = self.ask("scopes", frameId=top["id"])["scopes"][0]["variablesReference"]
        for one in self.ask("variables", variablesReference=locals_)["variables"]:
            if one["value"].startswith("Tensor"):
                print(f"{'':14}    {one['name']}: {one['value']}")

    def ask(self, command: str, **arguments: Any) -> dict[str, Any]:
        """One request of the protocol; the body of its answer."""
        request = {"seq": next(self.numbers), "type": "request", "command": command, "arguments": arguments}
        body = json.dumps(request).encode()
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        self.process.stdin.flush()
        while (message := self.read())["type"] != "response":
            self.events.append(message)
        if not message["success"]:
            raise RuntimeError(message["message"])
        return message.get("body", {})

    def wait_for(self, event: str) -> None:
        while True:
            if not self.events:
                self.events.append(self.read())
            if self.events.pop(0).get("event") == event:
                return

    def read(self) -> dict[str, Any]:
        length = 0
        while line := self.process.stdout.readline().strip():
            length = int(line.partition(b":")[2])
        if not length:
            raise RuntimeError("prefix-lab dap ended before it answered.")
        return json.loads(self.process.stdout.read(length))
