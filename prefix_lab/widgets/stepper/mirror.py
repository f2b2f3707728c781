"""`Mirror(ours, theirs)`: two recordings side by side, stage by stage, and whether the values there are equal.

Where both recordings ran through the stages of a walk, ours in our code, the other in PEFT's, the moments that belong
together are the beginning and the end of each stage; at its end the values that it gives must be equal. Of two
recordings of one program, each step belongs to the same step of the other until they part.
"""

from __future__ import annotations

import functools
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import anywidget
import traitlets

from prefix_lab.debugger import Breakpoint, Cursor, Recording, Step
from prefix_lab.debugger.cursor import COMPREHENSIONS
from prefix_lab.debugger.stages import Band, known_stages, runs_of_stage
from prefix_lab.locale import _, for_page
from prefix_lab.widgets.stepper.compare import (
    DIFFERENT,
    EQUAL,
    NO_VALUE,
    ONE_SIDE,
    SHAPES,
    called,
    compared,
    compared_here,
    given,
    held,
)
from prefix_lab.widgets.stepper.keys import TakesKeys, now
from prefix_lab.widgets.stepper.page import HERE, write_mirror
from prefix_lab.widgets.stepper.questions import Desk, must_be_recording, must_be_text
from prefix_lab.widgets.stepper.stepper import SCRIPT

SIDES = ("ours", "theirs")
MARKS = {EQUAL: "=", SHAPES: "~", DIFFERENT: "≠", ONE_SIDE: "·", NO_VALUE: "·"}


class Boundary(NamedTuple):
    """A stage in both recordings: its steps in each, None where one does not run through it, and the verdict. `what`
    says what differs, or else what was compared."""

    stage: str
    ours: tuple[int, int] | None
    theirs: tuple[int, int] | None
    verdict: str
    what: str


class Gate(NamedTuple):
    """A moment that both come to: the beginning or the `end` of a stage, or, with no stage, where the two part."""

    ours: int
    theirs: int
    stage: str
    end: bool


