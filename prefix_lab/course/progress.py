"""What a learner has done, in a small file on this machine. Nothing is sent anywhere.

The file is `progress.json` in the user's data folder; the environment's PREFIX_LAB_PROGRESS names another one, and an
empty value keeps no notes.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from prefix_lab.debugger.storage import write_whole

NAME = "PREFIX_LAB_PROGRESS"


def file() -> Path | None:
    """Where the notes are; None where none are kept."""
    try:
        if NAME in os.environ:
            return Path(os.environ[NAME]).expanduser() if os.environ[NAME] else None
        if sys.platform == "win32":
            home = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
        elif sys.platform == "darwin":
            home = Path.home() / "Library" / "Application Support"
        else:
            home = Path(os.environ.get("XDG_DATA_HOME", Path.home() / ".local" / "share"))
    except RuntimeError:  # a user without a home, as in a container
        return None
    return home / "prefix_lab" / "progress.json"


def done() -> dict[int, set[int]]:
    """Lesson → the exercises that were solved. A file that cannot be read, or is none of ours, says nothing."""
    path = file()
    try:
        read = json.loads(path.read_text(encoding="utf-8")) if path else {}
        return {int(lesson): {int(number) for number in numbers} for lesson, numbers in read["done"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def note(lesson: int, number: int) -> None:
    """An exercise was solved. A learner whose home cannot be written to learns all the same."""
    if number not in done().get(lesson, ()):
        with alone():
            notes = done()
            write(notes | {lesson: notes.get(lesson, set()) | {number}})


def reset(lesson: int | None = None) -> None:
    """Forget one lesson, or all."""
    with alone():
        write({} if lesson is None else {one: numbers for one, numbers in done().items() if one != lesson})


@contextmanager
def alone() -> Iterator[None]:
    """While the notes are read and written back, no other lesson does: several may be open."""
    path = file()
    with ExitStack() as held:
        if path is not None:
            with suppress(OSError):  # where nothing can be locked, there is nothing to write, or nobody else
                path.parent.mkdir(parents=True, exist_ok=True)
                lock_file(held.enter_context(path.with_name(f".{path.name}.lock").open("w")).fileno())
        yield


def lock_file(descriptor: int) -> None:
    """Wait until this process alone has the file; it is let go when the file is closed."""
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(descriptor, msvcrt.LK_LOCK, 1)
    else:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX)


def write(notes: dict[int, set[int]]) -> None:
    path = file()
    if path is None:
        return
    text = json.dumps({"done": {str(lesson): sorted(numbers) for lesson, numbers in sorted(notes.items())}})
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, text.encode())
    except OSError:
        return
