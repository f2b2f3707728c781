"""Then and now: of each stage of two walks, where it lies, which arguments came and went, and what is equal."""

from __future__ import annotations

import ast
import math
import re
import textwrap
from collections.abc import Iterator
from functools import cache
from importlib.metadata import version
from pathlib import PurePath
from typing import Any, NamedTuple

from prefix_lab.debugger import Recording
from prefix_lab.debugger.stages import Band, known_stages, runs_of_stage
from prefix_lab.debugger.summary import Summary, as_summary
from prefix_lab.locale import N_, _
from prefix_lab.widgets.stepper.compare import DIFFERENT, EQUAL, SHAPES, given
from prefix_lab.widgets.stepper.mirror import Boundary, boundaries
from prefix_lab.years.environment import Release

PLACE = N_("{file}, {function}, {lines} lines")
NOT_RUN = N_("does not run in this walk")
MOVED = N_("from {then} to {now}")
ARGUMENTS = N_("arguments {names}")
RAN = N_("{then} times then, {now} now")
LAST_DIGITS = N_("{what} (the last digits alone: least, largest and mean agree to five)")
WORDS = {
    "then": N_("then"),
    "now": N_("now"),
    "moved": N_("moved"),
    "new": N_("new"),
    "gone": N_("gone"),
    "ran": N_("ran"),
    "equal": N_("equal"),
    "other": N_("other"),
}
HEAD = N_(
    "PEFT {then} with transformers {old}, beside PEFT {now} with transformers {new}: the same model, texts and seed."
)
STATISTICS = ("min", "max", "mean")


class Place(NamedTuple):
    """A stage's function in one release."""

    file: str
    function: str
    arguments: tuple[str, ...]
    lines: int
    runs: int

    @property
    def text(self) -> str:
        return _(PLACE).format(file=self.file, function=self.function, lines=self.lines)


class ThenAndNow(NamedTuple):
    """A stage in both releases; a place is None where the walk did not come through it. `what` was compared or differs,
    as `verdict` says: see `widgets.stepper.compare`; `close` where it is the last digits alone."""

    stage: str
    then: Place | None
    now: Place | None
    verdict: str
    what: str
    close: bool = False

    def lines(self) -> Iterator[tuple[str, str]]:
        """What there is to say: a word, and what stands behind it."""
        yield "then", self.then.text if self.then else _(NOT_RUN)
        yield "now", self.now.text if self.now else _(NOT_RUN)
        if self.then and self.now:
            if self.then.file != self.now.file:
                yield "moved", _(MOVED).format(then=self.then.file, now=self.now.file)
            for word, one, other in (("new", self.now, self.then), ("gone", self.then, self.now)):
                if names := [name for name in one.arguments if name not in other.arguments]:
                    yield word, _(ARGUMENTS).format(names=", ".join(names))
            if self.then.runs != self.now.runs:
                yield "ran", _(RAN).format(then=self.then.runs, now=self.now.runs)
        if self.verdict in (EQUAL, SHAPES):
            yield "equal", self.what
        elif self.verdict == DIFFERENT:
            yield "other", _(LAST_DIGITS).format(what=self.what) if self.close else self.what


def then_and_now(then: Recording, now: Recording) -> list[ThenAndNow]:
    """The stages that both recordings of a walk ran through, in the order of the walk."""
    ended = {one.stage: one for one in reversed(boundaries(then, now))}  # of several runs of a stage, the first
    return [
        ThenAndNow(row.name, place_in(then, row), place_in(now, row), one.verdict, one.what, is_close(then, now, one))
        for row in known_stages()
        if (one := ended.get(row.name)) and not row.peft.startswith("torch.")
    ]


def is_close(then: Recording, now: Recording, one: Boundary) -> bool:
    """Whether what a stage gives differs in no more than the last digits, as far as statistics tell."""
    if one.verdict != DIFFERENT or not one.ours or not one.theirs:
        return False
    mine, other = given(then, Band(*one.ours)), given(now, Band(*one.theirs))
    both = mine.keys() & other.keys()
    if any(mine[name].type.rpartition(".")[2] != other[name].type.rpartition(".")[2] for name in both):
        return False  # another kind of thing
    pairs = [pair for name in both for pair in tensors_in_both(mine[name], other[name])]
    return bool(pairs) and all(here["shape"] == there["shape"] and alike(here, there) for here, there in pairs)


def tensors_in_both(mine: Summary, other: Summary) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """What is known of each tensor that two values have in the same place."""
    if "shape" in mine.facts and "shape" in other.facts:
        yield mine.facts, other.facts
    parts = dict(other.parts)
    for name, part in mine.parts:
        if name in parts:
            yield from tensors_in_both(as_summary(part), as_summary(parts[name]))


def alike(here: dict[str, Any], there: dict[str, Any]) -> bool:
    """Least, largest and mean agree to five digits."""
    return all(math.isclose(here.get(one, 0), there.get(one, 1), rel_tol=1e-5, abs_tol=1e-5) for one in STATISTICS)


def place_in(recording: Recording, row: object) -> Place | None:
    """Where a stage's function stands in the text that the recording kept."""
    runs = runs_of_stage(recording, row)
    if not runs:
        return None
    columns = recording.columns
    frame = columns.step_frame[runs[0].first]
    file, name, first = columns.functions[columns.frame_function[frame]]
    written = definition(recording.sources.get(file, ""), first)
    arguments = tuple(one.arg for one in ast.walk(written.args) if isinstance(one, ast.arg)) if written else ()
    lines = written.end_lineno - written.lineno + 1 if written else 0
    return Place(in_package(file), name, arguments, lines, len(runs))


@cache
def definition(source: str, line: int) -> ast.FunctionDef | None:
    """The function that begins at this line, decorators included."""
    for one in ast.walk(ast.parse(textwrap.dedent(source))):
        if isinstance(one, ast.FunctionDef) and line in (one.lineno, *(each.lineno for each in one.decorator_list)):
            return one
    return None


def in_package(file: str) -> str:
    """`peft/mapping.py`, wherever the package lies."""
    return re.sub(r".*/site-packages/", "", PurePath(file).as_posix())


def as_text(stages: list[ThenAndNow], asked: Release) -> str:
    """All that is to be said, for a terminal."""
    today = {"now": version("peft"), "new": version("transformers")}
    parts = [_(HEAD).format(then=asked.peft, old=asked.transformers, **today), ""]
    width = max(map(len, map(_, WORDS.values())))
    for one in stages:
        parts += [one.stage, *(f"  {_(WORDS[word]):{width}}  {said}" for word, said in one.lines()), ""]
    return "\n".join(parts).rstrip()
