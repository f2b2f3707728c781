"""Where to stop: what a person types, and the nearest step where it holds.

Typed are `forward`, `encoder.py:31`, `31`, `x.shape[0] > 2`, `forward if i == 5`.
"""

import ast
import asyncio
import re
from collections.abc import Iterable, Iterator
from pathlib import PurePath

from prefix_lab.debugger import Breakpoint, Recording, Step
from prefix_lab.debugger.steps import EVENTS
from prefix_lab.debugger.text import functions_near, lines_near

EXPECTED = "a function, file.py:line, or a condition such as i == 5"
LINE = re.compile(r"(?:(?P<file>.+):)?(?P<line>[0-9]{1,9})")
FUNCTION = re.compile(r"[^\W\d]\w*(\.(\w+|<\w+>))*|<\w+>")
Hit = tuple[int, Breakpoint]


def breakpoint_at(text: str, step: Step) -> Breakpoint:
    """What the text means, said while standing at `step`. Raises `ValueError` for what could never be reached."""
    place, _, condition = (part.strip() for part in f" {text} ".partition(" if "))
    if line := LINE.fullmatch(place):
        return at_line(line["file"] or step.file, int(line["line"]), condition or None, step.recording)
    if FUNCTION.fullmatch(place) and (condition or place not in step.locals):
        return at_function(place, condition or None, step.recording)
    if place and condition:
        raise ValueError(f"{place!r} is no place. Before `if` stands a function, or file.py:line.")
    return where_true(condition or place, step.recording)


def at_line(file: str, line: int, condition: str | None, recording: Recording) -> Breakpoint:
    found = Breakpoint(file=file, line=line or None, condition=condition, event="line")
    if not line or not is_reached(found, recording):
        in_file = Breakpoint(file=file, event="line")
        lines = sorted({place[3] for place in places(recording) if in_file.place_fits(*place)})
        raise ValueError(f"{PurePath(file).name}:{line} never ran in this recording. {lines_near(line, lines)}")
    return found


def at_function(name: str, condition: str | None, recording: Recording) -> Breakpoint:
    found = Breakpoint(function=name, condition=condition, event="call")
    if not is_reached(found, recording):
        near = functions_near(name, (called for _, called, _ in recording.columns.functions))
        offered = f"Near it: {', '.join(near)}." if near else "i shows all calls."
        raise ValueError(f"No function {name!r} was called in this recording. {offered}")
    return found


def where_true(condition: str, recording: Recording) -> Breakpoint:
    if not condition:
        raise ValueError(f"Type {EXPECTED}.")
    found = Breakpoint(condition=condition)
    names = {node.id for node in ast.walk(ast.parse(condition, mode="eval")) if isinstance(node, ast.Name)} - {"len"}
    missing = sorted(names - set(recording.columns.names))
    if missing:
        raise ValueError(f"{missing[0]!r} is no name in this recording. Type {EXPECTED}.")
    return found


def is_reached(breakpoint: Breakpoint, recording: Recording) -> bool:
    return any(breakpoint.place_fits(*place) for place in places(recording))


def places(recording: Recording) -> Iterator[tuple[str, str, str, int]]:
    """Every event, file, function and line that a step of the recording is at."""
    for event, function, line in recording.columns.places:
        file, name, _ = recording.columns.functions[function]
        yield EVENTS[event], file, name, line


def label(breakpoint: Breakpoint) -> str:
    """A breakpoint as it would be typed."""
    place = breakpoint.function or ""
    if breakpoint.line is not None:
        place = f"{PurePath(breakpoint.file or '').name}:{breakpoint.line}"
    return " if ".join(part for part in (place, breakpoint.condition) if part)


async def next_hit(
    recording: Recording, breakpoints: Iterable[Breakpoint], index: int, backwards: bool = False
) -> Hit | None:
    """The nearest step on that side of `index` where one of them holds, and which one; None if there is none."""
    return await asyncio.to_thread(nearest, recording, tuple(breakpoints), index, backwards)


def nearest(recording: Recording, breakpoints: Iterable[Breakpoint], index: int, backwards: bool) -> Hit | None:
    found = []
    for breakpoint in breakpoints:
        scout = recording.cursor(index)
        if scout.run_to(breakpoint, backwards):
            found.append((scout.index, breakpoint))
    return (max if backwards else min)(found, key=lambda hit: hit[0], default=None)
