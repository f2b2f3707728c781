"""A table that a lesson fills by running: HTML in a notebook, aligned columns in a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

STYLE = "text-align: left; vertical-align: top; padding: 3px 10px 3px 0"


class Table(NamedTuple):
    """Rows under heads; the first cell of a row names it."""

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
        return (
            f"<div style='overflow-x: auto'><table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>"
        )

    def __repr__(self) -> str:
        lines = [self.heads, *self.rows]
        widths = [max(len(line[column]) for line in lines) for column in range(len(self.heads))]
        shown = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines]
        return "\n".join(line.rstrip() for line in shown)


def table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> Table:
    """A table of whatever can be printed."""
    return Table(tuple(heads), tuple(tuple(map(str, row)) for row in rows))
