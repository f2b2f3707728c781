"""The learner's passport: for each stage of the walk what they saw there, live or typed, in their own answers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from prefix_lab.breakpoints.stopping import StopAt
from prefix_lab.course import progress


def stamp(stage: str, key: str, stop: StopAt, answers: Sequence[str]) -> None:
    """An exercise at this stage was solved: note where the learner stood, what was there, and what they answered."""
    where = stop.visits[0]
    place = {"function": where.function, "file": where.file, "line": where.line, "shapes": where.shapes}
    asked = [one.command for one in stop.asked]
    date = datetime.now().astimezone().isoformat(timespec="seconds")
    noted = {"stage": stage, "exercise": key, **place, "asked": asked, "answers": [*answers], "by": stop.by}
    progress.add({"passport": noted | {"date": date}})
