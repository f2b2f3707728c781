"""What a lesson shows: a picture, and source; each rich in a notebook, and in words in a terminal.

Source is the reader's own: it comes from the installed packages.
"""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Callable, Sequence
from html import escape
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from prefix_lab.course.progress import lesson
from prefix_lab.locale import N_, _, ngettext
from prefix_lab.locale.room import columns
from prefix_lab.stages import STAGES, Stage, resolve, stage
from prefix_lab.widgets.picture import FAINT, INK, as_svg
from prefix_lab.widgets.stepper.page import HERE
from prefix_lab.widgets.stepper.questions import texts
from prefix_lab.widgets.stepper.written import letter_of

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


SIDES = (N_("ours: {function}"), N_("PEFT's: {function}"))
AROUND = 2  # lines that stay in view on both sides of a marked one
FEWEST = 4  # lines that are worth folding
BEGINNING = 10  # lines in view where the marks are all in the other pane
# The lesson that opens a stage; the strip of stages leads there.
OPENED_BY = {"choose": 4, "prepare": 5, "wrap": 1, "encode": 6, "split": 7, "attend": 8, "learn": 3, "keep": 11}

PALETTE = " ".join(re.findall(r"--[\w-]+: light-dark\([^;]*;", (HERE / "stepper.css").read_text(encoding="utf-8")))
"""The stepper's own colours."""

# Letters are those of `coloured_lines`.
STYLE = """<style>
.prefix-lab-stage { PALETTE --line: var(--jp-border-color2, light-dark(#d4d4d8, #46464a));
  color-scheme: light dark; font-size: 13px; container-type: inline-size; }
[data-jp-theme-light="true"] .prefix-lab-stage, .vscode-light .prefix-lab-stage { color-scheme: light; }
[data-jp-theme-light="false"] .prefix-lab-stage, .vscode-dark .prefix-lab-stage { color-scheme: dark; }
.prefix-lab-stage ol { display: flex; flex-wrap: wrap; gap: 2px 0; list-style: none; margin: 0 0 6px; padding: 0; }
.prefix-lab-stage li:not(:last-child)::after { content: "›"; margin: 0 8px; }
.prefix-lab-stage li a { color: inherit; text-decoration: underline; }
.prefix-lab-stage li[aria-current] { font-weight: 700; }
.prefix-lab-stage .panes { display: grid; gap: 12px; grid-auto-columns: minmax(0, 1fr); }
@container (min-width: 1200px) { .prefix-lab-stage .panes { grid-auto-flow: column; } }
.prefix-lab-stage figure { min-width: 0; margin: 0; }
.prefix-lab-stage figure > * { font: 12px/1.5 var(--jp-code-font-family, monospace); overflow-wrap: anywhere; }
.prefix-lab-stage .code { border: 1px solid var(--line); padding: 6px 0;
  background: var(--jp-cell-editor-background, light-dark(#f7f7f7, #1b1b1d));
  color: var(--jp-content-font-color1, light-dark(#1c1c1e, #e6e6e8)); }
.prefix-lab-stage .code pre { margin: 0; padding: 0; font: inherit; color: inherit; white-space: pre-wrap;
  word-break: normal; background: none; border: 0; }
.prefix-lab-stage .code pre > * { display: block; color: inherit; border-left: 4px solid transparent;
  padding-right: 8px; padding-left: calc(8px + var(--in) + 4ch); text-indent: calc(0px - var(--in) - 4ch); }
.prefix-lab-stage .code pre > mark { background: var(--mark); border-color: var(--mark-edge); }
.prefix-lab-stage summary { color: var(--soft); padding: 1px 12px; cursor: pointer; }
.prefix-lab-stage summary:hover { background: var(--line); color: inherit; }
.prefix-lab-stage .k { color: var(--keyword); font-weight: 600; }
.prefix-lab-stage .s { color: var(--string); }
.prefix-lab-stage .c { color: var(--comment); font-style: italic; }
.prefix-lab-stage mark .c { color: inherit; }
.prefix-lab-stage .n, .prefix-lab-stage .d { color: var(--number); }
.prefix-lab-stage .b { color: var(--builtin); }
.prefix-lab-stage .f { color: var(--definition); font-weight: 600; }
</style>""".replace("PALETTE", PALETTE)


