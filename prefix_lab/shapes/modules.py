"""How a module looks in a recording: its class, how many parameters it has, how many of them train, what is in it.

Any code may freeze a parameter, exchange a layer or a parameter's numbers. So whenever a module is looked at, all that
is in it is read; only where something is not as it was, is it told anew.
"""

from __future__ import annotations

import weakref
from collections import OrderedDict
from itertools import chain
from math import prod
from operator import attrgetter, call, itemgetter
from typing import Any, NamedTuple

from torch import nn

from prefix_lab.debugger.look import PARTS_LIMIT, RESTLESS, Look, full_name
from prefix_lab.debugger.scope import name_of
from prefix_lab.debugger.summary import Summary
from prefix_lab.shapes.tensors import PLAIN, facts_of, function_modes, in_a_trace, short, unseen, written

LEVELS = 2  # of modules inside a module
DICTS = frozenset({dict, OrderedDict})
weights_in, parts_in = itemgetter("_parameters"), itemgetter("_modules")
own_of = vars(nn.Module)["__dict__"].__get__
shape_of, dtype_of, trains = attrgetter("shape"), attrgetter("dtype"), attrgetter("requires_grad")


class Told(NamedTuple):
    """What was told of a module, and what that rests on."""

    modules: list[weakref.ref]  # itself and all in it
    layout: list[Any]
    kinds: list[Any]
    flags: list[bool]  # which parameters train
    outline: Outline
    summary: Summary


def describe_module(module: nn.Module, look: Look) -> Summary:
    """The class, how many parameters it has, and how many of them train."""
    look.meet()
    number = look.number(module)
    told: Told | None = look.last.get(number)
    try:
        modules = [] if told is None else [*map(call, told.modules)]
        parameters, layout = contents(modules)
    except TypeError:  # a module in it is no more
        layout = None
    if told is None or layout != told.layout:
        modules = modules_in(module)
        parameters, layout = contents(modules)
    kinds, flags = kinds_of(parameters)
    if told is not None and told.layout == layout and told.kinds == kinds:
        if told.flags == flags:
            return told.summary
        outline = told.outline
    else:
        known = {id(one): (at, *kinds[2 * at : 2 * at + 2]) for at, one in enumerate(parameters)}
        outline = Outline(module, known, LEVELS)
    summary = outline.told(flags, look, number)
    look.last[number] = Told([*map(weakref.ref, modules)], layout, kinds, flags, outline, summary)
    return summary


RESTLESS.add(describe_module)


def modules_in(module: nn.Module) -> list[nn.Module]:
    """A module and all that are in it, each once, read from their own dicts: `modules()` may be anybody's."""
    found, seen = [module], {id(module)}
    for one in found:  # it grows meanwhile
        for part in list(held([one])[1].values()):
            if id(part) not in seen and issubclass(type(part), nn.Module):
                seen.add(id(part))
                found.append(part)
    return found


def contents(modules: list[nn.Module]) -> tuple[list[Any], list[Any]]:
    """Their parameters; and the names and addresses of all that is in them, to see if it is still the same."""
    dicts, count = held(modules), len(modules)
    items = [*chain.from_iterable(map(dict.values, filter(None, dicts[:count])))]
    parameters = [one for one in items if one is not None]
    items += chain.from_iterable(map(dict.values, filter(None, dicts[count:])))
    layout = [*map(len, dicts), *map(id, items), *map(type, modules)]
    layout += chain.from_iterable(filter(None, dicts))
    return parameters, layout


def held(modules: list[nn.Module]) -> list[dict[str, Any]]:
    """Their dicts of parameters, and then those of modules; an empty one where there is none, or something else."""
    owns = [*map(own_of, modules)]
    try:
        found = [*map(weights_in, owns), *map(parts_in, owns)]
    except KeyError:
        found = [one.get(name) for name in ("_parameters", "_modules") for one in owns]
    return found if DICTS.issuperset(map(type, found)) else [one if type(one) in DICTS else {} for one in found]


def kinds_of(parameters: list[Any]) -> tuple[list[Any], list[bool]]:
    """Their shapes and dtypes; and which of them train."""
    if not PLAIN.issuperset(map(type, parameters)):
        facts = [facts_of(one) for one in parameters]
        return [fact for one in facts for fact in one[:2]], [one[3] for one in facts]
    if function_modes() or in_a_trace():
        with unseen():
            return read(parameters)
    return read(parameters)


def read(parameters: list[Any]) -> tuple[list[Any], list[bool]]:
    kinds = [None] * (2 * len(parameters))
    kinds[::2], kinds[1::2] = map(shape_of, parameters), map(dtype_of, parameters)
    return kinds, [*map(trains, parameters)]


class Outline:
    """A module that is told of, or one in it: which of all parameters are in it, its own ones, and its modules."""

    __slots__ = ("modules", "name", "sizes", "total", "type", "unknown", "weights")

    def __init__(self, module: nn.Module, known: dict[int, tuple[int, Any, Any]], levels: int):
        self.type, self.name = full_name(type(module)), name_of(type(module))
        is_module = issubclass(type(module), nn.Module)
        weights, modules = map(named, held([module])) if levels and is_module else ([], [])
        self.weights = tuple((str(name), full_name(type(one)), *known[id(one)]) for name, one in weights)
        self.modules = tuple((str(name), Outline(one, known, levels - 1)) for name, one in modules)
        if levels:
            self.sizes = {at: size_of(shape) for _, _, at, shape, _ in self.weights}
            for _, outline in self.modules:
                self.sizes |= outline.sizes
        else:
            inside = [known[id(one)] for one in contents(modules_in(module) if is_module else [])[0]]
            self.sizes = {at: size_of(shape) for at, shape, _ in inside}
        self.total = sum(size for size in self.sizes.values() if size is not None)
        self.unknown = sum(size is None for size in self.sizes.values())

    def trainable(self, flags: list[bool]) -> int:
        return sum(size or 0 for at, size in self.sizes.items() if flags[at])

    def told(self, flags: list[bool], look: Look, number: int | None) -> Summary:
        """The module in a line. What is inside is worked out when somebody looks, after the recording."""
        key = (self, number, bytes(map(bool, flags)))
        summary = look.memo.get(key)
        if summary is None:
            summary = look.memo[key] = self.made(self.trainable(flags), lambda: self.parts(flags), number)
        return summary

    def made(self, trainable: int, parts: Any, number: int | None = None) -> Summary:
        text = f"{self.name} with {self.total:,} parameters, {trainable:,} trainable" if self.total else self.name
        text += f", {self.unknown} of its tensors without a shape yet" if self.unknown else ""
        return Summary(self.type, text, {"parameters": self.total, "trainable": trainable}, parts, number)

    def parts(self, flags: list[bool]) -> tuple[tuple[str, Summary], ...]:
        """A line for each of its own parameters, and for each of the modules in it."""
        weights = [(name, of_weight(cls, shape, dtype, flags[at])) for name, cls, at, shape, dtype in self.weights]
        modules = [
            (name, outline.made(outline.trainable(flags), outline.parts(flags))) for name, outline in self.modules
        ]
        return tuple((weights + modules)[:PARTS_LIMIT])


def named(items: dict[str, Any]) -> list[tuple[str, Any]]:
    return [(name, one) for name, one in list(items.items()) if one is not None]


def of_weight(cls: str, shape: Any, dtype: Any, trains: bool) -> Summary:
    said = "without a shape yet" if shape is None else written(shape)
    return Summary(cls, f"{said} {short(dtype)}, {'trains' if trains else 'frozen'}")


def size_of(shape: Any) -> int | None:
    return None if shape is None or None in shape else prod(shape)
