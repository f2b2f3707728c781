"""What an expression of a failed line stood for, without running anything of the program again.

Only plain reads are made: names, attributes that lie in an object's own dict or among a module's parameters, constant
subscripts, arithmetic on whole numbers. No property, `__getattr__`, `__getitem__` or `__torch_function__` of the
program is called. What only turns a tensor's axes (transpose, unsqueeze, x[0], …) is done to a tensor of the same
shape without numbers.
"""

from __future__ import annotations

import ast
import operator
import re
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from prefix_lab.debugger.look import mro_of
from prefix_lab.debugger.summary import Summary, as_summary

PLAIN = (int, float, str, bool, type(None))
MISSING = object()


class Unreadable(Exception):
    """An expression that cannot be read without running the program."""


@dataclass(eq=False)
class Operand:
    """A tensor as a failing line sees it: what it is called there, its shape, the names of its axes.

    `value` is the live tensor, or None for one that was recorded or is only known by its shape.
    """

    name: str
    shape: tuple[int, ...]
    axes: tuple[str, ...] | None = None
    dtype: str = ""
    value: Any = field(default=None, repr=False)

    def axis(self, at: int) -> str:
        """`hidden 768`, or `768` where the axis has no name, or its name is that number."""
        name, size = self.axes[at] if self.axes else "", str(self.shape[at])
        return size if name in ("", size) else f"{name} {size}"

    def __str__(self) -> str:
        if not self.shape:
            return f"{self.name}: () = one number"
        named = [name or str(size) for name, size in zip(self.axes or (), self.shape, strict=False)]
        names = f"({', '.join(named)}) = " if any(not one.isdigit() for one in named) else ""
        return f"{self.name}: {names}({', '.join(map(str, self.shape))})"


class Thing(NamedTuple):
    """A value that is neither a tensor nor plain: a module, a config, the summary of one."""

    value: Any
    label: str


def is_tensor(value: Any) -> bool:
    """Whether a value is a tensor whose sizes are plain numbers; a nested tensor's are not."""
    torch = sys.modules.get("torch")
    if torch is None or torch.Tensor not in mro_of(type(value)):
        return False
    from prefix_lab.shapes.tensors import facts_of

    shape = facts_of(value)[0]
    return shape is not None and None not in shape


def seen(tensor: Any, label: str, axes: tuple[str, ...] | None) -> Operand:
    """A live tensor as an operand."""
    from prefix_lab.shapes.tensors import facts_of, short

    shape, dtype, *_ = facts_of(tensor)
    return Operand(label, tuple(shape), axes, short(dtype), tensor)


def tensors_in(values: list[Any]) -> list[Operand]:
    """The operands among values and in lists of them, one as often as it stands there."""
    found: list[Operand] = []
    for value in values:
        found += [value] if isinstance(value, Operand) else tensors_in(value) if isinstance(value, list) else []
    return found


@contextmanager
def tried() -> Iterator[None]:
    """What is tried here on tensors without numbers, no mode of the program hears of, and no warning is given."""
    from prefix_lab.shapes.tensors import unheard

    with unheard(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def fields_of(value: Any) -> dict[str, Any]:
    """What lies in an object itself; nothing where that is not a plain dict."""
    try:
        held = object.__getattribute__(value, "__dict__")
    except (AttributeError, TypeError):
        return {}
    return held if type(held) is dict else {}


def own(value: Any, name: str) -> Any:
    """An attribute as it lies in the object, its module's tables, or its class; nothing that would compute it.

    Raises `Unreadable` where it does not lie there.
    """
    held = fields_of(value)
    bases = [vars(base) for base in mro_of(type(value))]
    for_all = next((base[name] for base in bases if name in base), MISSING)
    if for_all is not MISSING and hasattr(type(for_all), "__set__"):
        raise Unreadable(name)  # a property
    for table in (held, *(held.get(kind) for kind in ("_parameters", "_buffers", "_modules"))):
        if isinstance(table, dict) and name in table:
            return dict.__getitem__(table, name)
    renamed = next((base["attribute_map"] for base in bases if type(base.get("attribute_map")) is dict), {})
    if renamed.get(name) in held:  # a model's config that calls its sizes otherwise
        return held[renamed[name]]
    if type(for_all) in (*PLAIN, tuple):
        return for_all
    raise Unreadable(name)


ARITHMETIC = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.FloorDiv: operator.floordiv}
SAME_SHAPE = "contiguous to type_as cpu cuda detach clone float half bfloat16 double long int bool"
ATTRIBUTES = ("shape", "ndim", "T", "mT")
TURNS = "size dim numel t transpose permute unsqueeze squeeze view reshape flatten unflatten expand repeat"
LONGEST = 1000  # items of a list that are looked at
APART = 10_007  # sizes from here on are nobody's; by them an axis is known again after it was moved


