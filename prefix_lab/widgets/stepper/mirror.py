"""`Mirror(ours, theirs)`: two recordings side by side, stage by stage, and whether the values there are equal.

Where both recordings ran through the stages of a walk, ours in our code, the other in PEFT's, the moments that belong
together are the beginning and the end of each stage; at its end the values that it gives must be equal.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import anywidget
import traitlets

from prefix_lab.debugger import Recording, Summary
from prefix_lab.debugger.summary import as_summary
from prefix_lab.widgets.picture import TextForm
from prefix_lab.widgets.stepper.page import HERE, linked
from prefix_lab.widgets.stepper.questions import LANGUAGES, Desk, must_be_language, must_be_recording
from prefix_lab.widgets.stepper.stages import Band, known_stages, runs_of, runs_of_stage

SIDES = ("ours", "theirs")
EQUAL, SHAPES, DIFFERENT, ONE_SIDE, NO_VALUE = "equal", "shapesOnly", "different", "only", "noValue"
RESULT = "the result"
TENSOR = ("shape", "dtype", "digest")
MODULE = ("parameters", "trainable")
MARKS = {EQUAL: "=", SHAPES: "~", DIFFERENT: "≠", ONE_SIDE: "·", NO_VALUE: "·"}


class Boundary(NamedTuple):
    """A stage in both recordings: its steps in each, None where one does not run through it, and the verdict. `what`
    says what differs, or else what was compared."""

    stage: str
    ours: tuple[int, int] | None
    theirs: tuple[int, int] | None
    verdict: str
    what: str


class Mirror(TextForm, anywidget.AnyWidget):
    """Two steppers that know of each other: the stages of the walk lead both to the same moment.

    At the end of each stage the values that it gives are compared: by their contents where both recordings were made
    with `keep="statistics"`, else by their shapes. Of two recordings of one program (before and after a change, two
    versions) it shows where they part. `boundaries` has the verdicts; `labels` head the two sides.

    Raises `TypeError` for what is no recording, `ValueError` for a language that there is not.
    """

    _esm = linked(HERE / "mirror.js")
    _css = HERE / "stepper.css"
    steps = traitlets.Dict().tag(sync=True)
    breakpoints = traitlets.Dict().tag(sync=True)
    watches = traitlets.Dict().tag(sync=True)
    labels = traitlets.List(traitlets.Unicode()).tag(sync=True)
    language = traitlets.Enum(LANGUAGES, "en").tag(sync=True)
    height = traitlets.Unicode("760px").tag(sync=True)
    opening = traitlets.Dict().tag(sync=True)
    pairs = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        ours: Recording,
        theirs: Recording,
        *,
        labels: tuple[str, str] = ("ours", "theirs"),
        language: str = "en",
        height: str = "760px",
    ):
        must_be_recording("ours", ours)
        must_be_recording("theirs", theirs)
        must_be_language(language)
        self.ours, self.theirs = ours, theirs
        self.boundaries: list[Boundary] = boundaries(ours, theirs)
        self.parted = None if two_writings(ours, theirs) else ours.diff(theirs)
        self._desks = {"ours": Desk(ours, labels[0]), "theirs": Desk(theirs, labels[1])}
        super().__init__(
            steps=dict.fromkeys(SIDES, 0),
            breakpoints={side: [] for side in SIDES},
            watches={side: [] for side in SIDES},
            labels=list(labels),
            language=language,
            height=height,
            opening={side: self._desks[side].first(0) for side in SIDES},
            pairs={"boundaries": [one._asdict() for one in self.boundaries], "parted": self._where_they_part()},
        )
        self.on_msg(self._heard)

    def _where_they_part(self) -> dict[str, Any] | None:
        if self.parted is None:
            return None
        last = {"ours": len(self.ours) - 1, "theirs": len(self.theirs) - 1}
        steps = {"ours": self.parted.ours, "theirs": self.parted.theirs}
        return {side: last[side] if step is None else step.index for side, step in steps.items()} | {
            "what": self.parted.what
        }

    def goto_stage(self, name: str, end: bool = False) -> None:
        """Lead both sides to where a stage begins, or ends. Raises `ValueError` that lists the stages there are."""
        found = next((one for one in self.boundaries if one.stage == name), None)
        if found is None:
            known = ", ".join(dict.fromkeys(one.stage for one in self.boundaries)) or "none"
            raise ValueError(f"name={name!r} is not a stage of these recordings. Those are: {known}.")
        there = {side: getattr(found, side)[end] for side in SIDES if getattr(found, side) is not None}
        self.steps = self.steps | there

    def _heard(self, _: Any, message: Any, buffers: Any) -> None:
        if isinstance(message, dict) and message.get("side") in SIDES:
            self.send(self._desks[message["side"]].reply(message))

    @property
    def text(self) -> str:
        """The verdicts, in words."""
        lines = [f"<Mirror of {' and '.join(self.labels)}>"]
        for one in self.boundaries:
            lines.append(f"  {MARKS[one.verdict]} {one.stage}{': ' + one.what if one.what else ''}")
        return "\n".join([*lines, *([f"  they part: {self.parted}"] if self.parted else [])])


def two_writings(ours: Recording, theirs: Recording) -> bool:
    """Whether the two ran through a stage in different code, ours in one and PEFT's in the other."""
    sides = [
        [[bool(runs_of(one, dotted)) for dotted in (row.ours, row.peft)] for row in known_stages()]
        for one in (ours, theirs)
    ]
    return any(mine != other and any(mine) and any(other) for mine, other in zip(*sides, strict=True))


