"""A picture as SVG text: boxes, bands and words, measured in inches, in the page's own font and colours.

It is made by hand since a slider asks for a new one many times a second.
"""

from __future__ import annotations

from html import escape

from prefix_lab.widgets.picture import FAINT, IN_THE_PAGE, INK

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
