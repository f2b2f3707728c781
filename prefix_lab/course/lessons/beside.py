"""Two functions of the walk side by side, where a stage has more than the pair that its table names."""

from __future__ import annotations

from collections.abc import Callable

from prefix_lab.course.source import StageView, readable
from prefix_lab.stages import stage


def show_beside(name: str, ours: Callable, theirs: Callable, mark: tuple[str, ...] = ()) -> StageView:
    """A stage's place in the walk, and these two functions of it. Raises `ValueError` as `show_stage` does."""
    panes = tuple(
        (f"{whose}: {one.__module__}.{one.__qualname__}", readable(one))
        for whose, one in (("ours", ours), ("PEFT's", theirs))
    )
    for text in mark:
        if not any(text in source for _, source in panes):
            raise ValueError(f"mark={text!r} is in neither function. Take a text that stands there.")
    return StageView(stage(name), panes, mark)
