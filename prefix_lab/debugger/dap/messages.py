"""Messages as they travel: a header with the length, then JSON; and the arguments of a request, asked for by name.

A thread of its own reads them, so that a long search can be told to end.
"""

from __future__ import annotations

import json
import threading
from collections import deque
from queue import Empty, SimpleQueue
from typing import Any, BinaryIO, NamedTuple

LARGEST = 4 * 2**20  # bytes of a message
LONGEST = 4096  # bytes of a header's line
INTERRUPTS = ("pause", "disconnect", "terminate")
NO_HEADER = "This is no header of the Debug Adapter Protocol: 'Content-Length: N' was expected."


class Refused(Exception):
    """What a client asked for cannot be done; the text says why, and what can."""


class Gone(Exception):
    """The client reads no more."""


class Lost(Exception):
    """After this nobody knows where the next message begins."""


class Ended(NamedTuple):
    """There are no more messages; the reason is empty when the client just went."""

    reason: str = ""


class Request(NamedTuple):
    """What a client asks for; `malformed` says why it cannot be answered but by an error."""

    seq: int
    command: str
    arguments: dict[str, Any]
    malformed: str = ""


class Connection:
    """The client's requests, one after the other, and what is sent to it."""

    def __init__(self, source: BinaryIO, sink: BinaryIO):
        self.source, self.sink, self.sent = source, sink, 0
        self.inbox: SimpleQueue[Request | Ended] = SimpleQueue()
        self.waiting: deque[Request | Ended] = deque()
        threading.Thread(target=self.read, daemon=True).start()

    def read(self) -> None:
        try:
            while (body := read_body(self.source)) is not None:
                self.inbox.put(request_of(body))
        except Lost as error:
            self.inbox.put(Ended(str(error)))
        except (OSError, ValueError):  # it was closed
            pass
        self.inbox.put(Ended())

    def next(self, seconds: float) -> Request | Ended:
        """The next request; the end, too, when none comes in that time."""
        if self.waiting:
            return self.waiting.popleft()
        try:
            return self.inbox.get(timeout=min(seconds, threading.TIMEOUT_MAX))
        except Empty:
            return Ended(f"No request came for {seconds:g} seconds.")

    def interrupted(self) -> bool:
        """Whether the client asks to stop what is being done, or has gone. Waits for nothing."""
        while not self.inbox.empty():
            self.waiting.append(self.inbox.get())
        return any(isinstance(one, Ended) or one.command in INTERRUPTS for one in self.waiting)

    def respond(self, request: Request, body: dict[str, Any] | None) -> None:
        found = {"type": "response", "request_seq": request.seq, "success": True, "command": request.command}
        self.send(found if body is None else found | {"body": body})

    def refuse(self, request: Request, reason: str, shown: bool = True) -> None:
        """`shown` tells the client to put the reason before its user, beside what it does with an error by itself."""
        error = {"id": 1, "format": "{reason}", "variables": {"reason": reason}, "showUser": shown}
        found = {"type": "response", "request_seq": request.seq, "success": False, "command": request.command}
        self.send(found | {"message": reason, "body": {"error": error}})

    def event(self, name: str, body: dict[str, Any]) -> None:
        self.send({"type": "event", "event": name, "body": body})

    def send(self, message: dict[str, Any]) -> None:
        """Raises `Gone`. Half a surrogate pair, which some clients cannot read, becomes a `?`."""
        self.sent += 1
        text = json.dumps({"seq": self.sent, **message}, ensure_ascii=False, separators=(",", ":"))
        body = text.encode("utf-8", "replace")
        try:
            self.sink.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
            self.sink.flush()
        except (OSError, ValueError) as error:
            raise Gone from error


def read_body(source: BinaryIO) -> bytes | None:
    """The next message without its header; None at the end. Raises `Lost` when what comes is no message.

    Nothing but the protocol's two fields is let pass: a web page that posts to our port is not a client.
    """
    length = None
    while (line := source.readline(LONGEST)) not in (b"", b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length" and value.strip().isdigit() and len(value) < 20:
            length = int(value)
        elif name.lower() != b"content-type":
            raise Lost(NO_HEADER)
    if not line:
        return None
    if length is None:
        raise Lost(NO_HEADER)
    if length > LARGEST:
        raise Lost(f"Content-Length is {length:,}; the limit is {LARGEST:,} bytes.")
    body = source.read(length)
    return body if len(body) == length else None


def request_of(body: bytes) -> Request:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    found = found if isinstance(found, dict) else {}
    seq, command, arguments = found.get("seq"), found.get("command"), found.get("arguments")
    seq, arguments = seq if type(seq) is int else 0, {} if arguments is None else arguments
    if found.get("type") == "request" and seq and isinstance(command, str) and isinstance(arguments, dict):
        return Request(seq, command, arguments)
    return Request(seq, "", {}, f"This is no request of the Debug Adapter Protocol: {body[:80]!r}.")


class Arguments:
    """The arguments of one request, or an object inside them; a wrong one is refused in a sentence that names it."""

    def __init__(self, given: Any, path: str = ""):
        if not isinstance(given, dict):
            raise Refused(f"{path}: {shown(given)} was given, expected an object.")
        self.given, self.path = given, path

    def named(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name

    def has(self, name: str) -> bool:
        return self.given.get(name) is not None

    def taken(self, name: str, kind: type, expected: str, default: Any = None) -> Any:
        value = self.given.get(name)
        if value is None and default is not None:
            return default
        if type(value) is not kind:
            raise Refused(f"{self.named(name)}: {shown(value)} was given, expected {expected}.")
        return value

    def whole(self, name: str, default: int | None = None, least: int = 0) -> int:
        """A whole number from `least` up; `default` when it is not given, or an error when there is none."""
        value, expected = self.given.get(name), f"a whole number of at least {least}"
        if type(value) is int and value < least:
            raise Refused(f"{self.named(name)}: {value} was given, expected {expected}.")
        return self.taken(name, int, expected, default)

    def text(self, name: str, default: str | None = None) -> str:
        return self.taken(name, str, "a text", default)

    def flag(self, name: str, default: bool) -> bool:
        return self.taken(name, bool, "true or false", default)

    def inside(self, name: str) -> Arguments:
        return Arguments(self.given.get(name), self.named(name))

    def objects(self, name: str) -> list[Arguments]:
        given = self.taken(name, list, "a list", [])
        return [Arguments(one, f"{self.named(name)}[{at}]") for at, one in enumerate(given)]


def shown(value: Any) -> str:
    """What was given, in few words."""
    if value is None:
        return "nothing"
    text = repr(value)
    return text if len(text) <= 80 else text[:79] + "…"
