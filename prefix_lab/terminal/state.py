"""A replay without its screen: where it stands, where it came from, where it should stop, what was searched for.

Where to stop is what a person types, in the language of `debugger/stops.py`.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Callable
from functools import cached_property

from prefix_lab.debugger import Recording, Step, stops
from prefix_lab.debugger.cursor import COMPREHENSIONS
from prefix_lab.debugger.placing import PlacedBreakpoint
from prefix_lab.debugger.search import is_end_of
from prefix_lab.debugger.stages import bands, stage_stops
from prefix_lab.debugger.text import listed
from prefix_lab.locale import N_, _

JUMPS = 1000
EXPECTED = N_("a stage, a function, file.py:30, x changes, raises, or i == 5")


class ReplayState:
    """The cursor, and what a person has asked for so far."""

    def __init__(self, recording: Recording, first: int = 0):
        self.recording = recording
        self.cursor = recording.cursor(first)
        self.cursor.skip = COMPREHENSIONS
        self.mark: int | None = None  # since when changes are asked for
        self.breakpoints: list[PlacedBreakpoint] = []
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

    def toggle(self, breakpoint: PlacedBreakpoint) -> bool:
        """Set a breakpoint, or take away the same one; whether it is set now."""
        others = [one for one in self.breakpoints if (one.label, one.file) != (breakpoint.label, breakpoint.file)]
        is_set = len(others) == len(self.breakpoints)
        self.breakpoints = [*others, breakpoint] if is_set else others
        return is_set

    def toggle_skipped(self, name: str) -> bool:
        """Step past a function, file or folder from now on, or into it again; whether it is stepped past now."""
        others = tuple(one for one in self.cursor.skip if one != name)
        is_set = others == self.cursor.skip
        self.cursor.skip = (*others, name) if is_set else others
        return is_set

    def next_stage(self, backwards: bool) -> int | None:
        """Where the next stage of the walk begins or goes on, or the one before."""
        if backwards:
            return next((step for step in reversed(self.stage_stops) if step < self.index), None)
        return next((step for step in self.stage_stops if step > self.index), None)

    @cached_property
    def stage_stops(self) -> list[int]:
        return stage_stops(run for _, _, runs in bands(self.recording) for run in runs)

    def next_match(self, backwards: bool = False, here: bool = False) -> int | None:
        """The nearest step that was found, on that side; with `here`, this one too. None if there is none."""
        if backwards:
            at = bisect_left(self.matches, self.index) - 1
        else:
            at = (bisect_left if here else bisect_right)(self.matches, self.index)
        return self.matches[at] if 0 <= at < len(self.matches) else None


def breakpoint_at(text: str, step: Step) -> PlacedBreakpoint:
    """What the text means, said while standing at `step`. Raises `ValueError` for what could never be reached."""
    stop = stops.read(text, step.file, step.function, step.locals)
    if stop is None and text.strip():
        no_place = _("{place} is no place. Before `if` stands a function, or file.py:line.")
        raise ValueError(no_place.format(place=repr(text.strip().partition(" if ")[0])))
    if stop is None:
        raise ValueError(_("Type {expected}.").format(expected=_(EXPECTED)))
    if "line" in stop:
        stop["file"] = file_named(stop["file"], step)
    found = stops.placed(step.recording, stop)
    found.label = stops.written(stop | ({"line": found.line} if "line" in stop else {}))
    return found


def file_named(name: str, step: Step) -> str:
    """The recorded file that ends in this; of several the one that is being looked at."""
    files = dict.fromkeys(file for file, *rest in step.recording.columns.functions if is_end_of(name, file))
    if step.file in files:
        return step.file
    if len(files) > 1:
        several = _("{name} is several files. Type more of the path: {files}.")
        raise ValueError(several.format(name=repr(name), files=listed(list(files), 4)))
    return next(iter(files), name)
