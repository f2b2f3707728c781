"""Where a program failed: the frames of a live error, or the last steps of a recording, and the expression in each."""

from __future__ import annotations

import ast
import itertools
import linecache
from collections import ChainMap
from collections.abc import Callable
from textwrap import dedent, indent
from types import TracebackType
from typing import Any, NamedTuple

from prefix_lab.debugger.recording import Recording, Step
from prefix_lab.shapes.failures.reading import Reader
from prefix_lab.shapes.failures.statements import inner_first, node_at, statements_at, tested, text_of

WITHIN = (
    "torch",
    "jaxtyping",
    "beartype",
    "contextlib",
    "functools",
)  # no line of theirs is shown as the one that failed


class Place(NamedTuple):
    """A frame that an error went through. `node` is the expression that failed, `statement` what it stands in."""

    file: str
    function: str
    line: int
    text: str
    module: str
    statement: ast.stmt | None
    node: ast.AST | None
    around: tuple[ast.stmt, ...]
    read: Reader

    @property
    def is_inner(self) -> bool:
        """Whether it lies inside torch or a wrapper, where a reader did not write or look."""
        return self.module.split(".")[0] in WITHIN

    def nodes(self) -> list[ast.AST]:
        """The expressions to look at: the one that failed, or, where that is not known, all in the order they run."""
        if self.node is not None and not isinstance(self.node, ast.Raise):
            return [self.node]
        return [] if self.statement is None or isinstance(self.statement, ast.Raise) else inner_first(self.statement)


def live_places(traceback: TracebackType | None, axes_of: Callable[[str, Any], Any]) -> list[Place]:
    """The frames of a traceback, the outermost first."""
    found = []
    while traceback is not None:
        frame, line = traceback.tb_frame, traceback.tb_lineno
        code = frame.f_code
        lines = linecache.getlines(code.co_filename, frame.f_globals)
        extent = next(itertools.islice(code.co_positions(), traceback.tb_lasti // 2, None), None)
        names = ChainMap(dict(frame.f_locals), frame.f_globals)
        module = str(frame.f_globals.get("__name__"))
        found.append(
            place_at((code.co_filename, code.co_qualname, line), lines, module, Reader(names, axes_of), extent)
        )
        traceback = traceback.tb_next
    return found


def recorded_place(recording: Recording) -> Place | None:
    """Where the error that ended a recording was raised, as far in as was recorded; None where no step tells."""
    step = first_raised(recording)
    if step is None:
        return None
    lines = recording.lines(step.file)
    return place_at(
        (step.file, step.function, step.line), [f"{line}\n" for line in lines], "", Reader(step.locals), None
    )


def first_raised(recording: Recording) -> Step | None:
    """Of the steps in which the last error left frame after frame, the innermost."""
    if recording.exception is None:
        return None
    found = None
    for step in reversed(recording.find(event="exception")):
        if step.value is None or step.value.text != recording.exception.text:
            break
        if found is not None and step.depth < found.depth:
            break
        found = step
    return found


def place_at(where: tuple[str, str, int], lines: list[str], module: str, read: Reader, extent: Any) -> Place:
    file, function, line = where
    extent = extent if extent and None not in extent else None
    around = statements_at("".join(lines), *((extent[0], extent[2]) if extent else (line,)))
    statement = around[-1] if around else None
    text = dedent("".join(text_of(statement, lines, line))).rstrip()
    if isinstance(statement, ast.Raise) and (test := tested(around)) is not None:
        text = f"if {ast.unparse(test)}:\n{indent(text, ' ' * 4)}"
    node = node_at(statement, extent) if statement is not None and extent else None
    return Place(file, function, line, text, module, statement, node, around, read)
