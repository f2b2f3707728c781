"""Code found by its shape and changed: `torch.cat(($virtual, $mask), dim=1)` → `torch.cat(($mask, $virtual), dim=1)`.

In a pattern, `$name` stands for any expression, any name, or, alone on a line, any statement, the same wherever it is
repeated; `$_` for anything at all, and `$$name` for any number of arguments, elements or statements, none included.
The rest is compared as syntax trees, so that neither layout nor comments, nor what a local name is called, decide.
"""

import ast
import copy
import difflib
import functools
import re
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

ONE, MANY = "one_of_a_pattern_", "many_of_a_pattern_"
LAYOUT = ("ctx", "kind", "type_comment", "type_ignores")  # what does not make code another
Bound = dict[str, Any]
"""What each placeholder of a pattern stands for."""


class Match(NamedTuple):
    """Where a pattern fits: a node, or these statements of `node.field`."""

    path: Path
    parents: tuple[ast.AST, ...]  # from the module down to what holds the match
    nodes: list[ast.AST]
    bound: Bound

    def __str__(self) -> str:
        return f"{self.path.name}:{self.nodes[0].lineno}: {textwrap.shorten(shown(self.nodes), 100)}"


def read_pattern(text: str) -> ast.expr | list[ast.stmt]:
    """A pattern as a tree: an expression if it can be one, statements otherwise. Raises `SyntaxError`."""
    text = re.sub(r"\$(\w+)", rf"{ONE}\1", re.sub(r"\$\$(\w+)", rf"{MANY}\1", text))
    try:
        return ast.parse(text.strip(), mode="eval").body
    except SyntaxError:
        return ast.parse(text).body


def read_patterns(old: str, new: str) -> tuple[Any, Any]:
    """What to find and what takes its place: two expressions, or statements for statements."""
    pair = read_pattern(old), read_pattern(new)
    if all(isinstance(one, ast.expr) for one in pair):
        return pair
    return tuple([ast.Expr(one)] if isinstance(one, ast.expr) else one for one in pair)


def placeholder(pattern: Any, kind: str) -> str | None:
    """The name of the placeholder that a part of a pattern is, if it is one of this kind."""
    if isinstance(pattern, ast.Expr | ast.FormattedValue):
        pattern = pattern.value
    name = pattern.id if isinstance(pattern, ast.Name) else pattern
    return name.removeprefix(kind) if isinstance(name, str) and name.startswith(kind) else None


def bind(name: str, found: Any, bound: Bound) -> Bound | None:
    """The placeholder stands for this from now on, or None where it stands for something else."""
    if name == "_":
        return bound
    if name in bound:
        return bound if shown(bound[name]) == shown(found) else None
    return {**bound, name: found}


def fits(pattern: Any, node: Any, bound: Bound) -> Bound | None:
    """What the placeholders stand for if the node is as the pattern says, or None if it is not."""
    if (name := placeholder(pattern, ONE)) is not None and not isinstance(pattern, ast.FormattedValue):
        kind = {ast.Expr: ast.stmt, ast.Name: ast.expr}.get(type(pattern), str)
        return bind(name, node, bound) if isinstance(node, kind) else None
    if type(pattern) is not type(node):
        return None
    if isinstance(pattern, list):
        return list_fits(pattern, node, bound)
    if isinstance(pattern, ast.Call):
        return call_fits(pattern, node, bound)
    if isinstance(pattern, ast.AST):
        for field in pattern._fields:
            if field not in LAYOUT and bound is not None:
                bound = fits(getattr(pattern, field, None), getattr(node, field, None), bound)
        return bound
    return bound if pattern == node else None


def list_fits(patterns: list[Any], nodes: list[Any], bound: Bound) -> Bound | None:
    """As `fits`, one by one; a placeholder for many takes as few as it can."""
    if not patterns:
        return None if nodes else bound
    name = placeholder(patterns[0], MANY)
    for taken in [1] if name is None else range(len(nodes) + 1):
        if taken > len(nodes):
            return None
        found = fits(patterns[0], nodes[0], bound) if name is None else bind(name, nodes[:taken], bound)
        if found is not None and (found := list_fits(patterns[1:], nodes[taken:], found)) is not None:
            return found
    return None