def boundaries(ours: Recording, theirs: Recording, stages: Iterable[Any] | None = None) -> list[Boundary]:
    """The stages that either ran through, in the order in which they end in the first."""
    found = []
    for row in known_stages() if stages is None else stages:
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


def given(recording: Recording, run: Band) -> dict[str, Summary]:
    """What a stage ends with: what it returns, and the tensors and modules that its names stand for."""
    step = recording.steps[run.last]
    if step.event not in ("return", "exception") or recording.steps[run.first].event == "line":
        return {}
    # An argument may be bound anew on one side alone, so its tensor is not one that the stage makes.
    given_on_entry = recording.steps[run.first].locals
    found = {
        name: value
        for name, value in step.locals.items()
        if "parameters" in value.facts or ("shape" in value.facts and name not in given_on_entry)
    }
    if step.value is not None and step.value.text != "None":
        found[RESULT] = step.value
    return found


def compared(mine: dict[str, Summary], other: dict[str, Summary]) -> tuple[str, str]:
    """A verdict on the values that both have, and what is not equal."""
    differences: list[str] = []
    unsure: list[str] = []
    both = {name: name for name in mine if name in other} | called_otherwise(mine, other)
    # What differs in a module differs in those around it, too: the smallest is named.
    for name in sorted(both, key=lambda one: mine[one].facts.get("parameters", float("inf"))):
        compare(name, mine[name], other[both[name]], differences, unsure)
    if differences:
        return DIFFERENT, differences[0]
    if not both:
        return NO_VALUE, ""
    return SHAPES if unsure else EQUAL, ", ".join(both)


def called_otherwise(mine: dict[str, Summary], other: dict[str, Summary]) -> dict[str, str]:
    """Modules that each side has one of, of a class of the same name, under names of their own."""
    sides = []
    for one, another in ((mine, other), (other, mine)):
        modules = {name: class_name(value) for name, value in one.items() if "parameters" in value.facts}
        classes = list(modules.values())
        alone = {kind: name for name, kind in modules.items() if name not in another and classes.count(kind) == 1}
        sides.append(alone)
    return {name: sides[1][kind] for kind, name in sides[0].items() if kind in sides[1]}


def compare(label: str, mine: Summary, other: Summary, differences: list[str], unsure: list[str]) -> None:
    """Hold two values against each other, and those inside them: tensors by shape, dtype and contents, modules by how
    much is in them and trains, anything else by its text. Classes may be of different packages."""
    where = f"{label}: "
    if "shape" in mine.facts or "shape" in other.facts:
        for fact in TENSOR:
            here, there = mine.facts.get(fact), other.facts.get(fact)
            if here != there and (fact != "digest" or (here and there)):
                said = "other numbers" if fact == "digest" else f"{here} and {there}"
                differences.append(f"{where}{fact} differs: {said}")
                return
        if "shape" in mine.facts and not ("digest" in mine.facts and "digest" in other.facts):
            unsure.append(label)
        return
    if "parameters" in mine.facts and "parameters" in other.facts:
        for fact in MODULE:
            if mine.facts[fact] != other.facts[fact]:
                differences.append(f"{where}{fact}: {mine.facts[fact]:,} and {other.facts[fact]:,}")
        return
    if mine.parts and other.parts:
        parts = {name: as_summary(part) for name, part in other.parts}
        for name, part in mine.parts:
            if name in parts:
                compare(f"{label}.{name}", as_summary(part), parts[name], differences, unsure)
        return
    plain = [one.facts.get("value", one.text) if "value" in one.facts else class_name(one) for one in (mine, other)]
    if plain[0] != plain[1]:
        differences.append(f"{where}{mine.text} and {other.text}")


def class_name(value: Summary) -> str:
    return value.type.rpartition(".")[2]
