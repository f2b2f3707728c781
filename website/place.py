"""Where lessons run for the site: in a copy of what runs, whose path is as long on every machine.

A saved prefix names the folder of its base, so a file's size tells how long that name is; and a value that holds a path
is cut before `steady.py` can take the path out. So Python's packages and an old PEFT are called by names of
one length too. Each build has folders of its own, with the names of no other: two at once do not meet.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

from prefix_lab.shapes.cache import folder as cache_folder
from website.pages import ROOT

SHORT = Path("/tmp")
"""Here where there is such a folder: the system's own has a longer name on some."""
NAME = "prefix_lab-"


class Place(NamedTuple):
    """The copy's folder, the interpreter by its name there, and what the environment says there."""

    folder: Path
    python: Path
    environment: dict[str, str]


@contextlib.contextmanager
def place(files: Iterable[Path]) -> Iterator[Place]:
    """A folder with a copy of these files of ours, until the block ends."""
    above = SHORT if SHORT.is_dir() and os.access(SHORT, os.W_OK) else Path(tempfile.gettempdir())
    here = partial(tempfile.TemporaryDirectory, prefix=NAME, dir=above)
    # What lies in the copy is named from there on by Python's own path; so the old PEFT lies elsewhere.
    with here() as name, here() as cache:
        folder = Path(name)
        for path in files:
            copy = folder / path.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
        (folder / "notebooks" / "en").mkdir(parents=True, exist_ok=True)
        (folder / "notebooks" / "zh").mkdir(exist_ok=True)
        python, prefix = Path(sys.executable), Path(sys.prefix)
        if sys.prefix != sys.base_prefix and linked(folder / ".venv", prefix):
            python = folder / ".venv" / python.relative_to(prefix)
        environment = {"PYTHONPATH": name, "TMPDIR": str(above)}
        kept = cache_folder()
        if kept and linked(Path(cache, "years"), kept.absolute() / "years"):
            environment["PREFIX_LAB_CACHE"] = cache
        yield Place(folder, python, environment)


def linked(path: Path, to: Path) -> bool:
    """Whether the link could be made: on Windows not everyone may."""
    try:
        path.symlink_to(to, target_is_directory=True)
    except OSError:
        return False
    return True
