"""The language of conditions and watches: `x.shape[0] > 2 and i == 5`, worked out on what was recorded.

    condition  = both { "or" both }
    both       = negation { "and" negation }
    negation   = "not" negation | comparison
    comparison = sum { ("==" | "!=" | "<" | "<=" | ">" | ">=" | "in" | "not" "in") sum
                     | "is" [ "not" ] ("None" | "True" | "False") }
    sum        = product { ("+" | "-") product }
    product    = signed { ("*" | "/" | "//" | "%") signed }
    signed     = "-" signed | value
    value      = atom { "." name | "[" condition "]" }
    atom       = number | text | "None" | "True" | "False" | name | "len" "(" condition ")"
               | "(" condition ")" | "(" list ")" | "[" list "]"
    list       = [ condition { "," condition } [ "," ] ]
    number     = digits [ "." digits ] [ "e" [ "+" | "-" ] digits ]
    text       = signs in ' or ", of which \\\\ \\' \\" \\n \\r \\t \\xhh \\uhhhh and \\Uhhhhhhhh stand for others

It is Python's, and has Python's answers, or none: then a condition does not hold, and a watch is not known. A name is
one of the frame's, as the step finds it. After a dot stands a fact (`x.shape`, `x.dtype`, `module.training`), a part
(`config.num_virtual_tokens`), or `type`; in brackets a whole number or a text: which item, which sign, which key. There
is no answer for a fact that was not recorded, for arithmetic with anything but numbers, and for that of a fraction with
a whole number that no float holds.

Nothing is called, and nothing of the program runs. `condition.js` in the stepper reads the same language in a page; one
table of cases, tests/debugger/conditions.json, holds both.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from itertools import repeat
from numbers import Number
from typing import Any

from prefix_lab.debugger.summary import Summary, as_summary

HAS = (
    "Conditions and watches have names, numbers, texts, facts and items such as x.shape[0], len(x), + - * / // %, "
    "comparisons, in, and, or, not. Write one: i == 5."
)
CANNOT = "cannot be worked out on a recording"
LONGEST, DEEPEST = 1_000, 30
PLAIN = (int, float, bool, str, type(None))
NO_ANSWER = (TypeError, ValueError, ArithmeticError, LookupError, RecursionError)
CONSTANTS = ("None", "True", "False")
ESCAPE = r"\\(?:[\\'\"nrt]|x[\da-fA-F]{2}|u[\da-fA-F]{4}|U00(?:0[\da-fA-F]|10)[\da-fA-F]{4})"
TEXT = re.compile(rf"'(?:[^'\\\r\n]|{ESCAPE})*'|\"(?:[^\"\\\r\n]|{ESCAPE})*\"", re.ASCII)
NUMBER = re.compile(r"(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
OPERATORS: dict[type[ast.AST], Callable[[Any, Any], Any]] = {
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
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}

Names = Mapping[str, Any]  # summaries, and plain values as they are
Work = Callable[[Names], Any]


class Unknown(Exception):
    """What a condition asks for has no answer at this step; the text says why.

    `asked` is the name, fact or part that was not recorded, and `known` are those that were, the most alike first;
    both are empty where it is something else.
    """

    def __init__(self, why: str, asked: str = "", known: Iterable[str] = ()):
        super().__init__(why)
        self.asked, self.known = asked, most_alike(asked, known)


def most_alike(asked: str, known: Iterable[str]) -> list[str]:
    """Names in the order of how many signs are to be changed to make the asked one of them."""
    return sorted(dict.fromkeys(known), key=lambda name: (distance(asked, name), name))


def distance(one: str, other: str) -> int:
    """How many signs are to be put in, left out or replaced."""
    row = list(range(len(other) + 1))
    for down, mine in enumerate(one, 1):
        before, row[0] = row[0], down
        for across, theirs in enumerate(other, 1):
            before, row[across] = row[across], min(row[across] + 1, row[across - 1] + 1, before + (mine != theirs))
    return row[-1]


class Condition:
    """A condition, or a watch, that was read: `names` are those that it uses, `parts` what `and` joins.

    Raises `ValueError` for what is not in the language, and says what is.
    """

    def __init__(self, text: str):
        self.text = text
        self.names: set[str] = set()
        self.parts = [self]
        self.with_constant: tuple[Callable[[Any, Any], Any], Any] | None = None  # of `i > 5`: > and 5
        if len(text) > LONGEST:
            raise self.refused(f"is not an expression: it is longer than {LONGEST:,} signs")
        try:
            tree = ast.parse(text.strip(), mode="eval").body
            if re.search(r"[#\\\r\n]", TEXT.sub("", text.strip())):
                raise SyntaxError("it has a comment, or several lines")
            self.work = self.read(tree, 0)
            if isinstance(tree, ast.BoolOp) and isinstance(tree.op, ast.And):
                self.parts = [Condition(f"({self.written(part)})") for part in tree.values]
        except (MemoryError, RecursionError):
            raise self.refused("is not an expression: it is nested too deeply") from None
        except SyntaxError as error:
            raise self.refused(f"is not an expression: {error.msg}") from None

    def refused(self, why: str) -> ValueError:
        text = self.text if len(self.text) <= 80 else f"{self.text[:79]}…"
        return ValueError(f"condition={text!r} {why}. {HAS}")

    def is_true_of(self, names: Names) -> bool:
        """Whether it holds for these values; false where it has no answer."""
        try:
            return is_true(self.worth(names))
        except Unknown:
            return False

    def is_true_of_any(self, values: Iterable[Any]) -> bool:
        """Of a condition with one name, whether one of these values makes it true."""
        by_type: dict[type, list[Any]] = {}
        for value in values:
            by_type.setdefault(type(value), []).append(value)
        for kind, group in by_type.items():
            if self.with_constant is None or kind not in PLAIN:
                if any(self.is_true_of(dict.fromkeys(self.names, value)) for value in group):
                    return True
                continue
            compare, constant = self.with_constant
            with suppress(TypeError):  # values of this type have no order with it
                if any(map(compare, group, repeat(constant))):
                    return True
        return False

    def worth(self, names: Names) -> Any:
        """What it gives for these values. Raises `Unknown` where it has no answer."""
        try:
            return self.work(names)
        except NO_ANSWER as error:
            raise Unknown(f"{type(error).__name__}: {error}") from None

    def read(self, node: ast.AST, depth: int) -> Work:
        """A part of the language as a function of the values. `depth` is how far inside others it stands."""
        if depth > DEEPEST:
            raise RecursionError

        def inner(one: ast.AST) -> Work:
            return self.read(one, depth + 1)

        match node:
            case ast.Constant(value=None | bool()):
                return lambda names: node.value
            case ast.Constant() if (TEXT if isinstance(node.value, str) else NUMBER).fullmatch(self.written(node)):
                return lambda names: node.value
            case ast.Name() if node.id != "len":
                self.names.add(node.id)
                return lambda names: value_of(node.id, names)
            case ast.Tuple() | ast.List():
                items = [inner(one) for one in node.elts]
                return lambda names: tuple(one(names) for one in items)
            case ast.Attribute():
                base = self.read(node.value, depth)
                return lambda names: fact(base(names), node.attr)
            case ast.Subscript() if not isinstance(node.slice, ast.Tuple):
                base, key = self.read(node.value, depth), inner(node.slice)
                return lambda names: item(base(names), key(names))
            case ast.Call(func=ast.Name(id="len"), args=[one], keywords=[]):
                measured = inner(one)
                return lambda names: length(measured(names))
            case ast.UnaryOp(op=ast.Not()):
                denied = inner(node.operand)
                return lambda names: not is_true(denied(names))
            case ast.UnaryOp(op=ast.USub()):
                positive = inner(node.operand)
                return lambda names: arithmetic(operator.mul, -1, positive(names))
            case ast.BinOp() if type(node.op) in OPERATORS:
                left, right = self.read(node.left, depth), inner(node.right)
                return lambda names: arithmetic(OPERATORS[type(node.op)], left(names), right(names))
            case ast.BoolOp():
                return joined([inner(one) for one in node.values], isinstance(node.op, ast.Or))
            case ast.Compare():
                for operation, one in zip(node.ops, node.comparators, strict=True):
                    plainly = isinstance(one, ast.Constant) and (one.value is None or isinstance(one.value, bool))
                    if isinstance(operation, ast.Is | ast.IsNot) and not plainly:
                        raise self.refused(
                            "cannot be worked out on a recording: is compares with None, True and False alone"
                        )
                operations = [OPERATORS[type(one)] for one in node.ops]
                first, *others = [inner(one) for one in (node.left, *node.comparators)]
                if depth == 0 and isinstance(node.left, ast.Name) and len(others) == 1 and len(self.names) == 1:
                    with suppress(Unknown, *NO_ANSWER):
                        self.with_constant = operations[0], others[0]({})
                return compared(first, operations, others)
            case ast.Call():
                raise self.refused(f"{CANNOT}: nothing can be called but len")
        raise self.refused(f"{CANNOT}: {self.written(node)} is not among what it may have")

    def written(self, node: ast.AST) -> str:
        return ast.get_source_segment(self.text.strip(), node) or ast.unparse(node)


def joined(parts: list[Work], until: bool) -> Work:
    """`and`, `or`: the first part that decides, as Python gives it."""

    def work(names: Names) -> Any:
        for one in parts:
            value = one(names)
            if is_true(value) == until:
                break
        return value

    return work


def compared(first: Work, operations: list[Callable[[Any, Any], Any]], others: list[Work]) -> Work:
    """`0 < i < 10`: until one does not hold."""

    def work(names: Names) -> bool:
        left = first(names)
        for holds, other in zip(operations, others, strict=True):
            right = other(names)
            if not holds(left, right):
                return False
            left = right
        return True

    return work


def value_of(name: str, names: Names) -> Any:
    if name not in names:
        raise Unknown(f"{name} has no value here", name, names)
    return plain(names[name])


def plain(value: Any) -> Any:
    """A number, text or None as itself; a list's facts as a tuple, so that shapes compare with either."""
    if isinstance(value, Summary) and "value" in value.facts:
        value = value.facts["value"]
    return tuple(value) if isinstance(value, list) else value


