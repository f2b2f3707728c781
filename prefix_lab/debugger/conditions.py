"""Expressions over what was recorded: `x.shape[0] > 2 and i == 5`.

They are read into a tree and worked out here, never by `eval`: names are the frame's names, attributes are facts, and
nothing can be called but `len`.
"""

from __future__ import annotations

import ast
import operator
from decimal import Decimal
from fractions import Fraction
from typing import Any

from prefix_lab.debugger.steps import EVENTS, NONE, RecordedSteps
from prefix_lab.debugger.summary import Summary, as_summary

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
REMEMBERED = 200_000  # steps
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
        except (
            SyntaxError,
            ValueError,
            TypeError,
            MemoryError,
            RecursionError,
        ) as error:  # the last two: nested too deeply
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

    def is_true_of(self, names: dict[str, Summary]) -> bool:
        """Whether it holds for these values; false when one of them has no such fact."""
        try:
            return bool(plain(self.work_out(self.tree, names)))
        except (Unknown, TypeError, ValueError, ArithmeticError, LookupError):
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


class Truth:
    """Where in a recording a condition holds. Steps of a frame are worked out together, since they share their names.

    A step finds the names as they were before it; a call finds its arguments. Where a name is not bound, it is false.
    """

    def __init__(self, recording: RecordedSteps, condition: Condition):
        columns = recording.columns
        self.recording, self.condition = recording, condition
        self.names = {number: name for number, name in enumerate(columns.names) if name in condition.names}
        self.possible = set(self.names.values()) == condition.names
        self.known: dict[int, bool] = {}
        self.of_values: dict[tuple, bool] = {}

    def at(self, step: int) -> bool:
        if not self.possible:
            return False
        if step not in self.known:
            if len(self.known) > REMEMBERED:
                self.known.clear()
            self.read_stretch(step)
        return self.known[step]

    def read_stretch(self, step: int) -> None:
        """From the last step of the frame whose names were noted, up to the next one."""
        columns = self.recording.columns
        held, at = self.recording.noted_before(step)
        held = {name: value for name, value in held.items() if name in self.names}
        calls = EVENTS.index("call")
        while True:
            if columns.places[columns.step_place[at]][0] == calls:
                self.recording.bind(at, held)
            self.known[at] = self.holds(held)
            self.recording.bind(at, held)
            at = columns.step_after[at]
            if at == NONE or (at in columns.snapshots and step in self.known):
                return

    def holds(self, held: dict[int, int]) -> bool:
        if not all(name in held for name in self.names):
            return False
        values = tuple(held[name] for name in self.names)
        found = self.of_values.get(values)
        if found is None:
            names = {name: self.recording.value(held[number]) for number, name in self.names.items()}
            found = self.of_values[values] = self.condition.is_true_of(names)
        return found


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
            if label == label_of(value, key):
                return plain(as_summary(part))
        raise Unknown(str(key))
    return value[key]


def label_of(value: Summary, key: Any) -> str:
    """How a part is labelled: by its number or key, a named tuple's by the name of the field."""
    fields = value.facts.get("fields", ())
    return fields[key] if type(key) is int and -len(fields) <= key < len(fields) else str(key)


def length(value: Any) -> int:
    if isinstance(value, Summary):
        for name in ("length", "shape"):
            if name in value.facts:
                return value.facts[name] if name == "length" else value.facts[name][0]
        raise Unknown("len")
    return len(value)


def bounded(operation: Any, left: Any, right: Any) -> Any:
    """Arithmetic on numbers alone: `'a' * 10**9` is no condition."""
    if not all(isinstance(one, int | float | complex | Fraction | Decimal) for one in (left, right)):
        raise Unknown("a number")
    return operation(left, right)
