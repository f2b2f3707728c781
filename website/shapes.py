"""What the page of a function says of a value: of a tensor its axes, of a cache those in one layer and how many layers
there are. A recording's own line of a value ends before all of that is said.
"""

from __future__ import annotations

from typing import Any

from prefix_lab.debugger.summary import as_summary
from website.steady import cleaned


def lines_of(value: Any, name: str = "") -> list[dict[str, Any]]:
    """The lines, each with the name of a part where there is one; what holds no tensor has its own line as `text`."""
    value = as_summary(value)
    kind = {"name": name, "kind": value.type.rpartition(".")[2]}
    if axes := named(value):
        return [{"name": name, "axes": [axes]}]
    if pair := key_and_value(value):
        return [kind | {"layers": value.facts["length"], "axes": pair}]
    parts = [(f"{name}.{label}".lstrip("."), part) for label, part in value.parts if named(part) or is_cache(part)]
    if not parts or "parameters" in value.facts:  # a module is its class and its size, not its weights
        return [{"name": name, "text": cleaned(value.text)}]
    return [kind, *(line for label, part in parts for line in lines_of(part, label))]


def named(value: Any) -> list[str]:
    """A tensor's axes by names and by numbers; nothing for what is no tensor."""
    shape = value.facts.get("shape") if hasattr(value, "facts") else None
    if shape is None:
        return []
    numbers = f"({', '.join(map(str, shape))})"
    axes = value.facts.get("axes")
    return [f"({', '.join(axes)})" if axes else "", numbers]


def key_and_value(cache: Any) -> list[list[str]]:
    """The axes of a layer's key and of its value, where those of all layers are alike; else nothing."""
    if not is_cache(cache):
        return []
    found: dict[str, list[list[str]]] = {}
    for label, part in cache.parts:  # 0.keys, 0.values, 1.keys, …
        found.setdefault(label.partition(".")[2], []).append(named(part))
    alike = {*found} == {"keys", "values"} and all(one == some[0] for some in found.values() for one in some)
    return [found["keys"][0], found["values"][0]] if alike else []


def is_cache(value: Any) -> bool:
    return as_summary(value).type.startswith("transformers.cache_utils.")
