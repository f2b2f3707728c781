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
from collections.abc import Callable
from typing import TYPE_CHECKING

from prefix_lab.debugger.dap.messages import Broken, Channel, Closed, Incoming, Limits, as_bytes
from prefix_lab.debugger.dap.session import DebugSession

if TYPE_CHECKING:
    from prefix_lab.debugger.recording import Recording

LOOPBACK = "127.0.0.1"
TURNED_AWAY = 2.0  # seconds for the first words of a client that comes while another is served
LEAVING = 0.5  # seconds that a session which is about to end may take
DRAINED = 0.3  # seconds in which a client reads our last words, before what it still sends would take them away
TICK = 0.2
BUSY = "Another client is walking through this recording, and one at a time is served. Try again when it has gone."


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
        return DebugSession(recording, channel, limits).run()
    finally:
        sys.stdout.flush()
        os.dup2(speaks, 1)
        os.close(speaks)


def serve_port(
    recording: Recording,
    port: int,
    limits: Limits | None = None,
    ready: Callable[[int], None] = lambda port: None,
    ended: Callable[[str], None] = lambda reason: None,
) -> None:
    """Serve clients until none came for `limits.idle` seconds. `ready` gets the port's number: 0 asks for a free one.

    `ended` is called when a session is over, with what went wrong, if something did. Raises `OSError` for a port that
    cannot be had.
    """
    limits = limits or Limits()
    with listening(port) as listener:
        ready(listener.getsockname()[1])
        serving: threading.Thread | None = None
        quiet = time.monotonic()
        while time.monotonic() - quiet < limits.idle:
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
            serving = threading.Thread(target=serve, args=(recording, client, limits, ended), daemon=True)
            serving.start()
            quiet = time.monotonic()


def listening(port: int) -> socket.socket:
    """A listening socket that no other machine can reach."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        if os.name != "nt":  # there it would let two programs listen
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((LOOPBACK, port))
        listener.listen(8)
        listener.settimeout(TICK)
    except BaseException:
        listener.close()
        raise
    return listener


def serve(recording: Recording, client: socket.socket, limits: Limits, ended: Callable[[str], None]) -> None:
    with client, contextlib.suppress(OSError):  # of a client that has gone
        client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        ended(DebugSession(recording, channel_of(client, limits), limits).run())
        hang_up(client)


def hang_up(client: socket.socket) -> None:
    """Say that nothing more comes, and read on for a moment: to close with words unread would unsay our last ones."""
    deadline = time.monotonic() + DRAINED
    with contextlib.suppress(OSError):
        client.shutdown(socket.SHUT_WR)
        while (left := deadline - time.monotonic()) > 0:
            client.settimeout(left)
            if not client.recv(2**16):
                return


def channel_of(client: socket.socket, limits: Limits) -> Channel:
    client.setblocking(False)
    return Channel(client, client.recv, client, client.send, limits.write)


def turn_away(client: socket.socket) -> None:
    """Answer the first request, whatever it is, with the reason; then hang up."""
    limits = Limits(idle=TURNED_AWAY, message=TURNED_AWAY, write=TURNED_AWAY)
    with client, contextlib.suppress(Closed, Broken, OSError):
        channel = channel_of(client, limits)
        request = Incoming(channel, limits).next()
        error = {"id": 1, "format": BUSY, "showUser": True}
        found = {"seq": 1, "type": "response", "request_seq": request.seq, "success": False}
        channel.write(as_bytes(found | {"command": request.command, "message": BUSY, "body": {"error": error}}))
        hang_up(client)
