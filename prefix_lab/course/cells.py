"""After a restart, or with cells run out of order: a name that is missing, and the cell of the notebook that makes it.

The cells are read from the notebook that is open, as it was last saved, so that they are the learner's own.
"""

from __future__ import annotations

import json
import os
import re
import symtable
import sys
from pathlib import Path
from typing import Any

ALL_AT_ONCE = "(After a restart, “Run All Above Selected Cell” in the menu “Run” runs all that it takes.)"


def running_shell() -> Any:
    """The notebook's IPython; None elsewhere."""
    module = sys.modules.get("IPython")
    return module and module.get_ipython()


def cell_to_run(error: BaseException | None) -> str:
    """A sentence about a `NameError` in a notebook of the course; empty where no cell of it makes the name."""
    if type(error) is not NameError or running_shell() is None:
        return ""
    cells = open_notebook()
    if cells is None:
        return f"`{error.name}` is not there yet: run the cell that makes it first. {ALL_AT_ONCE}"
    for heading, source in cells:
        if error.name in names_made(source):
            begins = source.strip().partition("\n")[0]
            place = f"the cell that begins with `{begins}`, under “{heading}”"
            return f"`{error.name}` is made in {place}: run that one first. {ALL_AT_ONCE}"
    return ""


def names_made(source: str) -> set[str]:
    """The names that a cell's code makes, those inside its functions left out; none where it is not plain Python."""
    try:
        symbols = symtable.symtable(source, "cell", "exec").get_symbols()
    except SyntaxError:
        return set()
    return {symbol.get_name() for symbol in symbols if symbol.is_assigned() or symbol.is_imported()}


def open_notebook() -> list[tuple[str, str]] | None:
    """The notebook that this kernel runs, each code cell's heading and text; None where it is not found.

    JupyterLab and VS Code say which file it is. Elsewhere, it is the one in the kernel's folder with a lesson's number.
    """
    told = [os.environ.get("JPY_SESSION_NAME"), running_shell().user_ns.get("__vsc_ipynb_file__")]
    lessons = re.findall(r"course\.lessons\.lesson_(\d+)", " ".join(sys.modules))
    for path in [*filter(None, told), *(path for number in lessons for path in Path().glob(f"{number}_*.ipynb"))]:
        try:
            return code_cells(json.loads(Path(path).read_text(encoding="utf-8"))["cells"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return None


def code_cells(cells: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Heading and text of each code cell."""
    heading, found = "", []
    for cell in cells:
        text = "".join(cell["source"])  # a text, or a list of its lines
        if cell["cell_type"] == "code":
            found.append((heading, text))
        elif not text.startswith("<details>"):  # folded code has comments, which look like headings
            heading = [heading, *re.findall(r"^#+ (.+)", text, re.MULTILINE)][-1]
    return found
