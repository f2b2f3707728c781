"""Whether a cell was run by itself, or asked for in one breath with others, as "Run All" does.

Nothing in the page tells one cell that was run from many: after "Run All" the last cell is the active one. But
JupyterLab asks for many cells at once, and each request bears its date. VS Code asks for each as soon as the one before
has ended.
"""

from __future__ import annotations

import sys
import time
from collections import deque
from datetime import datetime, timedelta
from typing import Any

BY_HAND = timedelta(seconds=0.1)  # no hand is faster from one cell to the next; JupyterLab takes 2 milliseconds
_asked: deque[datetime] = deque(maxlen=2)  # when this cell was asked for, and the one before
_ended: list[float] = []  # when the cell before ended, on the kernel's own clock
_rested = BY_HAND  # how long the kernel had nothing to do before this cell


def run_by_hand() -> bool:
    """Whether this cell was not asked for in one breath with the one before; yes where that is not known."""
    if "__vsc_ipynb_file__" in getattr(running_shell(), "user_ns", {}):
        return _rested >= BY_HAND
    return len(_asked) < 2 or _asked[1] - _asked[0] > BY_HAND


def note_the_date(_: Any = None) -> None:
    """Before each cell."""
    global _rested
    _rested = timedelta(seconds=time.monotonic() - _ended[0]) if _ended else BY_HAND
    asked = running_shell().get_parent().get("header", {}).get("date")
    if isinstance(asked, datetime):
        _asked.append(asked)


def note_the_end(_: Any = None) -> None:
    """After each cell."""
    _ended[:] = [time.monotonic()]


def running_shell() -> Any | None:
    """The IPython that runs this, if one does."""
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython is not None else None


def listen() -> None:
    """From now on, where this runs in a notebook's kernel."""
    shell = running_shell()
    if getattr(shell, "kernel", None) is not None:
        note_the_date()
        shell.events.register("pre_run_cell", note_the_date)
        shell.events.register("post_run_cell", note_the_end)


listen()
