"""`prefix-lab replay`: a screen where there is one; in pipes and files plain lines, an outline and a line a step.

Here is also what a replay knows without its screen: where it stands, what was searched for, and where it should stop,
as a person types it: `forward`, `encoder.py:31`, `31`, `x.shape[0] > 2`, `forward if i == 5`.
"""

import argparse
import os
import re
import sys
from array import array
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import PurePath

from prefix_lab.debugger import Recording, Step
from prefix_lab.debugger.breakpoints import is_end_of
from prefix_lab.debugger.placing import PlacedBreakpoint, at_function, at_line
from prefix_lab.debugger.text import count_of, listed, visible, visible_lines
from prefix_lab.terminal.signs import has_signs

DRAWN = "▶●│━…"  # by the replay's screen
JUMPS = 1000
EXPECTED = "a function, file.py:line, or a condition such as i == 5"
LINE = re.compile(r"(?:(?P<file>.+):)?(?P<line>[0-9]{1,9})")
FUNCTION = re.compile(r"[^\W\d]\w*(\.(\w+|<\w+>))*|<\w+>")


def replay_file(args: argparse.Namespace) -> int:
    """Load and show; returns the exit status."""
    on_screen = not args.printed and has_screen()
    if on_screen:
        print("reading …", end="\r", file=sys.stderr, flush=True)  # a million steps take seconds
    try:
        recording = Recording.load(args.file)
        check_first(recording, args.first)
    except ValueError as error:
        args.refuse(str(error))
    if on_screen and len(recording):
        from prefix_lab.terminal.keys import Replay

        Replay(recording, args.file, args.first).run()
        return 0
    for line in printed(recording, args.first, args.count):
        print(line)
    sys.stdout.flush()  # so that a reader who has gone away is noticed here, and not when Python ends
    return 0


def has_screen() -> bool:
    """Whether a full-screen program can run here: textual reads standard input, and draws on standard error."""
    streams = (sys.stdin, sys.stdout, sys.stderr)
    if os.environ.get("TERM") == "dumb" or not all(stream is not None and stream.isatty() for stream in streams):
        return False
    return has_signs(sys.stderr, DRAWN)


def check_first(recording: Recording, first: int) -> None:
    """Raises `ValueError` when there is no step `first` to begin with."""
    steps = len(recording)
    if first and first >= steps:
        last = f"the last of {count_of(steps, 'step')} is {steps - 1}" if steps else "the recording has no steps"
        raise ValueError(f"argument --from: {first} was given, and {last}")


def printed(recording: Recording, first: int, count: int) -> Iterator[str]:
    """The outline, `count` steps from `first` on, and how to see more."""
    steps = len(recording)
    yield from visible_lines(repr(recording)).split("\n")
    end = min(first + count, steps)
    if first < end:
        yield ""
    for index in range(first, end):
        yield visible(repr(recording.steps[index]))
    if end < steps:
        yield f"… {count_of(steps - end, 'step')} more: --from {end} --count {count}"


class ReplayState:
    """The cursor, and what a person has asked for so far."""

    def __init__(self, recording: Recording, first: int = 0):
        self.recording = recording
        self.cursor = recording.cursor(first)
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

    def next_match(self, backwards: bool = False, here: bool = False) -> int | None:
        """The nearest step that was found, on that side; with `here`, this one too. None if there is none."""
        if backwards:
            at = bisect_left(self.matches, self.index) - 1
        else:
            at = (bisect_left if here else bisect_right)(self.matches, self.index)
        return self.matches[at] if 0 <= at < len(self.matches) else None


def breakpoint_at(text: str, step: Step) -> PlacedBreakpoint:
    """What the text means, said while standing at `step`. Raises `ValueError` for what could never be reached."""
    recording = step.recording
    place, _, condition = (part.strip() for part in f" {text} ".partition(" if "))
    if line := LINE.fullmatch(place):
        file = file_named(line["file"], step) if line["file"] else step.file
        found = at_line(recording, file, int(line["line"]), condition)
        place = f"{PurePath(file).name}:{found.line}"
    elif FUNCTION.fullmatch(place) and (condition or place not in step.locals):
        found = at_function(recording, place, condition)
    elif place and condition:
        raise ValueError(f"{place!r} is no place. Before `if` stands a function, or file.py:line.")
    elif place:
        return PlacedBreakpoint(recording, place, range(len(recording)), place)
    else:
        raise ValueError(f"Type {EXPECTED}.")
    found.label = f"{place} if {condition}" if condition else place
    return found


def file_named(name: str, step: Step) -> str:
    """The recorded file that ends in this; of several the one that is being looked at."""
    files = dict.fromkeys(file for file, _, _ in step.recording.columns.functions if is_end_of(name, file))
    if step.file in files:
        return step.file
    if len(files) > 1:
        raise ValueError(f"{name!r} is several files. Type more of the path: {listed(list(files), 4)}.")
    return next(iter(files), name)
