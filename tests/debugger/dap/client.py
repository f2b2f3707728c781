"""A client of the Debug Adapter Protocol, small and strict: what it gets must fit the protocol's own schema."""

from __future__ import annotations

import functools
import importlib.util
import itertools
import json
import queue
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from prefix_lab.debugger import Recording
from prefix_lab.debugger.dap.looking import GIVES
from prefix_lab.debugger.dap.messages import Connection
from prefix_lab.debugger.dap.session import DebugSession

SECONDS = 20  # more than any answer takes


class Client:
    """Writes to a file and reads from another. A request's answer is returned; events are kept in their order."""

    def __init__(self, sink: BinaryIO, source: BinaryIO):
        self.sink, self.source = sink, source
        self.seqs = itertools.count(1)
        self.inbox: queue.Queue[dict | None] = queue.Queue()
        self.events: list[dict] = []
        self.seen: list[dict] = []
        self.reasons: list[str] = []
        self.hang_up: Callable[[], Any] = sink.close
        threading.Thread(target=self.read, daemon=True).start()

    def read(self) -> None:
        for message in messages_in(self.source):
            self.inbox.put(message)
        self.inbox.put(None)

    def raw(self, content: bytes) -> None:
        self.sink.write(content)
        self.sink.flush()

    def send(self, command: str, **arguments: Any) -> int:
        seq = next(self.seqs)
        message = {"seq": seq, "type": "request", "command": command, "arguments": arguments}
        self.raw(framed(json.dumps(message).encode()))
        return seq

    def take(self) -> dict | None:
        """The next message of any kind; None when the server has hung up."""
        message = self.inbox.get(timeout=SECONDS)
        if message is not None:
            check(message)
            self.seen.append(message)
        return message

    def response(self, seq: int | None = None) -> dict:
        """The next response, which must be the one to `seq`; events that come before it are kept."""
        while True:
            message = self.take()
            assert message is not None, "the server hung up"
            if message["type"] == "response":
                assert seq is None or message["request_seq"] == seq
                return message
            self.events.append(message)

    def request(self, command: str, **arguments: Any) -> dict:
        """The body of the answer, which must be a success."""
        answer = self.response(self.send(command, **arguments))
        assert answer["success"], answer["message"]
        assert answer["command"] == command
        return answer.get("body", {})

    def refused(self, command: str, **arguments: Any) -> str:
        """Why the request was refused, which it must be."""
        answer = self.response(self.send(command, **arguments))
        assert not answer["success"], answer
        return answer["message"]

    def event(self, name: str) -> dict:
        """The body of the next event of that name; those before it are dropped."""
        while True:
            while self.events:
                found = self.events.pop(0)
                if found["event"] == name:
                    return found.get("body", {})
            message = self.take()
            assert message is not None, f"the server hung up before {name}"
            assert message["type"] == "event", message
            self.events.append(message)

    def ended(self) -> bool:
        """Whether the server hangs up."""
        while (message := self.take()) is not None:
            self.events.append(message)
        return True

    def start(self, **launch: Any) -> dict:
        """As VS Code begins: where it stopped."""
        self.request("initialize", adapterID="prefix-lab", clientID="vscode", supportsVariableType=True)
        self.request("launch", **launch)
        self.event("initialized")
        self.request("configurationDone")
        return self.event("stopped")

    def move(self, command: str, **arguments: Any) -> dict:
        """Move, and give the event of the stop."""
        self.request(command, **{"threadId": 1} | arguments)
        return self.event("stopped")

    def stack(self, thread: int = 1, **arguments: Any) -> list[dict]:
        return self.request("stackTrace", threadId=thread, **arguments)["stackFrames"]

    def at(self, thread: int = 1) -> tuple[str, int]:
        """The function and the line where a thread stands."""
        top = self.stack(thread, levels=1)[0]
        return top["name"], top["line"]

    def scopes(self, frame: int = 0) -> dict[str, dict[str, dict]]:
        """Scope → name → variable, of a frame of the first thread."""
        scopes = self.request("scopes", frameId=self.stack()[frame]["id"])["scopes"]
        return {one["name"]: self.inside(one["variablesReference"]) for one in scopes}

    def inside(self, reference: int, **page: Any) -> dict[str, dict]:
        found = self.request("variables", variablesReference=reference, **page)["variables"]
        return {one["name"]: one for one in found}

    def locals(self, frame: int = 0) -> dict[str, str]:
        """The names as the line finds them."""
        held = self.scopes(frame)["Locals"].items()
        return {name: one["value"] for name, one in held if not name.startswith(GIVES)}

    def gives(self, frame: int = 0) -> dict[str, str]:
        """What the line gives."""
        held = self.scopes(frame)["Locals"].items()
        return {name.removeprefix(GIVES): one["value"] for name, one in held if name.startswith(GIVES)}

    def break_at(self, path: str | Path, *breakpoints: Any) -> list[dict]:
        """Set breakpoints: lines, or the protocol's objects."""
        asked = [{"line": one} if isinstance(one, int) else one for one in breakpoints]
        return self.request("setBreakpoints", source={"path": str(path)}, breakpoints=asked)["breakpoints"]


