"""Exceptions: where each was raised first, and which ones left the recorded code.

While an exception travels outwards, every frame on its way has a step for it. A debugger stops where it was raised.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

from prefix_lab.debugger.decode import CALL, EXCEPTION, NONE, RETURN, YIELD

if TYPE_CHECKING:
    from prefix_lab.debugger.recording import Recording

LEAVES = (RETURN, YIELD)


class Raised:
    """`first` are the steps at which exceptions were raised, `uncaught` those of them that nobody recorded caught."""

    def __init__(self, recording: Recording):
        self.recording = recording
        columns = recording.columns
        steps = sorted(
            step
            for place, (event, _, _) in enumerate(columns.places)
            if event == EXCEPTION
            for step in columns.steps_at[place]
        )
        self.origins: dict[int, int] = {}  # each exception's step → the one where it was raised
        from_line: dict[int, int] = {}  # a caller's step → the last exception in what it called
        for step in steps:
            inner = from_line.get(columns.step_before[step])
            travels = inner is not None and self.value(inner) == self.value(step) and self.left_by(inner, step)
            self.origins[step] = self.origins[inner] if travels and inner is not None else step
            caller = recording.caller(step)
            if caller is not None:
                from_line[caller] = step
        self.first = array("I", sorted(set(self.origins.values())))
        self.uncaught = array("I", sorted({self.origins[step] for step in steps if self.gets_out(step)}))

    def event(self, step: int) -> int:
        columns = self.recording.columns
        return columns.places[columns.step_place[step]][0]

    def value(self, step: int) -> int:
        """The number of the exception in the table of values."""
        columns = self.recording.columns
        return next((columns.binding_value[one] for one in self.recording.bindings(step)), NONE)

    def left_by(self, step: int, limit: int) -> bool:
        """Whether the frame had nothing after this exception, up to a step, but what a `finally` does."""
        columns, last = self.recording.columns, step
        while columns.step_after[last] < limit:
            last = columns.step_after[last]
        return self.event(last) not in LEAVES

    def gets_out(self, step: int) -> bool:
        """Whether this is the last exception of an outermost frame, and the frame ended with it."""
        columns, last = self.recording.columns, step
        if self.recording.caller(step) is not None:
            return False
        while columns.step_after[last] != NONE:
            last = columns.step_after[last]
            if self.event(last) in (EXCEPTION, *LEAVES, CALL):
                return False
        return True
