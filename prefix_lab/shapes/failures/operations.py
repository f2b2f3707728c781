"""Which operation of torch an expression is, what its arguments were, and which of its rules they break."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any, NamedTuple

from prefix_lab.shapes.failures.operands import Broken, Operand
from prefix_lab.shapes.failures.plain_reads import Unreadable, worked_out
from prefix_lab.shapes.failures.reading import Reader, Thing, subscript
from prefix_lab.shapes.failures.regrouping import unpack
from prefix_lab.shapes.failures.rules import RULES

SIGNS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%", ast.Pow: "**",
         ast.MatMult: "@", ast.BitAnd: "&", ast.BitOr: "|", ast.BitXor: "^", ast.Lt: "<", ast.Gt: ">",
         ast.LtE: "<=", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!="}  # fmt: skip
USUAL = ("torch", "F", "nn", "functional")  # what torch's modules are called where only names were recorded


class Operation(NamedTuple):
    """`name` is the key of its rule; `texts` are the arguments after the first as they stand in the source."""

    name: str
    arguments: list[Any]
    named: dict[str, Any]
    texts: list[str]

    def operands(self) -> list[Operand]:
        return list(dict.fromkeys(tensors_in([*self.arguments, *self.named.values()])))


class Unread:
    """Stands for an argument that cannot be read."""


def tensors_in(values: list[Any]) -> Iterator[Operand]:
    for value in values:
        if isinstance(value, Operand):
            yield value
        elif isinstance(value, list):
            yield from tensors_in(value)


def operation_of(node: ast.AST, read: Reader) -> Operation | None:
    """The operation on tensors that an expression or assignment is; None if it is none that has a rule."""
    match node:
        case ast.BinOp(left, op, right):
            return Operation(SIGNS.get(type(op), "?"), arguments([left, right], read), {}, [])
        case ast.Compare(left, [op], [right]):
            return Operation(SIGNS.get(type(op), "?"), arguments([left, right], read), {}, [])
        case ast.AugAssign(target, op, value):
            sign = SIGNS.get(type(op), "?")
            return Operation(sign if sign == "@" else f"{sign}=", arguments([target, value], read), {}, [])
        case ast.Subscript(value, index):
            return indexed(value, index, read)
        case ast.Assign([ast.Subscript() as target], given):
            return stored(target, given, read)
        case ast.Call(func, args, keywords):
            found = called(func, read)
            if found is None:
                return None
            name, first = found
            values = [*first, *arguments(args, read)]
            named = {word.arg: argument(word.value, read) for word in keywords if word.arg}
            return Operation(name, values, named, texts_of(args))
    return None


def broken(operation: Operation) -> list[Broken]:
    """What the operation's rule finds; nothing where its operands are not known, or it has no rule."""
    rule: Any = RULES.get(operation.name)
    if rule is None:
        return []
    named = operation.named | ({"texts": operation.texts} if operation.name in ("view", "reshape") else {})
    try:
        return list(rule(*operation.arguments, **named))
    except (AttributeError, TypeError, IndexError, ValueError, ZeroDivisionError):
        return []  # an argument is missing, or was not read


def broken_unpacking(node: ast.AST, read: Reader) -> list[Broken]:
    """`batch, tokens = x.shape` with more or fewer names than sizes."""
    match node:
        case ast.Assign([ast.Tuple(elts) | ast.List(elts)], value) if not any(isinstance(e, ast.Starred) for e in elts):
            sizes = argument(value, read)
            if isinstance(sizes, list) and all(type(size) is int for size in sizes):
                return list(unpack(sizes, len(elts), ast.unparse(value)))
    return []


def called(func: ast.expr, read: Reader) -> tuple[str, list[Any]] | None:
    """The name of a tensor's method, with the tensor, or of a function of torch's own."""
    if isinstance(func, ast.Name):
        value = read.names.get(func.id)
        return (func.id, []) if of_torch(value) else None
    if not isinstance(func, ast.Attribute):
        return None
    owner = argument(func.value, read)
    if isinstance(owner, Operand):
        return func.attr, [owner]
    if isinstance(owner, Thing) and isinstance(owner.value, ModuleType) and owner.value.__name__.startswith("torch"):
        return func.attr, []
    root: ast.expr = func
    while isinstance(root, ast.Attribute):
        root = root.value
    if isinstance(root, ast.Name) and root.id in USUAL and root.id not in read.names:
        return func.attr, []
    return None


def of_torch(value: Any) -> bool:
    if type(value) is BuiltinFunctionType:
        return getattr(builtins, value.__name__, None) is not value
    return type(value) is FunctionType and value.__module__.startswith("torch")


def arguments(nodes: list[ast.expr], read: Reader) -> list[Any]:
    found: list[Any] = []
    for node in nodes:
        value = argument(node.value if isinstance(node, ast.Starred) else node, read)
        found += value if isinstance(node, ast.Starred) and isinstance(value, list) else [value]
    return found


def argument(node: ast.expr, read: Reader) -> Any:
    try:
        return read(node)
    except Unreadable:
        return Unread()


def texts_of(nodes: list[ast.expr]) -> list[str]:
    """The sizes of `view(a, b)` or `view((a, b))` as text; none where a `*` stands among them."""
    if len(nodes) == 1 and isinstance(nodes[0], ast.Tuple | ast.List):
        nodes = nodes[0].elts
    return [] if any(isinstance(node, ast.Starred) for node in nodes) else [ast.unparse(node) for node in nodes]


def indexed(value: ast.expr, index: ast.expr, read: Reader) -> Operation:
    parts = index.elts if isinstance(index, ast.Tuple) else [index]
    places = [one_place(part, read) for part in parts]
    return Operation("[]", [argument(value, read), *places], {}, [])


def one_place(part: ast.expr, read: Reader) -> Any:
    try:
        return read.sliced(part)
    except Unreadable:
        return Unread()


def stored(target: ast.Subscript, given: ast.expr, read: Reader) -> Operation | None:
    """`x[…] = y`: y must spread to the shape of that part of x."""
    try:
        whole = read(target.value)
        place = subscript(read, target.slice)
        part = Operand(ast.unparse(target), worked_out(whole, lambda tensor: tensor[place]))
        return Operation("=", [part, read(given)], {}, [])
    except (Unreadable, AttributeError):
        return indexed(target.value, target.slice, read)
