"""Finding steps: by function, text, shape, exception, a NaN; the history of a name; where exceptions were raised."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import PurePath

from prefix_lab.debugger.steps import (
    CALL,
    EVENTS,
    EXCEPTION,
    IN_PLACE,
    NONE,
    RETURN,
    VALUE,
    YIELD,
    RecordedSteps,
    Step,
    number_of,
)
from prefix_lab.debugger.summary import Summary, as_summary

LEAVES = (RETURN, YIELD)


def find(
    recording: RecordedSteps,
    *,
    function: str | None = None,
    file: str | None = None,
    event: str | None = None,
    text: str | None = None,
    name: str | None = None,
    shape: Sequence[int | None] | None = None,
    nan: bool = False,
    in_place: bool = False,
    exception: bool | str = False,
) -> list[Step]:
    """The steps for which all that is asked holds, in order.

    `function`, `file`: as in a `Breakpoint`. `text` occurs in the source line, or in a value that the step gave.
    `name` was bound or changed. `shape=(4, None, 32)`: a value of that shape was given, None standing for any size.
    `nan`: a value with NaN or infinite numbers was given; it needs `record(keep="statistics")`. `in_place`: an object
    was changed, and not bound. `exception`: one was raised; with a text, one of that class or a base of it.

    Raises `ValueError` when nothing is asked, or an event does not exist; `TypeError` for another type.
    """
    if event is not None and event not in EVENTS:
        raise ValueError(f"event={event!r}, expected one of {', '.join(EVENTS)}.")
    for wanted, one in (("function", function), ("file", file), ("text", text), ("name", name)):
        if not isinstance(one, str | None):
            raise TypeError(f"{wanted}={one!r}, expected a text.")
    if not isinstance(shape, Sequence | None):
        raise TypeError(f"shape={shape!r}, expected a sequence of sizes, with None for any: (4, None, 32).")
    asked = [function, file, event, text, name, shape, nan or None, in_place or None, exception or None]
    if all(one is None for one in asked):
        raise ValueError("find() needs something to look for: function=, text=, shape=, nan=True, exception=True, …")
    columns = recording.columns
    wanted_event = "exception" if exception else event

    def place_fits(place: tuple[int, int, int]) -> bool:
        number, at, _ = place
        where, called, _ = columns.functions[at]
        return (
            (wanted_event is None or EVENTS[number] == wanted_event)
            and (function is None or is_end_of_name(function, called))
            and (file is None or is_end_of(file, where))
        )

    places = [place_fits(place) for place in columns.places]
    tests: list[Callable[[Summary], bool]] = []
    if shape is not None:
        tests.append(lambda value: has_shape(value, shape))
    if nan:
        tests.append(has_nan)
    if isinstance(exception, str):
        tests.append(lambda value: is_exception(value, exception))
    passing = [all(test(as_summary(value)) for test in tests) for value in columns.values] if tests else None
    with_text = [text in as_summary(value).text for value in columns.values] if text is not None else []
    lines = [text is not None and text in line_of(recording, place) for place in columns.places]
    named = {number for number, one in enumerate(columns.names) if one == name}

    def fits(step: int) -> bool:
        bound = list(recording.bindings(step))
        numbers = [columns.binding_value[one] for one in bound if columns.binding_value[one] != NONE]
        return (
            (passing is None or any(passing[number] for number in numbers))
            and (not in_place or any(columns.binding_flag[one] & IN_PLACE for one in bound))
            and (name is None or any(columns.binding_name[one] in named for one in bound))
            and (text is None or lines[columns.step_place[step]] or any(with_text[number] for number in numbers))
        )

    return [Step(recording, step) for step, place in enumerate(columns.step_place) if places[place] and fits(step)]


def is_end_of(end: str, path: str) -> bool:
    """Whether a path is, or ends in, these parts."""
    wanted, parts = PurePath(end).parts, PurePath(path).parts
    return end == path or parts[-len(wanted) :] == wanted


def is_end_of_name(end: str, name: str) -> bool:
    """Whether a qualified name is, or ends in, these parts."""
    return f".{name}".endswith(f".{end}")


def line_of(recording: RecordedSteps, place: tuple[int, int, int]) -> str:
    _, function, line = place
    return recording.line_text(recording.columns.functions[function][0], line)


def everything_in(value: Summary) -> list[Summary]:
    """A summary and all that are inside it."""
    return [value, *(inner for _, part in value.parts for inner in everything_in(as_summary(part)))]


def has_shape(value: Summary, shape: Sequence[int | None]) -> bool:
    return any(
        len(one.facts["shape"]) == len(shape)
        and all(want is None or want == size for want, size in zip(shape, one.facts["shape"], strict=True))
        for one in everything_in(value)
        if "shape" in one.facts
    )


def has_nan(value: Summary) -> bool:
    return any(one.facts.get("nan") or one.facts.get("inf") or is_nan(one) for one in everything_in(value))


def is_nan(value: Summary) -> bool:
    number = value.facts.get("value")
    return isinstance(number, float) and (number != number or number in (float("inf"), float("-inf")))


def is_exception(value: Summary, name: str) -> bool:
    return any(is_end_of_name(name, base) for base in value.facts.get("bases", ()))


def history(recording: RecordedSteps, name: str, at: int | Step) -> list[tuple[Step, Summary]]:
    """Every value that a name took in the frame of step `at`. Raises `KeyError` when it never had one there."""
    columns, at = recording.columns, number_of("at", at)
    if not 0 <= at < len(columns):
        raise IndexError(f"at={at}: this recording has {len(columns):,} steps, from 0 on.")
    numbers = {number for number, one in enumerate(columns.names) if one in (name, f"watch: {name}")} - {VALUE}
    found: list[tuple[Step, Summary]] = []
    step = columns.frame_first[columns.step_frame[at]]
    while step != NONE:
        for one in recording.bindings(step):
            if columns.binding_name[one] in numbers:
                found.append((Step(recording, step), recording.value(columns.binding_value[one])))
        step = columns.step_after[step]
    if not found:
        known = ", ".join(recording.steps[at].locals) or "none"
        raise KeyError(f"{name!r} never had a value in {recording.steps[at].function}. Names there: {known}.")
    return found


class Exceptions:
    """While an exception travels outwards, every frame on its way has a step; a debugger stops where it was raised.

    `raised` are the steps at which exceptions were raised, `uncaught` those of them that nobody recorded caught.
    """

    def __init__(self, recording: RecordedSteps):
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
        self.raised = sorted(set(self.origins.values()))
        self.uncaught = sorted({self.origins[step] for step in steps if self.gets_out(step)})

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


@lru_cache(maxsize=1)
def exceptions_of(recording: RecordedSteps) -> Exceptions:
    return Exceptions(recording)
