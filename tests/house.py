"""The house as it is: its rooms with their files and lines, the arrows between them, and the circles of imports.

`make house` prints it; with `--write`, the figures go into docs/house.md.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "prefix_lab"
ESSENCE = ("stages", "config", "mapping", "prepare", "encoder", "past", "models", "tasks", "checkpoint")
"""The nine files that are read from top to bottom, in the order in which data flows."""

BEGIN, END = "<!-- the figures begin -->", "<!-- the figures end -->"


class Import(NamedTuple):
    """One import: who says it, what it names, and whether importing the module already runs it."""

    module: str
    target: str
    at_import: bool

    def leads_to(self, *names: str) -> bool:
        return any(self.target == name or self.target.startswith(name + ".") for name in names)


def room_of(module: str) -> str:
    """Which room of the house a module belongs to: the essence, or the folder or file that stands beside it."""
    name = module.split(".")[1] if "." in module else "__init__"
    return "essence" if name in ESSENCE else name


def imports_in(root: Path = PACKAGE) -> list[Import]:
    """Every import in a package's files, in functions too; relative ones by their full name."""
    found = []
    for path in sorted(root.rglob("*.py")):
        parts = ("prefix_lab", *path.relative_to(root).with_suffix("").parts)
        found += [
            Import(".".join(parts), target, at_import)
            for target, at_import in targets(ast.parse(path.read_text()), parts)
        ]
    return found


def targets(tree: ast.AST, parts: tuple[str, ...], at_import: bool = True) -> Iterator[tuple[str, bool]]:
    """What the imports under a node name; `from a import b` names a.b, which may be a module or not."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, at_import) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = parts[: len(parts) - node.level] if node.level else ()
            base = ".".join([*above, *filter(None, [node.module])])
            yield from ((f"{base}.{alias.name}", at_import) for alias in node.names)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue  # for readers and type checkers: it never runs
        inside = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        yield from targets(node, parts, at_import and not inside)


def arrows(root: Path = PACKAGE) -> dict[str, set[str]]:
    """Each module of the package and the modules of the package that it imports.

    A package's own `__init__` is a module of its own; importing a module inside a package is no arrow to it.
    """
    modules = {}
    for path in root.rglob("*.py"):
        parts = ("prefix_lab", *path.relative_to(root).with_suffix("").parts)
        modules[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    found: dict[str, set[str]] = {name: set() for name in modules}
    for one in imports_in(root):
        who = one.module.removesuffix(".__init__")
        what = one.target if one.target in modules else one.target.rpartition(".")[0]
        if what in modules and what != who:
            found[who].add(what)
    return found


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """The circles in a graph of imports: each the modules that lead back to themselves (Tarjan 1972)."""
    number: dict[str, int] = {}
    lowest: dict[str, int] = {}
    open_: list[str] = []
    found = []

    def visit(name: str) -> None:
        number[name] = lowest[name] = len(number)
        open_.append(name)
        for other in sorted(graph[name]):
            if other not in number:
                visit(other)
                lowest[name] = min(lowest[name], lowest[other])
            elif other in open_:
                lowest[name] = min(lowest[name], number[other])
        if lowest[name] == number[name]:
            together = open_[open_.index(name) :]
            del open_[open_.index(name) :]
            if len(together) > 1:
                found.append(sorted(together))

    for name in sorted(graph):
        if name not in number:
            visit(name)
    return found


def lines(paths: list[Path]) -> int:
    return sum(len(path.read_text().splitlines()) for path in paths)


def rooms(root: Path = PACKAGE) -> dict[str, list[Path]]:
    """Each room's Python files: the essence first, then by name; the package's own two files last."""
    found: dict[str, list[Path]] = {"essence": []}
    for path in sorted(root.rglob("*.py")):
        name = room_of(".".join(("prefix_lab", *path.relative_to(root).with_suffix("").parts)))
        found.setdefault("prefix_lab" if name.startswith("__") else name, []).append(path)
    own = found.pop("prefix_lab", [])
    return found | {"prefix_lab": own}


def between_rooms(root: Path = PACKAGE) -> dict[str, set[str]]:
    """Each room and the rooms that its files import."""
    found: dict[str, set[str]] = {}
    for who, others in arrows(root).items():
        found.setdefault(room_of(who), set()).update(room_of(other) for other in others)
    return {room: others - {room} for room, others in found.items()}


def told() -> str:
    """The figures as a Markdown table, and the circles."""
    knows = between_rooms()
    rows = [("room", "files", "lines", "imports")]
    for room, paths in rooms().items():
        others = knows.get("__init__" if room == "prefix_lab" else room, set()) - {"__init__", "__main__"}
        rows.append((room, f"{len(paths)}", f"{lines(paths):,}", ", ".join(sorted(others)) or "nothing of ours"))
    everything = sorted(PACKAGE.rglob("*.py"))
    tests = sorted((ROOT / "tests").rglob("*.py"))
    rows.append(("**all**", f"{len(everything)}", f"{lines(everything):,}", ""))
    rows.append(("tests", f"{len(tests)}", f"{lines(tests):,}", ""))
    table = ["| " + " | ".join(row) + " |" for row in rows]
    table.insert(1, "|---|---:|---:|---|")
    found = circles(arrows())
    said = [f"Circle of imports: {', '.join(circle)}" for circle in found] or ["No circle of imports."]
    return "\n".join([*table, "", *said])


def written(page: str) -> str:
    """The page of the house with these figures in the place of those that stand there."""
    before, after = page.split(BEGIN)[0], page.split(END)[1]
    return f"{before}{BEGIN}\n{told()}\n{END}{after}"


if __name__ == "__main__":
    if "--write" in sys.argv:
        path = ROOT / "docs" / "house.md"
        path.write_text(written(path.read_text()))
    print(told())
