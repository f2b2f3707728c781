"""Which lines of a recorded file a breakpoint can be at: those that ran, and those that lead to one that did."""

from __future__ import annotations

import ast
import warnings
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from types import CodeType
from typing import TYPE_CHECKING, NamedTuple

from prefix_lab.debugger.decode import CALL, LINE

if TYPE_CHECKING:
    from prefix_lab.debugger.recording import Recording

NEAR = 4  # lines that are named instead


class Settled(NamedTuple):
    """Where a breakpoint came to stand; `places` is empty when it can never be reached."""

    line: int
    places: list[int]
    message: str


class Lines:
    """One file of a recording."""

    def __init__(self, recording: Recording, file: str):
        columns = recording.columns
        self.ran: dict[int, list[int]] = {}  # line → the numbers of its places
        calls: dict[int, list[tuple[int, int]]] = {}
        by_line: set[tuple[int, int]] = set()
        for number, (event, function, line) in enumerate(columns.places):
            if columns.functions[function][0] != file or not len(columns.steps_at[number]):
                continue
            if event == LINE:
                self.ran.setdefault(line, []).append(number)
                by_line.add((line, function))
            elif event == CALL:
                calls.setdefault(line, []).append((number, function))
        for line, found in calls.items():  # a function on one line would stop twice, as called and as run
            meant = [number for number, function in found if (line, function) not in by_line]
            if meant:
                self.ran.setdefault(line, []).extend(meant)
        self.sorted = sorted(self.ran)
        self.code, self.headers = read_source(recording.sources.get(file, ""))

    def settle(self, line: int) -> Settled:
        """Where a breakpoint at this line stops, and what to say if that is another line, or nowhere."""
        if line in self.ran:
            return Settled(line, self.ran[line], "")
        header = self.headers.get(line)
        if header in self.ran:
            return Settled(header, self.ran[header], f"Moved to line {header}, where the function is called.")
        if header is None and line not in self.code:
            at = bisect_right(self.code, line)
            follows = self.code[at] if at < len(self.code) else None
            if follows in self.ran:
                said = f"Line {line} has no code of its own; moved to line {follows}, the next that has."
                return Settled(follows, self.ran[follows], said)
        return Settled(line, [], f"Line {line} never ran in this recording. {self.near(line)}")

    def near(self, line: int) -> str:
        found = self.sorted[max(0, bisect_left(self.sorted, line) - NEAR // 2) :][:NEAR]
        return f"Lines near it that did: {', '.join(map(str, found))}." if found else "No line of that file did."


def read_source(source: str) -> tuple[list[int], dict[int, int]]:
    """The lines that have code, and for each line of a function's header the line at which it is called.

    The text is compiled and never run. Both are empty for a text that is no Python.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source)
            code = compile(tree, "recorded", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return [], {}
    lines = {line for one in codes_in(code) for _, _, line in one.co_lines() if line}
    headers = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = min([node.lineno, *(one.lineno for one in node.decorator_list)])
            headers |= dict.fromkeys(range(first, node.body[0].lineno), first)
    return sorted(lines), headers


def codes_in(code: CodeType) -> Iterator[CodeType]:
    waiting = [code]
    while waiting:
        one = waiting.pop()
        yield one
        waiting += [constant for constant in one.co_consts if isinstance(constant, CodeType)]
