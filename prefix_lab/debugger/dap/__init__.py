"""A recording served over the Debug Adapter Protocol, so that any client of it steps forwards and backwards through it.

    serve_stdio(recording)
    serve_port(recording, 4711)

Reading order: `messages.py` (how words travel), `session.py` (what can be asked, how it begins and ends), then what
answers: `moving.py` and `looking.py`, which stand on `debuggee.py`, what is debugged. `server.py` has the two doors.
"""

from prefix_lab.debugger.dap.server import refuse_stdio, serve_port, serve_stdio

__all__ = ["refuse_stdio", "serve_port", "serve_stdio"]
