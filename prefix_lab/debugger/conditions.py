"""Expressions over what was recorded: `x.shape[0] > 2 and i == 5`.

They are read into a tree and worked out here, never by `eval`: names are the frame's names, attributes are facts, and
nothing can be called but `len`.
"""

from __future__ import annotations

import ast
import operator
from typing import TYPE_CHECKING, Any

from prefix_lab.debugger.summary import Summary, as_summary

if TYPE_CHECKING:
    from prefix_lab.debugger.recording import Recording

OPERATORS = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
    ast.In: lambda item, items: item in items,
    ast.NotIn: lambda item, items: item not in items,
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Div: operator.truediv,
    ast.Mod: operator.mod,
    ast.USub: operator.neg,
    ast.Not: operator.not_,
}
ALLOWED = (ast.Name, ast.Constant, ast.Tuple, ast.List, ast.Attribute, ast.Subscript, ast.Load)
ALLOWED += (ast.Compare, ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.BinOp, ast.Call, *OPERATORS)


class Unknown(Exception):
    """A name, fact or part that this step does not have."""


class Condition:
    """An expression that is true or false at a step. Raises `ValueError` for one that cannot be worked out."""

    def __init__(self, text: str):
        self.text = text
        try:
            self.tree = ast.parse(text, mode="eval").body
        except (SyntaxError, ValueError, TypeError) as error:
            raise ValueError(f"condition={text!r} is not an expression ({error}). Write one: 'i == 5'.") from None
        for node in ast.walk(self.tree):
            call = isinstance(node, ast.Call)
            known = isinstance(node, ALLOWED) and not (
                call and not (isinstance(node.func, ast.Name) and node.func.id == "len" and len(node.args) == 1)
            )
            if not known:
                raise ValueError(
                    f"condition={text!r}: {ast.unparse(node)!r} cannot be worked out on a recording. Compare names, "
                    "numbers, and facts such as x.shape[0], x.dtype or len(items); nothing can be called but len."
                )
        self.names = {node.id for node in ast.walk(self.tree) if isinstance(node, ast.Name)} - {"len"}

    def holds(self, recording: Recording, step: int) -> bool:
        """Whether it is true of the names as this step finds them; false when a name or fact is not there."""
        columns = recording.columns
        held = {columns.names[name]: value for name, value in recording.held_before(step).items()}
        if not self.names <= held.keys():
            return False
        try:
            return bool(plain(self.work_out(self.tree, {name: recording.value(held[name]) for name in self.names})))
        except (Unknown, TypeError, ValueError, ZeroDivisionError, OverflowError, LookupError):
            return False

    def work_out(self, node: ast.AST, names: dict[str, Summary]) -> Any:
        def out(one: ast.AST) -> Any:
            return self.work_out(one, names)

        match node:
            case ast.Constant():
                return node.value
            case ast.Name():
                return plain(names[node.id])
            case ast.Tuple() | ast.List():
                return tuple(out(one) for one in node.elts)
            case ast.Attribute():
                return fact(out(node.value), node.attr)
            case ast.Subscript():
                return item(out(node.value), out(node.slice))
            case ast.Call():
                return length(out(node.args[0]))
            case ast.UnaryOp():
                return OPERATORS[type(node.op)](out(node.operand))
            case ast.BinOp():
                return bounded(OPERATORS[type(node.op)], out(node.left), out(node.right))
            case ast.BoolOp():
                wants = isinstance(node.op, ast.And)
                result: Any = wants
                for one in node.values:
                    result = out(one)
                    if bool(result) != wants:
                        break
                return result
            case ast.Compare():
                left = out(node.left)
                for operation, right in zip(node.ops, map(out, node.comparators), strict=True):
                    if not OPERATORS[type(operation)](left, right):
                        return False
                    left = right
                return True
        raise Unknown(ast.dump(node))


def plain(value: Any) -> Any:
    """A number, text or None as itself; a list's facts as a tuple, so that shapes compare with either."""
    if isinstance(value, Summary) and "value" in value.facts:
        value = value.facts["value"]
    return tuple(value) if isinstance(value, list) else value


def fact(value: Any, name: str) -> Any:
    if isinstance(value, Summary):
        if name in value.facts:
            return plain(value.facts[name])
        for label, part in value.parts:
            if label == name:
                return plain(as_summary(part))
        if name == "type":
            return value.type
    raise Unknown(name)


def item(value: Any, key: Any) -> Any:
    if isinstance(value, Summary):
        for label, part in value.parts:
            if label == str(key):
                return plain(as_summary(part))
        raise Unknown(str(key))
    return value[key]


def length(value: Any) -> int:
    if isinstance(value, Summary):
        for name in ("length", "shape"):
            if name in value.facts:
                return value.facts[name] if name == "length" else value.facts[name][0]
        raise Unknown("len")
    return len(value)


def bounded(operation: Any, left: Any, right: Any) -> Any:
    """Arithmetic on numbers alone: `'a' * 10**9` is no condition."""
    if not all(isinstance(one, int | float | complex) for one in (left, right)):
        raise Unknown("a number")
    return operation(left, right)
