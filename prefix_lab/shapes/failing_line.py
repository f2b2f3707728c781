"""Where a program failed: the lines of a live error, or the last steps of a recording, and the expression in each."""

from __future__ import annotations

import ast
import functools
import itertools
import linecache
from collections import ChainMap
from collections.abc import Mapping
from textwrap import dedent
from types import TracebackType
from typing import Any, NamedTuple

from prefix_lab.debugger.recording import Recording
from prefix_lab.debugger.steps import Step
from prefix_lab.shapes.operands import Operand, Reader, Thing, Unreadable, is_tensor, tensors_in

WITHIN = ("torch", "jaxtyping", "beartype", "contextlib", "functools")  # whose lines nobody here wrote
LONGEST = 12  # lines of a statement that are shown
DEEPEST = 6  # modules within modules whose weights are looked for


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
            try:
                found[ast.unparse(one)] = self.read(one)
            except Unreadable:
                continue
        return found

    def known_tensors(self) -> dict[int, Operand]:
        """The tensors of this frame by their ids, the weights of its modules included, as the line would call them."""
        known = self.values_in(self.statement) if self.statement is not None else {}
        own_names = getattr(self.read.names, "maps", [self.read.names])[0]
        values = [*known.values(), *(self.read.wrapped(value, name) for name, value in own_names.items())]
        weights: dict[int, Operand] = {}
        for value in values:
            if isinstance(value, Thing):
                weights = self.weights_of(value) | weights
        return weights | {id(one.value): one for one in reversed(tensors_in(values)) if one.value is not None}

    def weights_of(self, owner: Thing) -> dict[int, Operand]:
        """Weight, by its id, → the operand, called by how it is reached from a module: `self.transform.0.weight`."""
        found: dict[int, Operand] = {}
        waiting = [(owner.value, owner.label, 0)]
        while waiting:
            module, label, depth = waiting.pop()
            try:
                held = object.__getattribute__(module, "__dict__")
            except (AttributeError, TypeError):
                continue
            if type(held) is not dict or type(held.get("_parameters")) is not dict:
                continue
            for name, value in (held["_parameters"] | (held.get("_buffers") or {})).items():
                if is_tensor(value):
                    found.setdefault(id(value), self.read.wrapped(value, f"{label}.{name}"))
            if depth < DEEPEST:
                below = (held.get("_modules") or {}).items()
                waiting += [(child, f"{label}.{name}", depth + 1) for name, child in below]
        return found


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
