"""One step of the walk, done under the setting that both sides share; its error is a value too."""

from typing import Any, NamedTuple

from prefix_lab.walk.setting import same_setting
from prefix_lab.walk.sides import Run, Side
from prefix_lab.walk.steps import STEPS


class Outcome(NamedTuple):
    """What a step made, or the error that it ended in."""

    value: Any = None
    error: Exception | None = None


def attempt(name: str, side: Side, run: Run) -> Outcome:
    """Do the step of that name, and keep on the side what it made."""
    try:
        with same_setting(side.base, run.seed):
            value = STEPS[name](side, run)
    except Exception as error:  # whatever a model family raises: the walk tells it and ends
        return Outcome(error=error)
    side.made[name] = value
    return Outcome(value)


def in_words(error: Exception) -> str:
    """`ValueError: the first line of what it says`"""
    first = next(iter(str(error).strip().splitlines()), "")
    return f"{type(error).__name__}: {first}" if first else type(error).__name__
