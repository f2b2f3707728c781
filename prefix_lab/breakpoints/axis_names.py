"""The names of the axes at a stop: from what a walk found earlier and kept, never by a walk of its own.

A walk takes seconds, and at a stop of a debugger the interpreter would not even record it.
"""

from __future__ import annotations

from collections.abc import Iterable
from types import FrameType, TracebackType
from typing import Any

from prefix_lab.shapes.names import Names

FAMILIES = {"t5": "T5", "mt5": "T5", "bart": "BART", "gpt2": "GPT-2", "llama": "Llama", "bert": "BERT"}
NOT_YET = (
    "The axes have no names yet. Run once, in a cell of its own: from prefix_lab.shapes import name_axes; "
    "name_axes({family!r}). It takes some seconds, and is kept."
)


def kept_names(frames: Iterable[FrameType]) -> tuple[Names | None, str]:
    """The names for the kind of model that these frames, the innermost first, work on; else what to do for them."""
    from prefix_lab.shapes import cache
    from prefix_lab.shapes.finding import held_out_run, standard_runs

    family, projected = model_in(frames)
    if family is None:
        return None, ""
    runs = tuple(tuple(run.items()) for run in [*standard_runs(), held_out_run()])
    kinds = [projected] if projected is not None else [True, False]
    found = [cache.load(f"{family}, {'projected' if kind else 'direct'}", runs) for kind in kinds]
    names = Names()
    for one in filter(None, found):
        names.join(one)
    return (names, "") if any(found) else (None, NOT_YET.format(family=family))


def model_in(frames: Iterable[FrameType]) -> tuple[str | None, bool | None]:
    """The family of the model that the frames hold, and whether its prefix is projected; None for what is not told."""
    family = projected = None
    for frame in frames:
        for value in list(frame.f_locals.values()):
            own = getattr(value, "__dict__", None)
            if not isinstance(own, dict):
                continue
            if projected is None and isinstance(own.get("prefix_projection"), bool):
                projected = own["prefix_projection"]
            family = family or family_of(own)
        if family is not None and projected is not None:
            break
    return family, projected


def family_of(own: dict[str, Any]) -> str | None:
    """By a transformers config: the object's own, or that of the model inside a wrapper."""
    inside = own.get("_modules", {}).get("base_model") if isinstance(own.get("_modules"), dict) else None
    for holder in (own, getattr(inside, "__dict__", {})):
        kind = holder.get("model_type") or getattr(holder.get("config"), "model_type", None)
        if isinstance(kind, str) and kind in FAMILIES:
            return FAMILIES[kind]
    return None


def outwards(frame: FrameType | None) -> list[FrameType]:
    """A frame and those that called it, the innermost first."""
    found = []
    while frame is not None:
        found.append(frame)
        frame = frame.f_back
    return found


def as_traceback(frames: Iterable[FrameType]) -> TracebackType | None:
    """The same frames, the innermost first, as an error raised now would show them."""
    found = None
    for frame in frames:
        found = TracebackType(found, frame, max(frame.f_lasti, 0), frame.f_lineno or 1)
    return found
