"""`shapes()`: the tensors of the frame that a debugger stands in, a line each, with named axes.

The names are from what a walk found earlier and kept, never from a walk of its own: that takes seconds, and at a stop
of a debugger the interpreter would not even record it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from html import escape
from itertools import islice
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

from prefix_lab.breakpoints.variables import children_of, kind_of
from prefix_lab.shapes.axes import Axes
from prefix_lab.shapes.names import Names

MOST = 24  # parts of a list or cache that are looked into


class Shapes:
    """The tensors of one frame. `text` has a line for each; so have `print` and `pp`."""

    def __init__(self, where: str, rows: list[tuple[str, str]], note: str = ""):
        self.where, self.rows, self.note = where, rows, note

    @property
    def text(self) -> str:
        width = max((len(name) for name, _ in self.rows), default=0)
        lines = [f"  {name:<{width}}  {said}" for name, said in self.rows] or ["  no tensors"]
        return "\n".join([self.where, *lines, *filter(None, [self.note])])

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        return f"<pre>{escape(self.text)}</pre>"


def shapes(frame: FrameType | None = None, names: Names | None = None) -> Shapes:
    """Name, axes, sizes and dtype of each tensor in a frame's locals; in lists, dicts, caches and encodings as well.

    Without `frame`, that of the caller: in pdb or a debugger's console, `shapes()` is what one types. The axes have
    names where `name_axes` has found them for this kind of model before, or where `names` are given.
    """
    frame = real_frame(frame if frame is not None else sys._getframe(1))
    axes, note = axes_at(frame, names)
    rows = [
        (label, told(tensor, axes.get(id(tensor))))
        for name, value in dict(frame.f_locals).items()
        for label, tensor in tensors_in(name, value)
    ]
    where = f"{frame.f_code.co_qualname}, {Path(frame.f_code.co_filename).name}, line {frame.f_lineno}"
    return Shapes(where, rows, note if rows else "")


def axes_at(frame: FrameType, names: Names | None = None) -> tuple[dict[int, Axes], str]:
    """Tensor, by its id, → the names of its axes, for what a frame holds; and what to do where none are known yet."""
    from prefix_lab.shapes.live_axes import live_axes

    chain = outwards(frame)
    names, note = (names, "") if names is not None else kept_names(chain)
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


def tensors_in(name: str, value: Any, depth: int = 2) -> Iterator[tuple[str, Any]]:
    """A value, if it is a tensor, and the tensors in a list, dict, encoding or cache, by how one would write them."""
    from prefix_lab.shapes.operands import is_tensor

    if is_tensor(value):
        yield name, value
    elif depth:
        for label, part in islice(parts_of(name, value), MOST):
            yield from tensors_in(label, part, depth - 1)


def parts_of(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, list | tuple):
        yield from ((f"{name}[{at}]", one) for at, one in enumerate(value))
    elif isinstance(value, dict):
        yield from ((f"{name}[{key!r}]", one) for key, one in value.items())
    elif kind_of(type(value)) in ("cache", "encoding"):
        yield from ((f"{name}{written}", one) for _, one, written in children_of(value))


def told(tensor: Any, axes: tuple[str, ...] | None) -> str:
    """`(batch, prefix_len) = (2, 20) int64`."""
    from prefix_lab.shapes.operands import seen

    shown = seen(tensor, "", axes)
    return f"{str(shown).removeprefix(': ')}  {shown.dtype}"


NOT_YET = (
    "The axes have no names yet. Run once, in a cell of its own: from prefix_lab.shapes import name_axes; "
    "name_axes({family!r}). It takes some seconds, and is kept."
)


def kept_names(frames: Iterable[FrameType]) -> tuple[Names | None, str]:
    """The names for the kind of model that these frames, the innermost first, work on; else what to do for them."""
    from prefix_lab.shapes.cache import kept_names as on_disk

    family, projected = model_in(frames)
    if family is None:
        return None, ""
    if (family, projected) not in _known and (names := on_disk([family], projected)) is not None:
        _known[family, projected] = names
    names = _known.get((family, projected))
    return names, "" if names else NOT_YET.format(family=family)


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
    from prefix_lab.shapes.cache import FAMILIES

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
