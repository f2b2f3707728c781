"""The trace that Perfetto opens: its structure, and that its slices are the recorded calls."""

from __future__ import annotations

import json
import threading
from collections import defaultdict

from prefix_lab.debugger.perfetto import trace_of, write_trace
from tests.debugger.recorded import every_hook, recorded, refuses


def doubled(x):
    return 2 * x


def counts(n):
    for number in range(n):
        yield doubled(number)


def fails(n):
    raise ValueError(f"no {n}")


def works(n):
    total = sum(counts(n))
    try:
        fails(total)
    except ValueError:
        total += 1
    other = threading.Thread(target=doubled, args=(total,), name="other")
    other.start()
    other.join()
    return total


def traced(hooks):
    recording = recorded(lambda: works(3), [works, counts, doubled, fails], hooks=hooks)
    return recording, trace_of(recording)["traceEvents"]


@every_hook
def test_every_event_has_what_the_format_asks_for(hooks):
    _, events = traced(hooks)
    needed = {"M": {"args"}, "X": {"ts", "dur", "args"}, "b": {"ts", "id", "cat"}, "e": {"ts", "id", "cat"}}
    for event in events:
        assert needed[event["ph"]] | {"name", "pid", "tid"} <= event.keys()
        assert event.get("ts", 0) >= 0
        assert event.get("dur", 0) >= 0
    assert json.loads(json.dumps(events, allow_nan=False)) == events


@every_hook
def test_slices_of_a_thread_nest_as_the_calls_do(hooks):
    recording, events = traced(hooks)
    slices = defaultdict(list)
    for event in events:
        if event["ph"] == "X":
            slices[event["tid"]].append((event["ts"], event["ts"] + event["dur"], event["name"]))
    for track in slices.values():
        open_until = [float("inf")]
        for start, end, _ in track:  # sorted by their beginning
            while open_until[-1] <= start:
                open_until.pop()
            assert end <= open_until[-1]
            open_until.append(end)
    names = {event["args"]["name"]: event["tid"] for event in events if event["ph"] == "M"}
    assert set(names) == {*recording.columns.threads} == {"MainThread", "other"}
    assert [name for _, _, name in slices[names["other"]]] == ["doubled"]
    assert [name for _, _, name in slices[names["MainThread"]]] == ["works", "doubled", "doubled", "doubled", "fails"]


@every_hook
def test_a_slice_says_what_the_call_was_given_and_gave(hooks):
    recording, events = traced(hooks)
    by_name = {event["name"]: event for event in events if event["ph"] in "Xb"}
    assert by_name["works"]["args"]["given n"] == "3"
    assert by_name["works"]["args"]["returned"] == "7"
    assert "no 6" in by_name["fails"]["args"]["raised"]
    assert recording.steps[by_name["fails"]["args"]["first step"]].function == "fails"
    began, ended = (event for event in events if event["name"] == "counts")
    assert (began["ph"], ended["ph"], began["id"]) == ("b", "e", ended["id"])
    assert began["ts"] <= ended["ts"]


def test_a_trace_is_written_whole_and_refused_where_it_cannot_be(tmp_path):
    recording = recorded(lambda: works(1), [works])
    write_trace(recording, tmp_path / "trace.json")
    assert json.loads((tmp_path / "trace.json").read_text()) == trace_of(recording)
    with refuses(ValueError, "path=", "folder that exists"):
        write_trace(recording, tmp_path / "none" / "trace.json")
