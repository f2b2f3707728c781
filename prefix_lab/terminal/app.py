"""The replay: its screen, and an action for each key of `keys.py`."""

from prefix_lab.terminal.finding import Finding
from prefix_lab.terminal.listing import Listing
from prefix_lab.terminal.moving import Moving
from prefix_lab.terminal.stopping import Stopping


class Replay(Moving, Stopping, Finding, Listing):
    """`Replay(recording).run()` walks through a recording in the terminal, until q."""
