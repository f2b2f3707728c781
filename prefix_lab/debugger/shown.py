"""What is shown of a step and of a value, as text: in an editor (`dap/`) and in the terminal's replay."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePath
from typing import Any

from prefix_lab.debugger.steps import NONE, Step
from prefix_lab.debugger.summary import Summary, as_summary
from prefix_lab.debugger.text import _, clipped

GIVEN = {"return": "returned", "yield": "yielded", "exception": "raised"}  # what a step's `value` is called
HAPPENS = {"call": "is called", "return": "returns", "yield": "yields", "exception": "raises"}
HAPPENS |= {"resume": "goes on after its yield"}
UNSAID = ("value", "bases")  # facts that say again what the text says


def place_of(file: str, line: int) -> str:
    return f"{clipped(PurePath(file).name)}:{line}"


def happening(step: Step) -> str:
    """What a step is, if it is no mere line: `returns 2`, `raises ValueError: no`."""
    given = f" {text_of(step.value)}" if step.value is not None else ""
    return _(HAPPENS[step.event]) + given if step.event in HAPPENS else ""


def given_by(step: Step) -> dict[str, Summary]:
    """What a step binds, changes in place, returns, yields or raises; a call's arguments are among its names."""
    found = {} if step.event == "call" else dict(step.changed)
    if step.value is not None:
        found[GIVEN.get(step.event, "value")] = step.value
    return found


def before_it(step: Step) -> Step | None:
    """The step before in the same frame: what it changed is what has just changed."""
    before = step.recording.columns.step_before[step.index]
    return None if before == NONE else step.recording.steps[before]


def text_of(value: Summary) -> str:
    """`Tensor (4, 20, 128) float32`, with the names of its axes where the recording has them."""
    return clipped(repr(value))


def facts_of(value: Summary) -> dict[str, str]:
    """What is known of a value beside its text and its parts."""
    found = {name: fact_text(known) for name, known in value.facts.items() if name not in UNSAID}
    length = value.facts.get("length")
    if isinstance(length, int) and length > len(value.parts) > 0:
        found["left out"] = f"{length - len(value.parts):,} of {length:,} items were not recorded"
    return found


def fact_text(known: Any) -> str:
    """A fact as it is told: a text without quotes, a number with six digits, which are enough to compare."""
    if isinstance(known, str):
        return clipped(known)
    if isinstance(known, float):
        return f"{known:.6g}"
    return clipped(tuple_text(known) if isinstance(known, tuple | list) else as_summary(known).text)


def tuple_text(items: Iterable[Any]) -> str:
    return f"({', '.join(map(str, items))})"
