"""Then and now: of each stage of two walks, where it lies, which arguments came and went, and what is equal."""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterator
from functools import cache
from pathlib import PurePath
from typing import NamedTuple

from prefix_lab.debugger import Recording
from prefix_lab.widgets.stepper.compare import DIFFERENT, EQUAL, SHAPES
from prefix_lab.widgets.stepper.mirror import boundaries
from prefix_lab.widgets.stepper.stages import known_stages, runs_of_stage

PLACE = "{file}, {function}, {lines} lines"
NOT_RUN = "does not run in this walk"
SAYS = {
    "then": "{place}",
    "now": "{place}",
    "moved": "from {then} to {now}",
    "new": "arguments {names}",
    "gone": "arguments {names}",
    "twice": "it ran {then} times then, {now} now",
    "equal": "{what}",
    "other": "{what}",
}
"""The words of a stage's lines, and what stands behind each."""


class Place(NamedTuple):
    """A stage's function in one release."""

    file: str
    function: str
    arguments: tuple[str, ...]
    lines: int
    runs: int

    @property
    def text(self) -> str:
        return PLACE.format(file=self.file, function=self.function, lines=self.lines)


class ThenAndNow(NamedTuple):
    """A stage in both releases; a place is None where the walk did not come through it. `what` was compared or differs,
    as `verdict` says: see `widgets.stepper.compare`."""

    stage: str
    then: Place | None
    now: Place | None
    verdict: str
    what: str

    def lines(self) -> Iterator[tuple[str, str]]:
        """What there is to say: a word, and what stands behind it."""
        yield "then", self.then.text if self.then else NOT_RUN
        yield "now", self.now.text if self.now else NOT_RUN
        if self.then and self.now:
            if self.then.file != self.now.file:
                yield "moved", SAYS["moved"].format(then=self.then.file, now=self.now.file)
            for word, one, other in (("new", self.now, self.then), ("gone", self.then, self.now)):
                if names := [name for name in one.arguments if name not in other.arguments]:
                    yield word, SAYS[word].format(names=", ".join(names))
            if self.then.runs != self.now.runs:
                yield "twice", SAYS["twice"].format(then=self.then.runs, now=self.now.runs)
        if self.verdict in (EQUAL, SHAPES):
            yield "equal", self.what
        elif self.verdict == DIFFERENT:
            yield "other", self.what


def then_and_now(then: Recording, now: Recording) -> list[ThenAndNow]:
    """The stages that both recordings of a walk ran through, in the order of the walk."""
    verdicts = {}
    for one in boundaries(then, now):
        verdicts.setdefault(one.stage, one)
    return [
        ThenAndNow(row.name, place_in(then, row), place_in(now, row), verdicts[row.name].verdict, verdicts[row.name].what)
        for row in known_stages()
        if row.name in verdicts and not row.peft.startswith("torch.")
    ]


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


def as_text(stages: list[ThenAndNow]) -> str:
    """All that is to be said, for a terminal."""
    parts = []
    for one in stages:
        parts += [one.stage, *(f"  {word:6} {said}" for word, said in one.lines()), ""]
    return "\n".join(parts).rstrip()