class SourceView(NamedTuple):
    """Titles and sources, and where a stage stands in the walk; rich in a notebook, plain in a terminal.

    Lines that contain one of `mark` are marked; in a notebook, those that are not near one are folded away until they
    are opened, so that a long function begins with what it is shown for.
    """

    panes: tuple[tuple[str, str], ...]
    mark: tuple[str, ...] = ()
    stage: Stage | None = None

    def _repr_html_(self) -> str:
        panes = "".join(
            f'<figure><figcaption>{escape(title)}</figcaption><div class="code">{self.folded(source)}</div></figure>'
            for title, source in self.panes
        )
        head = f"{strip_of(self.stage)}<p>{escape(_(self.stage.sentence))}</p>" if self.stage else ""
        return f'{STYLE}<div class="prefix-lab-stage">{head}<div class="panes">{panes}</div></div>'

    def __repr__(self) -> str:
        panes = "\n\n".join(f"{title}\n{'-' * columns(title)}\n{self.plain(source)}" for title, source in self.panes)
        if not self.stage:
            return panes
        strip = " > ".join(row.name.upper() if row.name == self.stage.name else row.name for row in STAGES)
        return f"{strip}\n{_(self.stage.sentence)}\n\n{panes}"

    def is_marked(self, line: str) -> bool:
        return any(text in line for text in self.mark)

    def plain(self, source: str) -> str:
        """The whole source, with a sign before each marked line."""
        if not self.mark:
            return source
        return "\n".join(f"{'>' if self.is_marked(line) else ' '} {line}".rstrip() for line in source.split("\n"))

    def folded(self, source: str) -> str:
        """The source as HTML: stretches that stay in view, and between them those that a reader may open."""
        lines = source.split("\n")
        coloured = [
            f'<{tag} style="--in:{indent(line)}ch">{html}\n</{tag}>'
            for line, html in zip(lines, coloured_lines(source), strict=True)
            for tag in ["mark" if self.is_marked(line) else "span"]
        ]
        found = []
        for open_, stretch in groupby(range(len(lines)), self.in_view(lines).__contains__):
            stretch = [*stretch]
            text = f"<pre>{''.join(coloured[at] for at in stretch)}</pre>"
            found.append(text if open_ else f"<details><summary>{more_lines(len(stretch))}</summary>{text}</details>")
        return "".join(found)

    def in_view(self, lines: list[str]) -> set[int]:
        """The numbers of the lines that are not folded: all where nothing is marked; else those that are marked, those
        around them, and the heads of the blocks and functions that they stand in."""
        if not self.mark:
            return {*range(len(lines))}
        marked = [at for at, line in enumerate(lines) if self.is_marked(line)]
        found = {at for at, line in enumerate(lines) if line.startswith(("def ", "class "))}
        found |= set() if marked else {*range(BEGINNING)}
        for at in marked:
            found |= {*range(at - AROUND, at + AROUND + 1)}
            depth = indent(lines[at])
            for above in range(at, -1, -1):
                text = lines[above].strip()
                if text and indent(lines[above]) < depth and not text.startswith((")", "]", "}")):
                    depth = indent(lines[above])
                    found.add(above)
        for open_, stretch in groupby(range(len(lines)), found.__contains__):
            stretch = [*stretch]
            if not open_ and len(stretch) < FEWEST:
                found |= {*stretch}
        return found


def more_lines(count: int) -> str:
    """What a folded stretch says of itself."""
    return ngettext("{count} more line", "{count} more lines", count).format(count=count)


