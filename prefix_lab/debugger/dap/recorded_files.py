"""The recorded files: how a client and we name them, and which of their lines a breakpoint can be at.

A file that is on this disk as it was recorded is named by its path, and the client opens it. Any other has a number,
by which the client asks for the recorded text.
"""

from __future__ import annotations

import ast
import os
import warnings
from bisect import bisect_right
from collections.abc import Iterator
from pathlib import Path, PurePath
from types import CodeType
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote, urlsplit
from urllib.request import pathname2url, url2pathname

from prefix_lab.debugger.dap.arguments import Arguments, Refused
from prefix_lab.debugger.sources import source_of
from prefix_lab.debugger.steps import CALL, LINE
from prefix_lab.debugger.text import clipped, lines_near, listed

if TYPE_CHECKING:
    from prefix_lab.debugger.recording import Recording


class RecordedFiles:
    """All files of a recording. A file's number is its place in the sorted list, from 1 on."""

    def __init__(self, recording: Recording, as_uri: bool = False):
        self.recording, self.as_uri = recording, as_uri
        self.files = sorted({*recording.sources, *(file for file, _, _ in recording.columns.functions)})
        self.numbers = {file: number for number, file in enumerate(self.files, 1)}
        self.compared: dict[str, tuple[tuple[int, int], bool]] = {}

    def described(self, file: str) -> dict:
        """The protocol's Source."""
        name = clipped(PurePath(file).name or file)
        if self.on_disk(file):
            return {"name": name, "path": (self.as_uri and "file://" + pathname2url(file)) or file}
        found = {"name": name, "path": clipped(file), "sourceReference": self.numbers[file], "origin": "recorded"}
        if not self.recording.sources.get(file):
            found |= {"presentationHint": "deemphasize", "origin": "its text was not recorded"}
        return found

    def on_disk(self, file: str) -> bool:
        """Whether the file is here, with the text that was recorded. Looked at again when it has changed."""
        text = self.recording.sources.get(file)
        if not text or not os.path.isabs(file) or "\0" in file:
            return False
        try:
            if not os.path.isfile(file):  # a device could be read for ever
                return False
            stat = os.stat(file)
        except (OSError, ValueError):
            return False
        state = (stat.st_mtime_ns, stat.st_size)
        known = self.compared.get(file)
        if known is None or known[0] != state:
            # In UTF-8 a sign has at most four bytes, and a line break may have had two; a file beyond is another one.
            same = stat.st_size <= 5 * len(text) + 64 and source_of(file) == text
            known = self.compared[file] = (state, same)
        return known[1]

    def text(self, given: Arguments) -> str:
        """The recorded text of the Source that a client names. Raises `Refused` for one that has none."""
        file = self.find(given)
        text = self.recording.sources.get(file)
        if not text:
            raise Refused(f"The text of {clipped(file)} was not recorded.")
        return text

    def find(self, given: Arguments) -> str:
        """The recorded file that a client's Source means. Raises `Refused` for a file that is not recorded."""
        number = given.whole("sourceReference", 0)
        if number:
            if number > len(self.files):
                raise Refused(f"{given.named('sourceReference')}: there is no source {number}; see `loadedSources`.")
            return self.files[number - 1]
        path = self.path_of(given)
        found = self.same(path) or self.elsewhere(path)
        if found is None:
            names = [PurePath(file).name for file in self.files]
            raise Refused(f"{clipped(PurePath(path).name)} is not in this recording, which has {listed(names)}.")
        return found

    def path_of(self, given: Arguments) -> str:
        """The path of a Source, or its name. Raises `Refused` for one that has neither, and no number."""
        path = given.text("path", "") or given.text("name", "")
        if not path and not given.whole("sourceReference", 0):
            raise Refused(f"{given.path}: it has no path and no sourceReference. Give one of the two.")
        if self.as_uri and path.startswith("file:"):
            return url2pathname(urlsplit(path).path)
        return unquote(path) if self.as_uri else path

    def same(self, path: str) -> str | None:
        if path in self.numbers:
            return path
        try:
            real = os.path.realpath(path)
            return next((file for file in self.files if os.path.isabs(file) and os.path.realpath(file) == real), None)
        except (OSError, ValueError):
            return None

    def elsewhere(self, path: str) -> str | None:
        """A file that was recorded in another folder: it ends in the same parts, more of them than any other."""
        parts = PurePath(path).parts[::-1]
        found: list[tuple[int, str]] = []
        for file in self.files:
            pairs = zip(parts, PurePath(file).parts[::-1], strict=False)
            alike = next((at for at, (one, other) in enumerate(pairs) if one != other), len(parts))
            found.append((min(alike, len(PurePath(file).parts)), file))
        most = max((alike for alike, _ in found), default=0)
        best = [file for alike, file in found if alike == most]
        if not most or len(best) != 1:
            return None
        return best[0] if most > 1 or len(parts) == 1 or self.same_text(path, best[0]) else None

    def same_text(self, path: str, file: str) -> bool:
        text = self.recording.sources.get(file)
        try:
            short = Path(path).is_file() and Path(path).stat().st_size <= 5 * len(text or "") + 64
        except (OSError, ValueError):
            return False
        return bool(text) and short and source_of(path) == text


class Settled(NamedTuple):
    """Where a breakpoint came to stand; `places` is empty when it can never be reached."""

    line: int
    places: list[int]
    message: str


class CodeLines:
    """The lines of one file that ran, and those that lead to one that did."""

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
        return Settled(line, [], f"Line {line} never ran in this recording. {lines_near(line, self.sorted)}")


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
