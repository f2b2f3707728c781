"""What a lesson shows: a picture, and source; each rich in a notebook, and in words in a terminal.

Source is the reader's own: it comes from the installed packages.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable
from html import escape
from typing import TYPE_CHECKING, Any, NamedTuple

from prefix_lab.stages import STAGES, Stage, resolve, stage
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


SIDES = ("ours", "PEFT's")

STYLE = """<style>
.prefix-lab-stage { color: var(--jp-ui-font-color1, #222); font-size: 13px; }
.prefix-lab-stage ol { display: flex; flex-wrap: wrap; gap: 4px; list-style: none; margin: 0 0 8px; padding: 0; }
.prefix-lab-stage li { border: 1px solid var(--jp-border-color1, #bbb); border-radius: 10px; padding: 1px 10px; }
.prefix-lab-stage li[aria-current] { background: var(--jp-brand-color1, #1565c0);
  border-color: var(--jp-brand-color1, #1565c0); color: var(--jp-ui-inverse-font-color1, #fff); font-weight: 600; }
.prefix-lab-stage .panes { display: flex; flex-wrap: wrap; gap: 12px; }
.prefix-lab-stage figure { flex: 1 1 360px; min-width: 0; margin: 0; }
.prefix-lab-stage figcaption { font-family: var(--jp-code-font-family, monospace); font-size: 12px; padding: 2px 0;
  overflow-wrap: anywhere; }
.prefix-lab-stage .code { max-height: 340px; overflow: auto; border: 1px solid var(--jp-border-color2, #ddd);
  background: var(--jp-cell-editor-background, #f7f7f7); padding: 6px 8px; }
.prefix-lab-stage .code pre { margin: 0; font-size: 12px; line-height: 1.4; white-space: pre; background: none; }
.prefix-lab-stage .k, .prefix-lab-stage .kn, .prefix-lab-stage .kc, .prefix-lab-stage .ow {
  color: var(--jp-mirror-editor-keyword-color, #008000); font-weight: 600; }
.prefix-lab-stage .s1, .prefix-lab-stage .s2, .prefix-lab-stage .sa, .prefix-lab-stage .si {
  color: var(--jp-mirror-editor-string-color, #ba2121); }
.prefix-lab-stage .c1 { color: var(--jp-mirror-editor-comment-color, #408080); font-style: italic; }
.prefix-lab-stage .mi, .prefix-lab-stage .mf { color: var(--jp-mirror-editor-number-color, #088); }
.prefix-lab-stage .nf, .prefix-lab-stage .nd { color: var(--jp-mirror-editor-def-color, #00f); }
.prefix-lab-stage .hll { background: rgb(255 152 0 / 22%); box-shadow: -8px 0 0 rgb(255 152 0 / 80%); display: block; }
</style>"""


class SourceView(NamedTuple):
    """Titles and sources, and where a stage stands in the walk; rich in a notebook, plain in a terminal."""

    panes: tuple[tuple[str, str], ...]
    mark: tuple[str, ...] = ()
    stage: Stage | None = None

    def _repr_html_(self) -> str:
        panes = "".join(
            f"<figure><figcaption>{escape(title)}</figcaption>"
            f'<div class="code" tabindex="0">{highlighted(source, self.mark)}</div></figure>'
            for title, source in self.panes
        )
        head = ""
        if self.stage:
            strip = "".join(
                f"<li{' aria-current=step' if row.name == self.stage.name else ''}>{row.name}</li>" for row in STAGES
            )
            head = f"<ol>{strip}</ol><p>{escape(self.stage.sentence)}</p>"
        return f'{STYLE}<div class="prefix-lab-stage">{head}<div class="panes">{panes}</div></div>'

    def __repr__(self) -> str:
        panes = "\n\n".join(f"{title}\n{'-' * len(title)}\n{source}" for title, source in self.panes)
        if not self.stage:
            return panes
        strip = " > ".join(row.name.upper() if row.name == self.stage.name else row.name for row in STAGES)
        return f"{strip}\n{self.stage.sentence}\n\n{panes}"


def show_stage(
    name: str,
    mark: tuple[str, ...] = (),
    also: tuple[str, ...] = (),
    pair: tuple[Callable, Callable] | None = None,
) -> SourceView:
    """The stage's place in the walk, its sentence, and both sources without their docstrings.

    Lines that contain one of `mark` are highlighted; `also` names functions of ours that do the stage's work, to be
    shown above it; `pair` is a function of ours and one of PEFT's to show instead of the two that the stage names.
    Raises `ValueError` for a name that is no stage, and for a mark that no source contains.
    """
    row = stage(name)
    if pair:
        panes = tuple((f"{whose}: {dotted(one)}", readable(one)) for whose, one in zip(SIDES, pair, strict=True))
    else:
        ours = "\n\n\n".join(readable(resolve(path, name)) for path in (*also, row.ours))
        if row.ours == row.peft:
            panes = ((f"both: {row.ours}", ours),)
        else:
            panes = ((f"ours: {row.ours}", ours), (f"PEFT's: {row.peft}", readable(row.function("peft"))))
    return marked(panes, mark, row)


def show_source(*shown: Callable | type, mark: tuple[str, ...] = ()) -> SourceView:
    """Functions or classes side by side, without their docstrings; lines that contain one of `mark` are highlighted.

    Raises `ValueError` for a mark that stands in none of them.
    """
    return marked(tuple((dotted(one), readable(one)) for one in shown), mark)


def marked(panes: tuple[tuple[str, str], ...], mark: tuple[str, ...], row: Stage | None = None) -> SourceView:
    """The sources with their marks, each of which stands in one of them."""
    for text in mark:
        if not any(text in source for _, source in panes):
            raise ValueError(f"mark={text!r} is in none of {', '.join(title for title, _ in panes)}. Take another.")
    return SourceView(panes, mark, row)


def dotted(shown: Callable | type) -> str:
    return f"{shown.__module__}.{shown.__qualname__}"


def readable(shown: Callable | type) -> str:
    """Its source without its docstring, which the lesson says in its own words."""
    source = textwrap.dedent(inspect.getsource(shown))
    body = ast.parse(source).body[0].body
    first = body[0]
    if len(body) > 1 and isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
        lines = source.splitlines()
        source = "\n".join(lines[: first.lineno - 1] + lines[first.end_lineno :])
    return source.strip("\n")


def highlighted(source: str, mark: tuple[str, ...]) -> str:
    """The source as HTML, coloured by JupyterLab's own editor colours."""
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import PythonLexer

    lines = [number for number, line in enumerate(source.splitlines(), 1) if any(text in line for text in mark)]
    return highlight(source, PythonLexer(), HtmlFormatter(hl_lines=lines, nowrap=False, cssclass="source"))
