"""Where the stages of a walk lie in a recording.

The debugger and its views know nothing of prefix tuning: what installed packages call stages, they say by entry points
named `prefix_lab.stages`, each a table whose rows have a `name`, a `sentence`, and dotted names of functions in `ours`
and `peft`.
"""

from __future__ import annotations

import functools
import re
from bisect import bisect_left
from collections.abc import Iterable
from importlib.metadata import entry_points
from itertools import accumulate, zip_longest
from pathlib import PurePath
from typing import Any, NamedTuple

from prefix_lab.debugger.steps import EVENTS, NONE, RecordedSteps

FAMILY = re.compile(r"PeftModelFor\w+\.")
MOST = 500  # bands of one stage


class Band(NamedTuple):
    """One run of a stage: from the call to the last step inside."""

    first: int
    last: int


@functools.cache
def known_stages() -> tuple[Any, ...]:
    """The rows of all tables of stages that are installed."""
    return tuple(row for point in entry_points(group="prefix_lab.stages") for row in point.load())


def bands(recording: RecordedSteps) -> list[tuple[str, str, list[Band]]]:
    """For each stage that the recording ran through: its name, its sentence, and where. Outermost runs alone."""
    found = []
    for row in known_stages():
        runs = runs_of_stage(recording, row)
        if runs:
            found.append((row.name, row.sentence, runs[:MOST]))
    return found


def stage_stops(runs: Iterable[tuple[int, int]]) -> list[int]:
    """Where the stage that one is in is another one: where one begins, and where one goes on after what lies inside it;
    rising. A single line between two is on the way to the second."""
    runs = sorted(runs)
    firsts, begin = [first for first, _ in runs], {first for first, _ in runs}
    ends = list(accumulate((last for _, last in runs), max))  # of the runs up to each, the last end

    def goes_on(step: int) -> bool:
        before = bisect_left(firsts, step)
        return before > 0 and ends[before - 1] >= step

    stops = sorted(begin | {last + 1 for _, last in runs if goes_on(last + 1)})
    return [step for step, after in zip_longest(stops, stops[1:]) if step in begin or after != step + 1]


def runs_of_stage(recording: RecordedSteps, row: Any) -> list[Band]:
    """A stage's runs, whichever code they are of; those inside another left out."""
    return outermost(sorted({*runs_of(recording, row.ours), *runs_of(recording, row.peft)}))


def runs_of(recording: RecordedSteps, dotted: str) -> list[Band]:
    """The calls of a function, named as `package.module.Class.function`; of one that was not recorded, the lines that
    call it, where its name says enough."""
    columns = recording.columns
    meant = {number for number, one in enumerate(columns.functions) if is_named(dotted, one[0], one[1])}
    # In a release of another year, a function may lie in another file of the same package.
    meant = meant or {number for number, one in enumerate(columns.functions) if is_moved(dotted, one[0], one[1])}
    if meant:
        return [
            Band(columns.frame_first[frame], columns.frame_last[frame])
            for frame, function in enumerate(columns.frame_function)
            if function in meant
            if columns.frame_first[frame] != NONE
        ]
    if dotted.startswith("torch."):
        call = f".{dotted.rpartition('.')[2]}("
        return [Band(step, line_end(recording, step)) for step in steps_at_lines_with(recording, call)]
    return []


def is_named(dotted: str, file: str, function: str) -> bool:
    """Whether a dotted name means this function of this file; classes of one family of tasks are alike."""
    wanted, name = FAMILY.sub("PeftModelFor*.", dotted), FAMILY.sub("PeftModelFor*.", function)
    if not wanted.endswith("." + name):
        return False
    module = wanted.removesuffix("." + name).split(".")
    parts = PurePath(file).with_suffix("").parts
    if parts[-1] == "__init__":
        parts = parts[:-1]
    same_package = module[0] in parts and "PeftModelFor*" in name
    return parts[-len(module) :] == tuple(module) or same_package


def is_moved(dotted: str, file: str, function: str) -> bool:
    """Whether a dotted name may mean this function, which has the same name in another file of the package."""
    package, _, rest = dotted.partition(".")
    return package in PurePath(file).parts and f".{rest}".endswith(f".{function}")


def steps_at_lines_with(recording: RecordedSteps, text: str) -> list[int]:
    columns = recording.columns
    line = EVENTS.index("line")
    found: list[int] = []
    for (event, function, number), steps in zip(columns.places, columns.steps_at, strict=True):
        if event == line and text in recording.line_text(columns.functions[function][0], number):
            found += steps[:MOST]
    return sorted(found)


def line_end(recording: RecordedSteps, step: int) -> int:
    """The last step before the frame goes on."""
    after = recording.columns.step_after[step]
    return step if after == NONE else after - 1


def outermost(runs: list[Band]) -> list[Band]:
    """Without those that lie in another; rising."""
    found: list[Band] = []
    for run in runs:
        if not found or run.last > found[-1].last:
            found.append(run)
    return found
