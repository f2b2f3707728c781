"""A stretch of a recording's steps, with everything that is needed to stand at any of them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import Any

from prefix_lab.debugger import Recording
from prefix_lab.debugger.steps import NONE
from prefix_lab.widgets.stepper.written import headline

LOOK_BACK = 2_000  # steps of a frame


def stretch(recording: Recording, start: int, end: int) -> dict[str, Any]:
    """A stretch of steps, with what is needed to stand at each."""
    columns = recording.columns
    page: dict[str, Any] = {
        "first": start,
        "place": columns.step_place[start:end].tolist(),
        "frame": columns.step_frame[start:end].tolist(),
        # How far it is to the step before and after in the same frame; 0 is none.
        "before": [0 if at == NONE else start + i - at for i, at in enumerate(columns.step_before[start:end])],
        "after": [0 if at == NONE else at - start - i for i, at in enumerate(columns.step_after[start:end])],
        "depth": list(columns.step_depth[start:end]),
        "bound": [
            [
                part
                for one in recording.bindings(step)
                for part in (
                    columns.binding_name[one],
                    or_none(columns.binding_value[one]),
                    columns.binding_flag[one],
                )
            ]
            for step in range(start, end)
        ],
    }
    held: dict[int, list[int]] = {}
    fresh: dict[int, list[int]] = {}
    frames: dict[int, list[int | None]] = {}
    for step in range(start, end):
        frame = columns.step_frame[step]
        if frame not in frames:
            first = columns.frame_first[frame]
            frames[frame] = [first, columns.frame_last[frame]]
            if first < start:
                held[frame] = held_at(recording, step)
                before = recording.bindings(columns.step_before[step])
                fresh[frame] = [columns.binding_name[one] for one in before]
    page["frames"] = frames
    turn = bisect_right(columns.turn_first, start) - 1
    until = bisect_left(columns.turn_first, end)
    page["turns"] = list(zip(columns.turn_first[turn:until], columns.turn_thread[turn:until], strict=True))
    page["held"] = held
    page["fresh"] = fresh  # what the step before, which is in another stretch, bound
    page["callers"] = callers_in(recording, start, end)
    page["outer"] = calls_outside(recording, start, end)
    shown = {value for bound in page["bound"] for value in bound[1::3] if value is not None}
    shown |= {value for one in held.values() for value in one[1::3]}
    page["values"] = {value: headline(columns.values[value]) for value in sorted(shown)}
    return page


def held_at(recording: Recording, step: int) -> list[int]:
    """What a frame held before a step: name, value, and the line that bound it, 0 if that is long ago."""
    columns = recording.columns
    names = recording.held_before(step)
    lines: dict[int, int] = {}
    at = columns.step_before[step]
    for _ in range(LOOK_BACK):
        if at == NONE or len(lines) == len(names):
            break
        for one in recording.bindings(at):
            if columns.binding_name[one] in names:
                lines.setdefault(columns.binding_name[one], columns.places[columns.step_place[at]][2])
        at = columns.step_before[at]
    return [part for name, value in names.items() for part in (name, value, lines.get(name, 0))]


def callers_in(recording: Recording, start: int, end: int) -> list[int | None]:
    """For each step, the step that its frame was entered from; the same as before is said once, as -1."""
    found: list[int | None] = []
    last: dict[int, int | None] = {}
    for step in range(start, end):
        frame = recording.columns.step_frame[step]
        caller = recording.caller(step) if frame not in last or frame in recording.columns.entries else last[frame]
        found.append(-1 if frame in last and last[frame] == caller else caller)
        last[frame] = caller
    return found


def calls_outside(recording: Recording, start: int, end: int) -> dict[int, list[int | None]]:
    """The steps outside a stretch that its steps were called from, by way of how many calls it may be: place,
    frame, caller, and the steps before and after in their frame."""
    columns = recording.columns
    waiting = {recording.caller(step) for step in range(start, end)}
    found: dict[int, list[int | None]] = {}
    while waiting:
        step = waiting.pop()
        if step is None or step in found or start <= step < end:
            continue
        caller = recording.caller(step)
        found[step] = [
            columns.step_place[step],
            columns.step_frame[step],
            caller,
            or_none(columns.step_before[step]),
            or_none(columns.step_after[step]),
        ]
        waiting.add(caller)
    return found


def or_none(number: int) -> int | None:
    return None if number == NONE else number
