"""What no client should send: an error reply, or an error and a clean end; never a crash, never a wait without end."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefix_lab.debugger.dap.session import ANSWERS, STANDING
from tests.debugger.dap.client import connected, framed


def request(**fields) -> bytes:
    return json.dumps({"seq": 7, "type": "request", "command": "threads"} | fields).encode()


NONE = "This is no request of the Debug Adapter Protocol"


@pytest.mark.parametrize(
    ("body", "told", "seq"),
    [
        (b"\xff\xfe", NONE, 0),
        (b"[" * 9000, NONE, 0),
        (b"[1, 2]", NONE, 0),
        (request(seq=None), NONE, 0),
        (request(type="event"), NONE, 7),
        (request(arguments=[1]), NONE, 7),
        (request(command="fly"), "'fly' is no request that a recording can answer", 7),
    ],
    ids=lambda value: repr(value)[:30] if isinstance(value, bytes) else "",
)
def test_a_malformed_message_is_answered_and_the_session_goes_on(walk, body, told, seq):
    client, _ = walk
    client.raw(framed(body))
    answer = client.response(seq)
    assert not answer["success"]
    assert told in answer["message"]
    assert client.at() == ("<module>", 1)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"Content-Type: json\r\n\r\n{}", "'Content-Length: N' was expected"),
        (b"Content-Length: -5\r\n\r\n", "'Content-Length: N' was expected"),
        (b"Content-Length: 99999999\r\n\r\n", "the limit is 4,194,304 bytes"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}", "'Content-Length: N' was expected"),
        (b"Content-Length: 50\r\n\r\n{", "No request came for 0.2 seconds."),
    ],
    ids=lambda content: repr(content)[:40] if isinstance(content, bytes) else "",
)
def test_where_the_next_message_begins_being_lost_is_said_and_ends_the_session(doubles, content, told):
    with connected(doubles[0], idle=0.2) as client:
        client.raw(content)
        answer = client.response(0)
        assert not answer["success"]
        assert told in answer["message"]
        assert client.ended()
    assert client.reasons == [answer["message"]]


def test_messages_may_come_in_pieces_or_several_at_once_with_headers_in_any_case(doubles):
    with connected(doubles[0]) as client:
        body = request(command="initialize", arguments={"adapterID": "x"})
        first = b"Content-Type: utf-8\r\ncontent-length:  %d \r\n\r\n%b" % (len(body), body)
        for at in range(len(first)):
            client.raw(first[at : at + 1])
        assert client.response(7)["command"] == "initialize"
        client.raw(framed(request()) * 3)
        assert [client.response(7)["success"] for _ in range(3)] == [True] * 3


@pytest.mark.parametrize(
    ("command", "arguments", "told"),
    [
        ("initialize", {"linesStartAt1": False}, "linesStartAt1: False was given, and only True is spoken here."),
        ("launch", {"stopOnEntry": "no"}, "stopOnEntry: 'no' was given, expected true or false."),
        ("next", {}, "threadId: nothing was given, expected a whole number of at least 1."),
        ("next", {"threadId": 1.5}, "threadId: 1.5 was given"),
        ("stackTrace", {"threadId": 1, "startFrame": -1}, "startFrame: -1 was given"),
        ("variables", {"variablesReference": 99}, "variablesReference: 99 is not known at this step"),
        ("evaluate", {"expression": 5}, "expression: 5 was given, expected a text"),
        ("setBreakpoints", {"source": {}}, "source: it has no path and no sourceReference"),
        ("setBreakpoints", {"source": {"path": "a.py"}, "breakpoints": 3}, "breakpoints: 3 was given, expected a list"),
        ("setBreakpoints", {"source": {"path": "a.py"}, "breakpoints": [{}]}, "breakpoints[0].line: nothing was given"),
        ("setExceptionBreakpoints", {}, "filters: nothing was given, expected a list"),
        ("goto", {"threadId": 1, "targetId": 99}, "targetId: 99 is not known"),
        ("restart", {"arguments": {"step": "x"}}, "arguments.step: 'x' was given"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_arguments_of_the_wrong_kind_are_refused_by_name(walk, command, arguments, told):
    client, _ = walk
    assert told in client.refused(command, **arguments)
    assert client.at() == ("<module>", 1)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
NAMES = ["threadId", "frameId", "variablesReference", "source", "path", "breakpoints", "line", "condition"]
NAMES += ["hitCondition", "filters", "filterOptions", "expression", "sourceReference", "startFrame", "name"]
inner = st.dictionaries(st.sampled_from(NAMES), anything, max_size=4)
wild = st.dictionaries(st.sampled_from(NAMES), anything | st.integers(0, 3) | inner, max_size=5)
asking = st.tuples(st.sampled_from(sorted({*ANSWERS, *STANDING} - {"disconnect", "terminate"})), wild)


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
