"""A matplotlib figure as SVG that follows the page's theme, and that a screen reader can tell.

What is drawn in `INK` or `FAINT` takes the page's own text and line colours, in JupyterLab, in VS Code and in a plain
page, light or dark, also when the theme is changed later. The ground is clear.
"""

from __future__ import annotations

import io
import re
from html import escape
from typing import TYPE_CHECKING

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
