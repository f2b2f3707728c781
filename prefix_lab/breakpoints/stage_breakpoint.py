"""One breakpoint at a stage: its condition, whether to stop there now, what was hit, and the table that shows several.

A condition is refused in a sentence when it is set, since a debugger would never stop and say nothing. The names that
it uses must have a value when the stage begins: the arguments of the function, the names of its module, builtins.
"""

from __future__ import annotations

import ast
import builtins
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from types import CodeType
from typing import Any, NamedTuple

from prefix_lab.breakpoints.attached import Wanted, advice
from prefix_lab.breakpoints.places import StopPlace
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


NONE_SET = "No breakpoint is set. break_at('encode') sets one."
HEADS = ("stage", "where", "stops in", "condition", "times", "reached", "stopped")


@dataclass(eq=False)
class StageBreakpoint:
    """A stage to stop at. `hits` counts how often it was reached with its condition true, `stops` how often it stopped.

    `places` are the functions of the stage; `trouble` is what the condition raised, or what the debugger said.
    """

    stage: str
    where: str
    condition: Condition | None = None
    times: int | None = None
    places: dict[int, StopPlace] = field(default_factory=dict)
    hits: int = 0
    stops: int = 0
    trouble: str = ""

    def reached(self, place: StopPlace, values: Mapping[str, Any]) -> bool:
        """Whether to stop here, with these locals. Counts; a condition that fails stops, and says why once."""
        if not place.counts(values):
            return False
        try:
            if self.condition and not (self.condition.fits(place) and self.condition.holds(values, place.namespace)):
                return False
        except Exception as error:
            said = f"The condition {self.condition.text!r} failed here, so this stops: {type(error).__name__}: {error}"
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
        more = f", and {len(others)} more" if others else ""
        times = "every" if self.times is None else str(self.times)
        condition = self.condition.text if self.condition else ""
        return (self.stage, self.where, first + more, condition, times, str(self.hits), str(self.stops))

    @property
    def text(self) -> str:
        """What is set, what happened to it, and what is still to be done."""
        name, where, place, condition, times, hits, _ = self.row()
        parts = [f"Stops at {name!r} ({where}): {place}"]
        parts += [f"where {condition}"] if condition else []
        parts += [f"{times} times at most"] if self.times is not None else []
        said = ", ".join(parts) + "."
        return "\n".join(filter(None, [said + (f" Reached {hits} times." if self.hits else ""), self.trouble]))

    def __repr__(self) -> str:
        return self.text


class BreakpointTable(tuple):
    """What `breakpoints()` gives: a tuple of `StageBreakpoint` that shows itself as a table."""

    __slots__ = ()

    def __repr__(self) -> str:
        if not self:
            return NONE_SET
        return "\n".join([repr(self.table()), *self.notes()])

    def table(self) -> Table:
        return table(HEADS, [one.row() for one in self])

    def notes(self) -> list[str]:
        return list(dict.fromkeys(filter(None, [*(one.trouble for one in self), advice(self[0].stage)])))

    def _repr_html_(self) -> str:
        if not self:
            return f"<p>{escape(NONE_SET)}</p>"
        return self.table()._repr_html_() + "".join(f"<p>{escape(note)}</p>" for note in self.notes())


def place_with(code: CodeType, found: StageBreakpoint) -> StopPlace | None:
    """The place of a breakpoint that is in this code."""
    return next((place for place in found.places.values() if place.code is code), None)


def check_times(times: Any) -> None:
    if times is not None and (not isinstance(times, int) or isinstance(times, bool) or times < 1):
        raise ValueError(f"times={times!r}, expected a whole number of at least 1, or nothing to stop every time.")
