"""The arguments of a step, read from its text: numbers, sizes by name, lists of them, indices. Nothing is evaluated."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from typing import Any

Ellipse = type(...)


class Size(int):
    """A number that was written by name: `layers`, `2·layers`."""

    name: str = ""


def value_of(node: ast.expr, sizes: Mapping[str, int]) -> Any:
    """What an argument stands for, with the numbers of names from `sizes`. Raises `ValueError` for anything else."""
    match node:
        case ast.Constant(value=None | int() | Ellipse() as value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            return -whole(inner, sizes)
        case ast.Name(id=name) if name in sizes:
            return sized(sizes[name], name)
        case ast.Name(id=name):
            raise ValueError(
                f"sizes does not say how many {name!r} are, which the steps use. Give it a small number: "
                f"sizes={{{name!r}: 2}}."
            )
        case ast.BinOp(left=left, op=ast.Mult() | ast.FloorDiv() | ast.Add() | ast.Sub() as op, right=right):
            result = calculated(whole(left, sizes), op, whole(right, sizes))
            text = spelled(node)
            return sized(result, text) if re.fullmatch(r"[\w·+-]*[^\W\d][\w·+-]*", text) else result
        case ast.List(elts=items) | ast.Tuple(elts=items):
            return tuple(value_of(one, sizes) for one in items)
        case ast.Slice(lower=lower, upper=upper, step=step):
            return slice(*(one and value_of(one, sizes) for one in (lower, upper, step)))
    raise ValueError(
        f"steps has the argument {ast.unparse(node)!r}; expected whole numbers, sizes by name such as 2·layers, or "
        "lists of them."
    )


def whole(node: ast.expr, sizes: Mapping[str, int]) -> int:
    """A number that is calculated with."""
    value = value_of(node, sizes)
    if not isinstance(value, int):
        raise ValueError(f"steps calculates with {ast.unparse(node)!r}; expected a whole number or a size by name.")
    return value


def calculated(one: int, op: ast.operator, two: int) -> int:
    if isinstance(op, ast.FloorDiv):
        if not two:
            raise ValueError(f"steps divides {one} by 0; expected another number.")
        return one // two
    return one * two if isinstance(op, ast.Mult) else one + two if isinstance(op, ast.Add) else one - two


def sized(number: int, name: str) -> Size:
    size = Size(number)
    size.name = name
    return size


def spelled(node: ast.expr) -> str:
    """An argument as text, a product as the axes are written: `2·layers`."""
    return ast.unparse(node).replace(" * ", "·").replace(" + ", "+").replace(" - ", "-").strip("()")
