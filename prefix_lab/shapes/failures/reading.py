"""What an expression of a failed line stood for, without running anything of the program again.

Only plain reads are made: names, attributes that lie in an object's own dict or among a module's parameters, constant
subscripts, arithmetic on whole numbers. No property, `__getattr__` or `__getitem__` of the program is called. Methods
that only turn a tensor's axes (transpose, unsqueeze, …) are worked out on its shape alone.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from prefix_lab.debugger.summary import Summary, as_summary
from prefix_lab.shapes.failures.operands import Operand
from prefix_lab.shapes.failures.plain_reads import (
    MISSING,
    PLAIN,
    Unreadable,
    at_place,
    is_tensor,
    of_tensor,
    own,
    product,
    seen,
    turned,
    worked_out,
)

ARITHMETIC = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.FloorDiv: operator.floordiv}
SAME = "contiguous to float half bfloat16 double long int bool cpu cuda detach clone type_as"
SAME_SHAPE = frozenset(SAME.split())
OTHER = "transpose permute unsqueeze squeeze view reshape flatten unflatten expand repeat t"
TURNS = frozenset(OTHER.split())
LONGEST = 1000  # items of a list that are looked at


class Thing(NamedTuple):
    """A value that is neither a tensor nor plain: a module, a config, the summary of one."""

    value: Any
    label: str


class Reader:
    """Reads expressions in one frame. `names` gives what a name stands for; `axes_of` the names of a tensor's axes."""

    def __init__(self, names: Mapping[str, Any], axes_of: Callable[[str, Any], tuple[str, ...] | None] | None = None):
        self.names, self.axes_of = names, axes_of or (lambda label, value: None)
        self.operands: dict[int, Operand] = {}

    def __call__(self, node: ast.AST) -> Any:
        """A tensor as an `Operand`, a plain value, a list of these, or a `Thing`. Raises `Unreadable`."""
        match node:
            case ast.Constant(value):
                return value
            case ast.Name(id):
                if id not in self.names:
                    raise Unreadable(id)
                return self.wrapped(self.names[id], id)
            case ast.Attribute(value, attr):
                return self.attribute(self(value), attr, ast.unparse(node))
            case ast.Subscript(value, index):
                return self.item(self(value), index, ast.unparse(node))
            case ast.Tuple(elts) | ast.List(elts):
                return self.all_of(elts)
            case ast.UnaryOp(ast.USub(), operand):
                return -whole(self(operand))
            case ast.BinOp(left, op, right) if type(op) in ARITHMETIC:
                try:
                    return ARITHMETIC[type(op)](whole(self(left)), whole(self(right)))
                except ZeroDivisionError as error:
                    raise Unreadable from error
            case ast.Call():
                return self.called(node)
        raise Unreadable(type(node).__name__)

    def all_of(self, nodes: list[ast.expr]) -> list[Any]:
        found: list[Any] = []
        for node in nodes:
            if isinstance(node, ast.Starred):
                several = self(node.value)
                if not isinstance(several, list):
                    raise Unreadable
                found += several
            else:
                found.append(self(node))
        return found

    def wrapped(self, value: Any, label: str) -> Any:
        """What is known of a value, live or recorded."""
        cls = type(value)
        if cls is Summary:
            return self.recorded(value, label)
        if cls in PLAIN:
            return value
        if is_tensor(value):
            known = self.operands.get(id(value))
            if known is None:
                known = self.operands[id(value)] = seen(value, label, self.axes_of(label, value))
            return known
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
        if isinstance(owner, Operand):
            return of_tensor(owner, name, label)
        if not isinstance(owner, Thing):
            raise Unreadable(label)
        if type(owner.value) is Summary:
            found = next((part for part_name, part in owner.value.parts if part_name == name), MISSING)
            if found is MISSING:
                raise Unreadable(label)
            return self.wrapped(as_summary(found), label)
        return self.wrapped(own(owner.value, name), label)

    def item(self, owner: Any, index: ast.expr, label: str) -> Any:
        if isinstance(owner, Operand):
            place = subscript(self, index)
            return Operand(label, worked_out(owner, lambda tensor: tensor[place]), dtype=owner.dtype)
        at = self.sliced(index)
        if isinstance(owner, list) and isinstance(at, int | slice):
            try:
                return owner[at]
            except IndexError as error:
                raise Unreadable(label) from error
        if isinstance(owner, Thing) and type(owner.value) is dict and type(at) in (str, int) and at in owner.value:
            return self.wrapped(owner.value[at], label)
        if isinstance(owner, Thing) and type(owner.value) is Summary:
            return self.attribute(owner, str(at), label)
        raise Unreadable(label)

    def sliced(self, index: ast.expr) -> Any:
        if isinstance(index, ast.Slice):
            return slice(*(None if part is None else self(part) for part in (index.lower, index.upper, index.step)))
        return self(index)

    def called(self, node: ast.Call) -> Any:
        match node:
            case ast.Call(ast.Name("len"), [one], []):
                several = self(one)
                if isinstance(several, list):
                    return len(several)
            case ast.Call(ast.Attribute(owner, method), arguments, []):
                tensor = self(owner)
                if isinstance(tensor, Operand):
                    arguments = [] if method in SAME_SHAPE else arguments
                    return self.method(tensor, method, self.all_of(arguments), ast.unparse(node))
        raise Unreadable(ast.unparse(node))

    def method(self, tensor: Operand, method: str, arguments: list[Any], label: str) -> Any:
        if method == "size":
            return list(tensor.shape) if not arguments else at_place(tensor.shape, whole(arguments[0]))
        if method in ("dim", "ndimension", "numel"):
            return len(tensor.shape) if method != "numel" else product(tensor.shape)
        if method in SAME_SHAPE:
            return Operand(label, tensor.shape, tensor.axes, tensor.dtype, tensor.value)
        if method not in TURNS or any(isinstance(one, Thing | Operand) for one in arguments):
            raise Unreadable(label)
        shape = worked_out(tensor, lambda plain: getattr(plain, method)(*arguments))
        return Operand(label, shape, turned(tensor, method, arguments), tensor.dtype)


def subscript(read: Reader, index: ast.expr) -> Any:
    """What stands between the brackets after a tensor, if it is made of numbers, slices, `...` and None."""
    parts = index.elts if isinstance(index, ast.Tuple) else [index]
    place = tuple(read.sliced(part) for part in parts)
    if any(isinstance(one, Operand | Thing) for one in place):
        raise Unreadable
    return place


def whole(value: Any) -> int:
    if type(value) is not int:
        raise Unreadable
    return value
