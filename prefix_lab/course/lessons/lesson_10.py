"""Lesson 10: pdb's commands, typed into a real stop; shapes on the way through split; a condition; launch.json."""

from __future__ import annotations

import inspect
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

import torch

import prefix_lab
from prefix_lab.breakpoints import stop_at
from prefix_lab.course.checking import DICE, SIZES, TODO, Verdict, exercise, is_open
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

    @property
    def problem(self) -> str:
        return f"the session broke off, {type(self.error).__name__}: {self.error}" if self.error else ""


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


@exercise(10, 1)
def check_commands(answer: Any) -> Verdict:
    """`answer` is typed where our `PrefixEncoder.forward` begins, and should show the shape after the projection."""
    if is_open(answer):
        return Verdict(False, TODO)
    if isinstance(answer, str) or not isinstance(answer, list | tuple):
        return Verdict(False, 'give a list with one text for each command, such as ["n", "p prefix.shape"].')
    if not answer or not all(isinstance(line, str) and line.strip() for line in answer):
        return Verdict(False, "each command is a text, and there should be at least one.")
    for line in answer:
        if line.split()[0] in ASK_FOR_MORE:
            return Verdict(False, f"{line!r} asks for more from the keyboard, and here only your list is typed.")
    sizes = drawn_sizes()
    seen = session(prefix_lab, sizes, "encode", "ours", [*answer])
    if seen.problem:
        return Verdict(False, seen.problem)
    if shows(seen.shown, sizes.batch, sizes.prefix_len, 2 * sizes.layers * sizes.hidden):
        return Verdict(True, "your commands showed (batch, prefix_len, 2·layers·hidden), at sizes drawn anew.")
    return Verdict(False, why_not_shown(seen.shown, sizes))


def shows(text: str, *shape: int) -> bool:
    """Whether the text has this shape in it, as a torch.Size, a tuple or a list."""
    return re.search(rf"[\[(]{', '.join(map(str, shape))}[\])]", text) is not None


def why_not_shown(shown: str, sizes: Sizes) -> str:
    """The likely cause, by what the session shows."""
    typed = [part.partition("\n") for part in shown.split(PROMPT)[1:]]
    lines = [line.strip() for line, _, _ in typed]
    if any(re.fullmatch(r"(q|quit|exit)\b.*", line) for line in lines):
        return "q ends the whole program. c lets it go on."
    for line, _, said in typed:
        if "*** NameError: name 'past_key_values'" in said or "*** NameError: name 'prefix_tokens'" in said:
            return (
                f"at {line!r} that name had no value yet. The arrow -> shows the line that runs NEXT, so the name in "
                "front of its = is still to come: one more n, or r, which goes on until the function returns."
            )
        if "***" in said:
            return f"{line!r} was answered with {said[said.index('***') :].splitlines()[0]!r}."
    if "module.py(" in shown and any(line in ("s", "step") for line in lines):
        return "s stepped into torch's own code, away from our function. n runs the whole line; r comes back out."
    if shows(shown, sizes.batch, sizes.prefix_len, sizes.hidden):
        return "that is (batch, prefix_len, hidden), before the projection. One line further, past_key_values is made."
    if shows(shown, sizes.batch, sizes.prefix_len):
        return (
            "what came in was shown, (batch, prefix_len). Go on with n until the projection has run, and then ask for "
            "past_key_values."
        )
    first = next((number for number, line in enumerate(lines) if line in ("c", "cont", "continue")), None)
    if first == 0:
        return "c lets the program go on at once, and nothing was looked at. Put it last."
    if any("tensor(" in said for line, _, said in typed if line.split()[0] not in MOVES):
        return "that shows the numbers. Ask for .shape, or type shapes()."
    return "it walked, and showed no shape after the projection. p prints an expression; shapes() prints every tensor."


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