class Mirror(TakesKeys, anywidget.AnyWidget):
    """Two steppers with one toolbar, which moves both: stage by stage, and line by line. A side that comes to the
    beginning or the end of a stage first waits there for the other; one can be moved alone, and led back.

    At each place the values that both have under one name are compared, and at the end of each stage those that it
    gives: by their contents where both recordings were made with `keep="statistics"`, else by their shapes. Of two
    recordings of one program (before and after a change, two versions) it shows where they part. `boundaries` has the
    verdicts; `labels` head the two sides; `steps` is where each side is.

    Raises `TypeError` for what is no recording and for labels that are not two texts, `IndexError` for a step that a
    side does not have.
    """

    _esm = SCRIPT
    _css = HERE / "stepper.css"
    steps = traitlets.Dict().tag(sync=True)
    breakpoints = traitlets.Dict().tag(sync=True)
    watches = traitlets.Dict().tag(sync=True)
    skip = traitlets.List(traitlets.Unicode(), list(COMPREHENSIONS)).tag(sync=True)
    labels = traitlets.List(traitlets.Unicode()).tag(sync=True)
    said = traitlets.Dict().tag(sync=True)
    height = traitlets.Unicode("760px").tag(sync=True)
    opening = traitlets.Dict().tag(sync=True)
    pairs = traitlets.Dict().tag(sync=True)
    made = traitlets.Float().tag(sync=True)

    def __init__(
        self,
        ours: Recording,
        theirs: Recording,
        *,
        labels: tuple[str, str] = SIDES,
        height: str = "760px",
    ):
        must_be_recording("ours", ours)
        must_be_recording("theirs", theirs)
        must_be_text("height", height, "760px")
        if not isinstance(labels, list | tuple) or [type(one) for one in labels] != [str, str]:
            raise TypeError(f"labels={labels!r}, expected two texts, one for each side: ('ours', 'theirs').")
        self.ours, self.theirs = ours, theirs
        self.boundaries: list[Boundary] = boundaries(ours, theirs)
        self._lengths = {"ours": len(ours), "theirs": len(theirs)}
        self._two_writings = two_writings(ours, theirs)
        self.parted = None if self._two_writings else ours.diff(theirs)
        where = self._where_they_part()
        self._alike = self._alike_until()
        self.gates = [one for one in gates(self.boundaries, where) if one.ours >= self._alike]
        self._desks = {"ours": Desk(ours, labels[0]), "theirs": Desk(theirs, labels[1])}
        super().__init__(
            steps=dict.fromkeys(SIDES, 0),
            breakpoints={side: [] for side in SIDES},
            watches={side: [] for side in SIDES},
            labels=list(labels),
            said=for_page(SCRIPT),
            height=height,
            made=now(),
            opening={side: self._desks[side].first(0) for side in SIDES},
            pairs={
                "boundaries": [one._asdict() for one in self.boundaries],
                "gates": [one._asdict() for one in self.gates],
                "alike": self._alike,
                "parted": where,
            },
        )
        self.on_msg(self._heard)

    def _where_they_part(self) -> dict[str, Any] | None:
        if self.parted is None:
            return None
        steps = {"ours": self.parted.ours, "theirs": self.parted.theirs}
        return {side: self._lengths[side] - 1 if step is None else step.index for side, step in steps.items()} | {
            "what": self.parted.what
        }

    def _alike_until(self) -> int:
        """How many steps, from the first on, belong to the same step of the other side."""
        if self.parted is None:
            return 0 if self._two_writings else len(self.ours)
        return (self.parted.ours or self.parted.theirs).index

    @traitlets.validate("steps")
    def _steps_are_there(self, proposal: Any) -> dict[str, int]:
        for side, step in proposal["value"].items():
            count = self._lengths[side]
            if count and not 0 <= step < count:
                raise IndexError(f"{side}={step}: that recording has {count:,} steps, from 0 to {count - 1:,}.")
        return proposal["value"]

    @property
    def cursors(self) -> tuple[Cursor, Cursor]:
        """A cursor where each side is: its `locals`, `stack` and so on. Moving one does not move the reader."""
        return self.ours.cursor(self.steps["ours"]), self.theirs.cursor(self.steps["theirs"])

    def goto(self, ours: int | Step | None = None, theirs: int | Step | None = None) -> None:
        """Lead each side to a step; one that is not named follows to the moment that belongs to the other's."""
        there = {
            side: step.index if isinstance(step, Step) else step
            for side, step in (("ours", ours), ("theirs", theirs))
            if step is not None
        }
        if len(there) == 1:
            [(side, step)] = there.items()
            there[other_than(side)] = self.moment_beside(side, step)
        self.steps = self.steps | there

    def goto_stage(self, name: str, end: bool = False) -> None:
        """Lead both sides to where a stage begins, or ends. Raises `ValueError` that lists the stages there are."""
        found = next((one for one in self.boundaries if one.stage == name), None)
        if found is None:
            known = ", ".join(dict.fromkeys(one.stage for one in self.boundaries)) or "none"
            raise ValueError(f"name={name!r} is not a stage of these recordings. Those are: {known}.")
        self.goto(**{side: getattr(found, side)[end] for side in SIDES if getattr(found, side) is not None})

    def run_to(self, breakpoint: Breakpoint, side: str = "ours", backwards: bool = False) -> bool:
        """Lead a side, "ours" or "theirs", to the next step where a breakpoint holds, and the other to the moment that
        belongs to it; whether there is one."""
        if side not in SIDES:
            raise ValueError(f"side={side!r}, expected 'ours' or 'theirs'.")
        cursor = self.cursors[SIDES.index(side)]
        moved = cursor.run_to(breakpoint, backwards)
        if moved:
            self.goto(**{side: cursor.index})
        return moved

    def on_step(self, told: Callable[[Step, Step], Any]) -> Callable[[], None]:
        """Call `told(ours, theirs)` with both steps whenever the reader rests at others; what is returned ends that."""

        def moved(change: Any) -> None:
            told(self.ours.steps[change["new"]["ours"]], self.theirs.steps[change["new"]["theirs"]])

        self.observe(moved, "steps")
        return functools.partial(self.unobserve, moved, "steps")

    def moment_beside(self, side: str, step: int) -> int:
        """The step of the other side that belongs to a step of `side`: the last that both come to at or before it."""
        if step < self._alike:
            return step
        passed = bisect_right([getattr(one, side) for one in self.gates], step)
        if passed:
            return getattr(self.gates[passed - 1], other_than(side))
        return max(0, min(self._alike, self._lengths[other_than(side)]) - 1)

    def to_html(self, path: str | Path, *, title: str = "") -> None:
        """Write one HTML page in which both are walked through, with no kernel and no network; whole or not at all.

        `title` heads it. The page opens where the mirror stands. Raises `ValueError` that names the argument when the
        folder is not there.
        """
        settings = {
            name: getattr(self, name) for name in ("steps", "breakpoints", "watches", "skip", "labels", "pairs")
        }
        recordings = dict(zip(SIDES, (self.ours, self.theirs), strict=True))
        write_mirror(recordings, settings, path, title=title)

    def _heard(self, _: Any, message: Any, buffers: Any) -> None:
        if isinstance(message, dict) and message.get("side") in SIDES:
            self.send(self._desks[message["side"]].reply(message))

    @property
    def text(self) -> str:
        """The verdicts, where each side is, and what is equal there, in words."""
        ours, theirs = self.labels
        lines = [_("<Mirror of {ours} and {theirs}>").format(ours=ours, theirs=theirs)]
        for one in self.boundaries:
            lines.append(f"  {MARKS[one.verdict]} {one.stage}{': ' + one.what if one.what else ''}")
        if self.parted:
            lines.append(_("  they part: {where}").format(where=self.parted))
        if not all(self._lengths.values()):
            return "\n".join(lines)
        for label, cursor in zip(self.labels, self.cursors, strict=True):
            lines.append(_("{side} at {step}").format(side=label, step=repr(cursor.step)))
        ours, theirs = (held(cursor.recording, cursor.index) for cursor in self.cursors)
        for name, verdict, what in compared_here(ours, theirs):
            lines.append(f"  {MARKS[verdict]} {what or called(name)}")
        return "\n".join(lines)


