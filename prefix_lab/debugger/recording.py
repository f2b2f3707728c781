"""A finished recording: its steps, one by one or all at once, and what was seen at each."""

from __future__ import annotations

import copy
import threading
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, overload

from prefix_lab.debugger import tokens
from prefix_lab.debugger.decode import CALL, EVENTS, IN_PLACE, NONE, VALUE, Columns, Decoder
from prefix_lab.debugger.sources import sources_of
from prefix_lab.debugger.summary import Summary, as_summary

if TYPE_CHECKING:
    from prefix_lab.debugger.calls import Call
    from prefix_lab.debugger.compare import Difference
    from prefix_lab.debugger.cursor import Cursor
    from prefix_lab.debugger.tape import Session


class Names(Protocol):
    """What knows more about values than was recorded: `prefix_lab.shapes` knows the axes of tensors."""

    def apply(self, recording: Recording) -> list[Any]:
        """The values of a recording's table, each as it was or with more to say, in the same order."""
        ...

    def remarks(self, recording: Recording) -> list[str]:
        """Sentences that a reader of the recording, now named, should know."""
        ...


UNBOUND = Summary("unbound", "(deleted)")


class Recording:
    """What `record` gives, complete when its `with` block has ended.

    `steps` is the sequence of steps, `notes` says in sentences what the recording lacks, `left_out` counts the steps
    that came after a limit, `exception` is the error that ended the block. All of it is data: no value, frame or
    function of the program is kept alive.
    """

    def __init__(self):
        self.state = "new"
        self.notes: list[str] = []
        self.exception: Summary | None = None
        self.sources: dict[str, str] = {}
        self._lines: dict[str, list[str]] = {}
        self._tapes: list[Any] = []
        self._max_steps = 0
        self._columns: Columns | None = None
        self._lock = threading.Lock()

    def close(self, session: Session) -> None:
        """Take over what a session has written, and the text of the files that it ran through."""
        self._tapes, self._max_steps = list(session.tapes), session.max_steps
        for tape in self._tapes:
            tape.close()
        self._left_out = session.left_out
        self.notes, self.exception = session.notes, session.exception
        self.sources, changed = sources_of([code for code in session.codes if session.known[id(code)]], session.spaces)
        self.notes += changed
        if not self._left_out and not any(type(item) is tokens.Place for tape in self._tapes for item in tape.items):
            self.notes.append(session.scope.nothing_ran(session.codes))
        if session.errors:
            self.notes.append(f"{session.errors:,} errors of the recorder itself; the first: {session.first_error}.")
        if session.look.errors:
            self.notes.append(f"{session.look.errors:,} values could not be looked at; they are shown by their type.")
        for tape in self._tapes:
            tape.let_go()
        self.state = "closed"

    @property
    def columns(self) -> Columns:
        """The steps laid out in arrays; made when they are asked for first."""
        if self.state != "closed":
            raise RuntimeError("This recording is not finished: leave its `with record(...)` block first.")
        with self._lock:
            if self._columns is None:
                decoder = Decoder(self._max_steps)
                self._columns = decoder.read(self._tapes)
                self._columns.left_out += self._left_out
                self._tapes = []
                if decoder.out_of_place:
                    self.notes.append(
                        f"Of {decoder.out_of_place:,} calls the beginning or the end is missing: the recording was "
                        "interrupted there."
                    )
                if self._columns.left_out:
                    self.notes.append(
                        f"{self._columns.left_out:,} steps came after a limit and were left out. Raise max_steps or "
                        "max_bytes, or include less."
                    )
        return self._columns

    @property
    def left_out(self) -> int:
        return self.columns.left_out

    @property
    def steps(self) -> Steps:
        """All steps in order."""
        return Steps(self)

    def __len__(self) -> int:
        return len(self.columns)

    def cursor(self, index: int = 0) -> Cursor:
        """Something that walks through the steps, forwards and backwards. Raises `IndexError` for no step's index."""
        from prefix_lab.debugger.cursor import Cursor

        return Cursor(self, index)

    def find(self, **wanted: Any) -> list[Step]:
        """The steps that fit: see `search.find`."""
        from prefix_lab.debugger.search import find

        return find(self, **wanted)

    def history(self, name: str, at: int = 0) -> list[tuple[Step, Summary]]:
        """Every value that a name took in the frame of step `at`, with the step that gave it."""
        from prefix_lab.debugger.search import history

        return history(self, name, at)

    @property
    def calls(self) -> list[Call]:
        """The call tree: see `calls.Call`."""
        from prefix_lab.debugger.calls import call_tree

        return call_tree(self)

    def diff(self, other: Recording) -> Difference | None:
        """The first step where two recordings part, or None: see `compare.diff`."""
        from prefix_lab.debugger.compare import diff

        return diff(self, other)

    def with_names(self, names: Names) -> Recording:
        """This recording again, with what `names.apply` makes of its values: tensors then have the fact `axes`."""
        named = Recording()
        named.state, named.exception, named.sources = "closed", self.exception, self.sources
        named._columns = copy.copy(self.columns)
        named._columns.values = names.apply(self)
        remarks = [one for one in names.remarks(named) if one not in self.notes]
        named.notes = [*self.notes, *remarks]
        return named

    def save(self, path: str | Path) -> None:
        """Write one compressed file, whole or not at all: see `storage.save`."""
        from prefix_lab.debugger.storage import save

        save(self, path)

    def to_html(self, path: str | Path, **options: Any) -> None:
        """Write one HTML page that walks through this recording, with no kernel and no network; whole or not at all.

        `title=` heads it, `language=` is "en" or "zh". Raises `RuntimeError` where no package is installed that makes
        such pages: the debugger itself shows nothing, it asks for the entry point "page" of `prefix_lab.pages`.
        """
        _ = self.columns
        makers = entry_points(group="prefix_lab.pages", name="page")
        if not makers:
            raise RuntimeError("No installed package makes pages of recordings. Install prefix_lab: pip install -e .")
        next(iter(makers)).load()(self, path, **options)

    @classmethod
    def load(cls, path: str | Path) -> Recording:
        """Read a file that `save` wrote. It is data alone, and safe to open: see `storage.load`."""
        from prefix_lab.debugger.storage import load

        return load(path)

    def __repr__(self) -> str:
        if self.state != "closed":
            return f"<Recording, {'still open' if self.state == 'open' else 'not begun'}>"
        from prefix_lab.debugger.outline import outline

        return outline(self)

    def _repr_html_(self) -> str:
        from prefix_lab.debugger.outline import html_outline

        return html_outline(self)

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

    def __init__(self, recording: Recording):
        self.recording, self.count = recording, len(recording.columns)

    def __len__(self) -> int:
        return self.count

    @overload
    def __getitem__(self, index: int) -> Step: ...
    @overload
    def __getitem__(self, index: slice) -> list[Step]: ...
    def __getitem__(self, index: int | slice) -> Step | list[Step]:
        if isinstance(index, slice):
            return [Step(self.recording, one) for one in range(*index.indices(self.count))]
        at = index + self.count if index < 0 else index
        if not 0 <= at < self.count:
            why = "" if self.count else " ".join(["", *self.recording.notes])
            raise IndexError(f"step {index}: this recording has {self.count:,} steps, from 0 on.{why}")
        return Step(self.recording, at)

    def __repr__(self) -> str:
        return f"<{self.count:,} steps>"


