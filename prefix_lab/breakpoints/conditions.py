"""A condition of a breakpoint: refused in a sentence when it is set, since a debugger would never stop and say nothing.

The names that it uses must have a value when the stage begins: the function's arguments, its module's names, builtins.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Mapping, Sequence
from types import CodeType
from typing import Any, NamedTuple

from prefix_lab.breakpoints.places import Place


class Condition(NamedTuple):
    """An expression, compiled, and the names that it asks the frame for."""

    text: str
    code: CodeType
    names: frozenset[str]

    def fits(self, place: Place) -> bool:
        """Whether all of its names have a value where this place begins."""
        return not missing(self.names, place)

    def holds(self, values: Mapping[str, Any], namespace: Mapping[str, Any]) -> bool:
        """Whether it is true with these locals. Raises what the expression raises."""
        # One dict: inside a comprehension, an expression sees its globals alone.
        return bool(eval(self.code, {**namespace, **values}))


def condition_for(text: str, places: Sequence[Place]) -> Condition:
    """The condition, ready to be asked. Raises `ValueError` for what is no expression or knows no name there."""
    try:
        tree = ast.parse(text.strip(), mode="eval")
        if any(isinstance(node, ast.NamedExpr | ast.Await | ast.Yield | ast.YieldFrom) for node in ast.walk(tree)):
            raise SyntaxError("it would change or suspend the frame")
        code = compile(tree, "<condition>", "eval")
    except (SyntaxError, ValueError, TypeError, AttributeError) as error:
        said = getattr(error, "msg", None) or error
        raise ValueError(
            f"condition={text!r} is not an expression ({said}). Write one that is true or false, such as "
            "'prefix.shape[0] == 4'."
        ) from None
    condition = Condition(text, code, names_of(tree))
    if not any(condition.fits(place) for place in places):
        place = places[0]
        unknown = ", ".join(missing(condition.names, place))
        raise ValueError(
            f"condition={text!r} asks for {unknown}, which has no value yet when {place.code.co_qualname} begins. "
            f"There are: {', '.join(sorted(place.known)) or 'no arguments'}, and the names of its module."
        )
    return condition


def names_of(tree: ast.AST) -> frozenset[str]:
    """The names that an expression reads and does not bind itself, in a comprehension or a lambda."""
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    own = {node.id for node in names if isinstance(node.ctx, ast.Store)}
    own |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    return frozenset(node.id for node in names if isinstance(node.ctx, ast.Load)) - own


def missing(names: frozenset[str], place: Place) -> list[str]:
    return sorted(
        name
        for name in names
        if name not in place.known and name not in place.namespace and not hasattr(builtins, name)
    )
