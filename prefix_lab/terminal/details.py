"""All that a recording knows of a value: its type, facts such as a tensor's mean, and what is inside it."""

from collections.abc import Iterator
from typing import Any

from rich.text import Text

from prefix_lab.debugger import Step, Summary
from prefix_lab.debugger.summary import as_summary
from prefix_lab.terminal import panes
from prefix_lab.terminal.visible import visible

GIVEN = {"return": "returned", "yield": "yielded", "exception": "raised"}


def values_at(step: Step) -> dict[str, Summary]:
    """What can be asked for at a step: the locals, the watches, what the step binds, what it gives its caller."""
    found = {**step.changed, **step.locals, **step.watches}
    if step.value is not None:
        found[GIVEN.get(step.event, "value")] = step.value
    return found


def details(name: str, value: Summary, depth: int = 0) -> Iterator[Text]:
    """A line for the value, then its facts, then its parts, each a level further in."""
    indent = "  " * depth
    type_name = (f"  {visible(value.type)}", panes.DIM)
    yield Text.assemble(indent, (visible(name), panes.NUMBER), "  ", panes.value_text(value), type_name)
    for fact, known in value.facts.items():
        if fact not in ("value", "bases"):
            yield Text.assemble(f"{indent}  ", (visible(fact), panes.DIM), "  ", fact_text(known))
    for label, part in value.parts:
        yield from details(label, as_summary(part), depth + 1)


def fact_text(known: Any) -> str:
    """A number as it is told in a table: six digits are enough to compare."""
    return f"{known:.6g}" if isinstance(known, float) else visible(str(known))
