"""`prefix-lab dap` as it is started: on standard input and output, and on a port."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import threading

import pytest

from prefix_lab.debugger import record
from prefix_lab.debugger.dap.server import listening
from tests.debugger.dap.client import SECONDS, Client, connected, framed, on_port, on_stdio, started
from tests.debugger.dap.conftest import line_of


def walk(client: Client, path) -> None:
    """A session as VS Code has it, forwards, backwards, and to its end."""
    client.request("initialize", adapterID="prefix-lab", clientID="vscode", supportsVariableType=True)
    client.request("launch", name="a recording", type="debugpy", request="launch", __sessionId="1")
    client.event("initialized")
    client.break_at(path, {"line": line_of(path, "y.append(x)"), "condition": "x > 0"})
    client.request("setFunctionBreakpoints", breakpoints=[])
    client.request("setExceptionBreakpoints", filters=["uncaught"])
    client.request("configurationDone")
    assert client.event("stopped")["reason"] == "entry"
    client.request("threads")
    client.move("continue")
    assert client.locals()["x"] == "1"
    client.move("next")
    client.move("stepBack")
    assert client.locals()["y"] == "[1]"
    client.move("continue")
    client.move("reverseContinue")
    assert client.locals()["x"] == "1"
    client.request("disconnect", restart=False)


def test_a_session_on_standard_input_and_output(saved, doubles):
    with on_stdio(saved) as (client, process):
        walk(client, doubles[1])
        assert client.ended()
        assert process.wait(SECONDS) == 0
        assert process.stderr.read() == b""


@pytest.mark.parametrize(("said", "status"), [(b"", 0), (framed(b"{}")[:-1], 0), (b"hello\n", 1)])
def test_it_ends_when_its_standard_input_does(saved, said, status):
    command = [sys.executable, "-m", "prefix_lab", "dap", str(saved)]
    done = subprocess.run(command, input=said, capture_output=True, timeout=SECONDS, check=False)
    assert done.returncode == status
    assert b"Traceback" not in done.stderr
    assert (b"no header of the Debug Adapter Protocol" in done.stderr) == bool(status)


@pytest.fixture(scope="module")
def server(saved):
    """A server on a free port, for all tests here; and the port."""
    with started(saved, "--port", "0") as process:
        line = process.stdout.readline().decode()
        yield process, int(re.search(r"listening on 127\.0\.0\.1:(\d+)", line)[1])


def test_a_session_on_a_port_and_another_after_it(server, doubles):
    for _ in range(2):
        with on_port(server[1]) as client:
            walk(client, doubles[1])
            assert client.ended()


def test_a_second_client_is_told_and_the_first_one_goes_on(server):
    with on_port(server[1]) as first:
        first.start()
        with on_port(server[1]) as second:
            assert "one at a time is served" in second.refused("initialize", adapterID="x")
            assert second.ended()
        assert first.move("next")["reason"] == "step"
    with on_port(server[1]) as third:
        assert third.start()["reason"] == "entry"


def test_a_client_that_breaks_the_protocol_or_vanishes_leaves_the_port_to_the_next(server):
    for said in (b"GET / HTTP/1.1\r\n\r\n", b"Content-Length: 100\r\n\r\n{", b""):
        with socket.create_connection(("127.0.0.1", server[1]), timeout=SECONDS) as line:
            line.sendall(said)
    with on_port(server[1]) as client:
        assert client.start()["reason"] == "entry"


def test_no_other_machine_reaches_the_port():
    with listening(0) as listener:
        assert listener.getsockname()[0] == "127.0.0.1"


def test_a_port_that_is_taken_is_refused(saved, server):
    with started(saved, "--port", str(server[1])) as process:
        assert process.wait(SECONDS) == 2
        assert b"cannot be had (Address already in use)" in process.stderr.read()


def test_a_port_without_clients_is_given_up_and_ctrl_c_ends_it(saved):
    with started(saved, "--port", "0", "--idle", "1") as process:
        assert process.wait(SECONDS) == 0
        assert b"no client came for 1 seconds" in process.stderr.read()
    with started(saved, "--port", "0") as process:
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(SECONDS) == 130
        assert process.stderr.read() == b""


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["nowhere"], "cannot be read: No such file"),
        (["--port", "x", "FILE"], "expected a port's number"),
        (["--port", "70000", "FILE"], "expected a port's number"),
        (["--idle", "0", "FILE"], "expected a whole number of at least 1"),
        ([], "FILE"),
    ],
)
def test_a_wrong_word_is_refused(saved, words, told):
    words = [str(saved) if word == "FILE" else word for word in words]
    command = [sys.executable, "-m", "prefix_lab", "dap", *words]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS, check=False)
    assert (done.returncode, done.stdout) == (2, b"")
    assert told in done.stderr.decode()
    assert b"Traceback" not in done.stderr


def loops(n):
    total = 0
    for i in range(n):
        total += i
    return total


@pytest.fixture(scope="module")
def long():
    with record([loops]) as recording:
        loops(30_000)
    return recording


@pytest.mark.parametrize("way", ["pause", "disconnect", "vanish"])
def test_a_long_search_can_be_interrupted(long, way):
    """The search is held at its first look at the client until the request to end it has been sent."""
    sent = threading.Event()
    with connected(long, before_looking=lambda: sent.wait(SECONDS)) as client:
        client.start()
        line = loops.__code__.co_firstlineno + 3
        assert client.break_at(loops.__code__.co_filename, {"line": line, "condition": "total < i < 0"})[0]["verified"]
        client.request("continue", threadId=1)
        if way == "vanish":
            client.hang_up()
            sent.set()
            return
        seq = client.send(way, threadId=1)
        sent.set()
        assert client.event("stopped")["reason"] == "pause"
        assert client.response(seq)["success"]
        if way == "pause":
            assert client.at()[0] == "loops"
            assert client.move("next")["reason"] in ("step", "pause")


def test_an_editor_is_told_of_a_recording_that_is_not_there(tmp_path):
    with on_stdio(tmp_path / "lost.recording") as (client, process):
        client.request("initialize", adapterID="prefix-lab")
        assert "lost.recording' cannot be read" in client.refused("launch")
        client.event("terminated")
        assert process.wait(SECONDS) == 2
        assert b"lost.recording" in process.stderr.read()
