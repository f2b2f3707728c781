"""What is debugged: a recording, where it and each thread stand, where it stops, and how its files are named."""

from __future__ import annotations

import difflib
import os
from array import array
from bisect import bisect_right
from collections.abc import Callable
from functools import cached_property
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from prefix_lab.debugger.dap.messages import Arguments, Refused
from prefix_lab.debugger.placing import PlacedBreakpoint
from prefix_lab.debugger.sources import source_of
from prefix_lab.debugger.text import clipped, listed

if TYPE_CHECKING:
    from prefix_lab.debugger.recording import Recording


class Debuggee:
    """All that a session knows beside the protocol's own rules.

    A frame is known to the client by the step where it stands, plus one; so is a place to jump to. Panes of variables
    are numbered as they are told of, and forgotten at the next move.
    """

    def __init__(self, recording: Recording, given_up: Callable[[], bool]):
        self.recording, self.cursor, self.given_up = recording, recording.cursor(), given_up
        self.threads, self.files = Threads(recording), RecordedFiles(recording)
        self.stop_on_entry, self.first, self.only_outline = True, 0, False
        self.set_in: dict[Any, list[PlacedBreakpoint]] = {}  # by file, and by the other kinds of breakpoint
        self.shows_types = False
        self.numbered = 0
        self.panes: dict[int, Any] = {}
        self.told = 0

    @property
    def index(self) -> int:
        return self.cursor.index

    def goto(self, step: int) -> None:
        """Stand somewhere else; what was told of the place before is no longer known."""
        self.panes.clear()
        self.cursor.goto(step)

    @property
    def breakpoints(self) -> list[PlacedBreakpoint]:
        return [one for some in self.set_in.values() for one in some]

    def number(self) -> int:
        """A breakpoint's number, which no other has."""
        self.numbered += 1
        return self.numbered

    def tell(self, pane: Any) -> int:
        """A number by which the client may ask for this until the recording stands elsewhere."""
        self.told += 1
        self.panes[self.told] = pane
        return self.told

    def pane(self, arguments: Arguments) -> Any:
        number = arguments.whole("variablesReference", least=1)
        if number not in self.panes:
            raise Refused(f"variablesReference: {number} is not known at this step; numbers of a stop end with it.")
        return self.panes[number]

    def step(self, arguments: Arguments, name: str) -> int:
        """The step that a frame's or a target's number means."""
        number = arguments.whole(name, least=1)
        if number > len(self.recording):
            raise Refused(f"{name}: {number} is not known.")
        return number - 1

    def thread(self, arguments: Arguments) -> int:
        """A thread's place in the recording's table."""
        number = arguments.whole("threadId", least=1)
        if number > len(self.threads.names):
            raise Refused(f"threadId: there is no thread {number}; `threads` lists them.")
        return number - 1


class Threads:
    """While the recording stands at one step, each thread stands at its own last step up to there.

    A thread's number in the protocol is its place in the recording's table, from 1 on.
    """

    def __init__(self, recording: Recording):
        self.recording = recording
        self.names = recording.columns.threads or ["MainThread"]

    @cached_property
    def steps(self) -> list[array]:
        """For each thread its steps, in order."""
        columns = self.recording.columns
        found = [array("I") for _ in self.names]
        ends = [*columns.turn_first[1:], len(columns)]
        for thread, first, end in zip(columns.turn_thread, columns.turn_first, ends, strict=False):
            found[thread].extend(range(first, end))
        return found

    def standing(self, thread: int, index: int, beyond: int = 0) -> int | None:
        """The step at which a thread stands, or the one that is so many of its steps beyond; None if there is none."""
        steps = self.steps[thread]
        at = bisect_right(steps, index) - 1 + beyond
        return steps[at] if 0 <= at < len(steps) else None


class RecordedFiles:
    """All files of a recording, as a client and we name them.

    A file that is on this disk as it was recorded is named by its path, and the client opens it. Any other has a
    number, by which the client asks for the recorded text: its place in the sorted list, from 1 on.
    """

    def __init__(self, recording: Recording):
        self.recording = recording
        self.files = sorted({*recording.sources, *(file for file, _, _ in recording.columns.functions)})

    def described(self, file: str) -> dict:
        """The protocol's Source."""
        name = clipped(PurePath(file).name or file)
        if os.path.isabs(file) and self.is_as_recorded(file, file):
            return {"name": name, "path": file}
        number = self.files.index(file) + 1
        found = {"name": name, "path": clipped(file), "sourceReference": number, "origin": "recorded"}
        if not self.recording.sources.get(file):
            found |= {"presentationHint": "deemphasize", "origin": "its text was not recorded"}
        return found

    def is_as_recorded(self, path: str, file: str) -> bool:
        """Whether a file is here with the text that was recorded."""
        text = self.recording.sources.get(file)
        return bool(text) and os.path.isfile(path) and source_of(path) == text  # a device could be read for ever

    def recorded_line(self, file: str, given: Arguments, line: int) -> int:
        """The line that a line of the client's file was when it was recorded.

        Raises `ValueError` for a line that was written since.
        """
        path = given.text("path", "")
        if given.whole("sourceReference", 0) or not os.path.isfile(path) or self.is_as_recorded(path, file):
            return line
        recorded = self.recording.sources.get(file, "").splitlines()
        same = difflib.SequenceMatcher(None, source_of(path).splitlines(), recorded, autojunk=False)
        for now, then, length in same.get_matching_blocks():
            if now <= line - 1 < now + length:
                return then + line - now
        raise ValueError(f"Line {line} of {clipped(PurePath(path).name)} was written after this was recorded.")

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
        if number > len(self.files):
            raise Refused(f"{given.named('sourceReference')}: there is no source {number}; see `loadedSources`.")
        if number:
            return self.files[number - 1]
        path = self.path_of(given)
        found = path if path in self.files else self.by_link(path) or self.elsewhere(path)
        if found is None:
            names = [PurePath(file).name for file in self.files]
            raise Refused(f"{clipped(PurePath(path).name)} is not in this recording, which has {listed(names)}.")
        return found

    def path_of(self, given: Arguments) -> str:
        """The path of a Source, or its name. Raises `Refused` for one that has neither, and no number."""
        path = given.text("path", "") or given.text("name", "")
        if not path and not given.whole("sourceReference", 0):
            raise Refused(f"{given.path or 'source'}: it has no path and no sourceReference. Give one of the two.")
        return path

    def by_link(self, path: str) -> str | None:
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
        return best[0] if most > 1 or len(parts) == 1 or self.is_as_recorded(path, best[0]) else None
