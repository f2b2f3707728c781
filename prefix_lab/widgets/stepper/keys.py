"""Whether a stepper takes the keys: its reader has run this cell by itself, and not all cells. See `keys.js`."""

from __future__ import annotations

import time

from prefix_lab.widgets.asked import run_by_hand
from prefix_lab.widgets.picture import TextForm


class TakesKeys(TextForm):
    """Mixed in before the widget's class, for one with a trait `made`."""

    made: float

    def _ipython_display_(self) -> None:
        self.made = now() if run_by_hand() else 0
        super()._ipython_display_()


def now() -> float:
    """As JavaScript counts: a page that is opened later does not give its focus to what was made before."""
    return time.time() * 1000
