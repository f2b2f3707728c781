"""What every widget shares: pictures as SVG that follow the page and that a screen reader can tell, and a form as text.

What is drawn in `INK` or `FAINT` takes the page's own text and line colours, in JupyterLab, in VS Code and in a plain
page, light or dark, also when the theme is changed later. The ground is clear.
"""

from __future__ import annotations

import base64
import io
import re
import warnings
from html import escape
from typing import TYPE_CHECKING, Any

from prefix_lab.locale import N_, _

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


def as_svg(figure: Figure, title: str, text: str, narrowest: float = 0) -> str:
    """The figure as an `<svg>` element. `title` names it, `text` says in words what it shows.

    On a narrow page it shrinks, to the part `narrowest` of its width at most; then the page scrolls.
    """
    from matplotlib import rc_context

    kinds = {"svg.fonttype": "none", "svg.hashsalt": "prefix_lab", "font.family": "sans-serif"}
    drawn = io.StringIO()
    with rc_context(kinds), warnings.catch_warnings():
        # signs that matplotlib's own font lacks, such as Chinese ones, are left to the page's
        warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
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
    style = f"stroke-linejoin: round; {wide(figure.get_figwidth(), narrowest)}"
    return f'{head} role="img" style="{style}">{told}{rest}'


def wide(inches: float, narrowest: float) -> str:
    """As wide as the page, up to its own width, and no narrower than that part of it."""
    least = f"; min-width: {narrowest * inches:.2f}in" if narrowest else ""
    return f"width: 100%; max-width: {inches:.2f}in{least}; height: auto"


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

    def line(self, start: tuple[float, float], end: tuple[float, float], **look: object) -> None:
        """A straight line."""
        ends = f'x1="{px(start[0])}" y1="{px(start[1])}" x2="{px(end[0])}" y2="{px(end[1])}"'
        self.pieces.append(f"<line {ends} {attributes(look)}/>")

    def words(self, x: float, y: float, said: str, size: float, anchor: str = "middle", bold: bool = False) -> None:
        """One line of text, its middle at height `y`; `size` in points, `anchor` start, middle or end."""
        look = f'x="{px(x)}" y="{px(y + size / 72 * 0.36)}" font-size="{size * POINT:.1f}" text-anchor="{anchor}"'
        weight = ' font-weight="bold"' if bold else ""
        self.pieces.append(f'<text {look}{weight} fill="{INK}">{escape(said)}</text>')

    def svg(self, title: str, text: str, narrowest: float = 0) -> str:
        """The `<svg>` element. `title` names it, `text` says in words what it shows.

        On a narrow page it shrinks, to the part `narrowest` of its width at most; then the page scrolls.
        """
        view = f"{px(-self.left)} 0 {px(self.width)} {px(self.height)}"
        style = f"{wide(self.width, narrowest)}; font-family: {FONT}"
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


STILL = N_("A still of a widget, which lives only in a notebook with a kernel: run this cell there to use it.")
IN_WORDS = N_("The same in words")
# A widget on the page hides its still, and a still hides what JupyterLab says of a widget that it does not find.
HIDDEN = """<style>
html:has(.{name}) #{name} {{ display: none; }}
.jp-OutputArea-child:has(+ * #{name}) > .jupyter-widgets:not(:has(*)) {{ display: none; }}
.jp-NotebookPanel #{name} {{ animation: prefix-lab-wait 2s; }}
@keyframes prefix-lab-wait {{ from, to {{ max-height: 0; overflow: hidden; visibility: hidden; }} }}
</style>"""


class TextForm:
    """Mixed in before the widget's class: `text` is what it shows in words, `still` what it is where no widget lives.

    In a notebook it displays itself, and then its still as an output of its own, which the living widget hides: of one
    output with both, nbconvert and JupyterLab would take the widget even where its kernel is gone, and show nothing.
    """

    @property
    def text(self) -> str:
        raise NotImplementedError

    @property
    def still(self) -> str:
        """What stands in its place as HTML, without a script or a style that a viewer might take out."""
        return preformatted(self.text)

    def __repr__(self) -> str:
        return self.text

    __str__ = __repr__

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        """For IPython in a terminal the whole text: ipywidgets would cut it."""
        found = super()._repr_mimebundle_(**kwargs)  # type: ignore[misc]
        bundle = found[0] if isinstance(found, tuple) else found
        if bundle:
            bundle["text/plain"] = self.text
        return found

    def _ipython_display_(self) -> None:
        """The widget for a front end that has widgets, and the still for any other, also for one that opens later."""
        from IPython import display, get_ipython

        if getattr(get_ipython(), "kernel", None) is None or self.comm is None:  # type: ignore[attr-defined]
            raise NotImplementedError  # a terminal, or closed: IPython goes on to the text
        name = f"prefix-lab-{self.model_id}"  # type: ignore[attr-defined]
        self.add_class(name)  # type: ignore[attr-defined]
        found = super()._repr_mimebundle_()  # type: ignore[misc]
        bundle = found[0] if isinstance(found, tuple) else found
        display.display(bundle | {"text/plain": "", "text/html": ""}, raw=True)
        still = f"<div id='{name}'>{HIDDEN.format(name=name)}<p><small>{_(STILL)}</small></p>{self.still}</div>"
        display.display({"text/html": still, "text/plain": self.text}, raw=True)


def preformatted(text: str) -> str:
    """Text whose columns stay below each other, in a fixed width; what is too long for the page goes on below."""
    look = "font-family: var(--jp-code-font-family, ui-monospace), monospace; white-space: pre-wrap; word-break: normal"
    return f'<pre style="{look}">{escape(text)}</pre>'


def still_picture(shown: str, text: str) -> str:
    """HTML with its pictures as images, which viewers keep that take `<svg>` out, and the text to unfold."""
    images = re.sub(r"<svg.*?</svg>", lambda found: as_image(found[0]), shown, flags=re.DOTALL)
    return f"{images}<details><summary>{_(IN_WORDS)}</summary>{preformatted(text)}</details>"


def as_image(svg: str) -> str:
    """An `<svg>` as an `<img>` on white paper: it does not take the page's colours."""
    named = re.search(r"<title>(.*?)</title>", svg)
    style = re.search(r'style="([^"]*)"', svg)
    svg = svg if "xmlns=" in svg else svg.replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg"', 1)
    data = base64.b64encode(svg.encode()).decode()
    look = f"background: #fff; {style[1] if style else ''}".replace('"', "'")
    return f'<img alt="{named[1] if named else ""}" style="{look}" src="data:image/svg+xml;base64,{data}">'
