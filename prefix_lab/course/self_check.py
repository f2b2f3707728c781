"""Is everything there that the lessons need? A table of what was found, with advice where something is off."""

from __future__ import annotations

import html
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import NamedTuple

from prefix_lab.config import MIRRORED_PEFT
from prefix_lab.course import progress
from prefix_lab.course.ready import NEEDED, wrong_with

QUESTION, ANSWER = "reverse: garden", "nedrag"
OLDEST = (3, 11)


class Row(NamedTuple):
    """One thing that was looked at; `advice` is empty where all is well."""

    what: str
    found: str
    advice: str = ""


class SelfCheck(NamedTuple):
    """What `self_check` returns: a table in a notebook, lines in a terminal."""

    rows: tuple[Row, ...]

    @property
    def passed(self) -> bool:
        return not any(row.advice for row in self.rows)

    @property
    def verdict(self) -> str:
        return "Everything is here." if self.passed else "Something needs a look: the advice stands beside it."

    def __repr__(self) -> str:
        lines = [
            f"{'✗' if row.advice else '✓'} {row.what:22} {row.found}{f'   {row.advice}' if row.advice else ''}"
            for row in self.rows
        ]
        return "\n".join([*lines, self.verdict])

    def _repr_html_(self) -> str:
        left = "style='text-align: left'"
        rows = "".join(
            f"<tr><td>{'✗' if row.advice else '✓'}</td>"
            + "".join(f"<td {left}>{html.escape(text)}</td>" for text in row)
            + "</tr>"
            for row in self.rows
        )
        heads = "".join(f"<th scope='col' {left}>{head}</th>" for head in ("", "looked at", "found", "advice"))
        table = f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"
        return f"{table}<p><b>{html.escape(self.verdict)}</b></p>"


def self_check() -> SelfCheck:
    """Look at Python, the packages, the tiny T5 and where progress is noted. Never raises; takes about a second."""
    return SelfCheck((python(), *map(package, NEEDED), widgets(), tiny_t5(), notes()))


def python() -> Row:
    advice = "" if sys.version_info >= OLDEST else "Python 3.11 or newer is needed: make lab PYTHON=python3.13."
    return Row("Python", platform.python_version(), advice)


def package(name: str) -> Row:
    """One that the lessons need; PEFT's version is also the one that ours is held against."""
    problem = wrong_with(name, NEEDED[name])
    found = "" if problem else version(name)
    if name == "peft" and found not in ("", MIRRORED_PEFT):
        problem = f"ours mirrors {MIRRORED_PEFT}: where the two differ, that is why. make lab installs it."
    return Row(name, found or "–", problem)


def widgets() -> Row:
    """The stepper needs anywidget; the pictures do without."""
    try:
        return Row("anywidget", version("anywidget"))
    except PackageNotFoundError:
        return Row("anywidget", "–", "the stepper needs it: make lab installs it.")


def tiny_t5() -> Row:
    """The model that ships, asked one question."""
    try:
        from prefix_lab.course.tiny_t5 import load_tiny_t5
        from prefix_lab.course.training import answers

        said = answers(*load_tiny_t5(), [QUESTION])[0]
    except Exception as error:  # whatever is wrong with the weights or the packages, the table says it
        return Row("the tiny T5", f"{type(error).__name__}: {error}", "get its weights back: git status shows them.")
    advice = "" if said == ANSWER else f"it should say {ANSWER!r}: are its weights whole?"
    return Row("the tiny T5", f"{QUESTION!r} → {said!r}", advice)


def notes() -> Row:
    """Where progress is noted; keeping none is a choice, and no mistake."""
    path = progress.file()
    return Row("your progress", str(path) if path else "not kept (PREFIX_LAB_PROGRESS is empty)")
