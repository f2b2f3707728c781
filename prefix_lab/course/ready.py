"""Is everything there that the lessons need? What is missing or too old is told before one begins, with advice."""

from __future__ import annotations

import platform
import sys
import warnings
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from prefix_lab.config import MIRRORED_PEFT
from prefix_lab.course.cells import cell_to_run, running_shell
from prefix_lab.course.progress import file
from prefix_lab.widgets.table import Table, table

WAY_OUT = "In a clone of prefix_lab, `make lab` sets up what the lessons need."
OLDEST_PYTHON = (3, 11)
NEEDED = {"torch": (2, 6), "transformers": (5, 15), "peft": (0, 21), "ipywidgets": (8, 1), "matplotlib": (3, 9)}
QUESTION, ANSWER = "reverse: garden", "nedrag"


def make_ready() -> None:
    """Raises `ImportError` that says what is wrong; quiets one warning that is not a lesson's subject.

    From then on, a cell that asks for a name that is not there says which cell to run first.
    """
    problems = [problem for name, least in NEEDED.items() if (problem := wrong_with(name, least))]
    if problems:
        raise ImportError(f"The lessons cannot begin: {'; '.join(problems)}. {WAY_OUT} (This is {sys.executable}.)")
    # PEFT 0.21.2 asks transformers for a name that transformers is about to drop.
    warnings.filterwarnings("ignore", message="`is_gradient_checkpointing` is deprecated", category=FutureWarning)
    if shell := running_shell():
        shell.events.register("post_run_cell", say_what_to_run)


def say_what_to_run(result: Any) -> None:
    """After each cell, below its output: the cell to run first, when a name was missing."""
    from IPython.display import display

    from prefix_lab.course.checking import Verdict

    if sentence := cell_to_run(result.error_in_exec):
        display(Verdict(False, sentence))


def wrong_with(name: str, least: tuple[int, int]) -> str:
    """What is wrong with a package; empty when nothing is."""
    try:
        found = version(name)
    except PackageNotFoundError:
        return f"{name} is not installed"
    numbers = tuple(int(part) for part in found.split("+")[0].split(".")[:2] if part.isdigit())
    return f"{name} is {found}, and {'.'.join(map(str, least))} or newer is needed" if numbers < least else ""


def self_check() -> Table:
    """Python, the packages, the tiny T5 and where progress is noted, each with advice where something is off.

    Never raises; takes about a second.
    """
    rows = [python(), *map(package, NEEDED), anywidget(), tiny_t5(), notes()]
    well = not any(advice for _, _, advice in rows)
    verdict = "Everything is here." if well else "Something needs a look: the advice stands beside it."
    marked = [("✗" if advice else "✓", what, found, advice) for what, found, advice in rows]
    return table(("", "looked at", "found", "advice"), marked, verdict)


Row = tuple[str, str, str]
"""What was looked at, what was found, and advice; the last is empty where all is well."""


def python() -> Row:
    advice = "" if sys.version_info >= OLDEST_PYTHON else "Python 3.11 or newer is needed: make lab PYTHON=python3.13."
    return "Python", platform.python_version(), advice


def package(name: str) -> Row:
    """One that the lessons need; PEFT's version is also the one that ours is held against."""
    problem = wrong_with(name, NEEDED[name])
    found = "" if problem else version(name)
    if name == "peft" and found not in ("", MIRRORED_PEFT):
        problem = f"ours mirrors {MIRRORED_PEFT}: where the two differ, that is why. make lab installs it."
    return name, found or "–", problem


def anywidget() -> Row:
    """The stepper needs it; the pictures do without."""
    try:
        return "anywidget", version("anywidget"), ""
    except PackageNotFoundError:
        return "anywidget", "–", "the stepper needs it: make lab installs it."


def tiny_t5() -> Row:
    """The model that ships, asked one question."""
    try:
        from prefix_lab.course.small_models import load_tiny_t5
        from prefix_lab.course.training import answers

        said = answers(*load_tiny_t5(), [QUESTION])[0]
    except Exception as error:  # whatever is wrong with the weights or the packages, the table says it
        return "the tiny T5", f"{type(error).__name__}: {error}", "get its weights back: git status shows them."
    advice = "" if said == ANSWER else f"it should say {ANSWER!r}: are its weights whole?"
    return "the tiny T5", f"{QUESTION!r} → {said!r}", advice


def notes() -> Row:
    """Where progress is noted; keeping none is a choice, and no mistake."""
    return "your progress", str(file() or "not kept (PREFIX_LAB_PROGRESS is empty)"), ""
