"""A recording served over the Debug Adapter Protocol, so that any client of it steps forwards and backwards through it.

    serve_stdio(recording)
    serve_port(recording, 4711)

Reading order: `messages.py` (how words travel), `arguments.py`, `session.py` (which request may come when, how it all
begins and ends), then what answers: `set_breakpoints.py`, `moving.py`, `looking.py`. They stand on `debuggee.py`, what
is debugged, and that on `stops.py` and `recorded_files.py`. `doors.py` has the two doors.
"""

from prefix_lab.debugger.dap.doors import serve_port, serve_stdio
from prefix_lab.debugger.dap.messages import Limits

__all__ = ["Limits", "serve_port", "serve_stdio"]
