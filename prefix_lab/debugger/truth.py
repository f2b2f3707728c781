"""Where in a recording a condition holds, and why it has no answer where it never can have one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property, lru_cache
from typing import Any

from prefix_lab.debugger.conditions import Condition, Unknown, is_true, value_of
from prefix_lab.debugger.steps import CALL, NONE, RecordedSteps

KEPT = 8  # conditions
PATIENCE = 20_000  # steps
FALSE, TRUE, UNANSWERED = 1, 2, 3  # of a step; 0 is one that was not looked at yet


class Truth:
    """A condition over the steps of a recording.

    A step finds the names as they were before it; a call finds its arguments. Where a name is not bound, it is false.
    The steps of a stretch of a frame are worked out together, and each set of values once.
    """

    def __init__(self, recording: RecordedSteps, condition: Condition):
        columns = recording.columns
        self.recording, self.condition = recording, condition
        self.names = {number: name for number, name in enumerate(columns.names) if name in condition.names}
        self.known = bytearray(len(columns))
        self.of_values: dict[tuple[int, ...], int] = {}

    def at(self, step: int) -> bool:
        return self.may_hold and (self.known[step] or self.read_stretch(step)) == TRUE

    def holding(self, steps: Iterable[int]) -> Iterator[int]:
        """Of these steps those where it holds. After many in vain it is asked whether there is any."""
        if not self.may_hold:
            return
        in_vain = 0
        for step in steps:
            if (self.known[step] or self.read_stretch(step)) == TRUE:
                in_vain = 0
                yield step
            elif (in_vain := in_vain + 1) == PATIENCE and not self.ever_holds:
                return

    @cached_property
    def may_hold(self) -> bool:
        """False when it needs a name that was never recorded, or when one of the parts that `and` joins asks for one
        name alone, and none of the values that this name ever had will do."""
        if set(self.names.values()) != self.condition.names:
            return False
        single = [part for part in self.condition.parts if len(part.names) == 1]
        return all(part.is_true_of_any(self.values_of(*part.names)) for part in single)

    def values_of(self, name: str) -> list[Any]:
        """Every value that a name ever had, once."""
        columns = self.recording.columns
        numbers = {number for number, one in self.names.items() if one == name}
        bindings = zip(columns.binding_name, columns.binding_value, strict=True)
        found = {value for number, value in bindings if number in numbers}
        for pairs in self.from_before.values():
            found.update(value for number, value in pairs.items() if number in numbers)
        return [columns.values[value] for value in found if value != NONE]

    @cached_property
    def from_before(self) -> dict[int, dict[int, int]]:
        """What frames held that ran already when the recording began."""
        columns = self.recording.columns
        return {
            columns.step_frame[step]: dict(zip(pairs[::2], pairs[1::2], strict=True))
            for step, pairs in columns.snapshots.items()
            if columns.step_before[step] == NONE
        }

    @cached_property
    def ever_holds(self) -> bool:
        """Whether any of the values that stood together in a frame make it true: only steps that bind are looked at."""
        columns, bound = self.recording.columns, self.bound
        frames = {
            frame: {number: pairs.get(number, NONE) for number in self.names}
            for frame, pairs in self.from_before.items()
        }
        nothing = dict.fromkeys(self.names, NONE)
        if any(self.of(held) == TRUE for held in (nothing, *frames.values())):
            return True
        for step, at in [(step, at) for step, at in enumerate(columns.step_bound) if at in bound]:
            frame = columns.step_frame[step]
            held = frames.get(frame)
            if held is None:
                held = frames[frame] = nothing.copy()
            held.update(bound[at])
            if self.of(held) == TRUE:
                return True
        return False

    @cached_property
    def bound(self) -> dict[int, list[tuple[int, int]]]:
        """For each run of bindings that has one of the names: which of them, and their values."""
        columns, found, at = self.recording.columns, {}, 0
        wanted = {one: name for one, name in enumerate(columns.binding_name) if name in self.names}
        while at < len(columns.runs):
            end = at + 1 + columns.runs[at]
            meant = [(wanted[one], columns.binding_value[one]) for one in columns.runs[at + 1 : end] if one in wanted]
            if meant:
                found[at] = meant
            at = end
        return found

    def read_stretch(self, step: int) -> int:
        """From the last step of the frame whose names were noted, up to the next one; the answer of this step."""
        columns, known, bound = self.recording.columns, self.known, self.bound
        noted, at = self.recording.noted_before(step)
        held = {number: noted.get(number, NONE) for number in self.names}
        answer = self.of(held)
        while True:
            changed = bound.get(columns.step_bound[at])
            if changed and columns.places[columns.step_place[at]][0] == CALL:
                held.update(changed)
                answer = self.of(held)
            known[at] = answer
            if changed:
                held.update(changed)
                answer = self.of(held)
            at = columns.step_after[at]
            if at == NONE or (at in columns.snapshots and known[step]):
                return known[step]

    def of(self, held: dict[int, int]) -> int:
        """The answer for these values."""
        key = tuple(held.values())
        found = self.of_values.get(key)
        if found is None:
            found = self.of_values[key] = self.worked_out(held)
        return found

    def worked_out(self, held: dict[int, int]) -> int:
        if NONE in held.values() or len(held) < len(self.condition.names):
            return UNANSWERED
        values = self.recording.columns.values
        try:
            found = self.condition.worth({self.names[number]: values[value] for number, value in held.items()})
        except Unknown:
            return UNANSWERED
        return TRUE if is_true(found) else FALSE

    def unanswered(self, steps: Sequence[int]) -> Unknown | None:
        """Why it has an answer at none of these steps; None where it has one, or where there are no steps."""
        if not len(steps) or any((self.known[step] or self.read_stretch(step)) != UNANSWERED for step in steps):
            return None
        columns, last = self.recording.columns, steps[len(steps) - 1]
        held = self.recording.held_before(last)
        names = {
            columns.names[name]: columns.values[value] for name, value in held.items() if name not in columns.watches
        }
        try:
            for name in sorted(self.condition.names):
                value_of(name, names)
            self.condition.worth(names)
        except Unknown as why:
            return why.with_traceback(None)  # which would keep frames alive
        return None


@lru_cache(maxsize=KEPT)
def truth_of(recording: RecordedSteps, condition: str) -> Truth:
    """The truth of a condition, remembered with what was found. Raises `ValueError` for what is no condition."""
    return Truth(recording, Condition(condition))