def call_fits(pattern: ast.Call, node: ast.Call, bound: Bound) -> Bound | None:
    """As `fits`, with keywords in any order; `$$rest` takes positional arguments and those keywords that are left."""
    bound = fits(pattern.func, node.func, bound)
    left = list(node.keywords)
    for wanted in pattern.keywords:
        given = next((one for one in left if bound is not None and fits(wanted, one, bound) is not None), None)
        bound = None if given is None else fits(wanted, given, bound)
        left = [one for one in left if one is not given]
    if bound is None:
        return None
    bound = list_fits(pattern.args, node.args, bound)
    many = next((name for one in pattern.args if (name := placeholder(one, MANY)) is not None), None)
    if many is None or bound is None:
        return None if left else bound
    return bound if many == "_" else {**bound, many: [*bound[many], *left]}


def fill(pattern: Any, bound: Bound) -> Any:
    """The tree that a pattern is, with what its placeholders stand for. Raises `KeyError` for one that is unknown."""
    if (name := placeholder(pattern, ONE)) is not None and not isinstance(pattern, ast.FormattedValue):
        found = copy.deepcopy(bound[name])
        if isinstance(pattern, str):
            return found if isinstance(found, str) else ast.unparse(found)
        if isinstance(pattern, ast.Expr) and isinstance(found, ast.expr):
            return ast.Expr(found)
        return ast.Name(found) if isinstance(found, str) else found
    if isinstance(pattern, list):
        filled = []
        for one in pattern:
            name = placeholder(one, MANY)
            filled += [fill(one, bound)] if name is None else copy.deepcopy(bound[name])
        return filled
    if isinstance(pattern, ast.AST):
        filled = type(pattern)(**{field: fill(getattr(pattern, field, None), bound) for field in pattern._fields})
        if isinstance(filled, ast.Call):
            filled.keywords += [one for one in filled.args if isinstance(one, ast.keyword)]
            filled.args = [one for one in filled.args if not isinstance(one, ast.keyword)]
        return filled
    return pattern


def shown(found: Any) -> str:
    """A tree, or several, as one line of code; placeholders as they are written in a pattern."""
    if isinstance(found, list):
        return "; ".join(map(shown, found))
    text = found if isinstance(found, str) else ast.unparse(found)
    return " ".join(text.replace(ONE, "$").replace(MANY, "$$").split())


@functools.cache
def places_of(source: str) -> list[tuple[tuple[ast.AST, ...], ast.expr | list[ast.stmt]]]:
    return list(places(ast.parse(source)))


def places(
    parent: ast.AST, parents: tuple[ast.AST, ...] = ()
) -> Iterator[tuple[tuple[ast.AST, ...], ast.expr | list[ast.stmt]]]:
    """Each expression, and the statements from each one on to the end of its block, with what it stands in."""
    parents = (*parents, parent)
    for _, value in ast.iter_fields(parent):
        several = value if isinstance(value, list) else [value]
        for number, child in enumerate(several):
            if isinstance(child, ast.stmt):
                yield parents, several[number:]
            elif isinstance(child, ast.expr):
                yield parents, child
            if isinstance(child, ast.AST):
                yield from places(child, parents)


def within(path: Path, parents: Sequence[ast.AST], where: str) -> bool:
    """Whether this is in the function, class or module of that name, `Class.function` for instance."""
    names = [path.stem, *(one.name for one in parents if hasattr(one, "name") and isinstance(one, ast.stmt))]
    return f".{where}." in f".{'.'.join(names)}."


