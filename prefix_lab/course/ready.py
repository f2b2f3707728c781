"""A word about the environment before a lesson begins: what is missing or too old, and what to do."""

from __future__ import annotations

import sys
import warnings
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from prefix_lab.course.cells import cell_to_run, running_shell
from prefix_lab.course.checking import Verdict

WAY_OUT = "In a clone of prefix_lab, `make lab` sets up what the lessons need."
NEEDED = {"torch": (2, 6), "transformers": (5, 15), "peft": (0, 21), "ipywidgets": (8, 1), "matplotlib": (3, 9)}


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