def strip_of(now: Stage) -> str:
    """The stages in their order, each a link to its lesson where the notebook lies beside."""
    rows = []
    for row in STAGES:
        notebook = f"{lesson(OPENED_BY[row.name]).file}.ipynb"
        name = f'<a href="{notebook}">{row.name}</a>' if row.name != now.name and Path(notebook).exists() else row.name
        rows.append(f"<li{' aria-current=step' if row.name == now.name else ''}>{name}</li>")
    return f'<ol aria-label="{_("Stages of the walk")}">{"".join(rows)}</ol>'


def indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def coloured_lines(source: str) -> list[str]:
    """The lines of a source as HTML, each piece of a colour in a span that its letter names."""
    from pygments.lexers import PythonLexer

    lines = [""]
    for _place, kind, text in PythonLexer().get_tokens_unprocessed(source):
        letter = letter_of(kind)
        for number, part in enumerate(text.split("\n")):
            if number:
                lines.append("")
            if part:
                lines[-1] += escape(part) if letter == "." else f'<span class="{letter}">{escape(part)}</span>'
    return lines


def show_stage(
    name: str,
    mark: str | Sequence[str] = (),
    also: str | Sequence[str] = (),
    pair: tuple[Callable, Callable] | None = None,
) -> SourceView:
    """The stage's place in the walk, its sentence, and both sources without their docstrings.

    Lines that contain one of `mark` are highlighted; `also` names functions of ours that do the stage's work, to be
    shown above it; `pair` is a function of ours and one of PEFT's to show instead of the two that the stage names.
    Raises `ValueError` for a name that is no stage, and for a mark that no source contains.
    """
    row = stage(name)
    if pair:
        panes = tuple(
            (_(whose).format(function=dotted(one)), readable(one)) for whose, one in zip(SIDES, pair, strict=True)
        )
    else:
        ours = "\n\n\n".join(readable(resolve(path, name)) for path in (*texts("also", also, row.ours), row.ours))
        if row.ours == row.peft:
            panes = ((_("both: {function}").format(function=row.ours), ours),)
        else:
            whose = (_(side).format(function=one) for side, one in zip(SIDES, (row.ours, row.peft), strict=True))
            panes = tuple(zip(whose, (ours, readable(row.function("peft"))), strict=True))
    return marked(panes, mark, row)


def show_source(*shown: Callable | type, mark: str | Sequence[str] = ()) -> SourceView:
    """Functions or classes side by side, without their docstrings; lines that contain one of `mark` are highlighted.

    Raises `ValueError` for a mark that stands in none of them, `TypeError` for what has no source.
    """
    sources = [readable(one) for one in shown]
    return marked(tuple(zip(map(dotted, shown), sources, strict=True)), mark)


def marked(panes: tuple[tuple[str, str], ...], mark: str | Sequence[str], row: Stage | None = None) -> SourceView:
    """The sources with their marks, each of which stands in one of them."""
    mark = texts("mark", mark, "torch.cat(")
    for text in mark:
        if not any(text in source for title, source in panes):
            raise ValueError(
                f"mark={text!r} is in none of {', '.join(title for title, source in panes)}. Take another."
            )
    return SourceView(panes, tuple(mark), row)


def dotted(shown: Callable | type) -> str:
    return f"{shown.__module__}.{shown.__qualname__}"


def readable(shown: Callable | type) -> str:
    """Its source without its docstring, which the lesson says in its words. Raises `TypeError` where it has none."""
    try:
        source = textwrap.dedent(inspect.getsource(shown))
    except (TypeError, OSError):
        raise TypeError(
            f"{shown!r} has no source to show; expected a function or class that is written in Python."
        ) from None
    body = ast.parse(source).body[0].body
    first = body[0]
    if len(body) > 1 and isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
        lines = source.splitlines()
        source = "\n".join(lines[: first.lineno - 1] + lines[first.end_lineno :])
    return source.strip("\n")