class Place(NamedTuple):
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

    def __init__(self, recording: Recording, index: int):
        self.recording, self.index = recording, index

    @property
    def place(self) -> Place:
        columns = self.recording.columns
        event, function, line = columns.places[columns.step_place[self.index]]
        file, name, _ = columns.functions[function]
        return Place(EVENTS[event], file, name, line)

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
        return self._named(self.recording.held_before(self.index).items(), watched=True)

    @property
    def changed(self) -> dict[str, Summary]:
        columns = self.recording.columns
        pairs = (
            (columns.binding_name[one], columns.binding_value[one])
            for one in self.recording.bindings(self.index)
            if columns.binding_name[one] != VALUE
        )
        return self._named(pairs, watched=False)

    @property
    def in_place(self) -> frozenset[str]:
        """The changed names that stand for the same object as before, with other contents."""
        columns = self.recording.columns
        return frozenset(
            columns.names[columns.binding_name[one]]
            for one in self.recording.bindings(self.index)
            if columns.binding_flag[one] & IN_PLACE
        )

    @property
    def value(self) -> Summary | None:
        columns = self.recording.columns
        for one in self.recording.bindings(self.index):
            if columns.binding_name[one] == VALUE:
                return self.recording.value(columns.binding_value[one])
        return None

    def _named(self, pairs: Any, watched: bool) -> dict[str, Summary]:
        columns = self.recording.columns
        return {
            columns.names[name].removeprefix("watch: ") if watched else columns.names[name]: self.recording.value(value)
            for name, value in pairs
            if (name in columns.watches) == watched
        }

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
