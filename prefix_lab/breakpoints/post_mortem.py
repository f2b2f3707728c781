"""`explain()`: after an exception, the failing line, its tensors with named axes, the stage, and PEFT's counterpart."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from html import escape
from types import FrameType, TracebackType
from typing import NamedTuple

from prefix_lab.breakpoints.places import StopPlace, places_of
from prefix_lab.breakpoints.seen import kept_names
from prefix_lab.shapes import Names, ShapeError, shape_error
from prefix_lab.shapes.errors import last_error
from prefix_lab.stages import STAGES, Stage

SIDES = {"ours": "our", "peft": "PEFT's"}
NOWHERE = "None of the frames is in a stage of the walk."


class Explained(NamedTuple):
    """What failed (`error`), in which stage and on which side, and what the other side has there."""

    error: ShapeError
    stage: Stage | None
    where: str
    counterpart: StopPlace | None
    note: str

    @property
    def text(self) -> str:
        return "\n\n".join(filter(None, [self.error.text, "\n".join(self.stage_lines()), self.note]))

    def stage_lines(self) -> list[str]:
        if self.stage is None:
            return [NOWHERE]
        lines = [f"Stage {self.stage.name!r}, in {SIDES[self.where]} code. {self.stage.sentence}"]
        if self.counterpart is None:
            return lines
        other = "peft" if self.where == "ours" else "ours"
        lines.append(f"{'PEFT' if other == 'peft' else 'Ours'} does this in {self.counterpart.shown}.")
        stop = f'"{self.stage.name}"' + (', where="peft"' if other == "peft" else "")
        return [*lines, f"To walk through it: break_at({stop}), or with stop_at({stop}): …"]

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        said = "".join(f"<p>{escape(line)}</p>" for line in [*self.stage_lines(), *filter(None, [self.note])])
        if self.counterpart is None:
            return self.error._repr_html_() + said
        source = escape(inspect.getsource(self.counterpart.code))
        unfolds = f"<details><summary>{escape(self.counterpart.dotted)}</summary><pre>{source}</pre></details>"
        return self.error._repr_html_() + said + unfolds


def explain(error: BaseException | None = None, names: Names | None = None) -> Explained:
    """Say what failed: the line, its operands with named axes, the stage of the walk, PEFT's counterpart.

    Without `error`, the last one that the notebook or Python showed. The axes have names where `name_axes` found them
    for this kind of model before, or where `names` are given. Nothing is run again.

    Raises `ValueError` when there is no error to look at, or `error` is something else.
    """
    error = last_error() if error is None else error
    frames = frames_of(getattr(error, "__traceback__", None))
    note = ""
    if names is None and isinstance(error, BaseException):
        names, note = kept_names(frames)
    found = shape_error(error, names)
    stage, where = stage_among(frames)
    return Explained(found, stage, where, counterpart(stage, where), note if found.is_about_shapes else "")


def frames_of(traceback: TracebackType | None) -> list[FrameType]:
    """The frames of an error, the innermost first."""
    found: list[FrameType] = []
    while traceback is not None:
        found.insert(0, traceback.tb_frame)
        traceback = traceback.tb_next
    return found


def stage_among(frames: Iterable[FrameType]) -> tuple[Stage | None, str]:
    """The innermost stage that these frames, the innermost first, are in, and on which side."""
    index = {}
    for stage in reversed(STAGES):
        for where in ("peft", "ours"):
            index |= {place.code: (stage, where) for place in known_places(stage, where)}
    return next((index[frame.f_code] for frame in frames if frame.f_code in index), (None, ""))


def counterpart(stage: Stage | None, where: str) -> StopPlace | None:
    """Where the other side does the same; None where both have one function, or the other is not installed."""
    if stage is None or stage.ours == stage.peft:
        return None
    return next(iter(known_places(stage, "peft" if where == "ours" else "ours")), None)


def known_places(stage: Stage, where: str) -> tuple[StopPlace, ...]:
    try:
        return places_of(stage, where)
    except (ImportError, LookupError):
        return ()
