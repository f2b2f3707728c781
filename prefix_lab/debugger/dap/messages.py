"""Messages as they travel: bytes with a time limit on every wait, a header with the length, then JSON.

Some that are malformed end it all, most do not.
"""

from __future__ import annotations

import json
import select
import time
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

CHUNK = getattr(select, "PIPE_BUF", 512)  # a pipe that is ready takes so many bytes without making us wait
END = b"\r\n\r\n"
FIELDS = (b"content-length", b"content-type")
INTERRUPTS = ("pause", "disconnect", "terminate")


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


class Request(NamedTuple):
    """What a client asks for."""

    seq: int
    command: str
    arguments: dict[str, Any]


class Malformed(NamedTuple):
    """A message that cannot be answered but by an error; the next one may be right."""

    reason: str
    seq: int = 0
    command: str = ""


class Broken(Exception):
    """After this nobody knows where the next message begins, or the client took too long."""


class Incoming:
    """The client's messages, one after the other."""

    def __init__(self, channel: Channel, limits: Limits):
        self.channel, self.limits = channel, limits
        self.buffer = bytearray()
        self.skipping = 0  # bytes of a message that is too large
        self.waiting: deque[Request | Malformed] = deque()

    def next(self) -> Request | Malformed:
        """The next message. Raises `Closed` at the end, `Broken` when what comes is no message, or comes too slowly."""
        idle = time.monotonic() + self.limits.idle
        begun: float | None = None
        while not self.waiting:
            if begun is None and (self.buffer or self.skipping):
                begun = time.monotonic() + self.limits.message
            self.take_in((idle if begun is None else begun) - time.monotonic())
            self.split()
            if self.waiting:
                break
            if begun is not None and time.monotonic() > begun:
                raise Broken(f"A message was begun and not ended within {self.limits.message:g} seconds.")
            if begun is None and not self.buffer and time.monotonic() > idle:
                raise Broken(f"No request came for {self.limits.idle:g} seconds.")
        return self.waiting.popleft()

    def interrupted(self) -> bool:
        """Whether the client asks to stop what is being done, or has gone. Waits for nothing."""
        try:
            while self.take_in(0):
                self.split()
        except (Broken, Closed):
            return True  # `next` will meet it again
        return any(one.command in INTERRUPTS for one in self.waiting)

    def take_in(self, seconds: float) -> bool:
        found = self.channel.read(seconds)
        if found:
            self.buffer += found
        return bool(found)

    def split(self) -> None:
        """Move the messages that are complete from the buffer to those that wait."""
        while self.buffer:
            if self.skipping:
                gone = min(self.skipping, len(self.buffer))
                del self.buffer[:gone]
                self.skipping -= gone
                if not self.skipping:
                    limit = self.limits.body
                    self.waiting.append(Malformed(f"The message is too large; the limit is {limit:,} bytes."))
                continue
            end = self.buffer.find(END)
            length = content_length(self.buffer[: end if end >= 0 else None], end >= 0, self.limits.header)
            if length is None:
                return
            if length > self.limits.skipped:
                raise Broken(f"Content-Length is {length:,}; the limit is {self.limits.body:,} bytes.")
            start = end + len(END)
            if length > self.limits.body:
                del self.buffer[:start]
                self.skipping = length
            elif len(self.buffer) - start < length:
                return
            else:
                body = bytes(self.buffer[start : start + length])
                del self.buffer[: start + length]
                self.waiting.append(request_of(body))


def content_length(header: bytearray, whole: bool, limit: int) -> int | None:
    """What a header says; None while it is not whole. Raises `Broken` as soon as it cannot become one.

    Nothing but the protocol's two fields is let pass: a web page that posts to our port is not a client.
    """
    if len(header) > limit:
        raise Broken(f"The header is longer than {limit:,} bytes.")
    *lines, last = bytes(header).lower().split(b"\r\n")
    begun = any(field.startswith(last[: len(field)]) for field in FIELDS)
    found = []
    for line in [*lines, last] if whole else lines:
        name, colon, value = line.partition(b":")
        value = value.strip()
        if not colon or name.strip() not in FIELDS:
            raise Broken("This is no header of the Debug Adapter Protocol: 'Content-Length: N' was expected.")
        if name.strip() == FIELDS[0]:
            if not value.isdigit() or len(value) > 18:
                raise Broken("Content-Length is no whole number.")
            found.append(int(value))
    if not whole:
        if not begun or b"\n" in last:
            raise Broken("This is no header of the Debug Adapter Protocol: 'Content-Length: N' was expected.")
        return None
    if len(set(found)) != 1:
        raise Broken("The header has no Content-Length, or several; where the next message begins cannot be known.")
    return found[0]


def request_of(body: bytes) -> Request | Malformed:
    try:
        found = json.loads(body.decode(), parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        return Malformed(f"The message is no JSON in UTF-8: {str(error)[:200]}.")
    if not isinstance(found, dict):
        return Malformed("The message is no JSON object.")
    seq, command, arguments = found.get("seq"), found.get("command"), found.get("arguments")
    if type(seq) is not int:
        return Malformed("seq: expected a whole number.")
    if found.get("type") != "request":
        return Malformed("type: expected 'request'; nothing else is sent to a debug adapter.", seq)
    if not isinstance(command, str):
        return Malformed("command: expected a text.", seq)
    if arguments is not None and not isinstance(arguments, dict):
        return Malformed("arguments: expected an object.", seq, command)
    return Request(seq, command, arguments or {})


def refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def as_bytes(message: dict[str, Any]) -> bytes:
    """A message with its header. Half a surrogate pair, which some clients cannot read, becomes a `?`."""
    body = json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
