"""A table that is HTML in a notebook and columns of text everywhere else; the one way in which tables are shown."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

STYLE = "text-align: left; vertical-align: top; padding: 3px 10px 3px 0"


class Table(NamedTuple):
    """Rows under heads, if there are any; the first cell of a row names it."""

    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def _repr_html_(self) -> str:
        heads = "".join(f"<th scope='col' style='{STYLE}'>{escape(head)}</th>" for head in self.heads)
        rows = "".join(
            f"<tr><th scope='row' style='{STYLE}'>{escape(first)}</th>"
            + "".join(f"<td style='{STYLE}'>{escape(cell)}</td>" for cell in rest)
            + "</tr>"
            for first, *rest in self.rows
        )
        head = f"<thead><tr>{heads}</tr></thead>" if heads else ""
        return f"<div style='overflow-x: auto'><table>{head}<tbody>{rows}</tbody></table></div>"

    def __repr__(self) -> str:
        return "\n".join(in_columns([self.heads, *self.rows] if self.heads else self.rows))


def table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> Table:
    """A table of whatever can be printed."""
    return Table(tuple(heads), tuple(tuple(map(str, row)) for row in rows))


def in_columns(lines: Sequence[Sequence[str]], right: Sequence[int] = ()) -> list[str]:
    """Each row as one line, the cells of a column below each other; those numbered in `right` end below each other."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if number in right else cell.ljust(width)
            for number, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