class Reader:
    """Reads expressions in one frame.

    `names` gives what a name stands for, `axes` the names of a tensor's axes by the tensor's id. A frame inside torch,
    the function `within`, calls tensors by other names than the line outside; `outer` has the operands of that line,
    by the tensor's id.
    """

    def __init__(self, names: Mapping[str, Any], axes: Mapping[int, tuple[str, ...]] | None = None):
        self.names, self.axes = names, axes or {}
        self.outer: dict[int, Operand] = {}
        self.within = ""

    def __call__(self, node: ast.AST) -> Any:
        """A tensor as an `Operand`, a plain value, a list of these, or a `Thing`. Raises `Unreadable`."""
        match node:
            case ast.Constant(value):
                return value
            case ast.Name(id) if id in self.names:
                return self.wrapped(self.names[id], id)
            case ast.Attribute(value, attr):
                return self.attribute(self(value), attr, ast.unparse(node))
            case ast.Subscript(value, index):
                return self.item(self(value), index, ast.unparse(node))
            case ast.Tuple(elts) | ast.List(elts):
                return self.all_of(elts)
            case ast.Slice(lower, upper, step):
                return slice(*(None if part is None else self(part) for part in (lower, upper, step)))
            case ast.UnaryOp(ast.USub(), operand):
                return -whole(self(operand))
            case ast.BinOp(left, op, right) if type(op) in ARITHMETIC:
                one, other = whole(self(left)), whole(self(right))
                if other or type(op) is not ast.FloorDiv:
                    return ARITHMETIC[type(op)](one, other)
            case ast.Call(ast.Name("len"), [one], []) if isinstance(several := self(one), list):
                return len(several)
            case ast.Call(ast.Attribute(owner, method), arguments, []) if isinstance(tensor := self(owner), Operand):
                if method in SAME_SHAPE.split():
                    return replace(tensor, name=ast.unparse(node))
                plain = self.all_of(arguments)
                if method in TURNS.split() and not any(isinstance(one, Thing | Operand) for one in plain):
                    return turned(tensor, ast.unparse(node), lambda empty: getattr(empty, method)(*plain))
        raise Unreadable(ast.unparse(node))

    def all_of(self, nodes: list[ast.expr]) -> list[Any]:
        found: list[Any] = []
        for node in nodes:
            value = self(node.value if isinstance(node, ast.Starred) else node)
            if isinstance(node, ast.Starred) and not isinstance(value, list):
                raise Unreadable(ast.unparse(node))
            found += value if isinstance(node, ast.Starred) else [value]
        return found

    def wrapped(self, value: Any, label: str) -> Any:
        """What is known of a value, live or recorded."""
        cls = type(value)
        if cls is Summary:
            return self.recorded(value, label)
        if cls in PLAIN:
            return value
        if is_tensor(value):
            if id(value) not in self.outer:
                name = f"{label} of {self.within}" if self.within and re.fullmatch(r"[\w.]+", label) else label
                self.outer[id(value)] = seen(value, name, self.axes.get(id(value)))
            return self.outer[id(value)]
        if cls in (list, tuple) or (cls.__module__ == "torch" and cls.__name__ == "Size"):
            return [self.wrapped(one, f"{label}[{at}]") for at, one in enumerate(value[:LONGEST])]
        return Thing(value, label)

    def recorded(self, value: Summary, label: str) -> Any:
        facts = value.facts
        if "shape" in facts and "dtype" in facts:
            return Operand(label, tuple(facts["shape"]), facts.get("axes"), facts["dtype"])
        if "value" in facts:
            return facts["value"]
        if value.type in ("list", "tuple") and facts.get("length") == len(value.parts):
            return [self.wrapped(as_summary(part), f"{label}[{at}]") for at, (_, part) in enumerate(value.parts)]
        return Thing(value, label)

    def attribute(self, owner: Any, name: str, label: str) -> Any:
        if isinstance(owner, Operand) and name == "data":
            return replace(owner, name=label)
        if isinstance(owner, Operand) and name in ATTRIBUTES:
            return turned(owner, label, lambda empty: getattr(empty, name))
        if not isinstance(owner, Thing):
            raise Unreadable(label)
        if type(owner.value) is not Summary:
            return self.wrapped(own(owner.value, name), label)
        found = next((part for part_name, part in owner.value.parts if part_name == name), MISSING)
        if found is MISSING:
            raise Unreadable(label)
        return self.wrapped(as_summary(found), label)

    def item(self, owner: Any, index: ast.expr, label: str) -> Any:
        at = self(index)
        if isinstance(owner, Operand):
            places = at if isinstance(index, ast.Tuple) else [at]
            if not any(isinstance(one, Operand | Thing) for one in places):
                return turned(owner, label, lambda empty: empty[tuple(places)])
        elif isinstance(owner, list) and (type(at) is int or isinstance(at, slice)):
            try:
                return owner[at]
            except IndexError as error:
                raise Unreadable(label) from error
        elif isinstance(owner, Thing) and type(owner.value) is Summary:
            return self.attribute(owner, str(at), label)
        elif isinstance(owner, Thing) and type(owner.value) is dict and type(at) in (str, int) and at in owner.value:
            return self.wrapped(owner.value[at], label)
        raise Unreadable(label)


def turned(tensor: Operand, label: str, turn: Callable[[Any], Any]) -> Any:
    """A tensor's axes turned: the operand, with the names where the axes can be known again; or the sizes asked for.

    Raises `Unreadable` where torch refuses.
    """
    found = without_numbers(turn, tensor.shape)
    if not isinstance(found, tuple):
        return found
    names = {APART + at: name for at, name in enumerate(tensor.axes or ())}
    try:
        marked = without_numbers(turn, tuple(names)) if names else ()
    except Unreadable:  # a view, which asks for sizes
        marked = ()
    axes = tuple(names.get(size, "") for size in marked) if len(marked) == len(found) else None
    return Operand(label, found, axes, tensor.dtype)


def without_numbers(turn: Callable[[Any], Any], shape: tuple[int, ...]) -> tuple[int, ...] | list[int] | int:
    """The shape of the tensor that comes of one with this shape; the sizes, or their number, where these come of it."""
    import torch

    try:
        with tried():
            found = turn(torch.empty(shape, device="meta"))
            return tuple(found.shape) if isinstance(found, torch.Tensor) else found if type(found) is int else [*found]
    except (RuntimeError, IndexError, TypeError, ValueError) as error:
        raise Unreadable from error


def whole(value: Any) -> int:
    if type(value) is not int:
        raise Unreadable
    return value
