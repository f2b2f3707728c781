"""A recording cut into pieces of JSON, so that a page holds only what it shows.

The stepper and the page that needs no kernel read the same pieces. `opening` is the first; the others are asked for
by name:

- `steps/K` has the steps from K · PAGE on, with everything that is needed to stand at one of them: what each frame
  held before, which calls are around it, and a line of text for each value.
- `values/K` has the values from K · VALUES on, whole: facts, and the parts of modules, configs and caches.
- `source/K` is the text of file K, its colours, and where in it a breakpoint stands: for each line that can have one,
  the line, the one that it stands at, and the numbers of the places there.
- `calls/K` is a part of the call tree, outermost calls first.
- `index` lists for each place its steps, `raised` the steps at which exceptions were raised, each with its value's
  number: only the page without a kernel needs them, to look for a breakpoint.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from itertools import chain, pairwise
from typing import Any

from prefix_lab.debugger import Recording
from prefix_lab.debugger.calls import closing_words
from prefix_lab.debugger.placing import lines_of
from prefix_lab.debugger.search import exceptions_of
from prefix_lab.debugger.stages import bands, stage_stops
from prefix_lab.debugger.steps import EVENTS, NONE
from prefix_lab.locale import _ as said
from prefix_lab.widgets.colours import COLOURS
from prefix_lab.widgets.stepper.written import colours_of, headline, short_paths, whole

PAGE = 512  # steps
VALUES = 64
CALLS = 200
BUCKETS = 400
MOST_AROUND = 12  # pages
FAR = 3  # moves
LOOK_BACK = 2_000  # steps of a frame


class Pieces:
    """The pieces of one recording; each is made when it is asked for. `names` and numbers are those of the columns."""

    def __init__(self, recording: Recording, title: str = "", page: int = 0):
        self.recording, self.columns, self.title = recording, recording.columns, title
        self.page = page or PAGE
        self.files = sorted({file for file, _, _ in self.columns.functions})
        self.paths = short_paths(self.files)

    def get(self, key: str) -> Any:
        """A piece, as data for JSON. Raises `KeyError` for a name that no piece has."""
        kind, _, number = key.partition("/")
        plain = {"opening": self.opening, "index": self.index, "raised": self.raised}
        counted = {"steps": self.steps, "values": self.values, "source": self.source, "calls": self.calls}
        if kind in plain and not number:
            return plain[kind]()
        if kind in counted and number.isdecimal() and int(number) < self.count(kind):
            return counted[kind](int(number))
        raise KeyError(f"no piece {key!r}")

    def count(self, kind: str) -> int:
        """How many pieces of a kind there are."""
        lengths = {
            "steps": lambda: (len(self.columns), self.page),
            "values": lambda: (len(self.columns.values), VALUES),
            "source": lambda: (len(self.files), 1),
            "calls": lambda: (len(self.tree), CALLS),
        }
        length, size = lengths[kind]()
        return -(-length // size)

    def names(self) -> list[str]:
        """The names of all pieces."""
        kinds = ("steps", "values", "source", "calls")
        return [
            "opening",
            "index",
            "raised",
            *(f"{kind}/{number}" for kind in kinds for number in range(self.count(kind))),
        ]

    def opening(self) -> dict[str, Any]:
        """What the first picture needs, whatever the recording's length."""
        columns, recording = self.columns, self.recording
        number_of = {file: number for number, file in enumerate(self.files)}
        stages = bands(recording)
        return {
            "title": self.title,
            "steps": len(columns),
            "page": self.page,
            "valuesPage": VALUES,
            "callsPage": CALLS,
            "values": len(columns.values),
            "files": self.paths,
            "functions": [[number_of[file], name, line] for file, name, line in columns.functions],
            "places": columns.places,
            "events": EVENTS,
            "names": [name.removeprefix("watch: ") for name in columns.names],
            "watches": sorted(columns.watches),
            "threads": columns.threads,
            "stages": [(name, said(sentence), runs) for name, sentence, runs in stages],
            "stageStops": stage_stops(run for _, _, runs in stages for run in runs),
            "stretches": self.stretches(),
            "notes": closing_words(recording),
            "colours": COLOURS,
            "failure": failure(recording),
        }

    def stretches(self) -> list[list[int]]:
        """Equal stretches along the recording: of each, how deep the calls go at most; then the number of a function
        and how many of its steps are of that function, for one function after the other."""
        columns, total = self.columns, len(self.columns)
        count = min(total, BUCKETS)
        edges = [total * one // count for one in range(count + 1)] if count else []
        found = []
        for start, end in pairwise(edges):
            inside: Counter[int] = Counter()
            for place, times in Counter(columns.step_place[start:end]).items():
                inside[columns.places[place][1]] += times
            found.append([max(columns.step_depth[start:end]), *chain.from_iterable(inside.items())])
        return found

    def steps(self, number: int) -> dict[str, Any]:
        """A stretch of steps, with what is needed to stand at each."""
        return stretch(self.recording, number * self.page, min((number + 1) * self.page, len(self.columns)))

    def around(self, step: int) -> list[str]:
        """The names of the pages beside a step's, and of those that a few moves from there lead to, however often one
        goes out; what is nearest first."""
        columns, page = self.columns, step // self.page
        near = [step - self.page, step + self.page]
        ends = [(at, at) for at in self.recording.stack(step)]
        near += [before for before, _ in ends]
        for _ in range(FAR):
            ends = [(beside(columns.step_before, before), beside(columns.step_after, after)) for before, after in ends]
            near += [at for both in ends for at in both]
        pages = dict.fromkeys(at // self.page for at in near if 0 <= at // self.page < self.count("steps"))
        return [f"steps/{one}" for one in pages if one != page][:MOST_AROUND]

    def values(self, number: int) -> list[Any]:
        """Values with all that is known of them."""
        return [whole(value) for value in self.columns.values[number * VALUES : (number + 1) * VALUES]]

    def source(self, number: int) -> list[Any]:
        file = self.files[number]
        text, lines = self.recording.sources.get(file, ""), lines_of(self.recording, file)
        return [text, colours_of(text), [[line, at, *lines.ran[at]] for line, at in lines.table().items()]]

    @cached_property
    def tree(self) -> list[list[Any]]:
        """All calls, each before those it made: function, line, file, first step, count, milliseconds, steps, and
        which entries it made, as the first one's number and how many."""
        entries: list[list[Any]] = []
        number_of = {file: number for number, file in enumerate(self.files)}
        order = list(self.recording.calls)
        entries.append(["", 0, 0, 0, 1, 0, len(self.columns), 1, len(order)])
        for call in order:
            first = 1 + len(order)
            order += call.calls
            milliseconds = round(1e3 * call.seconds, 3)
            where = [call.function, call.line, number_of[call.file], call.first]
            entries.append([*where, call.count, milliseconds, call.steps, first, len(call.calls)])
        return entries

    def calls(self, number: int) -> list[list[Any]]:
        return self.tree[number * CALLS : (number + 1) * CALLS]

    def index(self) -> list[list[int]]:
        """For each place its steps, each as the distance from the one before."""
        return [
            [step - before for before, step in zip([0, *steps], steps, strict=False)] for steps in self.columns.steps_at
        ]

    def raised(self) -> list[list[int]]:
        """The steps at which exceptions were raised, and the numbers of the exceptions."""
        known = exceptions_of(self.recording)
        return [[step, known.value(step)] for step in known.raised]


def failure(recording: Recording) -> dict[str, Any] | None:
    """The error that ended a recording: its text, the step where it was raised, and which shapes did not fit."""
    if recording.exception is None:
        return None
    from prefix_lab.shapes import shape_error

    text = recording.exception.text
    raised = [step.index for step in recording.find(exception=True) if step.value and step.value.text == text]
    told = shape_error(recording)
    said = [*told.operands, *told.found] if told.is_about_shapes else []
    return {"text": text, "step": raised[0] if raised else len(recording) - 1, "said": said}


def stretch(recording: Recording, start: int, end: int) -> dict[str, Any]:
    """A stretch of steps, with everything that is needed to stand at any of them."""
    columns = recording.columns
    page: dict[str, Any] = {
        "first": start,
        "place": columns.step_place[start:end].tolist(),
        "frame": columns.step_frame[start:end].tolist(),
        # How far it is to the step before and after in the same frame; 0 is none.
        "before": [0 if at == NONE else start + i - at for i, at in enumerate(columns.step_before[start:end])],
        "after": [0 if at == NONE else at - start - i for i, at in enumerate(columns.step_after[start:end])],
        "depth": list(columns.step_depth[start:end]),
        "bound": [
            [
                part
                for one in recording.bindings(step)
                for part in (
                    columns.binding_name[one],
                    or_none(columns.binding_value[one]),
                    columns.binding_flag[one],
                )
            ]
            for step in range(start, end)
        ],
    }
    held: dict[int, list[int]] = {}
    fresh: dict[int, list[int]] = {}
    frames: dict[int, list[int | None]] = {}
    for step in range(start, end):
        frame = columns.step_frame[step]
        if frame not in frames:
            first = columns.frame_first[frame]
            frames[frame] = [first, columns.frame_last[frame]]
            if first < start:
                held[frame] = held_at(recording, step)
                before = recording.bindings(columns.step_before[step])
                fresh[frame] = [columns.binding_name[one] for one in before]
    page["frames"] = frames
    turn = bisect_right(columns.turn_first, start) - 1
    until = bisect_left(columns.turn_first, end)
    page["turns"] = list(zip(columns.turn_first[turn:until], columns.turn_thread[turn:until], strict=True))
    page["held"] = held
    page["fresh"] = fresh  # what the step before, which is in another stretch, bound
    page["callers"] = callers_in(recording, start, end)
    page["outer"] = calls_outside(recording, start, end)
    shown = {value for bound in page["bound"] for value in bound[1::3] if value is not None}
    shown |= {value for one in held.values() for value in one[1::3]}
    page["values"] = {value: headline(columns.values[value]) for value in sorted(shown)}
    return page


def held_at(recording: Recording, step: int) -> list[int]:
    """What a frame held before a step: name, value, and the line that bound it, 0 if that is long ago."""
    columns = recording.columns
    bound, runs, before = columns.step_bound, columns.runs, columns.step_before
    names = recording.held_before(step)
    lines: dict[int, int] = {}
    at = before[step]
    for _ in range(LOOK_BACK):
        if at == NONE or len(lines) == len(names):
            break
        run = bound[at]
        if run != NONE:
            for one in runs[run + 1 : run + 1 + runs[run]]:
                if columns.binding_name[one] in names:
                    lines.setdefault(columns.binding_name[one], columns.places[columns.step_place[at]][2])
        at = before[at]
    return [part for name, value in names.items() for part in (name, value, lines.get(name, 0))]


def callers_in(recording: Recording, start: int, end: int) -> list[int | None]:
    """For each step, the step that its frame was entered from; the same as before is said once, as -1."""
    found: list[int | None] = []
    last: dict[int, int | None] = {}
    columns = recording.columns
    for step, frame in enumerate(columns.step_frame[start:end], start):
        caller = recording.caller(step) if frame not in last or frame in columns.entries else last[frame]
        found.append(-1 if frame in last and last[frame] == caller else caller)
        last[frame] = caller
    return found


def calls_outside(recording: Recording, start: int, end: int) -> dict[int, list[int | None]]:
    """The steps outside a stretch that its steps were called from, by way of how many calls it may be: place,
    frame, caller, and the steps before and after in their frame."""
    columns = recording.columns
    one_of = {frame: step for step, frame in enumerate(columns.step_frame[start:end], start)}
    paused = [step for step in range(start, end) if columns.step_frame[step] in columns.entries]
    waiting = {recording.caller(step) for step in (*one_of.values(), *paused)}
    found: dict[int, list[int | None]] = {}
    while waiting:
        step = waiting.pop()
        if step is None or step in found or start <= step < end:
            continue
        caller = recording.caller(step)
        found[step] = [
            columns.step_place[step],
            columns.step_frame[step],
            caller,
            or_none(columns.step_before[step]),
            or_none(columns.step_after[step]),
        ]
        waiting.add(caller)
    return found


def beside(column: Sequence[int], step: int) -> int:
    """The step that a column of neighbours has beside one; none of none."""
    return NONE if step == NONE else column[step]


def or_none(number: int) -> int | None:
    return None if number == NONE else number
