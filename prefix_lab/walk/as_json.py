"""A walk as one JSON document: the same facts as on the screen, with numbers as numbers."""

import json
import math
from collections.abc import Sequence
from enum import Enum
from typing import Any

from prefix_lab.walk.about import About
from prefix_lab.walk.results import StageResult


def as_json(head: About, results: Sequence[StageResult], instead: str = "") -> str:
    """`equal` is true, false, or null where nothing was compared; `instead` gets past the error that ended a walk."""
    compared = [result.equal for result in results if result.equal is not None]
    document = {
        "about": {
            **head._asdict(),
            "axes": [dict(zip(("name", "size", "meaning"), axis, strict=True)) for axis in head.axes],
        },
        "stages": [stage_as_dict(result) for result in results],
        "complete": not results[-1].stop,
        "instead": instead or None,
        "equal": all(compared) if compared else None,
    }
    return json.dumps(finite(document), indent=2, default=plain)


def finite(value: Any) -> Any:
    """JSON has no word for infinity or for what is not a number: null stands for both."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {name: finite(part) for name, part in value.items()}
    return [finite(part) for part in value] if isinstance(value, list | tuple) else value


def stage_as_dict(result: StageResult) -> dict[str, Any]:
    """One stage, its NamedTuples as objects."""
    return {
        "name": result.stage.name,
        "sentence": result.stage.sentence,
        "ours": result.ours,
        "peft": result.peft,
        "takes": [seen._asdict() for seen in result.takes],
        "gives": [seen._asdict() for seen in result.gives],
        "facts": [fact._asdict() for fact in result.facts],
        "equal": result.equal,
        "checks": [
            {**check._asdict(), "equal": check.equal, "differences": [found._asdict() for found in check.differences]}
            for check in result.checks
        ],
        "stop": result.stop._asdict() if result.stop else None,
    }


def plain(value: Any) -> Any:
    """What JSON has no form for: an enum is its text."""
    return value.value if isinstance(value, Enum) else str(value)
