"""A replay without its screen: where it stands, where it came from, where it should stop, what was searched for."""

from array import array
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Callable

from prefix_lab.debugger import Breakpoint, Recording, Step
from prefix_lab.terminal.source import Sources

JUMPS = 1000


class ReplayState:
    """The cursor, and what a person has asked for so far."""

    def __init__(self, recording: Recording, first: int = 0):
        self.recording = recording
        self.cursor = recording.cursor(first)
        self.sources = Sources(recording)
        self.breakpoints: list[Breakpoint] = []
        self.jumps: deque[int] = deque(maxlen=JUMPS)
        self.searched = ""
        self.matches = array("I")
        self.threads = len(set(recording.columns.turn_thread))

    @property
    def step(self) -> Step:
        return self.cursor.step

    @property
    def index(self) -> int:
        return self.cursor.index

    def move(self, by: Callable[[], bool]) -> bool:
        """Move, and remember where from, unless the next step or the one before it leads back as well."""
        before = self.index
        moved = by()
        if abs(self.index - before) > 1:
            self.jumps.append(before)
        return moved

    def goto(self, index: int) -> bool:
        return self.move(lambda: self.cursor.goto(index))

    def undo(self) -> bool:
        """Back to where the last jump was made from; False when there is none left."""
        return bool(self.jumps) and (self.cursor.goto(self.jumps.pop()) or True)

    def toggle(self, breakpoint: Breakpoint) -> bool:
        """Set a breakpoint, or take away the same one; whether it is set now."""
        if breakpoint in self.breakpoints:
            self.breakpoints.remove(breakpoint)
            return False
        self.breakpoints.append(breakpoint)
        return True

    def stops_at(self, file: str, line: int) -> bool:
        """Whether a breakpoint names this line."""
        return any(one.line == line and one.place_fits("line", file, "", line) for one in self.breakpoints)

    def next_match(self, backwards: bool = False, here: bool = False) -> int | None:
        """The nearest step that was found, on that side; with `here`, this one too. None if there is none."""
        if backwards:
            at = bisect_left(self.matches, self.index) - 1
        else:
            at = (bisect_left if here else bisect_right)(self.matches, self.index)
        return self.matches[at] if 0 <= at < len(self.matches) else None
