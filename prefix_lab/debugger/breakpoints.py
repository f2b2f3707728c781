"""Where a cursor should stop: a place, and a condition on what was seen there."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass

from prefix_lab.debugger.conditions import Condition
from prefix_lab.debugger.placing import beyond, places_at_line
from prefix_lab.debugger.search import is_end_of, is_end_of_name
from prefix_lab.debugger.steps import EVENTS, RecordedSteps
from prefix_lab.debugger.truth import truth_of


@dataclass(frozen=True)
class Breakpoint:
    """Stop at a function, a line, an event, or where a condition holds; what is left out does not matter.

    `function` is a qualified name or its end (`forward`, `PrefixEncoder.forward`); with nothing else, the function's
    calls are meant. `file` is a path or its end. `line` is where a person would set it in an editor: at a function's
    header, its calls are meant, at a comment what follows; with an `event`, that line alone. `condition` is an
    expression over the names of the frame, as the step finds them, in the language of `conditions`:
    `x.shape[0] > 2 and i == 5`; a name that is not there makes it false. `hits=3` stops at the third time.

    Raises `ValueError` for a condition that is no such expression, or anything else that could never hold.
    """

    function: str | None = None
    line: int | None = None
    file: str | None = None
    event: str | None = None
    condition: str | None = None
    hits: int = 1

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
        if self.condition is not None and not isinstance(self.condition, str):
            raise ValueError(f"condition={self.condition!r}, expected a text, such as 'i == 5'.")
        if self.condition is not None:
            Condition(self.condition)

    def places(self, recording: RecordedSteps) -> list[int]:
        """The numbers of the places that are meant."""
        columns, wanted = recording.columns, self.event
        if wanted is None and self.function is not None and self.line is None and self.condition is None:
            wanted = "call"
        numbers = range(len(columns.places))
        if self.line is not None and wanted is None:
            numbers = places_at_line(recording, self.line, self.file)

        def fits(number: int) -> bool:
            event, called, line = columns.places[number]
            file, function, _ = columns.functions[called]
            return (
                (wanted is None or (EVENTS[event] == wanted and self.line in (None, line)))
                and (self.function is None or is_end_of_name(self.function, function))
                and (self.file is None or is_end_of(self.file, file))
            )

        return [number for number in numbers if fits(number)]

    def steps(self, recording: RecordedSteps, after: int, backwards: bool) -> Iterator[int]:
        """The steps beyond `after` at the places that are meant, and where the condition holds, in order."""
        columns = recording.columns
        meant = self.places(recording)
        if len(meant) == len(columns.places):
            steps = beyond(range(len(columns)), after, backwards)
        else:
            each = [beyond(columns.steps_at[number], after, backwards) for number in meant]
            steps = heapq.merge(*each, reverse=backwards)
        if self.condition is None:
            yield from steps
        else:
            yield from truth_of(recording, self.condition).holding(steps)
