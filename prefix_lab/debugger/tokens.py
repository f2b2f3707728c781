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
RESUME = Mark("resume")  # followed by the time, the frame's number, its line as AGAIN's: a generator goes on
AGAIN = Mark("again")  # followed by (line,), or (None,): its names are not bound yet; their values come once more
LOST = Mark("lost")  # the values that should follow could not be taken


class Running(Token):
    """A frame that was there before the recording, at a line, if it is one of its table, whose values may follow.

    `number` is None unless the frame may pause; `held` is what its names stood for.
    """

    __slots__ = ("held", "info", "line", "number")

    def __init__(self, info: CodeInfo, line: LineInfo | None, number: int | None, held: dict[str, Any]):
        self.info, self.line, self.number, self.held = info, line, number, held


class LineInfo(Token):
    """A line of a function, and the names to look at once it has run.

    `names` is None, a name that the line binds, or a tuple of such names, of `Touched` and `Shared` ones, of watches,
    and of None for "see whether a limit is reached". `sure` says that a line that has run has bound its names. Neither
    changes: when there is more to look at, the line gets another one of these.
    """

    __slots__ = ("info", "line", "names", "sure")

    def __init__(self, info: CodeInfo, line: int, names: str | tuple | None, sure: bool):
        self.info, self.line, self.names, self.sure = info, line, names, sure


class CodeInfo(Token):
    """A function in scope; on a tape, a call of it, followed by the time, its number if it may pause, its arguments."""

    __slots__ = ("arguments", "cells", "closer", "direct", "file", "first_line", "function", "in_mapping", "lines")
    __slots__ += ("moving", "pauses", "plans", "read", "returns", "simple", "skips", "slots", "spans", "starts")
    __slots__ += ("yields",)

    def __init__(self, code: CodeType):
        self.file, self.function, self.first_line = code.co_filename, code.co_qualname, code.co_firstlineno
        self.lines: dict[int, LineInfo] = {}
        self.plans: dict[int, Plan] = {}
        # Names that stood for something that can change in place, in any frame so far. A number is not looked at again
        # until its name is bound anew, and most locals are never anything else.
        self.moving: set[str] = set()
        self.closer = False  # whether something was met that may change without being named
        self.spans: tuple[tuple[int, int, int | None], ...] = tuple(code.co_lines())
        self.arguments: tuple = ()
        self.pauses = False
        self.simple = True  # the arguments are plain names
        self.slots: dict[str, int] = {}  # where its frames have each name
        self.direct = False  # whether a name's value is `frames.fast[where + slot]`, without `read`
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
        if not self.closer:
            self.closer = True
            self.lay_out()

    def moves(self, *names: str) -> None:
        """These names stand for something that can change in place: look at it where a line may do that."""
        self.moving.update(names)
        self.lay_out()

    def moves_all(self) -> None:
        """Any name may."""
        self.moves(*(name for plan in self.plans.values() for name in plan.touched))

    def lay_out(self) -> None:
        """Lay down what each line looks at. Another thread may do so at the same time: the last one has seen all."""
        while True:
            seen = len(self.moving), self.closer
            for line, plan in self.plans.items():
                names = plan.names(self.moving, self.closer)
                if line not in self.lines or self.lines[line].names != names:
                    self.lines[line] = LineInfo(self, line, names, plan.sure)
            if seen == (len(self.moving), self.closer):
                return

    def line_at(self, offset: int) -> int | None:
        """The line that an instruction belongs to."""
        return next((line for start, end, line in self.spans if start <= offset < end), None)


class Plan(NamedTuple):
    """What a line may look at, as its bytecode says."""

    bound: tuple[str, ...]
    shared: tuple[str, ...]
    touched: tuple[str, ...]
    watches: tuple[Watch, ...]
    turns: bool  # goes back to the head of a loop
    runs: bool  # may run code of the program's own
    sure: bool

    def names(self, moving: set[str], closer: bool) -> str | tuple | None:
        """For a `LineInfo`, when these names may change in place, and others without being named."""
        shared = map(Shared, self.shared)
        touched = (Touched(name) for name in self.touched if name in moving)
        others = (OTHERS,) if self.runs and closer else ()
        found = (*self.bound, *shared, *touched, *self.watches, *TURN[: self.turns], *others)
        if found == TURN:
            return TURN
        return found[0] if found == self.bound and len(found) == 1 else found or None


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
