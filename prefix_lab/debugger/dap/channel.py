"""Bytes to a client and from it, with a time limit on every wait."""

from __future__ import annotations

import select
import time
from collections.abc import Callable
from typing import Any, NamedTuple

CHUNK = getattr(select, "PIPE_BUF", 512)  # a pipe that is ready takes so many bytes without making us wait


class Limits(NamedTuple):
    """Seconds that a client may take, and bytes that it may send."""

    idle: float = 8 * 3600  # between two requests: a person may be reading
    message: float = 30  # from the first byte of a message to its last
    write: float = 30  # without reading any of what we send
    header: int = 4096  # bytes of a header
    body: int = 4 * 2**20  # bytes of a message; of a larger one the bytes are skipped
    skipped: int = 2**30  # bytes of a message that is skipped; a larger one ends the session


class Closed(Exception):
    """The client has gone."""


class Channel:
    """Something to read from and something to write to, each of which `select` can wait for."""

    def __init__(
        self,
        source: Any,
        receive: Callable[[int], bytes],
        sink: Any,
        send: Callable[[memoryview], int],
        write_seconds: float,
    ):
        self.source, self.receive, self.sink, self.send = source, receive, sink, send
        self.write_seconds = write_seconds

    def read(self, seconds: float) -> bytes | None:
        """Some bytes; None when none came in that time. Raises `Closed` at the end of the stream."""
        try:
            if not select.select([self.source], [], [], max(seconds, 0))[0]:
                return None
            found = self.receive(2**16)
        except BlockingIOError:
            return None
        except (OSError, ValueError) as error:
            raise Closed(str(error)) from None
        if not found:
            raise Closed("the stream ended")
        return found

    def write(self, content: bytes) -> None:
        """All of the bytes. Raises `Closed` when the client has gone, or takes none of them for too long."""
        left = memoryview(content)
        deadline = time.monotonic() + self.write_seconds
        while left:
            try:
                if not select.select([], [self.sink], [], max(deadline - time.monotonic(), 0))[1]:
                    raise Closed(f"the client read nothing for {self.write_seconds:g} seconds")
                sent = self.send(left[:CHUNK])
            except BlockingIOError:
                continue
            except (OSError, ValueError) as error:
                raise Closed(str(error)) from None
            left, deadline = left[sent:], time.monotonic() + self.write_seconds
