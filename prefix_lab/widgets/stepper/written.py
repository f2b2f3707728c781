"""Values as JSON: in one line, or whole."""

from __future__ import annotations

import base64
import json
import math
import zlib
from typing import Any

from prefix_lab.debugger.summary import Summary, shortened

LONGEST = 400  # characters of a value's line


def headline(value: Any) -> list[Any]:
    """A value in one line: its type, its text; of a summary also the shape, the names of the axes, which object it is,
    and whether there is more inside."""
    if not isinstance(value, Summary):
        return [type(value).__qualname__, clipped(shortened(value))]
    shape, axes = value.facts.get("shape"), value.facts.get("axes")
    more = 1 if value.parts else 0
    found = [value.type, clipped(value.text), None if shape is None else list(shape), axes, value.number, more]
    while found[-1] in (None, 0):
        found.pop()
    return found


def clipped(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def whole(value: Any) -> Any:
    """A value with its facts and parts; one that is plain as its headline."""
    if not isinstance(value, Summary):
        return headline(value)
    return {
        "type": value.type,
        "text": value.text,
        "facts": {name: for_json(fact) for name, fact in value.facts.items()},
        "parts": [[label, whole(part)] for label, part in value.parts],
        "number": value.number,
    }


def for_json(fact: Any) -> Any:
    """A fact as JSON has it; a number that JSON or JavaScript cannot hold, and anything else, as its text in `py`."""
    if fact is None or isinstance(fact, bool | str):
        return fact
    if isinstance(fact, int) and abs(fact) < 2**53:
        return fact
    if isinstance(fact, float) and math.isfinite(fact) and not fact.is_integer():
        return fact
    if isinstance(fact, list | tuple):
        return [for_json(one) for one in fact]
    return {"py": shortened(fact)}


def as_json(piece: Any) -> str:
    return json.dumps(piece, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def pack(piece: Any) -> str:
    """A piece as base64 of deflated JSON."""
    return base64.b64encode(zlib.compress(as_json(piece).encode("utf-8", errors="backslashreplace"), 9)).decode()
