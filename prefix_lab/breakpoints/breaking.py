"""`break_at`, `breakpoints`, `clear`: breakpoints by the name of a stage, for whichever debugger is attached.

A condition is refused in a sentence when it is set, since a debugger would never stop and say nothing. The names that
it uses must have a value when the stage begins: the arguments of the function, the names of its module, builtins.
"""

from __future__ import annotations

import ast
import builtins
import itertools
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from types import CodeType, FrameType
from typing import Any, NamedTuple

from prefix_lab.breakpoints.attached import (
    FIRST_ID,
    Wanted,
    advice,
    set_in_debugger,
    shell,
    take_from_debugger,
    wait_until_attached,
)
from prefix_lab.breakpoints.places import StopPlace, places_of, side
from prefix_lab.breakpoints.seen import outwards
from prefix_lab.locale import N_, _, paragraph
from prefix_lab.stages import stage as stage_of
from prefix_lab.widgets.table import Table, table


class Condition(NamedTuple):
    """An expression, compiled, and the names that it asks the frame for."""

    text: str
    code: CodeType
    names: frozenset[str]

    def fits(self, place: StopPlace) -> bool:
        """Whether all of its names have a value where this place begins."""
        return not missing(self.names, place)

    def holds(self, values: Mapping[str, Any], namespace: Mapping[str, Any]) -> bool:
        """Whether it is true with these locals. Raises what the expression raises."""
        # One dict: inside a comprehension, an expression sees its globals alone.
        return bool(eval(self.code, {**namespace, **values}))


def condition_for(text: str, places: Sequence[StopPlace]) -> Condition:
    """The condition, ready to be asked. Raises `ValueError` for what is no expression or knows no name there."""
    try:
        tree = ast.parse(text.strip(), mode="eval")
        if any(isinstance(node, ast.NamedExpr | ast.Await | ast.Yield | ast.YieldFrom) for node in ast.walk(tree)):
            raise SyntaxError("it would change or suspend the frame")
        code = compile(tree, "<condition>", "eval")
    except (SyntaxError, ValueError, TypeError, AttributeError) as error:
        said = getattr(error, "msg", None) or error
        raise ValueError(
            f"condition={text!r} is not an expression ({said}). Write one that is true or false, such as "
            "'prefix.shape[0] == 4'."
        ) from None
    condition = Condition(text, code, names_of(tree))
    if not any(condition.fits(place) for place in places):
        place = places[0]
        unknown = ", ".join(missing(condition.names, place))
        raise ValueError(
            f"condition={text!r} asks for {unknown}, which has no value yet when {place.code.co_qualname} begins. "
            f"There are: {', '.join(sorted(place.known)) or 'no arguments'}, and the names of its module."
        )
    return condition


def names_of(tree: ast.AST) -> frozenset[str]:
    """The names that an expression reads and does not bind itself, in a comprehension or a lambda."""
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    own = {node.id for node in names if isinstance(node.ctx, ast.Store)}
    own |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    return frozenset(node.id for node in names if isinstance(node.ctx, ast.Load)) - own


def missing(names: frozenset[str], place: StopPlace) -> list[str]:
    return sorted(
        name
        for name in names
        if name not in place.known and name not in place.namespace and not hasattr(builtins, name)
    )


NONE_SET = N_("No breakpoint is set. break_at('encode') sets one.")
HEADS = (N_("stage"), N_("where"), N_("stops in"), N_("condition"), N_("times"), N_("reached"), N_("stopped"))


