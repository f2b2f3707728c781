"""What a variables pane shows of a recorded value, and what is inside it when it is opened."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from prefix_lab.debugger.dap.text import visible
from prefix_lab.debugger.summary import Summary, as_summary

UNSAID = ("value", "bases")  # facts that say again what the text says


class Child(NamedTuple):
    """One line of a variables pane. `expression` is what to type for it, empty when it cannot be asked for."""

    name: str
    value: Summary
    expression: str = ""
    changed: bool = False
    indexed: bool = False


def text_of(value: Summary) -> str:
    """`Tensor (4, 20, 128) float32`, and the names of its axes where the recording has them."""
    axes = value.facts.get("axes")
    if not axes or not all(isinstance(axis, str) for axis in axes):
        return visible(value.text)
    return visible(f"{value.text} = {tuple_text(axes)}")


def tuple_text(items: Iterable[Any]) -> str:
    return f"({', '.join(map(str, items))})"


def inside(value: Summary, expression: str = "") -> list[Child]:
    """The facts that are known of a value, then its parts. Items of a list or tuple are marked as `indexed`."""
    facts = [
        Child(name, fact(known), f"{expression}.{name}" if expression and name.isidentifier() else "")
        for name, known in value.facts.items()
        if name not in UNSAID
    ]
    parts = [
        Child(label, as_summary(part), expression and f"{expression}[{label if is_index(label) else repr(label)}]")
        for label, part in value.parts
    ]
    length = value.facts.get("length")
    if isinstance(length, int) and length > len(parts) > 0:
        facts.append(Child("left out", fact(f"{length - len(parts):,} of {length:,} items were not recorded")))
    if all(part.name == str(at) for at, part in enumerate(parts)):
        parts = [part._replace(indexed=True) for part in parts]
    return facts + parts


def is_index(label: str) -> bool:
    return label.isascii() and label.isdecimal() and str(int(label)) == label


def fact(known: Any) -> Summary:
    """A fact as it is told: a text without quotes, a number with six digits, which are enough to compare."""
    if isinstance(known, str):
        return Summary("", known)
    if isinstance(known, float):
        return Summary("", f"{known:.6g}")
    return Summary("", tuple_text(known) if isinstance(known, tuple | list) else as_summary(known).text)


def named(values: Iterable[tuple[str, Summary]], changed: Iterable[str] = ()) -> list[Child]:
    """A frame's names and what they stand for."""
    changed = set(changed)
    return [Child(name, value, name if name.isidentifier() else "", name in changed) for name, value in values]


def counts(children: list[Child]) -> dict[str, int]:
    """How many lines there are of either kind, for a client that asks for them in pages."""
    items = sum(child.indexed for child in children)
    return {"namedVariables": len(children) - items, "indexedVariables": items}


def described(child: Child, reference: int, with_type: bool) -> dict:
    """The protocol's Variable; `reference` is what to ask for its inside, 0 when there is nothing."""
    found = {
        "name": visible(child.name),
        "value": text_of(child.value),
        "variablesReference": reference,
        "presentationHint": {"attributes": ["readOnly", *(["changed"] if child.changed else [])]},
    }
    if child.expression:
        found["evaluateName"] = child.expression
    if reference:
        found |= counts(inside(child.value))
    if with_type and child.value.type:
        found["type"] = visible(child.value.type)
    return found
