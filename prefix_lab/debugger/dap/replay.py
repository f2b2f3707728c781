"""What is debugged: a recording, the step where it stands, where it stops, and what the client was told of."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from prefix_lab.debugger.dap.arguments import Arguments, Refused
from prefix_lab.debugger.dap.lines import Lines
from prefix_lab.debugger.dap.raised import Raised
from prefix_lab.debugger.dap.sources import Sources
from prefix_lab.debugger.dap.stops import Stop
from prefix_lab.debugger.dap.threads import Threads
from prefix_lab.debugger.dap.values import Child

if TYPE_CHECKING:
    from prefix_lab.debugger.recording import Recording


class Frame(NamedTuple):
    """A frame of a stack, at the step where it stands."""

    step: int


class Target(NamedTuple):
    """A step that the client may jump to."""

    step: int


class Pane(NamedTuple):
    """Lines of a variables pane: a scope, or what is inside a value."""

    children: list[Child]


class Client(NamedTuple):
    """What a client said of itself."""

    first_line: int = 1
    first_column: int = 1
    with_types: bool = False
    as_uri: bool = False


class Replay:
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
        self.lines: dict[str, Lines] = {}
        self.known: dict[int, Any] = {}
        self.told = 0

    @cached_property
    def raised(self) -> Raised:
        return Raised(self.recording)

    @cached_property
    def sources(self) -> Sources:
        return Sources(self.recording, self.client.as_uri)

    def lines_of(self, file: str) -> Lines:
        if file not in self.lines:
            self.lines[file] = Lines(self.recording, file)
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
