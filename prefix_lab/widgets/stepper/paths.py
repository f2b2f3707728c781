"""How files are called in a view: by their place in the package that they belong to, not by a home folder."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import PurePath

CELL = re.compile(r"ipykernel_\d+[/\\](\d+)\.py$|^<ipython-input-(\d+)")


def short_paths(files: Sequence[str]) -> list[str]:
    """A short name for each file; two files never get the same one."""
    found = [short_path(file) for file in files]
    count = Counter(found)
    return [short if count[short] == 1 else file for short, file in zip(found, files, strict=True)]


def short_path(file: str) -> str:
    """`peft/peft_model.py` for a file of an installed package; `cell` and a number for a notebook's cell."""
    cell = CELL.search(file)
    if cell:
        return f"cell {cell[1] or cell[2]}"
    path = PurePath(file)
    roots = sorted((PurePath(root) for root in sys.path if root), key=lambda root: -len(root.parts))
    for root in roots:
        if path.is_relative_to(root) and len(root.parts) > 1:
            return path.relative_to(root).as_posix()
    for name in ("site-packages", "dist-packages"):
        if name in path.parts:
            return "/".join(path.parts[len(path.parts) - path.parts[::-1].index(name) :])
    return "/".join(path.parts[-2:])