@dataclass(eq=False)
class StageBreakpoint:
    """A stage to stop at. `hits` counts how often it was reached with its condition true, `stops` how often it stopped.

    `places` are the functions of the stage; `trouble` is what the condition raised, or what the debugger said. `seen`
    is told the frame of each stop in a debugger.
    """

    stage: str
    where: str
    condition: Condition | None = None
    times: int | None = None
    places: dict[int, StopPlace] = field(default_factory=dict)
    hits: int = 0
    stops: int = 0
    trouble: str = ""
    seen: Callable[[FrameType], None] | None = None

    def reached(self, place: StopPlace, values: Mapping[str, Any]) -> bool:
        """Whether to stop here, with these locals. Counts; a condition that fails stops, and says why once."""
        if not place.counts(values):
            return False
        try:
            if self.condition and not (self.condition.fits(place) and self.condition.holds(values, place.namespace)):
                return False
        except Exception as error:
            text = _("The condition {condition} failed here, so this stops: {kind}: {error}")
            said = text.format(condition=repr(self.condition.text), kind=type(error).__name__, error=error)
            if said != self.trouble:
                print(said, file=sys.stderr)
            self.trouble = said
        self.hits += 1
        if self.times is not None and self.stops >= self.times:
            return False
        self.stops += 1
        return True

    def wanted(self) -> list[Wanted]:
        """What is given to a debugger: it asks `reached_in_debugger` at each of the places."""
        ask = "__import__('prefix_lab.breakpoints.breaking', fromlist=['*']).reached_in_debugger({})"
        return [Wanted(n, one.code.co_filename, one.line, ask.format(n)) for n, one in self.places.items()]

    def row(self) -> tuple[str, ...]:
        first, *others = (place.shown for place in self.places.values())
        places = _("{place}, and {count} more").format(place=first, count=len(others)) if others else first
        times = _("every") if self.times is None else str(self.times)
        condition = self.condition.text if self.condition else ""
        return (self.stage, self.where, places, condition, times, str(self.hits), str(self.stops))

    @property
    def text(self) -> str:
        """What is set, what happened to it, and what is still to be done."""
        name, where, place, condition, times, hits = self.row()[:6]
        text = _("Stops at {stage} ({where}): {place}.")
        if condition and self.times is not None:
            text = _("Stops at {stage} ({where}): {place}, where {condition}, {times} times at most.")
        elif condition:
            text = _("Stops at {stage} ({where}): {place}, where {condition}.")
        elif self.times is not None:
            text = _("Stops at {stage} ({where}): {place}, {times} times at most.")
        said = text.format(stage=repr(name), where=where, place=place, condition=condition, times=times)
        reached = _("Reached {hits} times.").format(hits=hits) if self.hits else ""
        return "\n".join(filter(None, [paragraph(said, reached), self.trouble]))

    def __repr__(self) -> str:
        return self.text


class BreakpointTable(tuple):
    """What `breakpoints()` gives: a tuple of `StageBreakpoint` that shows itself as a table."""

    __slots__ = ()

    def __repr__(self) -> str:
        if not self:
            return _(NONE_SET)
        return "\n".join([repr(self.table()), *self.notes()])

    def table(self) -> Table:
        return table(HEADS, [one.row() for one in self])

    def notes(self) -> list[str]:
        return list(dict.fromkeys(filter(None, [*(one.trouble for one in self), advice(self[0].stage)])))

    def _repr_html_(self) -> str:
        if not self:
            return f"<p>{escape(_(NONE_SET))}</p>"
        return self.table()._repr_html_() + "".join(f"<p>{escape(note)}</p>" for note in self.notes())


def check_times(times: Any) -> None:
    if times is not None and (not isinstance(times, int) or isinstance(times, bool) or times < 1):
        raise ValueError(f"times={times!r}, expected a whole number of at least 1, or nothing to stop every time.")


_numbers = itertools.count(FIRST_ID)
_set: dict[tuple[str, str], StageBreakpoint] = {}
_for_a_block: list[StageBreakpoint] = []
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
    asking = sys._getframe(1)
    for one in [*_set.values(), *_for_a_block]:
        if number in one.places:
            place = one.places[number]
            stops = one.reached(place, asking.f_locals)
            if stops and one.seen is not None:
                one.seen(next(frame for frame in outwards(asking) if frame.f_code is place.code))
            return stops
    return False  # cleared a moment ago


def set_for_a_block(one: StageBreakpoint) -> None:
    """Give the attached debugger a breakpoint that is taken away when a block ends, and is in no table."""
    one.places = dict(zip(_numbers, one.places.values(), strict=False))
    _for_a_block.append(one)
    if said := set_in_debugger(one.wanted()):
        print(said, file=sys.stderr)


def taken_after_a_block(one: StageBreakpoint) -> None:
    take_from_debugger(one.wanted())
    _for_a_block.remove(one)


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
