"""The table of conditions and their answers, conditions.json, which both readers of the language go through."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

from prefix_lab.debugger.look import Look
from prefix_lab.debugger.summary import Summary

TABLE: dict[str, Any] = json.loads(Path(__file__).with_name("conditions.json").read_text(encoding="utf-8"))
ANSWERS: list[tuple[str, str | None]] = [(text, answer) for text, answer in TABLE["answers"]]
REFUSED: list[tuple[str, str]] = [(text, said) for text, said in TABLE["refused"]]


def value_of(written: Any) -> Any:
    """A value as the recorder sums it up: a literal of Python, or a summary's type, facts and parts."""
    if isinstance(written, str):
        return Look()(ast.literal_eval(written))
    parts = tuple((label, value_of(part)) for label, part in written.get("parts", {}).items())
    return Summary(written["type"], written["type"], written["facts"], parts)


VALUES = {name: value_of(written) for name, written in TABLE["values"].items()}


def nested(count: int) -> list[str]:
    """Conditions that stand that deep in one another, in each way in which they can."""
    return [before * count + inside + after * count for before, inside, after in TABLE["deep"]]