def matches(room: dict[Path, str], pattern: ast.expr | list[ast.stmt], where: str = "") -> list[Match]:
    """Every place of the room, path → source, where a pattern fits."""
    found = []
    for path, source in room.items():
        for parents, node in places_of(source):
            if isinstance(node, list) != isinstance(pattern, list) or (where and not within(path, parents, where)):
                continue
            if isinstance(node, list):
                bound = list_fits([*pattern, ast.Expr(ast.Name(MANY + "after"))], node, {})
                nodes = node[: len(node) - len(bound.pop("after"))] if bound is not None else []
            else:
                bound, nodes = fits(pattern, node, {}), [node]
            if bound is not None:
                found.append(Match(path, parents, nodes, bound))
    return found


def near(room: dict[Path, str], pattern: ast.expr | list[ast.stmt], count: int = 3) -> list[Match]:
    """The places of the room that look most like a pattern that fits nowhere."""
    first = pattern[0] if isinstance(pattern, list) else pattern
    wanted, judged = shown(first), []
    for path, source in room.items():
        for parents, node in places_of(source):
            one = node[0] if isinstance(node, list) else node
            if type(one) is type(first):
                text = shown(one)[: 3 * len(wanted)]
                judged.append((difflib.SequenceMatcher(None, wanted, text).ratio(), Match(path, parents, [one], {})))
    return [match for _, match in sorted(judged, key=lambda one: -one[0])[:count]]


def plant(room: dict[Path, str], old: str, new: str, where: str = "") -> tuple[Path, str]:
    """The file of the room in which `old` is found, and its source with `new` there.

    Raises `LookupError` when it is not found exactly once, with where it was, or what was near.
    """
    pattern, replacement = read_patterns(old, new)
    found = matches(room, pattern, where)
    if len(found) != 1:
        seen = "".join(f"\n    {match}" for match in (found or near(room, pattern))[:4])
        said = f"fits {len(found)}" if found else "fits none; near are"
        raise LookupError(f"{shown(pattern)!r}{f' in {where}' if where else ''} is to fit one place, and {said}:{seen}")
    path = found[0].path
    return path, changed(room[path], found[0], fill(replacement, found[0].bound))


def changed(source: str, match: Match, new: ast.expr | list[ast.stmt]) -> str:
    """The source with the match replaced, and all around it as it was."""
    parents, olds = copy.deepcopy((list(match.parents), match.nodes))
    news = new if isinstance(new, list) else [new]
    for field, value in ast.iter_fields(parents[-1]):
        if isinstance(value, list) and olds[0] in value:
            start = value.index(olds[0])
            value[start : start + len(olds)] = news
        elif value is olds[0]:
            setattr(parents[-1], field, news[0])
    lines = source.encode().splitlines(keepends=True)
    # What is in an f-string has no place of its own before Python 3.12, and `elif` is no statement alone.
    if strings := [one for one in parents if isinstance(one, ast.JoinedStr)]:
        olds = news = strings[:1]
    while lines[olds[0].lineno - 1][olds[0].col_offset :].startswith(b"elif "):
        olds = news = [parents.pop()]
    first_line = min(one.lineno for one in (olds[0], *getattr(olds[0], "decorator_list", [])))
    begin = sum(map(len, lines[: first_line - 1])) + olds[0].col_offset
    end = sum(map(len, lines[: olds[-1].end_lineno - 1])) + olds[-1].end_col_offset
    if isinstance(news[0], ast.stmt):
        indent = "\n" + " " * olds[0].col_offset
        text = indent.join(line for one in news for line in ast.unparse(ast.fix_missing_locations(one)).splitlines())
    else:
        text = ast.unparse(ast.fix_missing_locations(news[0]))
        text = text if isinstance(news[0], ast.Starred | ast.Slice) else f"({text})"
    encoded = source.encode()
    result = (encoded[:begin] + text.encode() + encoded[end:]).decode()
    if ast.dump(ast.parse(result)) == ast.dump(ast.parse(source)):
        raise ValueError(f"{match} is the same with the mistake")
    return result