def other_than(side: str) -> str:
    return SIDES[1 - SIDES.index(side)]


def two_writings(ours: Recording, theirs: Recording) -> bool:
    """Whether the two ran through a stage in different code: ours and PEFT's, or two releases of PEFT."""
    sides = [[files_of(one, row) for row in known_stages()] for one in (ours, theirs)]
    return any(mine and other and mine.isdisjoint(other) for mine, other in zip(*sides, strict=True))


def files_of(recording: Recording, row: Any) -> set[str]:
    """The files whose functions begin a stage's runs; none for one in torch, which is not recorded."""
    if row.peft.startswith("torch."):
        return set()
    columns = recording.columns
    begins = {columns.step_frame[run.first] for run in runs_of_stage(recording, row)}
    return {columns.functions[columns.frame_function[frame]][0] for frame in begins}


def boundaries(ours: Recording, theirs: Recording) -> list[Boundary]:
    """The stages that either ran through, in the order in which they end in the first."""
    found = []
    for row in known_stages():
        mine, other = runs_of_stage(ours, row), runs_of_stage(theirs, row)
        for at in range(max(len(mine), len(other))):
            found.append(boundary(row.name, ours, theirs, mine[at : at + 1], other[at : at + 1]))
    return sorted(found, key=lambda one: (one.ours or one.theirs)[1])


def boundary(name: str, ours: Recording, theirs: Recording, mine: list[Band], other: list[Band]) -> Boundary:
    if not mine or not other:
        return Boundary(name, pair(mine), pair(other), ONE_SIDE, "")
    return Boundary(name, pair(mine), pair(other), *compared(given(ours, mine[0]), given(theirs, other[0])))


def pair(found: list[Band]) -> tuple[int, int] | None:
    return (found[0].first, found[0].last) if found else None


def gates(found: list[Boundary], parted: dict[str, Any] | None) -> list[Gate]:
    """The most moments that both come to in one order: where one side runs a stage inside another that the other side
    runs before it, a beginning or an end is left out."""
    every = [Gate(parted["ours"], parted["theirs"], "", False)] if parted else []
    for one in found:
        if one.ours and one.theirs:
            every += [Gate(one.ours[end], one.theirs[end], one.stage, bool(end)) for end in (0, 1)]
    ends: list[int] = []  # where, in theirs, the chain of each length ends earliest
    chains: list[Any] = []  # those chains, each as its last gate and the chain before it
    for gate in sorted(every, key=lambda one: (one.ours, -one.theirs)):
        at = bisect_left(ends, gate.theirs)
        ends[at : at + 1] = [gate.theirs]
        chains[at : at + 1] = [(gate, chains[at - 1] if at else None)]
    best: list[Gate] = []
    chain = chains[-1] if chains else None
    while chain:
        gate, chain = chain
        best.append(gate)
    return best[::-1]
