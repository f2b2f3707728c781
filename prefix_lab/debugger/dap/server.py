"""The two doors: standard input and output, as an editor starts it, or a port of this machine.

On a port one client at a time is served; a second one is told so, and sent away.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from prefix_lab.debugger.dap.messages import Connection, Gone, Request
from prefix_lab.debugger.dap.session import CAPABILITIES, DebugSession

if TYPE_CHECKING:
    from prefix_lab.debugger.recording import Recording

LOOPBACK = "127.0.0.1"
IDLE_SECONDS = 8 * 3600.0  # between two requests: a person may be reading
TURNED_AWAY = 2.0  # seconds for the first words of a client that comes while another is served
LEAVING = 0.5  # seconds that a session which is about to end may take
TICK = 0.2
BUSY = "Another client is walking through this recording, and one at a time is served. Try again when it has gone."


def serve_stdio(recording: Recording, idle: float = IDLE_SECONDS) -> str:
    """Serve the one client that there is, until it goes, or is silent for `idle` seconds.

    Returns why it ended: empty when the client went.
    """
    with on_stdio() as connection:
        return DebugSession(recording, connection, idle).run()


def refuse_stdio(reason: str) -> None:
    """Tell the one client that there is no recording to walk through: an editor shows the answer to `launch`."""
    with on_stdio() as connection, contextlib.suppress(Gone):
        while isinstance(request := connection.next(TURNED_AWAY), Request):
            if request.command == "initialize":
                connection.respond(request, CAPABILITIES)
                continue
            connection.refuse(request, reason)
            connection.event("terminated", {})
            return


@contextlib.contextmanager
def on_stdio() -> Iterator[Connection]:
    """The client on standard input and output. Nothing else may write where the protocol speaks: what would be printed
    meanwhile goes to standard error."""
    speaks = os.dup(1)
    os.dup2(2, 1)
    try:
        with open(speaks, "wb", closefd=False) as sink:
            yield Connection(open(0, "rb", closefd=False), sink)  # noqa: SIM115, since it is not ours to close
    finally:
        sys.stdout.flush()
        os.dup2(speaks, 1)
        os.close(speaks)


def serve_port(
    recording: Recording,
    port: int,
    idle: float = IDLE_SECONDS,
    ready: Callable[[int], None] = lambda port: None,
    ended: Callable[[str], None] = lambda reason: None,
) -> None:
    """Serve clients until none came for `idle` seconds. `ready` gets the port's number: 0 asks for a free one.

    `ended` is called when a session is over, with what went wrong, if something did. Raises `OSError` for a port that
    cannot be had.
    """
    with listening(port) as listener:
        ready(listener.getsockname()[1])
        serving: threading.Thread | None = None
        quiet = time.monotonic()
        while time.monotonic() - quiet < idle:
            if serving is not None and serving.is_alive():
                quiet = time.monotonic()
            try:
                client, _ = listener.accept()
            except (TimeoutError, ConnectionError):
                continue
            if serving is not None:
                serving.join(LEAVING)
                if serving.is_alive():
                    turn_away(client)
                    continue
            serving = threading.Thread(target=serve, args=(recording, client, idle, ended), daemon=True)
            serving.start()
            quiet = time.monotonic()


def listening(port: int) -> socket.socket:
    """A listening socket that no other machine can reach."""
    listener = socket.create_server((LOOPBACK, port))
    listener.settimeout(TICK)
    return listener


def serve(recording: Recording, client: socket.socket, idle: float, ended: Callable[[str], None]) -> None:
    # Whatever is still to be written to a client that has gone is given up here, not by the garbage collector.
    with client, contextlib.suppress(OSError), client.makefile("wb") as sink:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        ended(DebugSession(recording, Connection(client.makefile("rb"), sink), idle).run())
        client.shutdown(socket.SHUT_RDWR)


def turn_away(client: socket.socket) -> None:
    """Answer the first request, whatever it is, with the reason; then hang up."""
    with client, contextlib.suppress(Gone, OSError), client.makefile("wb") as sink:
        connection = Connection(client.makefile("rb"), sink)
        request = connection.next(TURNED_AWAY)
        if isinstance(request, Request):
            connection.refuse(request, BUSY)
        client.shutdown(socket.SHUT_RDWR)
