"""What a recording holds: columns of numbers for all that happened, and each step of it, read from them."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from prefix_lab.debugger.summary import Summary, as_summary

NONE = 0xFFFFFFFF
EVENTS = ("line", "call", "return", "yield", "resume", "exception")
LINE, CALL, RETURN, YIELD, RESUMED, EXCEPTION = range(len(EVENTS))
VALUE = 0  # the name under which a return's, yield's or exception's value stands
IN_PLACE = 1
UNBOUND = Summary("unbound", "(deleted)")


class Columns:
    """A recording, laid out. Steps, frames and bindings are numbered; names, values and places are tables."""

    def __init__(self):
        self.step_place, self.step_frame, self.step_depth = array("I"), array("I"), array("H")
        self.step_bound = array("I")  # where in `runs` a step's bindings are
        self.frame_function = array("I")
        self.frame_caller = array("I")  # the step that a frame was called from
        self.frame_begun, self.frame_ended = array("q"), array("q")  # nanoseconds; 0 where it is not known
        self.runs = array("I")  # for each step that bound something, from step_bound on: how many, then the bindings
        self.binding_name, self.binding_value, self.binding_flag = array("I"), array("I"), array("B")
        self.turn_first, self.turn_thread = array("I"), array("I")  # from which step on it is which thread's turn
        self.functions: list[tuple[str, str, int]] = []  # file, qualified name, first line
        self.places: list[tuple[int, int, int]] = []  # event, function, line
        self.names: list[str] = [""]
        self.watches: set[int] = set()  # the names that are watched expressions
        self.values: list[Any] = []
        self.threads: list[str] = []
        self.snapshots: dict[int, array] = {}  # step → name, value, name, value, … as they were before it
        self.entries: dict[int, tuple[array, array]] = {}  # frame that paused → steps that entered it, their callers
        self.left_out = 0
        # What `link` works out of the others.
        self.step_before, self.step_after = array("I"), array("I")  # the steps beside it in the same frame
        self.frame_first, self.frame_last = array("I"), array("I")
        self.steps_at: list[array] = []  # for each place, its steps

    def link(self) -> Columns:
        """Find each step's neighbours in its frame, and the steps of each place."""
        none = array("I", [NONE])
        self.step_before, self.step_after = none * len(self), none * len(self)
        self.frame_first, self.frame_last = none * len(self.frame_function), none * len(self.frame_function)
        self.steps_at = [array("I") for _ in self.places]
        before, after, first, last = self.step_before, self.step_after, self.frame_first, self.frame_last
        for step, (place, frame) in enumerate(zip(self.step_place, self.step_frame, strict=True)):
            self.steps_at[place].append(step)
            before[step] = neighbour = last[frame]
            if neighbour == NONE:
                first[frame] = step
            else:
                after[neighbour] = step
            last[frame] = step
        return self

    def __len__(self) -> int:
        return len(self.step_place)

    def thread_of(self, step: int) -> int:
        """The thread that took a step. A frame may have several: what one began, another may go on with."""
        return self.turn_thread[bisect_right(self.turn_first, step) - 1]


class RecordedSteps:
    """The data of a recording: its columns, the text of its files, and what it lacks; and how they are read."""

    def __init__(self):
        self.notes: list[str] = []
        self.exception: Summary | None = None
        self.sources: dict[str, str] = {}
        self._lines: dict[str, list[str]] = {}

    @property
    def columns(self) -> Columns:
        """The steps laid out in arrays."""
        raise NotImplementedError

    @property
    def steps(self) -> Steps:
        """All steps in order."""
        return Steps(self)

    def __len__(self) -> int:
        return len(self.columns)

    def bindings(self, step: int) -> Iterator[int]:
        """The numbers of what a step bound."""
        columns = self.columns
        at = columns.step_bound[step]
        if at != NONE:
            yield from columns.runs[at + 1 : at + 1 + columns.runs[at]]

    def value(self, number: int) -> Summary:
        return UNBOUND if number == NONE else as_summary(self.columns.values[number])

    def held_before(self, step: int) -> dict[int, int]:
        """Name → value, by their numbers, of a step's frame, as the step found them; at a call, with the arguments."""
        columns = self.columns
        held, at = self.noted_before(step)
        while at != step:
            self.bind(at, held)
            at = columns.step_after[at]
        if columns.places[columns.step_place[step]][0] == CALL:
            self.bind(step, held)
        return held

    def noted_before(self, step: int) -> tuple[dict[int, int], int]:
        """The last step of the frame, up to this one, whose names were noted, and what they were before it."""
        columns = self.columns
        at = step
        while at not in columns.snapshots:
            before = columns.step_before[at]
            if before == NONE:
                return {}, at
            at = before
        pairs = columns.snapshots[at]
        return dict(zip(pairs[::2], pairs[1::2], strict=True)), at

    def bind(self, step: int, held: dict[int, int]) -> None:
        """Do to the names what a step did."""
        columns = self.columns
        for binding in self.bindings(step):
            name, value = columns.binding_name[binding], columns.binding_value[binding]
            if value == NONE:
                held.pop(name, None)
            elif name != VALUE:
                held[name] = value

    def caller(self, step: int) -> int | None:
        """The step in another frame from which this step's frame was entered; None if that was not recorded."""
        columns = self.columns
        frame = columns.step_frame[step]
        caller = columns.frame_caller[frame]
        if frame in columns.entries:
            entered, callers = columns.entries[frame]
            at = bisect_right(entered, step) - 1
            caller = callers[at] if at >= 0 else caller
        return None if caller == NONE else caller

    def stack(self, step: int) -> list[int]:
        """The steps at which the frames stand, this one first, then its caller, and so on outwards."""
        found: list[int] = []
        at: int | None = step
        while at is not None:
            found.append(at)
            at = self.caller(at)
        return found

    def line_text(self, file: str, line: int) -> str:
        """A line of a file as it was when recorded, without its line break; empty if the text is not known."""
        lines = self.lines(file)
        return lines[line - 1] if 0 < line <= len(lines) else ""

    def lines(self, file: str) -> list[str]:
        if file not in self._lines:
            self._lines[file] = self.sources.get(file, "").split("\n")
        return self._lines[file]