@exercise(10, 2)
def check_split_shapes(answer: Any) -> Verdict:
    """`answer[moment]` names the axes of past_key_values after PEFT's view, its cat, and of a block after its split."""
    if is_open(answer):
        return Verdict(False, TODO)
    if not isinstance(answer, Mapping) or any(moment not in answer for moment in MOMENTS):
        return Verdict(False, f"give a dictionary with an answer for each of {', '.join(map(repr, MOMENTS))}.")
    sizes = Sizes(*DICE.sample(SIZES, 5))
    for moment in MOMENTS:
        if problem := wrong_axes(moment, answer[moment], sizes):
            return Verdict(False, f"{moment}: {problem}")
    return Verdict(True, "nothing is computed on the way: axes are cut, doubled, and change places.")


def axes_in(text: str) -> list[str]:
    """The axes of an answer, however it is written."""
    plain = re.sub(r"\s*[·*×]\s*", "·", text.strip().strip("()[]"))
    axes = [one for one in re.split(r"[,\s]+", plain) if one]
    return [re.sub(r"[^\W\d]\w*", lambda name: ALIASES.get(name[0], name[0]), one) for one in axes]


def wrong_axes(moment: str, given: Any, sizes: Sizes) -> str:
    """What is wrong with the axes of one moment; empty when nothing is."""
    if not isinstance(given, str):
        return f"{given!r} is a {type(given).__name__}; write the names in one text."
    known = sizes._asdict() | {"hidden": sizes.hidden}
    axes, right = axes_in(given), AFTER_SPLIT[moment].split()
    for axis in axes:
        if evaluate(axis, known) is None:
            return f"{axis!r} is no axis here. There are {', '.join(known)}, numbers, and products such as 2·layers."
    seen, wanted = ([evaluate(axis, known) for axis in some] for some in (axes, right))
    if seen == wanted:
        return ""
    if axes and all(axis.isdigit() for axis in axes):
        return "these are the numbers of one model. Say it by names, so that it holds for every model."
    if sorted(seen) == sorted(wanted):
        return "every axis is there, in another order. What does permute put first?" if moment == "split" else (
            "every axis is there, in another order."
        )  # fmt: skip
    return cause(moment, seen, sizes)


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
        return "a block is one layer's. How many rows of keys and values has it, before half of them is thrown away?"
    return "these sizes are not what comes out. Stop behind that line, and type shapes()."


@exercise(10, 3)
def check_condition(answer: Any) -> Verdict:
    """`answer` lets the debugger stop in the second layer of transformers' decoder, and in no other."""
    if is_open(answer):
        return Verdict(False, TODO)
    if not isinstance(answer, str):
        return Verdict(False, f"the condition is a text, and this is a {type(answer).__name__}.")
    import peft

    sizes = drawn_sizes()
    commands = ["p ('layer', self.layer_idx)", "c"] * sizes.layers
    seen = session(peft, sizes, "attend", "transformers", commands, condition=answer)
    if seen.problem:
        return Verdict(False, refusal(answer, seen))
    if "failed here, so this stops" in seen.shown:
        said = next(line for line in seen.shown.splitlines() if "failed here" in line)
        return Verdict(False, f"{said}. Which attribute of self has the layer's number?")
    stops = [int(number) for number in re.findall(r"^\('layer', (\d+)\)$", seen.shown, re.M)]
    if stops == [1]:
        return Verdict(True, f"one stop, in the second of {sizes.layers} layers.")
    there = f"of the layers 0 to {sizes.layers - 1}, it stopped in {', '.join(map(str, stops)) or 'none'}"
    if stops == [2]:
        return Verdict(False, f"{there}. Layers are counted from 0.")
    if len(stops) > 1:
        return Verdict(False, f"{there}. The condition has to be true in the second layer only.")
    return Verdict(False, f"{there}. It has to be true when self.layer_idx is 1, whatever the model's sizes are.")


def refusal(answer: str, seen: Session) -> str:
    """Why a condition could not be set, or ended the session."""
    if not isinstance(seen.error, ValueError):
        return seen.problem
    if found := re.search(r" asks for (.+), which has no value yet", str(seen.error)):
        return (
            f"where the layer's forward begins, there is no {found[1]}: a condition knows the function's arguments, "
            "and self is one of them. The layer keeps its number in an attribute of self."
        )
    compare = " To compare, write ==." if re.search(r"[^=!<>]=[^=]", answer) else ""
    return f"{seen.error}{compare}"
