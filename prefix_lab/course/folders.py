"""Write a folder whole or not at all: fill a draft beside it, then rename.

A reader, or a second run after a broken one, never finds half a model.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def check_replaceable(folder: Path, own_files: set[str]) -> None:
    """Raise `ValueError` unless `folder` can be written and is new, or holds nothing but `own_files`."""
    got, parent = f"got {str(folder)!r}", folder.resolve().parent
    if folder.is_dir():
        others = sorted(path.name for path in folder.iterdir() if path.name not in own_files)
        if others:
            raise ValueError(
                f"{got}, which holds {others[0]!r}, a file that no run writes, expected a new folder, an empty one, or "
                "one that an earlier run wrote; choose another name."
            )
    elif folder.exists():
        raise ValueError(f"{got}, which is a file, expected a folder to write; choose another name.")
    elif not parent.is_dir():
        raise ValueError(
            f"{got}, but {str(folder.parent)!r} is no folder, expected a new folder in one that exists; make that one "
            "first, or choose another."
        )
    if not os.access(parent, os.W_OK):
        raise ValueError(f"{got}, which cannot be written there, expected a folder of yours; choose another.")


@contextmanager
def replaced_folder(folder: Path) -> Iterator[Path]:
    """A new folder beside `folder`: it takes that place when the block ends, or is deleted if the block fails."""
    folder = folder.resolve()
    draft = folder.with_name(f".{folder.name}.{os.getpid()}.draft")
    old = folder.with_name(f".{folder.name}.{os.getpid()}.old")
    draft.mkdir()
    try:
        yield draft
        if folder.exists():
            folder.rename(old)  # no rename replaces a folder that holds files
        draft.rename(folder)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        if old.exists() and not folder.exists():
            old.rename(folder)
        raise
    shutil.rmtree(old, ignore_errors=True)
