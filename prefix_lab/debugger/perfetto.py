"""A recording as a trace that ui.perfetto.dev and chrome://tracing open: every call a slice, one track a thread.

The format is Chrome's trace events, as JSON. A call that pauses (a generator, a coroutine) is not over when others
begin, so it stands on a track of its own, as an asynchronous slice. Times are those of the recorded run.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from prefix_lab.debugger.shown import text_of
from prefix_lab.debugger.steps import CALL, EXCEPTION, NONE, RETURN, YIELD, RecordedSteps
from prefix_lab.debugger.storage import write_whole

PROCESS = 1
THOUSAND = 1e3  # nanoseconds in a microsecond, the format's unit


def write_trace(recording: RecordedSteps, path: str | Path) -> None:
    """Write the trace of a recording, whole or not at all.

    Raises `ValueError` when the folder is not there or the path is a folder's.
    """
    path = Path(path)
    if not path.parent.is_dir() or path.is_dir():
        raise ValueError(
            f"path={str(path)!r}: that is no place for a file. Give a file's name in a folder that exists."
        )
    write_whole(path, json.dumps(trace_of(recording), ensure_ascii=True, separators=(",", ":")).encode())


def trace_of(recording: RecordedSteps) -> dict[str, Any]:
    """The trace: `traceEvents`, and in `otherData` the notes of the recording."""
    columns = recording.columns
    named = [
        {"ph": "M", "name": "thread_name", "pid": PROCESS, "tid": number + 1, "args": {"name": name}}
        for number, name in enumerate(columns.threads)
    ]
    begun, ended = times(recording)
    events: list[dict[str, Any]] = []
    for frame, function in enumerate(columns.frame_function):
        first = columns.frame_first[frame]
        if first == NONE:
            continue
        file, name, _ = columns.functions[function]
        said = {
            "name": name,
            "cat": "call",
            "pid": PROCESS,
            "tid": columns.thread_of(first) + 1,
            "ts": begun[frame] / THOUSAND,
        }
        args = told(recording, frame) | {"file": file, "first step": first}
        if not columns.frame_begun[frame]:
            args["began"] = "before the recording"
        if not columns.frame_ended[frame]:
            args["end"] = "was not recorded"
        if frame in columns.entries:
            shared = said | {"cat": "generator or coroutine", "id": frame}
            events.append(shared | {"ph": "b", "args": args})
            events.append(shared | {"ph": "e", "ts": ended[frame] / THOUSAND})
        else:
            events.append(said | {"ph": "X", "dur": (ended[frame] - begun[frame]) / THOUSAND, "args": args})
    events.sort(key=lambda event: (event["ts"], -event.get("dur", 0)))
    return {"traceEvents": named + events, "displayTimeUnit": "ns", "otherData": {"notes": list(recording.notes)}}


def times(recording: RecordedSteps) -> tuple[list[int], list[int]]:
    """When each frame began and ended, in nanoseconds from the first time there is. A frame whose beginning or end was
    not recorded reaches as far as the frames that it called, or as its caller does."""
    columns = recording.columns
    known = [time for time in (*columns.frame_begun, *columns.frame_ended) if time]
    start, end = min(known, default=0), max(known, default=0)
    begun = [(time or start) - start for time in columns.frame_begun]
    ended: list[int] = []
    for frame, time in enumerate(columns.frame_ended):  # a caller has a smaller number than those that it called
        caller = columns.frame_caller[frame]
        latest = end - start if caller == NONE else ended[columns.step_frame[caller]]
        ended.append(max(begun[frame], time - start if time else latest))
    return begun, ended


def told(recording: RecordedSteps, frame: int) -> dict[str, str]:
    """What a call was given, and what it gave: texts, a tensor's with the names of its axes where they are known."""
    columns = recording.columns
    found: dict[str, str] = {}
    step = columns.frame_first[frame]
    if columns.places[columns.step_place[step]][0] == CALL:
        found |= {f"given {name}": text_of(value) for name, value in recording.steps[step].locals.items()}
    last = recording.steps[columns.frame_last[frame]]
    event = columns.places[columns.step_place[last.index]][0]
    if event in (RETURN, YIELD, EXCEPTION) and last.value is not None:
        found[{RETURN: "returned", YIELD: "yielded", EXCEPTION: "raised"}[event]] = text_of(last.value)
    return found
