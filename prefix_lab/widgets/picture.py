"""What every widget shares: pictures as SVG that follow the page and that a screen reader can tell, and a form as text.

What is drawn in `INK` or `FAINT` takes the page's own text and line colours, in JupyterLab, in VS Code and in a plain
page, light or dark, also when the theme is changed later. The ground is clear.
"""

from __future__ import annotations

import io
import re
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure


INK, FAINT = "#010203", "#030201"
IN_THE_PAGE = {
    INK: "var(--jp-ui-font-color1, var(--vscode-foreground, CanvasText))",
    FAINT: "var(--jp-border-color1, var(--vscode-widget-border, GrayText))",
}


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of this many inches; nothing of pyplot's global state is touched."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def as_svg(figure: Figure, title: str, text: str) -> str:
    """The figure as an `<svg>` element. `title` names it, `text` says in words what it shows."""
    from matplotlib import rc_context

    kinds = {"svg.fonttype": "none", "svg.hashsalt": "prefix_lab", "font.family": "sans-serif"}
    drawn = io.StringIO()
    with rc_context(kinds):
        figure.savefig(drawn, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = drawn.getvalue()
    svg = svg[svg.index("<svg") :]
    for colour, in_the_page in IN_THE_PAGE.items():
        svg = svg.replace(colour, in_the_page)
    svg = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", svg, flags=re.DOTALL)  # its style is the page's
    svg = re.sub(r'<g id="[^"]*"', "<g", svg)  # two pictures on a page would share these
    told = f"<title>{escape(title)}</title><desc>{escape(text)}</desc>"
    head, _, rest = svg.partition(">")
    head = re.sub(r' (width|height)="[^"]*"', "", head)
    style = f"stroke-linejoin: round; width: 100%; max-width: {figure.get_figwidth():.2f}in; height: auto"
    return f'{head} role="img" style="{style}">{told}{rest}'


INCH = 96
POINT = INCH / 72
FONT = "var(--jp-ui-font-family, system-ui), sans-serif"


class Picture:
    """What was drawn so far, on a ground that is `left` inches wide on the left of 0, `right` on its right."""

    def __init__(self, left: float, right: float, height: float) -> None:
        self.left, self.width, self.height = left, left + right, height
        self.pieces: list[str] = []

    def box(self, left: float, top: float, width: float, height: float, **look: object) -> None:
        """A rectangle. `look` is SVG's own: fill, stroke, fill_opacity, stroke_dasharray, …"""
        place = f'x="{px(left)}" y="{px(top)}" width="{px(width)}" height="{px(height)}"'
        self.pieces.append(f"<rect {place} {attributes(look)}/>")

    def band(
        self, above: tuple[float, float], below: tuple[float, float], heights: tuple[float, float], fill: str
    ) -> None:
        """A ribbon that bends from one stretch at the first height to another at the second."""
        (top, bottom), middle = map(px, heights), px(sum(heights) / 2)
        (a, b), (c, d) = map(px, above), map(px, below)
        path = f"M{a} {top}C{a} {middle} {c} {middle} {c} {bottom}H{d}C{d} {middle} {b} {middle} {b} {top}Z"
        self.pieces.append(f'<path d="{path}" fill="{fill}" fill-opacity="0.3"/>')

    def line(self, start: tuple[float, float], end: tuple[float, float], **look: object) -> None:
        """A straight line."""
        ends = f'x1="{px(start[0])}" y1="{px(start[1])}" x2="{px(end[0])}" y2="{px(end[1])}"'
        self.pieces.append(f"<line {ends} {attributes(look)}/>")

    def words(self, x: float, y: float, said: str, size: float, anchor: str = "middle", bold: bool = False) -> None:
        """One line of text, its middle at height `y`; `size` in points, `anchor` start, middle or end."""
        look = f'x="{px(x)}" y="{px(y + size / 72 * 0.36)}" font-size="{size * POINT:.1f}" text-anchor="{anchor}"'
        weight = ' font-weight="bold"' if bold else ""
        self.pieces.append(f'<text {look}{weight} fill="{INK}">{escape(said)}</text>')

    def svg(self, title: str, text: str) -> str:
        """The `<svg>` element. `title` names it, `text` says in words what it shows."""
        view = f"{px(-self.left)} 0 {px(self.width)} {px(self.height)}"
        style = f"width: 100%; max-width: {self.width:.2f}in; height: auto; font-family: {FONT}"
        drawn = "".join(self.pieces)
        for colour in (INK, FAINT):
            drawn = drawn.replace(f'"{colour}"', f'"{IN_THE_PAGE[colour]}"')
        told = f"<title>{escape(title)}</title><desc>{escape(text)}</desc>"
        return f'<svg role="img" viewBox="{view}" style="{style}">{told}{drawn}</svg>'


def px(inches: float) -> str:
    """Inches as pixels, as SVG wants them."""
    return f"{inches * INCH:.1f}"


def attributes(look: dict[str, object]) -> str:
    """`fill_opacity=0.2` as `fill-opacity="0.2"`."""
    return " ".join(f'{name.replace("_", "-")}="{value}"' for name, value in look.items())


class TextForm:
    """Mixed in before the widget's class: `text` is what it shows, in words."""

    @property
    def text(self) -> str:
        raise NotImplementedError

    def __repr__(self) -> str:
        return self.text

    __str__ = __repr__

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        """For a notebook the widget, for IPython in a terminal the whole text: ipywidgets would cut it."""
        found = super()._repr_mimebundle_(**kwargs)  # type: ignore[misc]
        bundle = found[0] if isinstance(found, tuple) else found
        if bundle:
            bundle["text/plain"] = self.text
        return found
