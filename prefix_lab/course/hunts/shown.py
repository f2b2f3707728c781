"""Sources as a reader sees them: a hunt's copy, or functions of PEFT's from the reader's own installation."""

from __future__ import annotations

import html
import inspect
from collections.abc import Callable
from types import ModuleType
from typing import NamedTuple

from prefix_lab.course.source import STYLE, highlighted, readable


class Shown(NamedTuple):
    """Titles and sources; rich in a notebook, plain in a terminal."""

    panes: tuple[tuple[str, str], ...]
    mark: tuple[str, ...] = ()

    def _repr_html_(self) -> str:
        panes = "".join(
            f"<figure><figcaption>{html.escape(title)}</figcaption>"
            f'<div class="code" tabindex="0">{highlighted(source, self.mark)}</div></figure>'
            for title, source in self.panes
        )
        return f'{STYLE}<div class="prefix-lab-stage"><div class="panes">{panes}</div></div>'

    def __repr__(self) -> str:
        return "\n\n".join(f"{title}\n{'-' * len(title)}\n{source}" for title, source in self.panes)


def show_copy(hunt: ModuleType) -> Shown:
    """The whole source of a hunt, without its first docstring: every line of it may be named in a mend."""
    source = inspect.getsource(hunt).replace(f'"""{hunt.__doc__}"""', "", 1).strip("\n")
    return Shown(((f"{hunt.__name__.replace('.', '/')}.py", source),))


def show_peft(*functions: Callable, mark: tuple[str, ...] = ()) -> Shown:
    """Functions of PEFT's side by side, without their docstrings; lines with one of `mark` are marked.

    Raises `ValueError` for a mark that stands in none of them.
    """
    panes = tuple((f"{one.__module__}.{one.__qualname__}", readable(one)) for one in functions)
    for text in mark:
        if not any(text in source for _, source in panes):
            raise ValueError(f"mark={text!r} stands in none of {', '.join(title for title, _ in panes)}. Take another.")
    return Shown(panes, mark)
