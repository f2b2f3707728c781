"""Whether what two recordings hold is equal: tensors by shape, dtype and contents, modules by how much is in them and
trains, anything else by its text. `compare.js` gives the same answers in a view.
"""

from __future__ import annotations

from prefix_lab.debugger import Recording, Summary
from prefix_lab.debugger.stages import Band
from prefix_lab.debugger.summary import as_summary
from prefix_lab.locale import N_, _

EQUAL, SHAPES, DIFFERENT, ONE_SIDE, NO_VALUE = "equal", "shapesOnly", "different", "only", "noValue"
RESULT = N_("the result")
TENSOR = ("shape", "dtype", "digest")
MODULE = ("parameters", "trainable")
OTHER_NUMBERS = N_("{name}: digest differs: other numbers")
OTHER_COUNT = N_("{name}: {fact}: {here} and {there}")
OTHER_FACT = N_("{name}: {fact} differs: {here} and {there}")
OTHER_VALUE = N_("{name}: {here} and {there}")


def held(recording: Recording, step: int) -> dict[str, Summary]:
    """What a step finds: its names, and what it returns."""
    at = recording.steps[step]
    found = dict(at.locals)
    if at.value is not None and at.value.text != "None":
        found[RESULT] = at.value
    return found


def given(recording: Recording, run: Band) -> dict[str, Summary]:
    """What a stage ends with: what it returns, and the tensors and modules that its names stand for."""
    step = recording.steps[run.last]
    if step.event not in ("return", "exception") or recording.steps[run.first].event == "line":
        return {}
    # An argument may be bound anew on one side alone, so its tensor is not one that the stage makes.
    given_on_entry = recording.steps[run.first].locals
    return {
        name: value
        for name, value in held(recording, run.last).items()
        if name == RESULT or "parameters" in value.facts or ("shape" in value.facts and name not in given_on_entry)
    }


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
    return SHAPES if unsure else EQUAL, ", ".join(map(called, both))


def compared_here(mine: dict[str, Summary], other: dict[str, Summary]) -> list[tuple[str, str, str]]:
    """Each name that both have: the verdict on its two values, and what is not equal."""
    found = []
    for name in mine:
        if name in other:
            differences: list[str] = []
            unsure: list[str] = []
            compare(name, mine[name], other[name], differences, unsure)
            verdict = DIFFERENT if differences else SHAPES if unsure else EQUAL
            found.append((name, verdict, differences[0] if differences else ""))
    return found


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
    """Hold two values against each other, and those inside them. Classes may be of different packages."""
    if "shape" in mine.facts or "shape" in other.facts:
        for fact in TENSOR:
            here, there = mine.facts.get(fact), other.facts.get(fact)
            if here != there and (fact != "digest" or (here and there)):
                differs = OTHER_NUMBERS if fact == "digest" else OTHER_FACT
                differences.append(_(differs).format(name=called(label), fact=fact, here=here, there=there))
                return
        if "shape" in mine.facts and not ("digest" in mine.facts and "digest" in other.facts):
            unsure.append(label)
        return
    if "parameters" in mine.facts and "parameters" in other.facts:
        for fact in MODULE:
            if mine.facts[fact] != other.facts[fact]:
                here, there = (f"{one.facts[fact]:,}" for one in (mine, other))
                differences.append(_(OTHER_COUNT).format(name=called(label), fact=fact, here=here, there=there))
        return
    if mine.parts and other.parts:
        parts = {name: as_summary(part) for name, part in other.parts}
        if not parts.keys() & dict(mine.parts).keys():
            differences.append(_(OTHER_VALUE).format(name=called(label), here=mine.text, there=other.text))
        for name, part in mine.parts:
            if name in parts:
                compare(f"{label}.{name}", as_summary(part), parts[name], differences, unsure)
        return
    plain = [one.facts.get("value", one.text) if "value" in one.facts else class_name(one) for one in (mine, other)]
    if plain[0] != plain[1]:
        differences.append(_(OTHER_VALUE).format(name=called(label), here=mine.text, there=other.text))


def called(label: str) -> str:
    """What a value is called where it is shown: what a step returns has no name of its own."""
    return _(RESULT) if label == RESULT else label


def class_name(value: Summary) -> str:
    return value.type.rpartition(".")[2]
