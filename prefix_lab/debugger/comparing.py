"""What differs: between two steps of a recording, and between two recordings."""

from __future__ import annotations

from dataclasses import dataclass

from prefix_lab.debugger.steps import NONE, RecordedSteps, Step, number_of
from prefix_lab.debugger.summary import Summary, shortened
from prefix_lab.debugger.text import _


@dataclass(frozen=True)
class Change:
    """A name that is not what it was. `step` is where its call stands now; None is no value, before or now."""

    step: Step
    name: str
    before: Summary | None
    now: Summary | None

    @property
    def in_place(self) -> bool:
        """Whether it is the same object, with other contents."""
        return self.before is not None and self.now is not None and self.before.number == self.now.number is not None

    def __str__(self) -> str:
        if self.before is None or self.now is None:
            return f"{self.name}: deleted" if self.now is None else f"{self.name} = {self.now}"
        return f"{self.name} ≈ {self.now}" if self.in_place else f"{self.name}: {self.before} → {self.now}"


def changed(recording: RecordedSteps, first: int | Step, last: int | Step) -> list[Change]:
    """The names that have another value at the later of two steps: of each call around it, from the innermost on.

    A name was bound anew, changed in place, or deleted; all names of a call that began in between are new. Raises
    `TypeError` for what is no step, `IndexError` for a number that no step has.
    """
    asked = number_of("first", first), number_of("last", last)
    first, last = sorted(recording.steps[step].index for step in asked)
    columns, found = recording.columns, []
    before = {columns.step_frame[step]: step for step in recording.stack(first)}
    for step in recording.stack(last):
        frame = columns.step_frame[step]
        then = before.get(frame, step) if columns.frame_first[frame] <= first else NONE
        while then != NONE and then > first:  # it paused
            then = columns.step_before[then]
        old = {} if then == NONE else recording.held_before(then)
        now = recording.held_before(step)
        for name in dict.fromkeys([*now, *old]):
            values = old.get(name), now.get(name)
            if values[0] != values[1] and name not in columns.watches:
                was, is_now = (None if value is None else recording.value(value) for value in values)
                found.append(Change(Step(recording, step), columns.names[name], was, is_now))
    return found


@dataclass(frozen=True)
class Difference:
    """The first step of each that is not as in the other, and in what; a step is None where a recording had ended."""

    ours: Step | None
    theirs: Step | None
    what: str

    def __str__(self) -> str:
        return f"{self.what}\n  here:  {self.ours!r}\n  there: {self.theirs!r}"


def diff(ours: RecordedSteps, theirs: RecordedSteps) -> Difference | None:
    """Compare step by step: the event, the function, the source line, and what was bound or returned.

    Lines are compared by their text, so that an edit further up does not matter; which object a value was does not
    matter either. None when one recording does what the other does, to the end.
    """
    if not isinstance(theirs, RecordedSteps):
        raise TypeError(f"other={theirs!r} is no recording. Give one to compare with: recording.diff(other).")
    first, second = ours.steps, theirs.steps
    alike: dict[tuple[int, int], bool] = {}
    for mine, other in zip(first, second, strict=False):
        what = difference_of(mine, other, alike)
        if what:
            return Difference(mine, other, what)
    if len(first) == len(second):
        return None
    at = min(len(first), len(second))
    longer = _("One recording ends after {count} steps, the other goes on.").format(count=f"{at:,}")
    return Difference(first[at] if len(first) > at else None, second[at] if len(second) > at else None, longer)


def difference_of(mine: Step, other: Step, alike: dict[tuple[int, int], bool]) -> str:
    """In what two steps differ; empty when they do not."""
    if mine.event != other.event:
        return _("One is a {mine}, the other a {other}.").format(mine=mine.event, other=other.event)
    if mine.function != other.function:
        return _("One is in {mine}, the other in {other}.").format(mine=mine.function, other=other.function)
    if mine.line != other.line and mine.text != other.text:
        return _("They are at different lines.")
    pairs = [bound_by(mine), bound_by(other)]
    if [name for name, value in pairs[0]] != [name for name, value in pairs[1]]:
        text = _("They bind different names: {mine}, and {other}.")
        return text.format(mine=names_of(pairs[0]), other=names_of(pairs[1]))
    for (name, number), (_name, number_there) in zip(*pairs, strict=True):
        key = (number, number_there)
        if key not in alike:
            alike[key] = mine.recording.value(number).alike(other.recording.value(number_there))
        if not alike[key]:
            here, there = mine.recording.value(number), other.recording.value(number_there)
            return _("{name} differs: {values}.").format(name=name or _("The value"), values=both_told(here, there))
    return ""


def both_told(here: Summary, there: Summary) -> str:
    """Two values; where their texts are the same, the first fact that is not."""
    if here.text != there.text:
        return _("{here}, and {there}").format(here=here, there=there)
    names = [name for name in {**here.facts, **there.facts} if here.facts.get(name) != there.facts.get(name)]
    if not names:
        return f"{here}, inside"
    texts = [shortened(one.facts.get(names[0])) for one in (here, there)]
    return f"{here}, {names[0]} {texts[0]}, and {texts[1] if texts[1] != texts[0] else 'another'}"


def bound_by(step: Step) -> list[tuple[str, int]]:
    columns = step.recording.columns
    return [
        (columns.names[columns.binding_name[one]], columns.binding_value[one])
        for one in step.recording.bindings(step.index)
    ]


def names_of(pairs: list[tuple[str, int]]) -> str:
    return ", ".join(name for name, _ in pairs) or "none"
