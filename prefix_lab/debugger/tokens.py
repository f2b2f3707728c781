"""What stands on a tape: tokens, each followed by the values that its names took.

A tape is one flat list for each thread. Appending is all that happens while the program runs; what the items mean is
worked out afterwards, by `decode`. A value is a plain number, a short text, or a `Summary`; it is never a token, so
that a reader who has lost the thread finds it again at the next one.
"""

from __future__ import annotations

from types import CodeType
from typing import NamedTuple


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
RESUME = Mark("resume")  # followed by the time and the frame's number: a generator or coroutine goes on
RUNNING = Mark("running")  # followed by info, number, and a dict of locals: the frame was there before the recording
AGAIN = Mark("again")  # the names of the line are not bound yet after all; their values come once more
LOST = Mark("lost")  # the values that should follow could not be taken


class Place(Token):
    """A line of a function, and the names to look at once it has run.

    `names` is None, a name that the line binds, or a tuple of such names, of `Touched` and `Shared` ones, of watches,
    and of None for "see whether a limit is reached". `sure` says that a line that has run has bound its names.
    """

    __slots__ = ("info", "line", "names", "sure")

    def __init__(self, info: CodeInfo, line: int):
        self.info, self.line = info, line
        self.names: str | tuple | None = None
        self.sure = True


class CodeInfo(Token):
    """A function in scope; on a tape, a call of it, followed by the time, its number if it may pause, its arguments."""

    __slots__ = ("arguments", "ends", "file", "first_line", "function", "lines", "pauses", "simple")
    __slots__ += ("skips", "spans", "starts", "yields")

    def line_at(self, offset: int) -> int | None:
        """The line that an instruction belongs to."""
        return next((line for start, end, line in self.spans if start <= offset < end), None)

    def __init__(self, code: CodeType):
        self.file, self.function, self.first_line = code.co_filename, code.co_qualname, code.co_firstlineno
        self.lines: dict[int, Place] = {}
        self.spans: tuple[tuple[int, int, int | None], ...] = tuple(code.co_lines())
        self.arguments: tuple = ()
        self.pauses = False
        self.simple = True  # the arguments are plain names
        # Offsets in the bytecode: where it starts, ends or pauses, pauses, and ends a loop by StopIteration.
        self.starts: frozenset[int] = frozenset()
        self.ends: frozenset[int] = frozenset()
        self.yields: frozenset[int] = frozenset()
        self.skips: frozenset[int] = frozenset()


TURN = (None,)
"""The names of a line that binds nothing, but turns back to go round a loop again: see whether a limit is reached."""


class Touched(str):
    """A name that a line does not bind, but whose value it may change in place."""

    __slots__ = ()


class Others(str):
    """Stands for the names that a line which calls something does not use: what they stand for may be changed all the
    same. Followed by None, or by a dict of those that were."""

    __slots__ = ()


OTHERS = Others("where something was seen to have changed")
UNNAMED = Others("and this line may have changed anything without naming it")


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