def framed(body: bytes) -> bytes:
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


def messages_in(source: BinaryIO) -> Iterator[dict]:
    while line := source.readline():
        name, _, length = line.partition(b":")
        assert name == b"Content-Length"
        assert source.readline() == b"\r\n"
        yield json.loads(source.read(int(length)))


HAVE_SCHEMA = all(importlib.util.find_spec(name) for name in ("debugpy", "jsonschema"))


@functools.cache
def schema() -> dict:
    """The protocol's own, as debugpy brings it along."""
    folder = Path(importlib.util.find_spec("debugpy").origin).parent
    return json.loads(next(folder.rglob("debugProtocol.json")).read_text())


@functools.cache
def validator(definition: str) -> Any:
    from jsonschema import Draft4Validator

    return Draft4Validator({"$ref": f"#/definitions/{definition}", "definitions": schema()["definitions"]})


def check(message: dict) -> None:
    """Hold a message against the definition of its kind, where the schema is installed."""
    if not HAVE_SCHEMA:
        return
    if message["type"] == "event":
        name = message["event"]
        definition = f"{name[0].upper()}{name[1:]}Event"
    elif message["success"] and message["command"].startswith("prefixLab/"):
        definition = "Response"  # our own, of which the protocol knows nothing
    elif message["success"]:
        name = message["command"]
        definition = f"{name[0].upper()}{name[1:]}Response"
    else:
        definition = "ErrorResponse"
    validator(definition).validate(message)


@contextmanager
def connected(
    recording: Recording, idle: float = SECONDS, before_looking: Callable[[], Any] = lambda: None
) -> Iterator[Client]:
    """A client of a session in this process, over a pair of sockets.

    `before_looking` is called when the session, in a long search, is about to look whether the client wants it to end;
    it looks once something has come.
    """
    ours, theirs = socket.socketpair()
    ended: list[str] = []

    def serve() -> None:
        with theirs, suppress(OSError), theirs.makefile("wb") as sink:
            connection = Connection(theirs.makefile("rb"), sink)
            session = DebugSession(recording, connection, idle)

            def interrupted() -> bool:
                before_looking()
                connection.waiting.append(connection.inbox.get(timeout=SECONDS))
                return connection.interrupted()

            session.debuggee.given_up = interrupted
            ended.append(session.run())
            with suppress(OSError):
                theirs.shutdown(socket.SHUT_RDWR)

    serving = threading.Thread(target=serve)
    serving.start()
    with ours, ours.makefile("wb") as sink, ours.makefile("rb") as source:
        client = Client(sink, source)
        client.reasons, client.hang_up = ended, lambda: ours.shutdown(socket.SHUT_RDWR)
        try:
            yield client
        finally:
            with suppress(OSError):
                ours.shutdown(socket.SHUT_RDWR)
            serving.join(SECONDS)
    assert not serving.is_alive(), "the session did not end with its client"


@contextmanager
def started(file: Path, *words: str) -> Iterator[subprocess.Popen]:
    """`prefix-lab dap FILE` as a process of its own."""
    command = [sys.executable, "-m", "prefix_lab", "dap", *words, str(file)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, **pipes) as process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def on_stdio(file: Path) -> Iterator[tuple[Client, subprocess.Popen]]:
    with started(file) as process:
        yield Client(process.stdin, process.stdout), process


@contextmanager
def on_port(port: int) -> Iterator[Client]:
    line = socket.create_connection(("127.0.0.1", port), timeout=SECONDS)
    with line, line.makefile("wb") as sink, line.makefile("rb") as source:
        yield Client(sink, source)
        with suppress(OSError):
            line.shutdown(socket.SHUT_RDWR)
