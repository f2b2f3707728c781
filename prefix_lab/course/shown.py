"""What a lesson shows: a picture, SVG in a notebook and its description in a terminal; and a table, in both."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any, NamedTuple

from prefix_lab.widgets.picture import FAINT, INK, as_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


class Drawn(NamedTuple):
    """What a lesson's picture is: `svg` to see, `told` to read or to hear."""

    svg: str
    told: str

    def _repr_html_(self) -> str:
        return self.svg

    def __repr__(self) -> str:
        return self.told


def drawn(figure: Figure, title: str, told: str) -> Drawn:
    """A finished figure; `title` names it, `told` says in words what it shows."""
    return Drawn(as_svg(figure, title, told), f"{title}\n{told}")


def plain_axes(axes: Axes, title: str, below: str = "", left: str = "", **grid: Any) -> None:
    """Title and labels in the page's text colour; faint sides, and a faint grid where one is asked for."""
    axes.set_title(title, color=INK, fontsize=10, loc="left")
    axes.set_xlabel(below, color=INK, fontsize=9)
    axes.set_ylabel(left, color=INK, fontsize=9)
    axes.tick_params(colors=INK, labelsize=8, which="both")
    for side in axes.spines.values():
        side.set_color(FAINT)
    if grid:
        axes.grid(color=FAINT, linewidth=0.5, **grid)
        axes.set_axisbelow(True)


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
