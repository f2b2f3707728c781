"""Rows to the screen: coloured in a terminal, plain everywhere else, and never wider than 80 columns."""

import io
import os
import re
import textwrap
from collections.abc import Iterable

from rich.console import Console
from rich.text import Text

from prefix_lab.walk.page import Row

WIDTH, MARGIN, LABEL = 80, 2, 9
STYLES = {"title": "bold", "command": "green", "good": "green", "bad": "bold red"}


class Painter:
    """Writes rows to a stream. A terminal gets colours and drawn rules, unless NO_COLOR asks for none."""

    def __init__(self, stream: io.TextIOBase):
        self.stream = stream
        drawn = stream.isatty() and os.environ.get("TERM") != "dumb" and not os.environ.get("NO_COLOR")
        self.console = Console(file=stream, highlight=False, force_terminal=True) if drawn else None
        self.width = min(WIDTH, self.console.width) if self.console else WIDTH

    def paint(self, rows: Iterable[Row]) -> None:
        """Write them, and flush: a stage is on the screen when it is done."""
        for row in rows:
            for line in self.lines(row):
                self.write(line, row.kind)
        self.stream.flush()

    def lines(self, row: Row) -> list[str]:
        """One row as lines of text."""
        if row.kind == "title" and len(row.text) + 4 <= self.width:
            rule = "─" if self.console else "-"
            return [f"{rule * 2} {row.text} ".ljust(self.width, rule)]
        if row.label is None:
            return wrap(row.text, self.width)
        to_fit = wrap_command if row.kind == "command" else wrap
        first, *more = to_fit(row.text, max(20, self.width - MARGIN - LABEL), row.hanging)
        indent = " " * MARGIN
        return [f"{indent}{row.label:<{LABEL}}{first}", *(f"{indent}{'':<{LABEL}}{line}" for line in more)]

    def write(self, line: str, kind: str) -> None:
        """One line, coloured if this is a terminal."""
        if self.console is None:
            self.stream.write(line.rstrip() + "\n")
            return
        text = Text(line.rstrip(), style=STYLES.get(kind, ""))
        if kind != "title":
            text.highlight_regex(rf"^ {{{MARGIN}}}[A-Za-z][A-Za-z']* ", "dim")
        if kind == "shape":
            text.highlight_regex(r"\([^()]*[a-z][^()]*\)(?= = \(|$)", "cyan")
        self.console.print(text, soft_wrap=True)


def wrap(text: str, width: int, hanging: int = 0) -> list[str]:
    """Lines of at most `width`, the later ones indented; a shape's numbers, and a third count, go to a line whole."""
    if len(text) <= width:
        return [text]
    for sign in " = (", " || ":
        head, found, tail = text.rpartition(sign)
        last = " " * hanging + (sign + tail).strip()
        if found and max(len(head), len(last)) <= width:
            return [head, last]
    if hanging > width // 2:
        hanging = 2  # a narrow terminal: better a ragged line than a column of single words
    return textwrap.wrap(text, width, subsequent_indent=" " * hanging, break_on_hyphens=False)


def wrap_command(text: str, width: int, hanging: int = 0) -> list[str]:
    """Lines that a shell reads as one, broken before options only."""
    first, *options = re.split(r" (?=--)", text)
    lines = [first]
    for option in options:
        if len(f"{lines[-1]} {option} \\") <= width:
            lines[-1] += f" {option}"
        else:
            lines[-1] += " \\"
            lines.append(" " * hanging + option)
    return lines
