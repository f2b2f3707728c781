"""What no client should send: an error reply, or an error and a clean end; never a crash, never a wait without end."""

from __future__ import annotations

import json
import socket
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefix_lab.debugger.dap import Limits
from prefix_lab.debugger.dap.doors import channel_of
from prefix_lab.debugger.dap.session import ANSWERS, DebugSession
from tests.debugger.dap.client import SECONDS, connected, framed

QUICK = Limits(message=0.2, idle=5, body=1000, skipped=10**6)


def request(**fields) -> bytes:
    return json.dumps({"seq": 7, "type": "request", "command": "threads"} | fields).encode()


@pytest.mark.parametrize(
    ("body", "told", "seq"),
    [
        (b"{", "no JSON in UTF-8", 0),
        (b"", "no JSON in UTF-8", 0),
        (b"\xff\xfe", "no JSON in UTF-8", 0),
        (b"[" * 900, "no JSON in UTF-8", 0),
        (b'{"seq": NaN}', "NaN is no JSON", 0),
        (b"[1, 2]", "no JSON object", 0),
        (b"null", "no JSON object", 0),
        (request(seq=None), "seq: expected a whole number", 0),
        (request(seq=True), "seq: expected a whole number", 0),
        (request(type="event"), "type: expected 'request'", 7),
        (request(command=3), "command: expected a text", 7),
        (request(arguments=[1]), "arguments: expected an object", 7),
        (request(command="fly"), "'fly' is no request that a recording can answer", 7),
        (request(x="y" * 2000), "too large; the limit is 1,000 bytes", 0),
    ],
    ids=lambda value: repr(value)[:30] if isinstance(value, bytes) else "",
)
def test_a_malformed_message_is_answered_and_the_session_goes_on(doubles, body, told, seq):
    with connected(doubles[0], Limits(idle=5, body=1000, skipped=10**6)) as client:
        client.start()
        client.raw(framed(body))
        answer = client.response(seq)
        assert not answer["success"]
        assert told in answer["message"]
        assert client.at() == ("<module>", 1)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"\r\n\r\n{}", "'Content-Length: N' was expected"),
        (b"Content-Type: json\r\n\r\n{}", "no Content-Length, or several"),
        (b"Content-Length: many\r\n\r\n", "is no whole number"),
        (b"Content-Length: -5\r\n\r\n", "is no whole number"),
        (b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n", "no Content-Length, or several"),
        (b"Content-Length: 99999999\r\n\r\n", "the limit is 1,000 bytes"),
        (b"Content-Length: " + b"9" * 30 + b"\r\n\r\n", "is no whole number"),
        (b"Content-Length: 5" + b" " * 9000, "longer than 4,096 bytes"),
        (b"Content-Length: 5\n\n", "'Content-Length: N' was expected"),
        (b'{"seq": 1, "type": "request"}\r\n', "'Content-Length: N' was expected"),
        (b"hello", "'Content-Length: N' was expected"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}", "'Content-Length: N' was expected"),
        (b"Content-Length: 50\r\n\r\n{", "not ended within 0.2 seconds"),
        (b"Content-Length: 5000\r\n\r\n{", "not ended within 0.2 seconds"),
        (b"Content-Le", "not ended within 0.2 seconds"),
    ],
    ids=lambda content: repr(content)[:40] if isinstance(content, bytes) else "",
)
def test_where_the_next_message_begins_being_lost_is_said_and_ends_the_session(doubles, content, told):
    with connected(doubles[0], QUICK) as client:
        client.raw(content)
        answer = client.response(0)
        assert not answer["success"]
        assert told in answer["message"]
        assert client.ended()
    assert client.reasons == [answer["message"]]


def test_a_header_may_name_its_type_and_write_its_name_in_any_case(doubles):
    with connected(doubles[0]) as client:
        body = request(command="initialize", arguments={"adapterID": "x"})
        client.raw(b"Content-Type: utf-8\r\ncontent-length:  %d \r\n\r\n%b" % (len(body), body))
        assert client.response(7)["success"]


def test_messages_may_come_in_pieces_or_several_at_once(doubles):
    with connected(doubles[0]) as client:
        both = framed(request(command="initialize", arguments={"adapterID": "x"})) + framed(request(command="launch"))
        for at in range(len(both)):
            client.raw(both[at : at + 1])
        assert [client.response(7)["command"] for _ in range(2)] == ["initialize", "launch"]
        client.raw(framed(request()) * 3)
        assert [client.response(7)["success"] for _ in range(3)] == [True] * 3


def test_silence_ends_the_session_after_its_time(doubles):
    with connected(doubles[0], Limits(idle=0.1)) as client:
        assert client.response(0)["message"] == "No request came for 0.1 seconds."
        assert client.ended()


def flood(line: socket.socket, content: bytes) -> None:
    while True:
        line.sendall(content)


