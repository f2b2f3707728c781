"""Forwards and backwards over the protocol: steps, runs, jumps, the two ends, threads and generators."""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from prefix_lab.debugger import record
from prefix_lab.debugger.cursor import COMPREHENSIONS
from tests.debugger.dap.client import connected
from tests.debugger.dap.conftest import line_of
from tests.debugger.programs import programs
from tests.debugger.recorded import PHASES
from tests.debugger.test_against_interpreter import functions, loaded, outcome

MOVES = {
    "next": lambda cursor: cursor.step_over(),
    "stepIn": lambda cursor: cursor.step_in(),
    "stepOut": lambda cursor: cursor.step_out(),
    "stepBack": lambda cursor: cursor.step_over(backwards=True),
    "stepBack instruction": lambda cursor: cursor.step_in(backwards=True),
}


@settings(max_examples=8, deadline=None, derandomize=True, phases=PHASES, suppress_health_check=list(HealthCheck))
@given(source=programs(), seed=st.integers(0, 1000))
def test_stepping_over_the_protocol_is_the_cursors_own(source, seed):
    note(source)
    main = loaded(source)
    with record([main.__code__, *functions(main)]) as recording:
        outcome(main)
    drawn = random.Random(seed)
    cursor = recording.cursor(drawn.randrange(len(recording)))
    cursor.skip = COMPREHENSIONS
    with connected(recording) as client:
        client.start(step=cursor.index)
        for move in drawn.choices(list(MOVES), k=30):
            moved = MOVES[move](cursor)
            command, _, granularity = move.partition(" ")
            client.move(command, granularity=granularity or "statement")
            frames = [(one["name"], one["line"]) for one in client.stack()]
            assert frames == [(step.function, step.line) for step in cursor.stack], (move, moved)
            assert list(client.locals()) == list(cursor.locals)


def test_running_stops_at_breakpoints_both_ways_and_at_the_two_ends(doubles):
    recording, path = doubles
    with connected(recording) as client:
        client.start()
        [point] = client.break_at(path, line_of(path, "return sum(y)"))
        for i in range(4):
            stop = client.move("continue")
            assert (stop["reason"], stop["hitBreakpointIds"]) == ("breakpoint", [point["id"]])
            assert client.locals()["x"] == str(i)
        assert client.move("continue")["reason"] == "end"
        last = client.at()
        for command in ("continue", "next", "stepIn", "stepOut"):
            stop = client.move(command)
            assert stop["reason"] == "end"
            assert "last step" in stop["description"]
            assert client.at() == last
        for i in reversed(range(4)):
            assert client.move("reverseContinue")["reason"] == "breakpoint"
            assert client.locals()["x"] == str(i)
        for command in ("reverseContinue", "stepBack"):
            stop = client.move(command)
            assert stop["reason"] == "entry"
            assert stop["description"] == "This is the first step of the recording: go on from here."
            assert stop["description"] + "\n" in [one.get("body", {}).get("output") for one in client.seen]


def test_a_breakpoint_inside_a_call_stops_a_step_over_it(walk):
    client, path = walk
    client.break_at(path, line_of(path, "total += double(i)"))
    client.move("continue")
    client.break_at(path, line_of(path, "y.append(x)"))
    assert client.move("next")["reason"] == "breakpoint"
    assert client.at()[0] == "double"
    client.move("stepOut")
    assert client.move("stepBack")["reason"] == "breakpoint"
    assert client.at()[0] == "double"


def test_without_a_stop_on_entry_it_runs_to_the_first_breakpoint(doubles):
    recording, path = doubles
    with connected(recording) as client:
        client.request("initialize", adapterID="x")
        client.request("attach", stopOnEntry=False)
        client.event("initialized")
        client.break_at(path, line_of(path, "total = 0"))
        client.request("configurationDone")
        assert client.event("stopped")["reason"] == "breakpoint"
        assert client.at() == ("main", line_of(path, "total = 0"))
        client.move("continue")
        client.request("restart")
        assert client.event("continued")["allThreadsContinued"]
        assert client.event("stopped")["reason"] == "breakpoint"
        assert client.at() == ("main", line_of(path, "total = 0"))


