"""`Mirror(ours, theirs)`: two recordings side by side, stage by stage."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anywidget
import traitlets

from prefix_lab.debugger import Recording
from prefix_lab.widgets.picture import TextForm
from prefix_lab.widgets.stepper.boundaries import Boundary, boundaries
from prefix_lab.widgets.stepper.checks import LANGUAGES, must_be_language, must_be_recording
from prefix_lab.widgets.stepper.desk import Desk
from prefix_lab.widgets.stepper.linking import linked
from prefix_lab.widgets.stepper.stages import known_stages, runs_of

HERE = Path(__file__).parent
SIDES = ("ours", "theirs")
MARKS = {"equal": "=", "shapesOnly": "~", "different": "≠", "only": "·", "noValue": "·"}


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
