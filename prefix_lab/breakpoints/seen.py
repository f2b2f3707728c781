"""What one asks at a stop and after an error: `shapes()` names the axes of a frame's tensors, `explain()` what failed.

The names are from what a walk found earlier and kept, never from a walk of its own: that takes seconds, and at a stop
of a debugger the interpreter would not even record it.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterable
from html import escape
from pathlib import Path
from traceback import walk_tb
from types import FrameType, TracebackType
from typing import Any, NamedTuple

from prefix_lab.breakpoints.places import StopPlace, places_of
from prefix_lab.breakpoints.variables import kind_of
from prefix_lab.locale import N_, _, paragraph
from prefix_lab.locale.room import columns, padded
from prefix_lab.shapes import Names, ShapeError, shape_error
from prefix_lab.shapes.axes import Axes
from prefix_lab.shapes.cache import FAMILIES, kept_names
from prefix_lab.shapes.errors import last_error
from prefix_lab.shapes.names import live_axes, tensors_below
from prefix_lab.shapes.operands import seen
from prefix_lab.stages import STAGES, Stage


class Shapes:
    """The tensors of one frame. `text` has a line for each; so have `print` and `pp`."""

    def __init__(self, where: str, rows: list[tuple[str, str]], note: str = ""):
        self.where, self.rows, self.note = where, rows, note

    @property
    def text(self) -> str:
        width = max((columns(name) for name, said in self.rows), default=0)
        lines = [f"  {padded(name, width)}  {said}" for name, said in self.rows] or ["  " + _("no tensors")]
        return "\n".join([self.where, *lines, *filter(None, [self.note])])

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        return f"<pre>{escape(self.text)}</pre>"


def shapes(frame: FrameType | None = None, names: Names | None = None) -> Shapes:
    """Name, axes, sizes and dtype of each tensor in a frame's locals; in lists, dicts, caches and encodings as well.

    Without `frame`, that of the caller: in pdb or a debugger's console, `shapes()` is what one types. The axes have
    names where `name_axes` has found them for this kind of model before, or where `names` are given. Raises `TypeError`
    for what is no frame.
    """
    if not isinstance(frame, FrameType | None):
        raise TypeError(
            f"frame is a {type(frame).__name__}, expected a frame, or nothing for the one that asks: shapes()."
        )
    frame = real_frame(frame if frame is not None else sys._getframe(1))
    axes, note = axes_at(frame, names)
    rows = []
    for name, value in dict(frame.f_locals).items():
        for label, _part, tensor in tensors_below(value, name):
            shown = seen(tensor, "", axes.get(id(tensor)))
            rows.append((label, f"{str(shown).removeprefix(': ')}  {shown.dtype}"))  # (batch, 20) = (2, 20)  int64
    where = _("{function}, {file}, line {line}").format(
        function=frame.f_code.co_qualname, file=Path(frame.f_code.co_filename).name, line=frame.f_lineno
    )
    return Shapes(where, rows, note if rows else "")


def axes_at(frame: FrameType, names: Names | None = None) -> tuple[dict[int, Axes], str]:
    """Tensor, by its id, → the names of its axes, for what a frame holds; and what to do where none are known yet."""
    chain = outwards(frame)
    names, note = (names, "") if names is not None else names_for(chain)
    return live_axes(names, as_traceback(chain)), note


_at_stop: dict[tuple[int, ...], dict[int, Axes]] = {}


def axes_in(frame: Any, tensor: Any) -> Axes:
    """The names of a tensor's axes where a debugger stands in this frame, and a walk has proven them; else none.

    Asked for one variable after the other: the frame is looked at once, as long as it holds the same values.
    """
    if not isinstance(frame, FrameType) or kind_of(type(tensor)) != "tensor":
        return ()
    held = (id(frame), frame.f_lasti, *map(id, frame.f_locals.values()))
    if held not in _at_stop:
        _at_stop.clear()
        _at_stop[held] = axes_at(frame)[0]
    return _at_stop[held].get(id(tensor), ())


def real_frame(frame: FrameType) -> FrameType:
    """The frame that a text typed into a debugger is about: the text runs in a frame of its own, on the same values."""
    if not (frame.f_code.co_filename.startswith("<") and frame.f_code.co_name == "<module>"):
        return frame
    here = {**frame.f_globals, **frame.f_locals}
    for one in outwards(frame.f_back):
        held = dict(one.f_locals)
        if held and all(here.get(name, here) is value for name, value in held.items()):
            return one
    return frame


NOT_YET = N_(
    "The axes have no names yet. Run once, in a cell of its own: from prefix_lab.shapes import name_axes; "
    "name_axes({family!r}). It takes some seconds, and is kept."
)


def names_for(frames: Iterable[FrameType]) -> tuple[Names | None, str]:
    """The names for the kind of model that these frames, the innermost first, work on; else what to do for them."""
    family, projected = model_in(frames)
    if family is None:
        return None, ""
    if (family, projected) not in _known and (names := kept_names([family], projected)) is not None:
        _known[family, projected] = names
    names = _known.get((family, projected))
    return names, "" if names else _(NOT_YET).format(family=family)


_known: dict[tuple[str, bool | None], Names] = {}  # what was found on disk once in this session


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


NOWHERE = N_("None of the frames is in a stage of the walk.")


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
            return [_(NOWHERE)]
        text = _("Stage {stage}, in our code.") if self.where == "ours" else _("Stage {stage}, in PEFT's code.")
        lines = [paragraph(text.format(stage=repr(self.stage.name)), _(self.stage.sentence))]
        if self.counterpart is None:
            return lines
        other = "peft" if self.where == "ours" else "ours"
        text = _("PEFT does this in {place}.") if other == "peft" else _("Ours does this in {place}.")
        lines.append(text.format(place=self.counterpart.shown))
        stop = f'"{self.stage.name}"' + (', where="peft"' if other == "peft" else "")
        return [*lines, _("To walk through it: break_at({stop}), or with stop_at({stop}): …").format(stop=stop)]

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
    frames = [frame for frame, line in walk_tb(getattr(error, "__traceback__", None))][::-1]  # the innermost first
    note = ""
    if names is None and isinstance(error, BaseException):
        names, note = names_for(frames)
    found = shape_error(error, names)
    stage, where = stage_among(frames)
    return Explained(found, stage, where, counterpart(stage, where), note if found.is_about_shapes else "")


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
