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
from prefix_lab.shapes.failing_line import FailingLine, live_lines, recorded_line
from prefix_lab.shapes.live_axes import live_axes
from prefix_lab.shapes.names import Names
from prefix_lab.shapes.operands import Operand
from prefix_lab.shapes.operations import ALIGNED, SUMMED, against, operation_of

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
MULTIPLIED = re.compile(r"\((\d+)x(\d+) and (\d+)x(\d+)\)")
ALONG = re.compile(
    r"size of tensor a \((\d+)\) must match the size of tensor b \((\d+)\) at non-singleton dimension (\d+)"
)


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
    lines = live_lines(failed.__traceback__, live_axes(names, failed.__traceback__))
    return told(type(failed).__name__, {base.__name__ for base in type(failed).__mro__}, str(failed), lines)


def of_recording(recording: Recording) -> ShapeError:
    if recording.exception is None:
        raise ValueError("This recording ended without an error. Give one whose `with record(...)` block failed.")
    line = recorded_line(recording)
    kind = recording.exception.type.rsplit(".", 1)[-1]
    kinds = {base.rsplit(".", 1)[-1] for base in recording.exception.facts.get("bases", (kind,))}
    return told(kind, kinds, str(recording.exception.facts.get("message", "")), [line] if line else [])


def last_error() -> BaseException:
    """The error that Python or IPython showed last. Raises `ValueError` when there is none."""
    found = getattr(sys, "last_exc", None) or getattr(sys, "last_value", None)
    if not isinstance(found, BaseException):
        raise ValueError(
            "No error was shown yet. Give one: `except RuntimeError as error: shape_error(error)`, or a recording."
        )
    return found


def told(kind: str, kinds: set[str], message: str, lines: list[FailingLine]) -> ShapeError:
    """What the lines of a failure, the outermost first, and its message say; `kinds` are its classes."""
    about = bool(kinds & KINDS) and not kinds & OTHER_KINDS and bool(ABOUT.search(message))
    at = max((i for i, line in enumerate(lines) if not line.is_inner), default=len(lines) - 1)
    shown, inner = (lines[at], lines[at + 1 :]) if lines else (None, [])
    if shown is not None and inner:
        outer = shown.known_tensors()
        for line in inner:
            line.read.outer, line.read.within = dict(outer), line.function
    operands, found = next(filter(None, map(broken_in, reversed(lines[at:]))), ([], [])) if lines else ([], [])
    if not found:
        operands = next(filter(None, (line.tensors() for line in lines[at:])), []) if lines else []
        operands, found = said_by_message(message, operands)
    is_about = about or bool(found)
    return ShapeError(
        f"{kind}: {message}" if message else kind,
        whereabouts(shown) if shown else "",
        shown.text if shown else "",
        tuple(map(str, operands)) if is_about else (),
        tuple(dict.fromkeys(found)),
        is_about,
    )


def broken_in(line: FailingLine) -> tuple[list[Operand], list[str]] | None:
    """The tensors of the first operation in this line whose operands do not fit, and what does not."""
    for node in line.nodes():
        operation = operation_of(node, line.read)
        if operation is not None and (found := operation.broken()):
            return operation.operands() or line.tensors(), found
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
    return operands, []


def whereabouts(line: FailingLine) -> str:
    """The function, file and line; a notebook's cell has a file that nobody knows by its name."""
    file = "a cell" if "ipykernel_" in line.file else Path(line.file).name
    function = f"{line.function}, " if line.function != "<module>" else ""
    return f"{function}{file}, line {line.line}"
