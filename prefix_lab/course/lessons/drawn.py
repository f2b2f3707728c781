"""A picture of a lesson: SVG in a notebook, its description in a terminal."""

from __future__ import annotations

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
