"""Where two recordings part."""

from __future__ import annotations

from dataclasses import dataclass

from prefix_lab.debugger.steps import RecordedSteps, Step
from prefix_lab.debugger.summary import Summary, shortened


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
    first, second = ours.steps, theirs.steps
    alike: dict[tuple[int, int], bool] = {}
    for mine, other in zip(first, second, strict=False):
        what = part(mine, other, alike)
        if what:
            return Difference(mine, other, what)
    if len(first) == len(second):
        return None
    at = min(len(first), len(second))
    longer = f"One recording ends after {at:,} steps, the other goes on."
    return Difference(first[at] if len(first) > at else None, second[at] if len(second) > at else None, longer)


def part(mine: Step, other: Step, alike: dict[tuple[int, int], bool]) -> str:
    """In what two steps differ; empty when they do not."""
    if mine.event != other.event:
        return f"One is a {mine.event}, the other a {other.event}."
    if mine.function != other.function:
        return f"One is in {mine.function}, the other in {other.function}."
    if mine.line != other.line and mine.text != other.text:
        return "They are at different lines."
    pairs = [values(mine), values(other)]
    if [name for name, _ in pairs[0]] != [name for name, _ in pairs[1]]:
        return f"They bind different names: {names(pairs[0])}, and {names(pairs[1])}."
    for (name, number), (_, number_there) in zip(*pairs, strict=True):
        key = (number, number_there)
        if key not in alike:
            alike[key] = mine.recording.value(number).alike(other.recording.value(number_there))
        if not alike[key]:
            here, there = mine.recording.value(number), other.recording.value(number_there)
            return f"{name or 'The value'} differs: {told(here, there)}."
    return ""


def told(here: Summary, there: Summary) -> str:
    """Two values; where their texts are the same, the first fact that is not."""
    if here.text != there.text:
        return f"{here}, and {there}"
    names = [name for name in {**here.facts, **there.facts} if here.facts.get(name) != there.facts.get(name)]
    if not names:
        return f"{here}, inside"
    texts = [shortened(one.facts.get(names[0])) for one in (here, there)]
    return f"{here}, {names[0]} {texts[0]}, and {texts[1] if texts[1] != texts[0] else 'another'}"


def values(step: Step) -> list[tuple[str, int]]:
    columns = step.recording.columns
    return [
        (columns.names[columns.binding_name[one]], columns.binding_value[one])
        for one in step.recording.bindings(step.index)
    ]


def names(pairs: list[tuple[str, int]]) -> str:
    return ", ".join(name for name, _ in pairs) or "none"
