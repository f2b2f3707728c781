"""A session on standard input and output, as an editor starts it."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from prefix_lab.debugger.dap.channel import Channel, Limits
from prefix_lab.debugger.dap.session import Session

if TYPE_CHECKING:
    from prefix_lab.debugger.recording import Recording


def serve_stdio(recording: Recording, limits: Limits | None = None) -> str:
    """Serve the one client that there is, until it goes. Returns why it ended: empty when the client went.

    Raises `ValueError` on Windows, where a wait for standard input cannot have a time limit.
    """
    if os.name == "nt":
        raise ValueError("standard input cannot be waited for on Windows; use --port N")
    limits = limits or Limits()
    # Nothing else may write where the protocol speaks: what would be printed goes to standard error.
    speaks = os.dup(1)
    os.dup2(2, 1)
    try:
        channel = Channel(0, lambda size: os.read(0, size), speaks, lambda part: os.write(speaks, part), limits.write)
        return Session(recording, channel, limits).run()
    finally:
        sys.stdout.flush()
        os.dup2(speaks, 1)
        os.close(speaks)
