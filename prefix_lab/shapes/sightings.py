"""Where tensors were seen in a recording: by the way that led there, so that runs of different sizes can be laid side
by side.

The place of a sighting is the line and name that a tensor was bound to, and the calls that led to it, each with the
number of times that its line had been passed. A loop over layers passes a line as often as there are layers; so a place
may be met in one run and not in another. A `way` is the lines that called, from the nearest outwards; `visits` counts,
for each of them, the earlier times.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from prefix_lab.debugger.recording import Recording
from prefix_lab.debugger.steps import EVENTS, NONE
from prefix_lab.debugger.summary import Summary
from prefix_lab.shapes.axes import Axes

CallLine = tuple[str, str, int]  # file, function, line
LATER = -1  # of a count: any number but none
ANY_WAY: tuple[CallLine, ...] = (("*", "*", 0),)  # of an entry that holds by its sizes, however one came there


class KnownAxes(NamedTuple):
    """The axes of a tensor at one place: an expression each, or its number, or "" where nothing is proven."""

    way: tuple[CallLine, ...]
    visits: dict[int, int]  # how often which call had been passed; those that make no difference are left out
    axes: Axes


def passed(visits: Sequence[int], wanted: Mapping[int, int], at: int) -> bool:
    """Whether a call had been passed as often as an entry says; LATER stands for any number but none."""
    return visits[at] == wanted[at] or (wanted[at] == LATER and visits[at] > 0)


def common(one: Sequence[CallLine], other: Sequence[CallLine]) -> int:
    """How many lines two ways share, from the place itself outwards."""
    count = 0
    for mine, theirs in zip(one, other, strict=False):
        if mine != theirs:
            break
        count += 1
    return count


class Spot(NamedTuple):
    """A line of a function and what happens there."""

    file: str
    function: str
    line: int
    event: str


class Sighting(NamedTuple):
    """A tensor that a name was bound to. `way` leads from here outwards, through the lines that called.

    In `name`, the numbers of a list's items are written `#`. `visits` has those numbers, then how often this line had
    been passed in its frame, then how often each of the calls had been made before.
    """

    spot: Spot
    name: str
    way: tuple[CallLine, ...]
    visits: tuple[int, ...]
    shape: tuple[int, ...]
    value: Summary


def sightings(recording: Recording) -> Iterator[Sighting]:
    """Every tensor that a step of the recording bound, changed or returned, those inside lists and caches as well."""
    columns = recording.columns
    callers = Callers(recording)
    visits: Counter[tuple[int, int]] = Counter()
    tensors: dict[int, list[tuple[str, tuple[int, ...], Summary]]] = {}
    for step in range(len(columns)):
        place = columns.step_place[step]
        frame = columns.step_frame[step]
        visit = visits[frame, place]
        visits[frame, place] += 1
        for binding in recording.bindings(step):
            number = columns.binding_value[binding]
            if number == NONE:
                continue
            if number not in tensors:
                tensors[number] = list(tensors_in("", (), columns.values[number]))
            if not tensors[number]:
                continue
            event, function, line = columns.places[place]
            file, qualified, _ = columns.functions[function]
            way, passed = callers.way_to(frame)
            name = columns.names[columns.binding_name[binding]]
            spot = Spot(file, qualified, line, EVENTS[event])
            for label, indexes, tensor in tensors[number]:
                yield Sighting(spot, name + label, way, (*indexes, visit, *passed), tensor.facts["shape"], tensor)


def tensors_in(label: str, indexes: tuple[int, ...], value: Any) -> Iterator[tuple[str, tuple[int, ...], Summary]]:
    """A value, if it is a tensor, and the tensors inside it, by their labels, the numbers of items apart."""
    if not isinstance(value, Summary):
        return
    if "shape" in value.facts:
        yield label, indexes, value
    for name, part in value.parts:
        if isinstance(part, Summary):
            first, dot, rest = name.partition(".")
            if first.isdigit():
                yield from tensors_in(f"{label}.#{dot}{rest}", (*indexes, int(first)), part)
            else:
                yield from tensors_in(f"{label}.{name}", indexes, part)


class Callers:
    """For each frame of a recording, the calls that led to it."""

    def __init__(self, recording: Recording):
        self.columns = recording.columns
        self.known: dict[int, tuple[tuple, tuple]] = {}
        self.visits: Counter[tuple[int, int, int]] = Counter()
        self.visit_of: dict[int, int] = {}
        for frame, caller in enumerate(self.columns.frame_caller):
            if caller != NONE:
                key = (
                    self.columns.step_frame[caller],
                    self.columns.step_place[caller],
                    self.columns.frame_function[frame],
                )
                self.visit_of[frame] = self.visits[key]
                self.visits[key] += 1

    def way_to(self, frame: int) -> tuple[tuple[CallLine, ...], tuple[int, ...]]:
        """The lines that called, from the nearest outwards, and how often each had called this function before."""
        known = self.known.get(frame)
        if known is None:
            columns, caller = self.columns, self.columns.frame_caller[frame]
            if caller == NONE:
                known = (), ()
            else:
                _, function, line = columns.places[columns.step_place[caller]]
                file, name, _ = columns.functions[function]
                way, visits = self.way_to(columns.step_frame[caller])
                known = ((file, name, line), *way), (self.visit_of[frame], *visits)
            self.known[frame] = known
        return known
