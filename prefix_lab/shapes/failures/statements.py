"""The statement of a source line, the expression in it that failed, and the names that it reads."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator

Extent = tuple[int, int, int, int]  # from line, to line, from column, to column
LONGEST = 12  # lines of a statement that are shown


def tested(around: tuple[ast.stmt, ...]) -> ast.expr | None:
    """The condition that the last of these statements stands under."""
    outer = around[-2] if len(around) > 1 else None
    return outer.test if isinstance(outer, ast.If) and around[-1] in outer.body else None


def text_of(statement: ast.stmt | None, lines: list[str], line: int) -> list[str]:
    """The lines of a statement, of one with a block only its head."""
    if statement is None or hasattr(statement, "body") or statement.end_lineno is None:
        return lines[line - 1 : line]
    found = lines[statement.lineno - 1 : statement.end_lineno]
    if len(found) <= LONGEST:
        return found
    return [*found[: LONGEST - 2], "    …\n", found[-1]]


@functools.lru_cache(64)
def parsed(text: str) -> ast.Module | None:
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError):
        return None


def statements_at(text: str, line: int, column: int | None = None) -> tuple[ast.stmt, ...]:
    """The statements around a line, the outermost first; a column tells apart those that share the line."""
    found: list[ast.stmt] = []
    tree: ast.AST | None = parsed(text)
    while tree is not None:
        inner = [one for one in blocks(tree) if one.lineno <= line <= (one.end_lineno or one.lineno)]
        if column is not None:
            inner = [one for one in inner if holds(one, line, column)] or inner
        tree = inner[0] if inner else None
        found += inner[:1]
    return tuple(found)


def holds(statement: ast.stmt, line: int, column: int) -> bool:
    end = (statement.end_lineno or line, statement.end_col_offset or column + 1)
    return (statement.lineno, statement.col_offset) <= (line, column) < end


def blocks(node: ast.AST) -> Iterator[ast.stmt]:
    """The statements right inside one, in whichever of its blocks."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.stmt):
            yield child
        elif isinstance(child, ast.ExceptHandler | ast.match_case):
            yield from blocks(child)


def node_at(statement: ast.stmt, extent: Extent) -> ast.AST | None:
    """The outermost expression of exactly this extent: from line, to line, from column, to column."""
    for node in [statement, *ast.walk(statement)]:
        if hasattr(node, "lineno") and extent == (node.lineno, node.end_lineno, node.col_offset, node.end_col_offset):
            return stored_in(statement, node)
    return None


def stored_in(statement: ast.stmt, node: ast.AST) -> ast.AST:
    """An assignment, where what failed is its target."""
    is_target = isinstance(statement, ast.Assign) and any(node is one for one in statement.targets)
    return statement if is_target else node


def inner_first(statement: ast.stmt) -> list[ast.AST]:
    """The expressions of a statement about in the order in which they run; of one with a block, its head's."""
    found: list[ast.AST] = []

    def visit(node: ast.AST) -> None:
        for child in ast.iter_child_nodes(node):
            if not isinstance(child, ast.stmt | ast.ExceptHandler | ast.match_case | ast.Lambda):
                visit(child)
        found.append(node)

    visit(statement)
    return found


def head_of(node: ast.AST) -> list[ast.AST]:
    """The names and paths in an expression, each as long as it can be read; what is assigned to is left out."""
    found: list[ast.AST] = []

    def visit(one: ast.AST) -> None:
        if isinstance(one, ast.stmt) and one is not node:
            return
        if isinstance(one, ast.Name | ast.Attribute | ast.Subscript) and isinstance(one.ctx, ast.Load):
            found.append(one)
        for child in ast.iter_child_nodes(one):
            visit(child)

    visit(node)
    return found
