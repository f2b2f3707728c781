"""A recording served over the Debug Adapter Protocol, so that any client of it steps forwards and backwards through it.

    serve_stdio(recording)
    serve_port(recording, 4711)

Reading order: `messages.py` and `channel.py` (how words travel), `session.py` (which request may come when), then what
answers: `starting.py`, `setting.py` (breakpoints), `moving.py`, `looking.py`. They stand on `replay.py`, `stops.py`,
`lines.py`, `raised.py`, `threads.py`, `sources.py`, `values.py`. `stdio.py` and `port.py` are the two doors.
"""

from prefix_lab.debugger.dap.channel import Limits
from prefix_lab.debugger.dap.port import serve_port
from prefix_lab.debugger.dap.stdio import serve_stdio

__all__ = ["Limits", "serve_port", "serve_stdio"]
