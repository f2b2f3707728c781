"""`shape_error`: the line that failed, live or in a recording, and which axes of which tensors disagree there."""

from __future__ import annotations

import ast
import functools
import itertools
import linecache
import re
import sys
from collections import ChainMap
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from html import escape
from pathlib import Path
from textwrap import dedent, indent
from types import TracebackType
from typing import Any, NamedTuple

from prefix_lab.debugger.recording import Recording
from prefix_lab.debugger.steps import Step
from prefix_lab.locale import N_, _, paragraph
from prefix_lab.shapes.names import Names, live_axes
from prefix_lab.shapes.operands import Operand, Reader, Thing, Unreadable, fields_of, is_tensor, tensors_in
from prefix_lab.shapes.operations import ALIGNED, SUMMED, against, operation_of

FROM_MESSAGE = N_("Which axes disagree cannot be told from this line alone; the message above says what was seen.")
NOT_SHAPES = N_("This is no error about shapes: neither the line's tensors nor the message speak of sizes.")
OWN_CHECK = N_("The code checks this itself, and the message above is its own.")

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
WITHIN = ("torch", "jaxtyping", "beartype", "contextlib", "functools")  # whose lines nobody here wrote
LONGEST = 12  # lines of a statement that are shown
DEEPEST = 6  # modules within modules whose weights are looked for


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
    counted: bool = False  # whether a sentence counts axes

    @property
    def verdict(self) -> tuple[str, ...]:
        """The sentences that end the text: what disagrees, or why that cannot be said."""
        if not self.is_about_shapes:
            return (_(NOT_SHAPES),)
        if not self.found:
            return (_(OWN_CHECK if re.search(r"^ *raise\b", self.line, re.M) else FROM_MESSAGE),)
        return (*self.found, _("(Axes count from 0.)")) if self.counted else self.found

    @property
    def text(self) -> str:
        where = [_("in {where}:").format(where=self.where), indent(self.line, " " * 4)] if self.where else []
        operands = [_("with"), *(f"    {one}" for one in self.operands)] if self.operands else []
        return "\n".join([self.error, *where, *operands, *self.verdict])

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        """The same for a notebook. All of it is text, never markup."""
        line = f"<div>{escape(_('in {where}:').format(where=self.where))}</div>{code(self.line)}" if self.where else ""
        operands = f"<div>{_('with')}</div>{code(chr(10).join(self.operands))}" if self.operands else ""
        said = "".join(
            f"<p><b>{escape(one)}</b></p>" if one in self.found else f"<p>{escape(one)}</p>" for one in self.verdict
        )
        return f"<div><p>{escape(self.error)}</p>{line}{operands}{said}</div>"


def code(text: str) -> str:
    style = "margin: 4px 0 8px 2em; white-space: pre-wrap; word-break: normal"
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
        bool(found),
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
        one = next(
            (o for o in operands if o.shape and o.shape[-1] == inner), Operand(_("the left factor"), (rows, inner))
        )
        other = Operand(_("the right factor"), (other_inner, columns))
        pair = (one, len(one.shape) - 1), (other, 0)
        return list(dict.fromkeys([*operands, one, other])), [against(*pair, SUMMED)]
    if found := ALONG.search(message):
        size, other_size, at = map(int, found.groups())
        having = [o for o in operands if len(o.shape) > at]
        one = next((o for o in having if o.shape[at] == size), None)
        other = next((o for o in having if o.shape[at] == other_size), None)
        if one is None or other is None:
            return operands, [
                paragraph(
                    _("{size} against {other}, at axis {axis} of the longer one.").format(
                        size=size, other=other_size, axis=at
                    ),
                    _(ALIGNED),
                )
            ]
        return operands, [against((one, at), (other, at), ALIGNED)]
    return operands, []


def whereabouts(line: FailingLine) -> str:
    """The function, file and line; a notebook's cell has a file that nobody knows by its name."""
    file = _("a cell") if "ipykernel_" in line.file else Path(line.file).name
    text = _("{file}, line {line}") if line.function == "<module>" else _("{function}, {file}, line {line}")
    return text.format(function=line.function, file=file, line=line.line)


class FailingLine(NamedTuple):
    """A line that an error went through. `node` is the expression that failed, `statement` what it stands in."""

    file: str
    function: str
    line: int
    module: str
    text: str
    statement: ast.stmt | None
    node: ast.AST | None
    read: Reader

    @property
    def is_inner(self) -> bool:
        """Whether it lies inside torch or a wrapper, where a reader did not write or look."""
        return self.module.split(".")[0] in WITHIN

    def nodes(self) -> list[ast.AST]:
        """The expressions to look at: the one that failed, or, where that is not known, all in the order they run."""
        if self.statement is None or isinstance(self.statement, ast.Raise):
            return []
        return [self.node] if self.node is not None else inner_first(self.statement)

    def tensors(self) -> list[Operand]:
        """The tensors that the expression names, or else those that the whole line does."""
        for part in filter(None, [self.node, self.statement]):
            values = self.values_in(part).values()
            if found := tensors_in([value[:8] if isinstance(value, list) else value for value in values]):
                return list({one.name: one for one in found}.values())
        return []

    def values_in(self, node: ast.AST) -> dict[str, Any]:
        """The names and paths in an expression → what they stand for, as far as they can be read."""
        found = {}
        for one in loads_in(node):
            with suppress(Unreadable):
                found[ast.unparse(one)] = self.read(one)
        return found

    def known_tensors(self) -> dict[int, Operand]:
        """The tensors of this frame by their ids, the weights of its modules included, as the line would call them."""
        known = self.values_in(self.statement) if self.statement is not None else {}
        own_names = getattr(self.read.names, "maps", [self.read.names])[0]
        values = [*known.values(), *(self.read.wrapped(value, name) for name, value in own_names.items())]
        things = [value for value in values if isinstance(value, Thing)]
        weights = {id(one): (one, label) for thing in reversed(things) for label, one in weights_of(*thing)}
        called = {number: self.read.wrapped(*one) for number, one in weights.items()}
        return called | {id(one.value): one for one in reversed(tensors_in(values)) if one.value is not None}


