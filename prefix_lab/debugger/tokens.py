"""What stands on a tape: tokens, each followed by the values that its names took.

A tape is one flat list for each thread. Appending is all that happens while the program runs; what the items mean is
worked out afterwards, by `decode`. A value is a plain number, a short text, or a `Summary`; it is never a token, so
that a reader who has lost the thread finds it again at the next one. A token and the times and numbers that belong to
it are written at once, so that they are all there or none of them: an interrupt in between cannot make a value a time.
"""

from __future__ import annotations

from collections.abc import Callable
from types import CodeType
from typing import Any, NamedTuple


class Token:
    """What is no value."""

    __slots__ = ()


class Mark(Token):
    """A token without further content; there is one object of each."""

    __slots__ = ("name",)

    def __init__(self, name: str):
        self.name = name


RETURN = Mark("return")  # followed by the time and the value
YIELD = Mark("yield")  # followed by the value
RAISE = Mark("exception")  # followed by the exception
UNWIND = Mark("unwind")  # followed by the time: an exception leaves the frame
RESUME = Mark("resume")  # followed by the time, the frame's number, its line: a generator goes on; then as AGAIN
AGAIN = Mark("again")  # followed by the line: its names are not bound yet after all; their values come once more
LOST = Mark("lost")  # the values that should follow could not be taken


class Running(Token):
    """A frame that was there before the recording, at a line whose values may follow.

    `number` is None unless the frame may pause; `held` is what its names stood for.
    """

    __slots__ = ("held", "info", "line", "number")

    def __init__(self, info: CodeInfo, line: int | None, number: int | None, held: dict[str, Any]):
        self.info, self.line, self.number, self.held = info, line, number, held


class LineInfo(Token):
    """A line of a function, and the names to look at once it has run.

    `names` is None, a name that the line binds, or a tuple of such names, of `Touched` and `Shared` ones, of watches,
    and of None for "see whether a limit is reached"; `closer` are those to look at instead from when on something may
    change without being named. `sure` says that a line that has run has bound its names.
    """

    __slots__ = ("closer", "info", "line", "names", "sure")

    def __init__(self, info: CodeInfo, line: int):
        self.info, self.line = info, line
        self.names: str | tuple | None = None
        self.closer: tuple | None = None
        self.sure = True


class CodeInfo(Token):
    """A function in scope; on a tape, a call of it, followed by the time, its number if it may pause, its arguments."""

    __slots__ = ("arguments", "cells", "file", "first_line", "function", "in_mapping", "lines", "pauses", "read")
    __slots__ += ("returns", "simple", "skips", "slots", "spans", "starts", "yields")

    def __init__(self, code: CodeType):
        self.file, self.function, self.first_line = code.co_filename, code.co_qualname, code.co_firstlineno
        self.lines: dict[int, LineInfo] = {}
        self.spans: tuple[tuple[int, int, int | None], ...] = tuple(code.co_lines())
        self.arguments: tuple = ()
        self.pauses = False
        self.simple = True  # the arguments are plain names
        self.slots: dict[str, int] = {}  # where its frames have each name
        self.in_mapping = False  # its frames have their names in a mapping: a module's, a class body's
        self.cells: frozenset[str] = frozenset()  # the names that it shares with functions inside or around it
        self.read: Callable[[Any, str, Any], Any] = dict.get  # looks a name up: see `frames.reader`
        # Offsets in the bytecode: where it starts, returns, pauses, and ends a loop by StopIteration.
        self.starts: set[int] = set()
        self.returns: set[int] = set()
        self.yields: set[int] = set()
        self.skips: set[int] = set()

    def look_closer(self) -> None:
        """From now on look at what any line of this function that may run code could have changed."""
        for place in self.lines.values():
            if place.closer is not None:
                place.names = place.closer

    def line_at(self, offset: int) -> int | None:
        """The line that an instruction belongs to."""
        return next((line for start, end, line in self.spans if start <= offset < end), None)


TURN = (None,)
"""The names of a line that binds nothing, but turns back to go round a loop again: see whether a limit is reached."""


class Touched(str):
    """A name that a line does not bind, but whose value it may change in place."""

    __slots__ = ()


class Others(str):
    """Stands for the names that a line does not use: code that it ran may have changed what they stand for all the
    same. Followed by None, or by a dict of those for which that could be."""

    __slots__ = ()


OTHERS = Others("all other names")


class Shared(str):
    """A name that a function shares with one inside or around it, which may bind it at any time."""

    __slots__ = ()


class Watch(NamedTuple):
    """An expression that is evaluated after each line of the frames that know its names."""

    text: str
    code: CodeType


class Missing:
    """The value of a name that is not bound."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "MISSING"


MISSING = Missing()