def is_true(value: Any) -> bool:
    return value.facts.get("length") != 0 if isinstance(value, Summary) else bool(value)


def fact(value: Any, name: str) -> Any:
    if isinstance(value, Summary):
        if name in value.facts:
            return plain(value.facts[name])
        for label, part in value.parts:
            if label == name:
                return plain(as_summary(part))
        if name == "type":
            return value.type
    known = [*value.facts, *(label for label, _ in value.parts)] if isinstance(value, Summary) else []
    raise Unknown(f"{name} was not recorded", name, known)


def item(value: Any, key: Any) -> Any:
    if type(key) not in (int, str):
        raise Unknown("in brackets stands a whole number or a text")
    if not isinstance(value, Summary):
        return value[key]
    fields = value.facts.get("fields", ())  # of a named tuple, whose items have numbers, too
    label = fields[key] if type(key) is int and -len(fields) <= key < len(fields) else str(key)
    return fact(Summary("", "", parts=value.parts), label)


def length(value: Any) -> int:
    if isinstance(value, Summary):
        if "length" in value.facts:
            return value.facts["length"]
        return value.facts.get("shape", ())[0]
    return len(value)


def arithmetic(operation: Callable[[Any, Any], Any], left: Any, right: Any) -> Any:
    """Arithmetic on numbers alone: `'a' * 10**9` is no condition."""
    both = (left, right)
    if not all(isinstance(one, Number) for one in both):
        raise Unknown("arithmetic is for numbers")
    in_floats = operation is operator.truediv or any(isinstance(one, float) for one in both)
    if in_floats and any(isinstance(one, int) and one != float(one) for one in both):
        raise Unknown("a number is too long for a fraction")
    return operation(left, right)