def weights_of(module: Any, label: str, depth: int = 0) -> Iterator[tuple[str, Any]]:
    """The weights in a module, each with how it is reached from there: `self.transform.0.weight`."""
    held = fields_of(module)
    if type(held.get("_parameters")) is not dict:
        return
    own = held["_parameters"] | (held.get("_buffers") or {})
    yield from ((f"{label}.{name}", value) for name, value in own.items() if is_tensor(value))
    for name, child in (held.get("_modules") or {}).items() if depth < DEEPEST else ():
        yield from weights_of(child, f"{label}.{name}", depth + 1)


def live_lines(traceback: TracebackType | None, axes: Mapping[int, tuple[str, ...]]) -> list[FailingLine]:
    """The lines of a traceback, the outermost first. `axes` are those of `live_axes`."""
    found = []
    while traceback is not None:
        frame, code = traceback.tb_frame, traceback.tb_frame.f_code
        lines = linecache.getlines(code.co_filename, frame.f_globals)
        extent = next(itertools.islice(code.co_positions(), traceback.tb_lasti // 2, None), None)
        read = Reader(ChainMap(dict(frame.f_locals), frame.f_globals), axes)
        where = (code.co_filename, code.co_qualname, traceback.tb_lineno, str(frame.f_globals.get("__name__")))
        found.append(line_at(where, lines, read, extent))
        traceback = traceback.tb_next
    return found


def recorded_line(recording: Recording) -> FailingLine | None:
    """Where the error that ended a recording was raised, as far in as was recorded; None where no step tells."""
    step = first_raised(recording)
    if step is None:
        return None
    lines = [f"{line}\n" for line in recording.lines(step.file)]
    return line_at((step.file, step.function, step.line, ""), lines, Reader(step.locals), None)


def first_raised(recording: Recording) -> Step | None:
    """Of the steps in which the last error left frame after frame, the innermost."""
    found = None
    for step in reversed(recording.find(event="exception")):
        if recording.exception is None or step.value is None or step.value.text != recording.exception.text:
            break
        if found is not None and step.depth < found.depth:
            break
        found = step
    return found


def line_at(where: tuple[str, str, int, str], lines: list[str], read: Reader, extent: Any) -> FailingLine:
    """`extent` is from line, to line, from column, to column of the expression that failed; None if not known."""
    extent = extent if extent and None not in extent else None
    statement = statement_at("".join(lines), *((extent[0], extent[2]) if extent else (where[2],)))
    text = dedent("".join(text_of(statement, lines, where[2]))).rstrip()
    node = node_at(statement, extent) if statement is not None and extent else None
    return FailingLine(*where, text, statement, node, read)


def text_of(statement: ast.stmt | None, lines: list[str], line: int) -> list[str]:
    """The lines of a statement, of one with a block only its head."""
    if statement is None or hasattr(statement, "body") or statement.end_lineno is None:
        return lines[line - 1 : line]
    found = lines[statement.lineno - 1 : statement.end_lineno]
    return found if len(found) <= LONGEST else [*found[: LONGEST - 2], "    …\n", found[-1]]


@functools.lru_cache(64)
def parsed(text: str) -> ast.Module:
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError):
        return ast.Module([], [])


def statement_at(text: str, line: int, column: int | None = None) -> ast.stmt | None:
    """The innermost statement around a line; a column tells apart those that share the line."""
    found = None
    for node in ast.walk(parsed(text)):
        if isinstance(node, ast.stmt) and node.lineno <= line <= (node.end_lineno or line):
            first, end = (node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset)
            if column is None or first <= (line, column) < end:
                found = node
    return found


def node_at(statement: ast.stmt, extent: tuple[int, ...]) -> ast.AST | None:
    """The outermost expression of exactly this extent; the whole assignment where what failed is its target."""
    for node in ast.walk(statement):
        if hasattr(node, "lineno") and (node.lineno, node.end_lineno, node.col_offset, node.end_col_offset) == extent:
            is_target = isinstance(statement, ast.Assign) and any(node is one for one in statement.targets)
            return statement if is_target else node.value if isinstance(node, ast.Expr) else node
    return None


def inner_first(node: ast.AST) -> list[ast.AST]:
    """The expressions of a statement about in the order in which they run; of one with a block, its head's."""
    found: list[ast.AST] = []
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.stmt | ast.ExceptHandler | ast.match_case | ast.Lambda):
            found += inner_first(child)
    return [*found, node]


def loads_in(node: ast.AST) -> list[ast.AST]:
    """The names and paths that an expression, or the head of a statement, reads, each as long as it can be read."""
    found: list[ast.AST] = []
    if isinstance(node, ast.Name | ast.Attribute | ast.Subscript) and isinstance(node.ctx, ast.Load):
        found.append(node)
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.stmt):
            found += loads_in(child)
    return found