class Steps(Sequence):
    """The steps of a recording; each is made when it is asked for."""

    def __init__(self, recording: RecordedSteps):
        self.recording, self.count = recording, len(recording.columns)

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int | slice) -> Any:
        """A step, or a list of steps for a slice. Raises `IndexError` for a number that no step has."""
        if isinstance(index, slice):
            return [Step(self.recording, one) for one in range(*index.indices(self.count))]
        at = index + self.count if index < 0 else index
        if not 0 <= at < self.count:
            why = "" if self.count else " ".join(["", *self.recording.notes])
            raise IndexError(f"step {index}: this recording has {self.count:,} steps, from 0 on.{why}")
        return Step(self.recording, at)

    def __repr__(self) -> str:
        return f"<{self.count:,} steps>"


class Location(NamedTuple):
    """Where a step is."""

    event: str
    file: str
    function: str
    line: int


class Step:
    """One event of a recording.

    `event` is "call", "line", "return", "yield", "resume" or "exception". `locals` are the frame's names as the step
    finds them, so at a line before it runs; at a call, the arguments. `changed` is what the step itself binds or
    changes in place. `value` is what is returned, yielded or raised. Values are `Summary` objects.
    """

    __slots__ = ("index", "recording")

    def __init__(self, recording: RecordedSteps, index: int):
        self.recording, self.index = recording, index

    @property
    def place(self) -> Location:
        columns = self.recording.columns
        event, function, line = columns.places[columns.step_place[self.index]]
        file, name, _ = columns.functions[function]
        return Location(EVENTS[event], file, name, line)

    @property
    def event(self) -> str:
        return self.place.event

    @property
    def file(self) -> str:
        return self.place.file

    @property
    def function(self) -> str:
        return self.place.function

    @property
    def line(self) -> int:
        return self.place.line

    @property
    def depth(self) -> int:
        """How many recorded frames are further out."""
        return self.recording.columns.step_depth[self.index]

    @property
    def frame(self) -> int:
        """The number of the frame: each call has its own."""
        return self.recording.columns.step_frame[self.index]

    @property
    def thread(self) -> str:
        columns = self.recording.columns
        return columns.threads[columns.thread_of(self.index)]

    @property
    def text(self) -> str:
        """The source line, without indentation."""
        return self.recording.line_text(self.file, self.line).strip()

    @property
    def locals(self) -> dict[str, Summary]:
        return self._named(self.recording.held_before(self.index).items(), watched=False)

    @property
    def watches(self) -> dict[str, Summary]:
        """The watched expressions that fit this frame, and what they were worth before the step."""
        found = self._named(self.recording.held_before(self.index).items(), watched=True)
        return {name.removeprefix("watch: "): value for name, value in found.items()}

    @property
    def changed(self) -> dict[str, Summary]:
        return self._named(((name, value) for name, value, _ in self._bound() if name != VALUE), watched=False)

    @property
    def in_place(self) -> frozenset[str]:
        """The changed names that stand for the same object as before, with other contents."""
        return frozenset(self.recording.columns.names[name] for name, _, flag in self._bound() if flag & IN_PLACE)

    @property
    def value(self) -> Summary | None:
        return next((self.recording.value(value) for name, value, _ in self._bound() if name == VALUE), None)

    def _bound(self) -> Iterator[tuple[int, int, int]]:
        columns = self.recording.columns
        for one in self.recording.bindings(self.index):
            yield columns.binding_name[one], columns.binding_value[one], columns.binding_flag[one]

    def _named(self, pairs: Iterable[tuple[int, int]], watched: bool) -> dict[str, Summary]:
        columns, value_of = self.recording.columns, self.recording.value
        return {columns.names[name]: value_of(value) for name, value in pairs if (name in columns.watches) == watched}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Step) and (self.recording, self.index) == (other.recording, other.index)

    def __hash__(self) -> int:
        return hash((id(self.recording), self.index))

    def __repr__(self) -> str:
        event, file, function, line = self.place
        said = f" → {self.value}" if self.value is not None else ""
        changed = ", ".join(f"{name} = {value}" for name, value in self.changed.items())
        text = f": {self.text}" if event == "line" else ""
        where = f"{self.index} {event} {function} {Path(file).name}:{line}"
        return f"<{where}{text}{said}{' | ' + changed if changed else ''}>"


def number_of(name: str, step: int | Step) -> int:
    """A step's number, whichever of the two is given. Raises `TypeError` that names the argument for what is none."""
    found = step.index if isinstance(step, Step) else step
    if not isinstance(found, int) or isinstance(found, bool):
        raise TypeError(f"{name}={step!r} is no step. Give its number, or the step itself: recording.steps[5].")
    return found
