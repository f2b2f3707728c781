"""A replay without its screen: where it stands, where it came from, where it should stop, what was searched for."""

from array import array
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Callable
from functools import cache

from rich.style import Style
from rich.syntax import Syntax
from rich.text import Span, Text

from prefix_lab.debugger import Breakpoint, Recording, Step
from prefix_lab.debugger.text import visible

JUMPS = 1000
THEME = "one-dark"
TAB = 4
MOST = 500_000  # characters: a longer file would take seconds, and is shown without colours


class ReplayState:
    """The cursor, and what a person has asked for so far."""

    def __init__(self, recording: Recording, first: int = 0):
        self.recording = recording
        self.cursor = recording.cursor(first)
        self.sources = ColouredSources(recording)
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


class ColouredSources:
    """The lines of a recording's files, with Python's colours; each file is read once."""

    def __init__(self, recording: Recording):
        self.recording = recording
        self.files: dict[str, list[Text]] = {}

    def lines(self, file: str) -> list[Text]:
        """A file's lines as they were when recorded; none when its text is not known."""
        if file not in self.files:
            self.files[file] = coloured(self.recording.sources.get(file, ""))
        return self.files[file]


def coloured(source: str) -> list[Text]:
    """The lines, without what would steer a terminal."""
    if not source:
        return []
    lines = [visible(line.rstrip("\r").expandtabs(TAB)) for line in source.split("\n")]
    if len(source) > MOST:
        return list(map(Text, lines))
    found = Syntax("", "python", theme=THEME).highlight("\n".join(lines))
    found.style = ""
    found.spans = [Span(span.start, span.end, without_background(span.style)) for span in found.spans]
    parts = found.split("\n", allow_blank=True)[: len(lines)]
    same = [part.plain for part in parts] == lines
    return list(parts) if same else list(map(Text, lines))


@cache
def without_background(style: Style | str) -> Style:
    """The pane has a background of its own, and marks the current line with another."""
    plain = Style.parse(style) if isinstance(style, str) else style
    return Style(color=plain.color, bold=plain.bold, italic=plain.italic, underline=plain.underline)
