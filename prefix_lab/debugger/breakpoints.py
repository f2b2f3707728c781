"""Where a cursor should stop: a place, and a condition on what was seen there."""

from __future__ import annotations

import heapq
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePath

from prefix_lab.debugger.conditions import Condition, Truth
from prefix_lab.debugger.steps import EVENTS, RecordedSteps


@dataclass(frozen=True)
class Breakpoint:
    """Stop at a function, a line, an event, or where a condition holds; what is left out does not matter.

    `function` is a qualified name or its end (`forward`, `PrefixEncoder.forward`); with nothing else, the function's
    calls are meant. `file` is a path or its end. `condition` is an expression over the names of the frame, as the step
    finds them, in the language of `conditions`: `x.shape[0] > 2 and i == 5`; a name that is not there makes it false.
    `hits=3` stops at the third time.

    Raises `ValueError` for a condition that is no such expression, or anything else that could never hold.
    """

    function: str | None = None
    line: int | None = None
    file: str | None = None
    event: str | None = None
    condition: str | None = None
    hits: int = 1
    _condition: Condition | None = field(init=False, repr=False, compare=False, default=None)

    def __post_init__(self):
        if self.event is not None and self.event not in EVENTS:
            raise ValueError(f"event={self.event!r}, expected one of {', '.join(EVENTS)}.")
        for name, least in (("line", 1), ("hits", 1)):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < least):
                raise ValueError(f"{name}={value!r}, expected a whole number of at least {least}.")
        for name in ("function", "file"):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, str) or not value):
                raise ValueError(f"{name}={value!r}, expected a text.")
        if self.condition is not None:
            object.__setattr__(self, "_condition", Condition(self.condition))

    def place_fits(self, event: str, file: str, function: str, line: int) -> bool:
        wanted = self.event
        if wanted is None and self.function is not None and self.line is None and self.condition is None:
            wanted = "call"
        return (
            (wanted is None or event == wanted)
            and (self.line is None or (line == self.line and (self.event is not None or event == "line")))
            and (self.function is None or function == self.function or function.endswith("." + self.function))
            and (self.file is None or is_end_of(self.file, file))
        )

    def steps(self, recording: RecordedSteps, after: int, backwards: bool) -> Iterator[int]:
        """The steps beyond `after` at the places that are meant, and where the condition holds, in order."""
        columns = recording.columns
        meant = []
        for (event, function, line), steps in zip(columns.places, columns.steps_at, strict=True):
            file, name, _ = columns.functions[function]
            if self.place_fits(EVENTS[event], file, name, line):
                meant.append(beyond(steps, after, backwards))
        places = heapq.merge(*meant, reverse=backwards)
        if self._condition is None:
            yield from places
        else:
            yield from filter(Truth(recording, self._condition).at, places)


def beyond(steps: array, place: int, backwards: bool) -> Iterator[int]:
    """Of rising steps those after a place, or those before it from the last on; none of the others is touched."""
    if backwards:
        return (steps[at] for at in range(bisect_left(steps, place) - 1, -1, -1))
    return (steps[at] for at in range(bisect_right(steps, place), len(steps)))


def is_end_of(end: str, path: str) -> bool:
    """Whether a path is, or ends in, these parts."""
    wanted, parts = PurePath(end).parts, PurePath(path).parts
    return end == path or parts[-len(wanted) :] == wanted
