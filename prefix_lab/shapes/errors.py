"""`shape_error`: which axes of which tensors disagree, when an operation failed on shapes."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from html import escape
from pathlib import Path
from textwrap import indent
from typing import Any

from prefix_lab.debugger.recording import Recording
from prefix_lab.shapes.failures.looking import Look, look_at
from prefix_lab.shapes.failures.naming import live_axes
from prefix_lab.shapes.failures.places import Place, live_places, recorded_place
from prefix_lab.shapes.names import Names

FROM_MESSAGE = "Which axes disagree cannot be told from this line alone; the message above says what was seen."
NOT_SHAPES = "This is no error about shapes: neither the line's tensors nor the message speak of sizes."
OWN_CHECK = "The code checks this itself, and the message above is its own."


@dataclass(frozen=True)
class ShapeError:
    """What failed, where, with which operands. `text` tells it all; `found` are the sentences about axes that disagree.

    `is_about_shapes` is False where neither the operands nor the message speak of sizes.
    """

    error: str
    where: str
    line: str
    operands: tuple[str, ...]
    found: tuple[str, ...]
    is_about_shapes: bool

    @property
    def verdict(self) -> tuple[str, ...]:
        """The sentences that end the text: what disagrees, or why that cannot be said."""
        if not self.is_about_shapes:
            return (NOT_SHAPES,)
        if not self.found:
            return (OWN_CHECK if re.search(r"^ *raise\b", self.line, re.M) else FROM_MESSAGE,)
        counted = any("axis " in one.lower() for one in self.found)
        return (*self.found, "(Axes count from 0.)") if counted else self.found

    @property
    def text(self) -> str:
        where = [f"in {self.where}:", indent(self.line, " " * 4)] if self.where else []
        operands = ["with", *(f"    {one}" for one in self.operands)] if self.operands else []
        return "\n".join([self.error, *where, *operands, *self.verdict])

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        """The same for a notebook. All of it is text, never markup."""
        line = f"<div>in {escape(self.where)}:</div>{code(self.line)}" if self.where else ""
        operands = f"<div>with</div>{code(chr(10).join(self.operands))}" if self.operands else ""
        said = "".join(
            f"<p><b>{escape(one)}</b></p>" if one in self.found else f"<p>{escape(one)}</p>" for one in self.verdict
        )
        return f"<div><p>{escape(self.error)}</p>{line}{operands}{said}</div>"


def code(text: str) -> str:
    style = "margin: 4px 0 8px 2em; white-space: pre-wrap"
    return f'<pre style="{style}">{escape(text)}</pre>'


def shape_error(failed: Any = None, names: Names | None = None) -> ShapeError:
    """The failing line, its operands with their shapes and named axes, and the pair of axes that disagrees.

    `failed` is an error with its traceback, or a recording that ended with one; without it, the last error that a
    notebook or an interactive Python showed. `names` (from `name_axes`) gives the axes of a live error their names; a
    recording brings them itself, see `Recording.with_names`. Nothing of the program is run again.

    Raises `ValueError` when there is no error to look at, or `failed` is something else.
    """
    if isinstance(failed, Recording):
        return of_recording(failed if names is None else failed.with_names(names))
    failed = last_error() if failed is None else failed
    if not isinstance(failed, BaseException):
        raise ValueError(
            f"failed={failed!r} is a {type(failed).__name__}, expected an error (`except RuntimeError as error:`), a "
            "recording that ended with one, or nothing for the last error that was shown."
        )
    axes, sizes = live_axes(names, failed.__traceback__)
    places = live_places(failed.__traceback__, lambda label, value: axes.get(id(value)))
    kinds = {base.__name__ for base in type(failed).__mro__}
    return told(type(failed).__name__, str(failed), look_at(places, kinds, str(failed), sizes))


def of_recording(recording: Recording) -> ShapeError:
    if recording.exception is None:
        raise ValueError("This recording ended without an error. Give one whose `with record(...)` block failed.")
    place = recorded_place(recording)
    sizes: dict[str, set[int]] = {}
    for value in place.read.names.values() if place else ():
        for axis, size in zip(value.facts.get("axes", ()), value.facts.get("shape", ()), strict=False):
            sizes.setdefault(axis, set()).add(size)
    kind = recording.exception.type.rsplit(".", 1)[-1]
    message = str(recording.exception.facts.get("message", ""))
    kinds = {base.rsplit(".", 1)[-1] for base in recording.exception.facts.get("bases", (kind,))}
    return told(kind, message, look_at([place] if place else [], kinds, message, sizes))


def last_error() -> BaseException:
    """The error that Python or IPython showed last. Raises `ValueError` when there is none."""
    found = getattr(sys, "last_exc", None) or getattr(sys, "last_value", None)
    if not isinstance(found, BaseException):
        raise ValueError(
            "No error was shown yet. Give one: `except RuntimeError as error: shape_error(error)`, or a recording."
        )
    return found


def told(kind: str, message: str, seen: Look) -> ShapeError:
    place = seen.place
    where = whereabouts(place) if place else ""
    error = f"{kind}: {message}" if message else kind
    operands = (*map(str, seen.operands), *seen.numbers) if seen.is_about_shapes else ()
    return ShapeError(error, where, place.text if place else "", operands, tuple(seen.found), seen.is_about_shapes)


def whereabouts(place: Place) -> str:
    """The function, file and line; a notebook's cell has a file that nobody knows by its name."""
    file = "a cell" if "ipykernel_" in place.file else Path(place.file).name
    function = f"{place.function}, " if place.function != "<module>" else ""
    return f"{function}{file}, line {place.line}"
