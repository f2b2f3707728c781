"""The recorded threads: while the recording stands at one step, each stands at its own last step up to there."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from functools import cached_property
from typing import TYPE_CHECKING

from prefix_lab.debugger.dap.arguments import Refused
from prefix_lab.debugger.dap.text import visible

if TYPE_CHECKING:
    from prefix_lab.debugger.recording import Recording


class Threads:
    """A thread's number in the protocol is its place in the recording's table, from 1 on."""

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

    def described(self) -> list[dict]:
        return [{"id": number, "name": visible(name)} for number, name in enumerate(self.names, 1)]

    def check(self, thread: int) -> int:
        """The thread's place in the table. Raises `Refused` for a thread that is not there."""
        if not 1 <= thread <= len(self.names):
            raise Refused(f"threadId: there is no thread {thread}; `threads` lists them.")
        return thread - 1

    def of(self, step: int) -> int:
        columns = self.recording.columns
        return columns.thread_of(step) + 1 if len(columns) else 1

    def standing(self, thread: int, index: int) -> int | None:
        """The step at which a thread stands; None when it has not begun."""
        steps = self.steps[self.check(thread)]
        at = bisect_right(steps, index) - 1
        return steps[at] if at >= 0 else None

    def neighbour(self, thread: int, index: int, backwards: bool) -> int | None:
        """The thread's next step after the one at which it stands, or the one before it."""
        steps = self.steps[self.check(thread)]
        at = bisect_right(steps, index) - 1 + (-1 if backwards else 1)
        return steps[at] if 0 <= at < len(steps) else None
