"""`shape_error`: which axes of which tensors disagree, when an operation failed on shapes."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from html import escape
from pathlib import Path
from textwrap import indent
from typing import Any

from prefix_lab.debugger.recording import Recording
from prefix_lab.shapes.failures.frames import FailedFrame, live_frames, recorded_frame
from prefix_lab.shapes.failures.live_axes import live_axes
from prefix_lab.shapes.failures.operands import Operand
from prefix_lab.shapes.failures.operations import ALIGNED, SUMMED, against, operation_of
from prefix_lab.shapes.names import Names

FROM_MESSAGE = "Which axes disagree cannot be told from this line alone; the message above says what was seen."
NOT_SHAPES = "This is no error about shapes: neither the line's tensors nor the message speak of sizes."
OWN_CHECK = "The code checks this itself, and the message above is its own."

ABOUT = re.compile(
    r"\b(sizes?|shapes?|dimensions?|\w*dims?|dimensionality|numel|axis|axes|heads|wide|layers|broadcast\w*|expand\w*|"
    r"index out of range|out of bounds|too many indices|values to unpack|mat1|stride)\b",
    re.IGNORECASE,
)
KINDS = {"RuntimeError", "ValueError", "IndexError", "TypeError", "AssertionError"}
OTHER_KINDS = {"RecursionError", "NotImplementedError"}
LOADED = re.compile(
    r"size mismatch for ([\w.]+): copying a param with shape torch\.Size\(\[([\d, ]*)\]\) from checkpoint, "
    r"the shape in current model is torch\.Size\(\[([\d, ]*)\]\)"
)
MULTIPLIED = re.compile(r"\((\d+)x(\d+) and (\d+)x(\d+)\)")
ALONG = re.compile(
    r"size of tensor a \((\d+)\) must match the size of tensor b \((\d+)\) at non-singleton dimension (\d+)"
)
SHOWN = 8


@dataclass(frozen=True)
class ShapeError:
    """What failed, where, with which operands. `text` tells it all; `found` are the sentences about axes that disagree.

    `is_about_shapes` is False where neither the operands nor the message speak of sizes.
    """

    error: str
    where: str
    line: str
    operands: tuple[str, ...]
    found: tuple[str, ...]
    is_about_shapes: bool

    @property
    def verdict(self) -> tuple[str, ...]:
        """The sentences that end the text: what disagrees, or why that cannot be said."""
        if not self.is_about_shapes:
            return (NOT_SHAPES,)
        if not self.found:
            return (OWN_CHECK if re.search(r"^ *raise\b", self.line, re.M) else FROM_MESSAGE,)
        counted = any("axis " in one.lower() for one in self.found)
        return (*self.found, "(Axes count from 0.)") if counted else self.found

    @property
    def text(self) -> str:
        where = [f"in {self.where}:", indent(self.line, " " * 4)] if self.where else []
        operands = ["with", *(f"    {one}" for one in self.operands)] if self.operands else []
        return "\n".join([self.error, *where, *operands, *self.verdict])

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        """The same for a notebook. All of it is text, never markup."""
        line = f"<div>in {escape(self.where)}:</div>{code(self.line)}" if self.where else ""
        operands = f"<div>with</div>{code(chr(10).join(self.operands))}" if self.operands else ""
        said = "".join(
            f"<p><b>{escape(one)}</b></p>" if one in self.found else f"<p>{escape(one)}</p>" for one in self.verdict
        )
        return f"<div><p>{escape(self.error)}</p>{line}{operands}{said}</div>"


def code(text: str) -> str:
    style = "margin: 4px 0 8px 2em; white-space: pre-wrap"
    return f'<pre style="{style}">{escape(text)}</pre>'


def shape_error(failed: Any = None, names: Names | None = None) -> ShapeError:
    """The failing line, its operands with their shapes and named axes, and the pair of axes that disagrees.

    `failed` is an error with its traceback, or a recording that ended with one; without it, the last error that a
    notebook or an interactive Python showed. `names` (from `name_axes`) gives the axes of a live error their names; a
    recording brings them itself, see `Recording.with_names`. Nothing of the program is run again.

    Raises `ValueError` when there is no error to look at, or `failed` is something else.
    """
    if isinstance(failed, Recording):
        return of_recording(failed if names is None else failed.with_names(names))
    failed = last_error() if failed is None else failed
    if not isinstance(failed, BaseException):
        raise ValueError(
            f"failed={failed!r} is a {type(failed).__name__}, expected an error (`except RuntimeError as error:`), a "
            "recording that ended with one, or nothing for the last error that was shown."
        )
    frames = live_frames(failed.__traceback__, *live_axes(names, failed.__traceback__))
    return told(type(failed).__name__, {base.__name__ for base in type(failed).__mro__}, str(failed), frames)


def of_recording(recording: Recording) -> ShapeError:
    if recording.exception is None:
        raise ValueError("This recording ended without an error. Give one whose `with record(...)` block failed.")
    frame = recorded_frame(recording)
    kind = recording.exception.type.rsplit(".", 1)[-1]
    kinds = {base.rsplit(".", 1)[-1] for base in recording.exception.facts.get("bases", (kind,))}
    return told(kind, kinds, str(recording.exception.facts.get("message", "")), [frame] if frame else [])


def last_error() -> BaseException:
    """The error that Python or IPython showed last. Raises `ValueError` when there is none."""
    found = getattr(sys, "last_exc", None) or getattr(sys, "last_value", None)
    if not isinstance(found, BaseException):
        raise ValueError(
            "No error was shown yet. Give one: `except RuntimeError as error: shape_error(error)`, or a recording."
        )
    return found


def told(kind: str, kinds: set[str], message: str, frames: list[FailedFrame]) -> ShapeError:
    """What the frames of a failure, the outermost first, and its message say; `kinds` are its classes."""
    about = (
        bool(kinds & KINDS) and not kinds & {"RecursionError", "NotImplementedError"} and bool(ABOUT.search(message))
    )
    error = f"{kind}: {message}" if message else kind
    at = max((i for i, frame in enumerate(frames) if not frame.is_inner), default=len(frames) - 1)
    if not frames:
        operands, found = said_by_message(message, [])
        return ShapeError(error, "", "", (*map(str, operands),), (*found,), bool(found) or about)
    shown, inner = frames[at], frames[at + 1 :]
    if inner:
        outer = shown.known_tensors()
        for frame in inner:
            frame.read.outer, frame.read.within = dict(outer), frame.function
    operands, found = next(filter(None, map(broken_in, reversed(frames[at:]))), ([], []))
    numbers: list[str] = []
    if not found:
        lines = [shown, *inner]
        operands = next(filter(None, (frame.tensors() for frame in lines)), [])
        said, found = said_by_message(message, operands)
        operands, numbers = said or operands, shown.numbers_tested()
    is_about = about or bool(found)
    with_them = (*map(str, operands), *numbers) if is_about else ()
    return ShapeError(error, whereabouts(shown), shown.text, with_them, tuple(dict.fromkeys(found)), is_about)


def broken_in(frame: FailedFrame) -> tuple[list[Operand], list[str]] | None:
    """The tensors of the first operation in this frame whose operands do not fit, and what does not."""
    for node in frame.nodes():
        operation = operation_of(node, frame.read)
        if operation is not None and (found := operation.broken()):
            return operation.operands() or frame.tensors(), found
    return None


def said_by_message(message: str, operands: list[Operand]) -> tuple[list[Operand], list[str]]:
    """The tensors that a message of torch's names, and what disagrees; `operands` are those of the line, if known."""
    if found := MULTIPLIED.search(message):
        rows, inner, other_inner, columns = map(int, found.groups())
        one = next((o for o in operands if o.shape and o.shape[-1] == inner), Operand("the left factor", (rows, inner)))
        other = Operand("the right factor", (other_inner, columns))
        pair = (one, len(one.shape) - 1), (other, 0)
        return list(dict.fromkeys([*operands, one, other])), [against(*pair, SUMMED)]
    if found := ALONG.search(message):
        size, other_size, at = map(int, found.groups())
        having = [o for o in operands if len(o.shape) > at]
        one = next((o for o in having if o.shape[at] == size), None)
        other = next((o for o in having if o.shape[at] == other_size), None)
        if one is None or other is None:
            return operands, [f"{size} against {other_size}, at axis {at} of the longer one. {ALIGNED}"]
        return operands, [against((one, at), (other, at), ALIGNED)]
    tensors, said = [], []
    loaded = LOADED.findall(message)  # a checkpoint that was saved from a model of other sizes
    for name, saved, present in loaded[:SHOWN]:
        one, other = (
            Operand(f"{name} in the checkpoint", shape_of(saved)),
            Operand(f"{name} in the model", shape_of(present)),
        )
        tensors += [one, other]
        if len(one.shape) != len(other.shape):
            said.append(f"{one} and {other}: they have other numbers of axes.")
        said += [
            against((one, at), (other, at), "A weight is loaded into one of its own shape.")
            for at, (size, other_size) in enumerate(zip(one.shape, other.shape, strict=False))
            if size != other_size
        ]
    return tensors, said + [f"{len(loaded) - SHOWN} more weights do not fit."] * (len(loaded) > SHOWN)


def shape_of(text: str) -> tuple[int, ...]:
    return tuple(int(size) for size in text.split(",") if size.strip())


def whereabouts(frame: FailedFrame) -> str:
    """The function, file and line; a notebook's cell has a file that nobody knows by its name."""
    file = "a cell" if "ipykernel_" in frame.file else Path(frame.file).name
    function = f"{frame.function}, " if frame.function != "<module>" else ""
    return f"{function}{file}, line {frame.line}"