def test_a_client_that_reads_nothing_is_left(doubles):
    ours, theirs = socket.socketpair()
    limits = Limits(write=0.2)
    session = DebugSession(doubles[0], channel_of(theirs, limits), limits)
    server = threading.Thread(target=lambda: (session.run(), theirs.close()))
    server.start()
    with ours:
        ours.settimeout(SECONDS)
        asked = framed(request(command="fly")) * 10_000
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            flood(ours, asked)
    server.join(SECONDS)
    assert not server.is_alive()


@pytest.mark.parametrize(
    ("before", "command", "told"),
    [
        ([], "next", "Send initialize first."),
        ([], "launch", "Send initialize first."),
        ([], "setBreakpoints", "Send initialize first."),
        (["initialize"], "next", "Send launch or attach first."),
        (["initialize"], "configurationDone", "Send launch or attach first."),
        (["initialize"], "initialize", "Send launch or attach first."),
        (["initialize", "launch"], "next", "Send configurationDone first."),
        (["initialize", "launch"], "stackTrace", "Send configurationDone first."),
        (["initialize", "launch"], "attach", "Send configurationDone first."),
        (["initialize", "launch", "configurationDone"], "launch", "It can be sent once, and has been."),
        (["initialize", "launch", "terminate"], "next", "The session has ended; send disconnect."),
    ],
)
def test_a_request_at_the_wrong_time_is_told_what_comes_first(doubles, before, command, told):
    with connected(doubles[0]) as client:
        for one in before:
            client.request(one, **({"adapterID": "x"} if one == "initialize" else {}))
        assert client.refused(command, threadId=1) == f"{command} cannot be answered now. {told}"


@pytest.mark.parametrize(
    ("command", "arguments", "told"),
    [
        ("next", {}, "threadId: nothing was given, expected a whole number of at least 1."),
        ("next", {"threadId": "1"}, "threadId: '1' was given"),
        ("next", {"threadId": 1.5}, "threadId: 1.5 was given"),
        ("next", {"threadId": True}, "threadId: True was given"),
        ("next", {"threadId": 10**300}, "threadId: a huge number was given"),
        ("next", {"threadId": 1, "granularity": "leap"}, "expected one of statement, line, instruction"),
        ("stackTrace", {"threadId": 1, "startFrame": -1}, "startFrame: -1 was given"),
        ("stackTrace", {"threadId": 1, "levels": []}, "levels: a list was given"),
        ("variables", {"variablesReference": 0}, "variablesReference: 0 was given"),
        ("scopes", {"frameId": {}}, "frameId: an object was given"),
        ("evaluate", {}, "expression: nothing was given, expected a text"),
        ("evaluate", {"expression": 5}, "expression: 5 was given"),
        ("setBreakpoints", {}, "source: nothing was given, expected an object."),
        ("setBreakpoints", {"source": {}}, "source: it has no path and no sourceReference"),
        ("setBreakpoints", {"source": {"path": "a.py"}, "breakpoints": 3}, "breakpoints: 3 was given, expected a list"),
        ("setBreakpoints", {"source": {"path": "a.py"}, "breakpoints": [3]}, "breakpoints[0]: 3 was given"),
        ("setBreakpoints", {"source": {"path": "a.py"}, "breakpoints": [{}]}, "breakpoints[0].line: nothing was given"),
        ("setBreakpoints", {"source": {"path": 3}}, "source.path: 3 was given"),
        ("setFunctionBreakpoints", {"breakpoints": [{"name": None}]}, "breakpoints[0].name: nothing was given"),
        ("setExceptionBreakpoints", {}, "filters: nothing was given, expected a list"),
        ("setExceptionBreakpoints", {"filters": [1]}, "filters[0]: 1 was given"),
        ("source", {}, "sourceReference: nothing was given"),
        ("goto", {"threadId": 1, "targetId": 99}, "targetId: 99 is not known at this step"),
        ("restart", {"arguments": {"step": "x"}}, "arguments.step: 'x' was given"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_arguments_of_the_wrong_kind_are_refused_by_name(doubles, command, arguments, told):
    with connected(doubles[0]) as client:
        client.start()
        assert told in client.refused(command, **arguments)
        assert client.at() == ("<module>", 1)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
NAMES = ["threadId", "frameId", "variablesReference", "source", "path", "breakpoints", "lines", "line", "condition"]
NAMES += ["hitCondition", "filters", "filterOptions", "expression", "sourceReference", "start", "count", "name"]
inner = st.dictionaries(st.sampled_from(NAMES), anything, max_size=4)
wild = st.dictionaries(st.sampled_from(NAMES), anything | st.integers(0, 3) | inner, max_size=5)
asking = st.tuples(st.sampled_from(sorted({*ANSWERS} - {"disconnect", "terminate"})), wild)


@settings(max_examples=30, deadline=None)
@given(asked=st.lists(asking, max_size=8))
def test_whatever_the_arguments_are_each_request_has_one_answer_and_no_mistake_of_ours(doubles, asked):
    with connected(doubles[0]) as client:
        client.start()
        for command, arguments in asked:
            answer = client.response(client.send(command, **arguments))
            assert "mistake of prefix_lab's own" not in answer.get("message", "")
        assert client.stack()
        assert not any("mistake" in str(event) for event in client.events)
