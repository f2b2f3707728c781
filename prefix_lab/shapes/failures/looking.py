"""From the frames of a failure to what can be said: the line to show, its operands, and the axes that disagree."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from typing import Any, NamedTuple

from prefix_lab.shapes.failures.messages import is_about_shapes, said_by_message
from prefix_lab.shapes.failures.naming import hint
from prefix_lab.shapes.failures.operands import Broken, Operand
from prefix_lab.shapes.failures.operations import broken, broken_unpacking, operation_of, tensors_in
from prefix_lab.shapes.failures.outer_names import renamed
from prefix_lab.shapes.failures.places import Place
from prefix_lab.shapes.failures.plain_reads import Unreadable
from prefix_lab.shapes.failures.reading import Reader
from prefix_lab.shapes.failures.statements import head_of, tested


class Look(NamedTuple):
    """The place to show, the tensors there, the numbers that a check of its own held, and what disagrees."""

    place: Place | None
    operands: list[Operand]
    numbers: list[str]
    found: list[str]
    is_about_shapes: bool


def look_at(places: list[Place], kinds: set[str], message: str, sizes: dict[str, set[int]]) -> Look:
    """Look at the frames of a failure, the outermost first; `sizes` are those that axes are known to have."""
    about = is_about_shapes(kinds, message)
    if not places:
        found = said_by_message(message, [])
        return Look(None, found.operands, [], told(found.broken, sizes), bool(found.broken) or about)
    at = max((i for i, place in enumerate(places) if not place.is_inner), default=len(places) - 1)
    shown = places[at]
    for place in reversed(places[at:]):
        operands, broken_rules = rules_broken(place)
        if broken_rules:
            if place is not shown:
                renamed(operands, place, shown)
            return Look(shown, operands, [], told(broken_rules, sizes), True)
    operands = line_tensors(shown) or next((found for place in places[at + 1 :] if (found := line_tensors(place))), [])
    found = said_by_message(message, operands)
    operands = found.operands or operands
    return Look(shown, operands, numbers_tested(shown), told(found.broken, sizes), bool(found.broken) or about)


def rules_broken(place: Place) -> tuple[list[Operand], list[Broken]]:
    """The tensors of the first operation in this frame that breaks a rule, and what it breaks."""
    for node in place.nodes():
        operation = operation_of(node, place.read)
        if operation is not None and (found := broken(operation)):
            told_of = [operand for one in found for operand, _ in one.axes]
            return list(dict.fromkeys([*operation.operands(), *told_of])), found
    if place.statement is not None and (found := broken_unpacking(place.statement, place.read)):
        return line_tensors(place), found
    return [], []


def told(found: Iterable[Broken], sizes: dict[str, set[int]]) -> list[str]:
    """The sentences, where an axis without a name says what else is as large."""
    found = list(found)
    for one in found:
        for operand, at in one.axes:
            if not (operand.axes and operand.axes[at] != str(operand.shape[at])) and (
                said := hint(operand.shape[at], sizes)
            ):
                operand.hints[at] = said
    return list(dict.fromkeys(one.tell() for one in found))


def line_tensors(place: Place) -> list[Operand]:
    """The tensors that a line names; for `raise`, those that the condition around it names."""
    statement: Any = place.statement
    if isinstance(statement, ast.Raise):
        tests = [one.test for one in place.around if isinstance(one, ast.If)]
        names = {name.id: name for test in tests for name in ast.walk(test) if isinstance(name, ast.Name)}
        return list(dict.fromkeys(one for node in names.values() for one in read_tensors(node, place.read)))
    if statement is None:
        return []
    nodes = [place.node, statement] if place.node is not None else [statement]
    for node in nodes:
        parts = head_of(node)
        found = list(dict.fromkeys(one for part in parts for one in read_tensors(part, place.read)))
        if found:
            return list({one.name: one for one in found}.values())
    return []


def numbers_tested(place: Place) -> list[str]:
    """The numbers in the condition that a `raise` stands under: `token_dim = 512`."""
    test = tested(place.around) if isinstance(place.statement, ast.Raise) else None
    found: dict[str, Any] = {}
    for node in head_of(test) if test is not None else []:
        try:
            found[ast.unparse(node)] = place.read(node)
        except Unreadable:
            continue
    return [f"{text} = {value}" for text, value in found.items() if type(value) in (int, float)]


def read_tensors(node: ast.AST, read: Reader) -> list[Operand]:
    try:
        value = read(node)
    except Unreadable:
        return []
    return list(tensors_in([value] if not isinstance(value, list) else value[:8]))
