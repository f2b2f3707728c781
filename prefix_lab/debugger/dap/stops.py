"""Where the recording stops when it runs, forwards or backwards: places, a condition, and which of the times."""

from __future__ import annotations

import operator
import re
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from prefix_lab.debugger.breakpoints import beyond
from prefix_lab.debugger.conditions import Condition, Truth
from prefix_lab.debugger.dap.arguments import Refused
from prefix_lab.debugger.steps import CALL, EXCEPTION, NONE, RETURN, YIELD

if TYPE_CHECKING:
    from prefix_lab.debugger.recording import Recording

Poll = Callable[[], bool]
POLLED = 1000  # steps that are looked at before the client is listened to again
HITS = re.compile(r"\s*(==|>=|<=|>|<|%)?\s*([0-9]{1,9})\s*")
COMPARED = {"==": operator.eq, ">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}
LEAVES = (RETURN, YIELD)


class Interrupted(Exception):
    """The client asks to stop looking, or has gone."""


class Stop:
    """Steps at which to stop. `times` says at which of them: a function of how often it was reached from the start on.

    The count does not depend on which way one came: the third time is the third time, also backwards.
    """

    def __init__(
        self,
        recording: Recording,
        number: int,
        reason: str,
        steps: array,
        condition: Condition | None = None,
        times: Callable[[int], bool] | None = None,
    ):
        self.number, self.reason = number, reason
        self.steps, self.times = steps, times
        self.truth = None if condition is None else Truth(recording, condition)

    def nearest(self, index: int, backwards: bool, until: int | None, poll: Poll) -> int | None:
        """The next step beyond `index` at which to stop, and before `until`. Raises `Interrupted`."""
        if self.times is not None and self.truth is not None:
            self.steps, self.truth = array("I", filter(self.truth.at, polled(self.steps, poll))), None
        for step in polled(beyond(self.steps, index, backwards), poll):
            if until is not None and (step <= until if backwards else step >= until):
                return None
            if self.holds(step):
                return step
        return None

    def holds(self, step: int) -> bool:
        """Of one of its steps, whether the condition and the count hold."""
        if self.times is not None:
            return self.times(bisect_left(self.steps, step) + 1)
        return self.truth is None or self.truth.at(step)

    def at(self, step: int) -> bool:
        at = bisect_left(self.steps, step)
        return at < len(self.steps) and self.steps[at] == step and self.holds(step)


def nearest(
    stops: Iterable[Stop], index: int, backwards: bool, until: int | None, poll: Poll
) -> tuple[int, list[Stop]] | None:
    """The nearest step at which one of them stops, and all that do; None when there is none before `until`."""
    stops, best = list(stops), until
    for stop in stops:
        found = stop.nearest(index, backwards, best, poll)
        best = best if found is None else found
    if best is None or best == until:
        return None
    return best, [stop for stop in stops if stop.at(best)]


def polled(steps: Iterable[int], poll: Poll) -> Iterator[int]:
    for count, step in enumerate(steps, 1):
        if count % POLLED == 0 and poll():
            raise Interrupted
        yield step


def steps_at(recording: Recording, places: list[int]) -> array:
    """The steps at any of these places, in order."""
    columns = recording.columns
    if len(places) == 1:
        return columns.steps_at[places[0]]
    return array("I", sorted(step for place in places for step in columns.steps_at[place]))


def condition_of(text: str, recording: Recording) -> Condition | None:
    """A breakpoint's condition; None for an empty one. Raises `Refused` for one that could never hold."""
    if not text.strip():
        return None
    found = expression(text, "condition")
    missing = sorted(found.names - set(recording.columns.names))
    if missing:
        raise Refused(f"condition: {missing[0]!r} is no name in this recording.")
    return found


def expression(text: str, called: str) -> Condition:
    """What can be worked out on a recording. Raises `Refused` for anything else."""
    try:
        return Condition(text)
    except ValueError as error:
        raise Refused(f"{called}{str(error).removeprefix('condition')}") from None


def times_of(text: str) -> Callable[[int], bool] | None:
    """`3` or `== 3`: the third time; `>= 3`, `< 3` and so on; `% 3`: every third. None for nothing said."""
    if not text.strip():
        return None
    found = HITS.fullmatch(text)
    count = int(found[2]) if found else 0
    if not found or (count < 1 and found[1] in (None, "==", "%")):
        raise Refused(f"hitCondition: {text[:80]!r} was given, expected a count such as 3, >= 3 or % 3.")
    if found[1] == "%":
        return lambda time: time % count == 0
    compare = COMPARED[found[1] or "=="]
    return lambda time: compare(time, count)


class Raised:
    """Exceptions. While one travels outwards, every frame on its way has a step; a debugger stops where it was raised.

    `first` are the steps at which exceptions were raised, `uncaught` those of them that nobody recorded caught.
    """

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
