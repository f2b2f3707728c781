"""How a module looks in a recording: its class, how many parameters it has, how many of them train, what is in it.

Any call may freeze a parameter or exchange a layer. So whenever a line uses a module, it is read which parameters
train; and of all modules in sight, where a line says `requires_grad`, or calls what has no name in the frame, or
something was seen to have changed.
"""

from __future__ import annotations

import weakref
from collections import OrderedDict
from collections.abc import Iterable
from math import prod
from operator import attrgetter
from typing import Any, NamedTuple

import torch
from torch import nn

from prefix_lab.debugger.summary import PARTS_LIMIT, Look, Summary, dict_of, full_name, name_of
from prefix_lab.shapes.tensors import short, written
from prefix_lab.shapes.unseen import PLAIN, facts_of, function_modes, in_a_trace

LEVELS = 2  # of modules inside a module
REBUILT = -1  # in place of an object's number: the addresses of modules that were seen to be rebuilt
DICTS = (dict, OrderedDict)
CONTAINERS = frozenset({nn.ModuleDict, nn.ModuleList, nn.Sequential})
numel, dtype_of = torch.Tensor.numel, attrgetter("dtype")


class Told(NamedTuple):
    """What was told of a module, and what that rests on: all that is in it, by addresses, classes and names; its
    parameters, how many numbers each has, and of which dtype."""

    addresses: list[Any]
    parameters: list[weakref.ref]
    kinds: list[Any]
    are_plain: bool
    near: list[int]
    rebuilt: int  # how many modules were seen to be rebuilt until then
    place: Place
    flags: list[bool]
    trainable: int
    summary: Summary


def describe_module(module: nn.Module, look: Look) -> Summary:
    """The class, how many parameters it has, and how many of them train.

    Of a module that was told of before, it is read which of its parameters train, and what it has itself. All is read
    where more than one parameter came to train, or ceased to, or one is no more, or a module in it was seen to be
    rebuilt. So what code that is not recorded adds further in, and nothing else, may be seen later.
    """
    number = look.number(module)
    told: Told | None = look.last.get(number)
    if told is None or near(module, look) != told.near:
        return read_anew(module, look)
    rebuilt = look.last[REBUILT]
    if told.rebuilt != len(rebuilt):
        if any(address in told.addresses for address in rebuilt[told.rebuilt :]):
            return read_anew(module, look)
        look.last[number] = told._replace(rebuilt=len(rebuilt))
    if told.are_plain and not function_modes() and not in_a_trace():
        try:
            flags = [reference().requires_grad for reference in told.parameters]
        except AttributeError:  # one is no more
            return read_anew(module, look)
    else:
        flags = flags_of([reference() for reference in told.parameters])
    if flags == told.flags:
        return told.summary
    changed = [at for at, (now, before) in enumerate(zip(flags, told.flags, strict=True)) if now is not before]
    if len(changed) > 1:
        return read_anew(module, look)
    size = told.place.sizes[changed[0]] or 0
    trainable = told.trainable + (size if flags[changed[0]] else -size)
    summary = told.place.told(flags, trainable, look, number)
    look.last[number] = told._replace(flags=flags, trainable=trainable, summary=summary)
    look.changes += 1
    return summary


def read_anew(module: nn.Module, look: Look) -> Summary:
    """As `describe_module`, with all that is in the module."""
    number = look.number(module)
    addresses, parameters = everything_in(module, look)
    kinds, flags = kinds_of(parameters), flags_of(parameters)
    told: Told | None = look.last.get(number)
    same = told is not None and told.addresses == addresses and told.kinds == kinds
    rebuilt = look.last.setdefault(REBUILT, [])
    if told is not None and not same:
        rebuilt.append(id(module))
    if same:
        references, place = told.parameters, told.place
    else:
        references = list(map(weakref.ref, parameters))
        place = Place(module, {id(one): (at, *facts_of(one)[:2]) for at, one in enumerate(parameters)}, LEVELS, look)
        look.restless.add(type(module))
    if same and told.flags == flags:
        trainable, summary = told.trainable, told.summary
    else:
        trainable = place.trainable(flags)
        summary = place.told(flags, trainable, look, number)
        look.changes += told is not None
    plain, close = PLAIN.issuperset(map(type, parameters)), near(module, look)
    look.last[number] = Told(addresses, references, kinds, plain, close, len(rebuilt), place, flags, trainable, summary)
    return summary


def near(module: nn.Module, look: Look) -> list[int]:
    """The addresses of a module's own parameters and modules, and of those in a list or dict of modules."""
    own = dict_of(module, look)
    weights, modules = own.get("_parameters"), own.get("_modules")
    found = [id(type(module))]
    if weights and type(weights) in DICTS:
        found += map(id, weights.values())
    if modules and type(modules) in DICTS:
        found += map(id, modules.values())
        for one in modules.values():
            if type(one) in CONTAINERS:
                found += map(id, dict_of(one, look).get("_modules", {}).values())
    return found


