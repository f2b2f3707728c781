"""The text of the recorded files, with Python's colours; each file once."""

from functools import cache

from rich.style import Style
from rich.syntax import Syntax
from rich.text import Span, Text

from prefix_lab.debugger import Recording
from prefix_lab.terminal.visible import visible

THEME = "one-dark"
TAB = 4
MOST = 500_000  # characters: a longer file would take seconds, and is shown without colours


class Sources:
    """The lines of a recording's files."""

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
