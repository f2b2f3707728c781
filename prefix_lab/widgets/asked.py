"""Whether a cell was run by itself, or asked for in one breath with others, as "Run All" does.

Nothing in the page tells one cell that was run from many: after "Run All" the last cell is the active one. But
JupyterLab asks for many cells at once, and each request bears its date.
"""

from __future__ import annotations

import sys
from collections import deque
from datetime import datetime, timedelta
from typing import Any

BY_HAND = timedelta(seconds=0.1)  # no hand is faster from one cell to the next; JupyterLab takes 2 milliseconds
_asked: deque[datetime] = deque(maxlen=2)  # when this cell was asked for, and the one before


def run_by_hand() -> bool:
    """Whether this cell was not asked for in one breath with the one before; yes where that is not known."""
    return len(_asked) < 2 or _asked[1] - _asked[0] > BY_HAND


def note_the_date(_: Any = None) -> None:
    """Before each cell."""
    asked = sys.modules["IPython"].get_ipython().get_parent().get("header", {}).get("date")
    if isinstance(asked, datetime):
        _asked.append(asked)


def listen() -> None:
    """From now on, where this runs in a notebook's kernel."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if getattr(shell, "kernel", None) is not None:
        note_the_date()
        shell.events.register("pre_run_cell", note_the_date)


listen()
