"""A table that is HTML in a notebook and columns of text everywhere else; the one way in which tables are shown."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

from prefix_lab.locale import _
from prefix_lab.locale.room import columns, padded

STYLE = "text-align: left; vertical-align: top; padding: 3px 10px 3px 0"


class Table(NamedTuple):
    """Rows under heads, if there are any, and a sentence below; the first cell of a row names it."""

    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    below: str = ""

    def _repr_html_(self) -> str:
        heads = "".join(f"<th scope='col' style='{STYLE}'>{escape(head)}</th>" for head in self.heads)
        whole = "" if self.heads else "; white-space: nowrap"  # a column of short names alone
        rows = "".join(
            f"<tr><th scope='row' style='{STYLE}{whole}'>{escape(first)}</th>"
            + "".join(f"<td style='{STYLE}'>{escape(cell)}</td>" for cell in rest)
            + "</tr>"
            for first, *rest in self.rows
        )
        head = f"<thead><tr>{heads}</tr></thead>" if heads else ""
        below = f"<p><b>{escape(self.below)}</b></p>" if self.below else ""
        return f"<div style='overflow-x: auto'><table>{head}<tbody>{rows}</tbody></table></div>{below}"

    def __repr__(self) -> str:
        lines = in_columns([self.heads, *self.rows] if self.heads else self.rows)
        return "\n".join([*lines, *filter(None, [self.below])])


def table(heads: Sequence[str], rows: Sequence[Sequence[object]], below: str = "") -> Table:
    """A table of whatever can be printed, and a sentence below it; the heads and the sentence are translated here."""
    return Table(tuple(map(_, heads)), tuple(tuple(map(str, row)) for row in rows), _(below))


def in_columns(lines: Sequence[Sequence[str]], right: Sequence[int] = ()) -> list[str]:
    """Each row as one line, the cells of a column below each other; those numbered in `right` end below each other."""
    widths = [max(map(columns, column)) for column in zip(*lines, strict=True)]
    return [
        "  ".join(
            padded(cell, width, right=number in right)
            for number, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