def everything_in(module: nn.Module, look: Look) -> tuple[list[Any], list[Any]]:
    """All names, modules and parameters in a module, by their addresses and classes; and its parameters, each once.

    They are read from the modules' own dicts: `parameters()` may be anybody's.
    """
    modules, parameters, addresses = [module], [], [id(type(module))]
    seen = {id(module)}
    for one in modules:  # it grows meanwhile
        own = dict_of(one, look)
        for kind, found in (("_parameters", parameters), ("_modules", modules)):
            held = own.get(kind)
            if held and type(held) in DICTS:
                addresses += held
                for item in held.values():
                    at = id(item)
                    addresses += at, id(type(item))
                    if item is not None and at not in seen:
                        seen.add(at)
                        found.append(item)
    return addresses, parameters


class Place:
    """A module that is told of, or one in it: which of all parameters are in it, its own ones, and its modules."""

    __slots__ = ("modules", "name", "sizes", "total", "type", "unknown", "weights")

    def __init__(self, module: nn.Module, known: dict[int, tuple[int, Any, Any]], levels: int, look: Look):
        self.type, self.name = full_name(type(module)), name_of(type(module))
        own = dict_of(module, look) if levels else {}
        weights, modules = named(own.get("_parameters")), named(own.get("_modules"))
        self.weights = tuple((str(name), full_name(type(one)), *known[id(one)]) for name, one in weights)
        self.modules = tuple((str(name), Place(one, known, levels - 1, look)) for name, one in modules)
        if levels:
            self.sizes = {at: size_of(shape) for _, _, at, shape, _ in self.weights}
            for _, place in self.modules:
                self.sizes |= place.sizes
        else:
            inside = [known[id(one)] for one in everything_in(module, look)[1]]
            self.sizes = {at: size_of(shape) for at, shape, _ in inside}
        self.total = sum(size for size in self.sizes.values() if size is not None)
        self.unknown = sum(size is None for size in self.sizes.values())

    def trainable(self, flags: list[bool]) -> int:
        return sum(size or 0 for at, size in self.sizes.items() if flags[at])

    def told(self, flags: list[bool], trainable: int, look: Look, number: int | None) -> Summary:
        """The module in a line. What is inside is worked out when somebody looks, after the recording."""
        key = (self, number, bytes(map(bool, flags)))
        summary = look.memo.get(key)
        if summary is None:
            summary = look.memo[key] = self.made(trainable, lambda: self.parts(flags), number)
        return summary

    def made(self, trainable: int, parts: Any, number: int | None = None) -> Summary:
        text = f"{self.name} with {self.total:,} parameters, {trainable:,} trainable" if self.total else self.name
        text += f", {self.unknown} of its tensors without a shape yet" if self.unknown else ""
        return Summary(self.type, text, {"parameters": self.total, "trainable": trainable}, parts, number)

    def parts(self, flags: list[bool]) -> tuple[tuple[str, Summary], ...]:
        """A line for each of its own parameters, and for each of the modules in it."""
        weights = [(name, of_weight(cls, shape, dtype, flags[at])) for name, cls, at, shape, dtype in self.weights]
        modules = [(name, place.made(place.trainable(flags), place.parts(flags))) for name, place in self.modules]
        return tuple((weights + modules)[:PARTS_LIMIT])


def named(held: Any) -> Iterable[tuple[Any, Any]]:
    items = list(held.items()) if type(held) in DICTS else []
    return [(name, one) for name, one in items if one is not None]


def kinds_of(parameters: list[Any]) -> list[Any]:
    """How many numbers there are in each, and their dtypes."""
    if are_plain(parameters):
        return [*map(numel, parameters), *map(dtype_of, parameters)]
    return [fact for one in parameters for fact in facts_of(one)[:2]]


def flags_of(parameters: list[Any]) -> list[bool]:
    """Which of them train."""
    if are_plain(parameters):
        return [one.requires_grad for one in parameters]
    return [facts_of(one)[3] for one in parameters]


def are_plain(parameters: list[Any]) -> bool:
    """Whether their attributes can be read as usual, since nobody stands between."""
    return not function_modes() and not in_a_trace() and PLAIN.issuperset(map(type, parameters))


def of_weight(cls: str, shape: Any, dtype: Any, trains: bool) -> Summary:
    said = "without a shape yet" if shape is None else written(shape)
    return Summary(cls, f"{said} {short(dtype)}, {'trains' if trains else 'frozen'}")


def size_of(shape: Any) -> int | None:
    return None if shape is None or None in shape else prod(shape)
