"""A learner's line put into a hunt's copy, and the mended copy made to run."""

from __future__ import annotations

import difflib
import inspect
import linecache
import textwrap
from types import ModuleType
from typing import Any

from prefix_lab.course.checking import TODO, Verdict, is_open


def mend(module: ModuleType, wrong: Any, right: Any) -> tuple[ModuleType | None, Verdict | None]:
    """The module anew with `right` where `wrong` stood; or the verdict on why there is none.

    `wrong` is a line of the module, or a few in a row, `right` what is to stand there: any number of lines, none for
    an empty text. The indentation is that of the first line replaced.
    """
    if is_open(wrong) or is_open(right):
        return None, Verdict(False, TODO)
    for name, text in (("wrong", wrong), ("right", right)):
        if not isinstance(text, str):
            return None, Verdict(False, f"{name} is a {type(text).__name__}, expected a line as text, in quotes.")
    lines = inspect.getsource(module).splitlines()
    place, problem = found(lines, [line.strip() for line in wrong.strip().splitlines()])
    if problem:
        return None, Verdict(False, problem)
    first, last = place
    indent = lines[first][: len(lines[first]) - len(lines[first].lstrip())]
    if [line.strip() for line in right.strip().splitlines()] == [line.strip() for line in lines[first:last]]:
        return None, Verdict(False, "that is the line as it stood. What should it say instead?")
    new = textwrap.indent(textwrap.dedent(right.strip("\n")), indent).splitlines() if right.strip() else []
    if new:
        new[0] = indent + new[0].strip()
    return run("\n".join([*lines[:first], *new, *lines[last:]]) + "\n", module)


def found(lines: list[str], wanted: list[str]) -> tuple[tuple[int, int], str]:
    """The first and the last line, plus one, of a run of lines; or why there is not exactly one such run."""
    nowhere = (0, 0)
    if not wanted:
        return nowhere, "wrong is empty: copy the line that you think is wrong."
    bare = [line.strip() for line in lines]
    at = [start for start in range(len(bare)) if bare[start : start + len(wanted)] == wanted]
    if len(at) == 1:
        return (at[0], at[0] + len(wanted)), ""
    if at:
        return nowhere, f"that line stands there {len(at)} times. Give it together with the line after it."
    near = difflib.get_close_matches(wanted[0], [line for line in bare if line], n=1, cutoff=0.5)
    hint = f" Did you mean: {near[0]}" if near else ""
    return nowhere, f"the copy has no such line. Copy a whole line from it into the quotes.{hint}"


def run(source: str, module: ModuleType) -> tuple[ModuleType | None, Verdict | None]:
    """The source as a module of its own. It has a file's name, so that a debugger can show it."""
    name = f"{module.__name__}_mended"
    file = f"<{name}>"
    mended = ModuleType(name, module.__doc__)
    mended.__file__ = file
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    try:
        exec(compile(source, file, "exec"), mended.__dict__)
    except SyntaxError as error:
        return None, Verdict(False, f"with your line it is no Python any more: {error.msg}, at {error.text!r}.")
    except Exception as error:
        return None, Verdict(False, f"with your line the copy cannot be loaded, {type(error).__name__}: {error}")
    return mended, None