def test_launch_can_begin_at_a_step_and_print_the_outline_alone(doubles):
    recording, _ = doubles
    with connected(recording) as client:
        client.start(step=10)
        assert client.at() == (recording.steps[10].function, recording.steps[10].line)
        assert client.move("restart", arguments={"step": 3})["reason"] == "entry"
        assert client.at() == (recording.steps[3].function, recording.steps[3].line)
    with connected(recording) as client:
        client.request("initialize", adapterID="x")
        assert "the last of" in client.refused("launch", step=10**6)
        client.request("launch", noDebug=True)
        client.request("configurationDone")
        assert "4×" in client.event("output")["output"]
        client.event("terminated")
        client.request("disconnect")
        assert client.ended()


def test_a_recording_without_steps_says_so_and_ends():
    with record([line_of]) as recording:
        pass
    with connected(recording) as client:
        client.request("initialize", adapterID="x")
        client.request("launch")
        client.request("configurationDone")
        assert "0 steps" in client.event("output")["output"]
        client.event("terminated")
        assert client.refused("next", threadId=1) == "This recording has no steps to stand at."


def test_jumps_lead_to_the_times_that_a_line_was_reached(walk):
    client, path = walk
    line = line_of(path, "y.append(x)")
    targets = client.request("gotoTargets", source={"path": str(path)}, line=line)["targets"]
    assert [target["label"].split(",")[0] for target in targets] == ["the next time", "the last time"]
    assert client.move("goto", targetId=targets[1]["id"])["reason"] == "goto"
    assert client.locals()["x"] == "3"
    targets = client.request("gotoTargets", source={"path": str(path)}, line=line)["targets"]
    assert [target["label"].split(",")[0] for target in targets] == ["the time before", "the first time"]
    assert "never ran" in client.refused("gotoTargets", source={"path": str(path)}, line=line_of(path, "y = [more]"))
    client.move("restartFrame", frameId=client.stack()[0]["id"])
    assert client.at() == ("double", 1)
    assert client.locals() == {"x": "3", "more": "0"}


def test_each_thread_has_its_own_stack_and_steps(fails):
    recording, _ = fails
    with connected(recording) as client:
        client.start()
        said = next(one["body"]["output"] for one in client.seen if one.get("event") == "output")
        assert said.startswith(f"Recording of {len(recording)} steps in ")
        assert "It ended with ZeroDivisionError: division by zero." in said
        threads = {one["name"]: one["id"] for one in client.request("threads")["threads"]}
        assert set(threads) == {"MainThread", "other"}
        other, main = threads["other"], threads["MainThread"]
        assert client.stack(other) == []
        stop = client.move("stepIn", threadId=other)
        assert (stop["threadId"], stop["allThreadsStopped"]) == (other, True)
        assert client.at(other)[0] == "caught"
        own = [step for step in recording.steps if step.thread == "other"]
        for step in own[1:]:
            client.move("stepIn", threadId=other)
            assert client.at(other) == (step.function, step.line)
        assert "No such step" in client.move("stepIn", threadId=other)["description"]
        for step in own[-2::-1]:
            client.move("stepBack", threadId=other, granularity="instruction")
            assert client.at(other) == (step.function, step.line)
        assert client.stack(main)[-1]["name"] == "<module>"
        assert client.move("next", threadId=main)["threadId"] == main
        assert "there is no thread 9" in client.refused("next", threadId=9)


def test_a_generator_yields_and_goes_on(failing_walk):
    client, path = failing_walk
    client.break_at(path, line_of(path, "got = yield i"))
    client.move("continue")
    stop = client.move("stepIn")
    assert stop["text"] == "numbers yields 0"
    assert client.gives() == {"yielded": "0"}
    client.move("stepIn")
    assert client.at() == ("outer", line_of(path, "total += one"))
    client.move("next")
    stop = client.move("stepIn")
    assert stop["text"] == "numbers goes on after its yield"
    client.move("stepBack", granularity="instruction")
    assert client.at()[0] == "outer"


@pytest.mark.parametrize("way", ["terminate", "disconnect"])
def test_it_ends_when_it_is_told_to(doubles, way):
    with connected(doubles[0]) as client:
        client.start()
        client.request(way)
        if way == "terminate":
            client.event("terminated")
            client.request("disconnect")
        assert client.ended()
    assert client.reasons == [""]
