"""`break_at`, `breakpoints`, `clear`: breakpoints by the name of a stage, for whichever debugger is attached."""

from __future__ import annotations

import itertools
import sys
from typing import Any

from prefix_lab.breakpoints.attached import (
    FIRST_ID,
    advice,
    set_in_debugger,
    shell,
    take_from_debugger,
    wait_until_attached,
)
from prefix_lab.breakpoints.places import places_of, side
from prefix_lab.breakpoints.stage_breakpoint import BreakpointTable, StageBreakpoint, check_times, condition_for
from prefix_lab.stages import stage as stage_of

_numbers = itertools.count(FIRST_ID)
_set: dict[tuple[str, str], StageBreakpoint] = {}
_hooked: set[int] = set()


def break_at(
    stage: str, where: str = "ours", condition: str | None = None, times: int | None = None
) -> StageBreakpoint:
    """Stop at a stage of the walk, in the debugger that is attached: JupyterLab's with its bug on, or VS Code's.

    `where` is "ours", "peft", or for the stage attend "transformers": the attention layers that read the prefix.
    `condition` is an expression of the function's arguments, such as "prefix.shape[0] == 4"; `times` is how often it
    stops at most, every time if left out. Set again, a stage's breakpoint on that side is replaced. If no debugger is
    attached, it is said how to switch one on; the breakpoint is handed over when the next cell runs.

    Raises `ValueError` for an unknown stage or side, for a condition that could not be asked there and for a wrong
    `times`; `LookupError` when the installed version has no such function.
    """
    row, where = stage_of(stage), side(where)
    check_times(times)
    places = places_of(row, where)
    asked = condition_for(condition, places) if condition is not None else None
    if (stage, where) in _set:
        clear(stage, where)
    found = StageBreakpoint(stage, where, asked, times, dict(zip(_numbers, places, strict=False)))
    _set[stage, where] = found
    found.trouble = set_in_debugger(found.wanted())
    before_each_cell()
    said = advice(stage)
    if said:
        print(said)
    return found


def breakpoints() -> BreakpointTable:
    """All that is set, and how often each was reached and stopped."""
    return BreakpointTable(_set.values())


def clear(stage: str | None = None, where: str | None = None) -> BreakpointTable:
    """Take away the breakpoints of a stage, on one side or on all, or all there are; gives those that are left.

    Raises `ValueError` for an unknown stage or side, and when nothing is set there.
    """
    wanted_stage = None if stage is None else stage_of(stage).name
    wanted_side = None if where is None else side(where)
    going = [key for key in _set if wanted_stage in (None, key[0]) and wanted_side in (None, key[1])]
    if not going and (stage, where) != (None, None):
        there = ", ".join(f"{name!r} ({on})" for name, on in _set) or "none"
        raise ValueError(f"stage={stage!r}, where={where!r}: no breakpoint is set there. Those set: {there}.")
    for key in going:
        take_from_debugger(_set.pop(key).wanted())
    return breakpoints()


def reached_in_debugger(number: int) -> bool:
    """Asked by the debugger as a condition, with the frame's own locals around it."""
    values = sys._getframe(1).f_locals
    for one in list(_set.values()):
        if number in one.places:
            return one.reached(one.places[number], values)
    return False  # cleared a moment ago


def before_each_cell() -> None:
    """In IPython: hand over what is set before each cell, since the debugger may have been switched on just now."""
    ipython = shell()
    if ipython is not None and id(ipython) not in _hooked:
        _hooked.add(id(ipython))
        ipython.events.register("pre_run_cell", hand_over)


def hand_over(info: Any = None) -> None:
    """Give the attached debugger all that is set. Models that were imported meanwhile have attention layers, too."""
    if _set:
        wait_until_attached()
    for one in _set.values():
        if one.where == "transformers":
            known = {place.code for place in one.places.values()}
            new = [place for place in places_of(stage_of(one.stage), one.where) if place.code not in known]
            one.places |= dict(zip(_numbers, new, strict=False))
        said = set_in_debugger(one.wanted())
        one.trouble = said or one.trouble
