"""What is debugged: a recording, where it and each thread stand, where it stops, and what the client was told of."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from prefix_lab.debugger.dap.arguments import Arguments, Refused
from prefix_lab.debugger.dap.recorded_files import CodeLines, RecordedFiles
from prefix_lab.debugger.dap.stops import Raised, Stop
from prefix_lab.debugger.text import clipped

if TYPE_CHECKING:
    from prefix_lab.debugger.recording import Recording


class StackFrame(NamedTuple):
    """A frame of a stack, at the step where it stands."""

    step: int


class GotoTarget(NamedTuple):
    """A step that the client may jump to."""

    step: int


class Client(NamedTuple):
    """What a client said of itself."""

    first_line: int = 1
    first_column: int = 1
    with_types: bool = False
    as_uri: bool = False


class Debuggee:
    """All that a session knows beside the protocol's own rules."""

    def __init__(self, recording: Recording):
        self.recording, self.cursor = recording, recording.cursor()
        self.threads = Threads(recording)
        self.client = Client()
        self.stop_on_entry, self.first, self.only_outline = True, 0, False
        self.by_source: dict[Any, list[Stop]] = {}
        self.by_function: list[Stop] = []
        self.by_exception: list[Stop] = []
        self.numbered = 0
        self.lines: dict[str, CodeLines] = {}
        self.known: dict[int, Any] = {}
        self.told = 0

    @cached_property
    def raised(self) -> Raised:
        return Raised(self.recording)

    @cached_property
    def files(self) -> RecordedFiles:
        return RecordedFiles(self.recording, self.client.as_uri)

    def lines_of(self, file: str) -> CodeLines:
        if file not in self.lines:
            self.lines[file] = CodeLines(self.recording, file)
        return self.lines[file]

    @property
    def index(self) -> int:
        return self.cursor.index

    def goto(self, step: int) -> None:
        """Stand somewhere else; what was told of the place before is no longer known."""
        self.known.clear()
        if len(self.recording):
            self.cursor.goto(step)

    @property
    def stops(self) -> list[Stop]:
        lines = [stop for stops in self.by_source.values() for stop in stops]
        return [*self.by_exception, *self.by_function, *lines]

    def number(self) -> int:
        """A breakpoint's number, which no other has."""
        self.numbered += 1
        return self.numbered

    def tell(self, thing: Any) -> int:
        """A number by which the client may ask for this until the recording stands elsewhere."""
        self.told += 1
        self.known[self.told] = thing
        return self.told

    def told_of(self, arguments: Arguments, name: str, kind: type) -> Any:
        """What a number was told for. Raises `Refused` for one that is not known, or no longer."""
        number = arguments.whole(name, least=1)
        found = self.known.get(number)
        if not isinstance(found, kind):
            raise Refused(
                f"{arguments.named(name)}: {number} is not known at this step; numbers of a stop end with it."
            )
        return found

    def thread(self, arguments: Arguments) -> int:
        thread = arguments.whole("threadId", least=1)
        self.threads.check(thread)
        return thread


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

    def described(self) -> list[dict]:
        return [{"id": number, "name": clipped(name)} for number, name in enumerate(self.names, 1)]

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
