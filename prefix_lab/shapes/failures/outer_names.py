"""Tensors that were met inside torch, called what the line outside calls them: `input` is `hidden_states` there."""

from __future__ import annotations

import ast
import re

from prefix_lab.shapes.failures.operands import Operand
from prefix_lab.shapes.failures.places import Place
from prefix_lab.shapes.failures.plain_reads import Unreadable
from prefix_lab.shapes.failures.reading import Reader, Thing
from prefix_lab.shapes.failures.statements import head_of


def renamed(operands: list[Operand], inner: Place, shown: Place) -> None:
    """Give tensors that were met inside torch the names that the shown line has for them."""
    known: dict[int, Operand] = {}
    labels: dict[int, str] = {}
    nodes = head_of(shown.statement) if shown.statement is not None else []
    for node in [*nodes, *(ast.Name(id=name, ctx=ast.Load()) for name in own_names(shown.read))]:
        try:
            value = shown.read(node)
        except Unreadable:
            continue
        if isinstance(value, Operand):
            known.setdefault(id(value.value), value)
        elif isinstance(value, Thing):
            labels |= {key: label for key, label in weights_of(value).items() if key not in labels}
    for one in operands:
        outer = known.get(id(one.value)) if one.value is not None else None
        if outer is not None:
            one.name, one.axes = outer.name, outer.axes or one.axes
        elif id(one.value) in labels:
            one.name = labels[id(one.value)]
        elif re.fullmatch(r"[\w.]+", one.name):
            one.name = f"{one.name} of {inner.function}"


def own_names(read: Reader) -> list[str]:
    """The frame's own names, without those of its module."""
    return list(getattr(read.names, "maps", [read.names])[0])


def weights_of(owner: Thing, deepest: int = 6) -> dict[int, str]:
    """Weight, by its id, → how it is reached from a module: `self.transform.0.weight`."""
    found: dict[int, str] = {}
    waiting = [(owner.value, owner.label, 0)]
    while waiting:
        module, label, depth = waiting.pop()
        try:
            held = object.__getattribute__(module, "__dict__")
        except (AttributeError, TypeError):
            continue
        if type(held) is not dict or type(held.get("_parameters")) is not dict:
            continue
        for table in (held["_parameters"], held.get("_buffers") or {}):
            for name, value in table.items():
                found.setdefault(id(value), f"{label}.{name}")
        if depth < deepest:
            waiting += [(child, f"{label}.{name}", depth + 1) for name, child in (held.get("_modules") or {}).items()]
    return found
