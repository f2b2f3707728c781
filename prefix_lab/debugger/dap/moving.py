"""Moving: over, in, out, on to the next stop, and back. Each request is answered first; where it led follows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from prefix_lab.debugger.dap.arguments import Arguments
from prefix_lab.debugger.dap.replay import Frame, Target
from prefix_lab.debugger.dap.stops import Interrupted, Stop, nearest
from prefix_lab.debugger.dap.text import visible

if TYPE_CHECKING:
    from prefix_lab.debugger.dap.replay import Replay

Events = Iterator[tuple[str, dict]]
Poll = Callable[[], bool]
GRANULARITIES = ("statement", "line", "instruction")
HAPPENS = {"call": "is called", "return": "returns", "yield": "yields", "resume": "goes on", "exception": "raises"}
FIRST = "This is the first step of the recording: go on from here."
LAST = "This is the last step of the recording: step back, or run backwards."


def check_step(replay: Replay, arguments: Arguments) -> None:
    replay.thread(arguments)
    arguments.one_of("granularity", GRANULARITIES, "statement")


def check_thread(replay: Replay, arguments: Arguments) -> None:
    replay.thread(arguments)


def check_continue(replay: Replay, arguments: Arguments) -> dict:
    replay.thread(arguments)
    return {"allThreadsContinued": True}


def step_over(replay: Replay, arguments: Arguments, poll: Poll) -> Events:
    here = standing(replay, arguments)
    yield from step_to(replay, here if here is None else over(replay, here, False), False, poll)


def step_back(replay: Replay, arguments: Arguments, poll: Poll) -> Events:
    """The step before in this function; with `granularity: instruction` the very step before, also inside a call."""
    here = standing(replay, arguments)
    if arguments.text("granularity", "") == "instruction":
        target = replay.threads.neighbour(replay.thread(arguments), replay.index, True)
    else:
        target = here if here is None else over(replay, here, True)
    yield from step_to(replay, target, True, poll)


def step_in(replay: Replay, arguments: Arguments, poll: Poll) -> Events:
    """The thread's next step. With one thread it is the cursor's own `step_in`."""
    yield from step_to(replay, replay.threads.neighbour(replay.thread(arguments), replay.index, False), False, poll)


def step_out(replay: Replay, arguments: Arguments, poll: Poll) -> Events:
    here = standing(replay, arguments)
    scout = replay.recording.cursor(here or 0)
    yield from step_to(replay, scout.index if here is not None and scout.step_out() else None, False, poll)


def standing(replay: Replay, arguments: Arguments) -> int | None:
    """The step at which the thread that was asked for stands."""
    return replay.threads.standing(replay.thread(arguments), replay.index)


def over(replay: Replay, here: int, backwards: bool) -> int | None:
    scout = replay.recording.cursor(here)
    return scout.index if scout.step_over(backwards) else None


def step_to(replay: Replay, target: int | None, backwards: bool, poll: Poll) -> Events:
    """Go there, unless a breakpoint lies on the way; None is beyond an end."""
    if target is None:
        yield from at_an_end(replay, backwards)
        return
    try:
        found = nearest(replay.stops, replay.index, backwards, target, poll)
    except Interrupted:
        yield stopped(replay, "pause", "It stays where it was")
        return
    replay.goto(found[0] if found else target)
    yield stopped_by(replay, found[1]) if found else stopped(replay, "step", "Paused on a step")


def run(backwards: bool) -> Callable[[Replay, Arguments, Poll], Events]:
    return lambda replay, arguments, poll: run_on(replay, backwards, poll)


def run_on(replay: Replay, backwards: bool, poll: Poll) -> Events:
    """To the nearest stop in that direction; where there is none, to that end of the recording."""
    try:
        found = nearest(replay.stops, replay.index, backwards, None, poll)
    except Interrupted:
        yield stopped(replay, "pause", "It stays where it was")
        return
    if found:
        replay.goto(found[0])
        yield stopped_by(replay, found[1])
        return
    replay.goto(0 if backwards else len(replay.recording) - 1)
    yield from at_an_end(replay, backwards)


def at_an_end(replay: Replay, backwards: bool) -> Events:
    """Nothing is recorded beyond: the session stays, so that one can go the other way."""
    at_end = replay.index == (0 if backwards else len(replay.recording) - 1)
    said = (FIRST if backwards else LAST) if at_end else "No such step is recorded on that side; it stays where it was."
    yield output(said)
    reason = ("entry" if backwards else "end") if at_end else "step"
    yield stopped(replay, reason, said)


def pause(replay: Replay, arguments: Arguments, poll: Poll) -> Events:
    yield stopped(replay, "pause", "Paused")


def goto(replay: Replay, arguments: Arguments) -> None:
    replay.thread(arguments)
    replay.goto(replay.told_of(arguments, "targetId", Target).step)


def went(replay: Replay, arguments: Arguments, poll: Poll) -> Events:
    yield stopped(replay, "goto", "Paused after a jump")


def restart_frame(replay: Replay, arguments: Arguments) -> None:
    """To the first step of a frame: where it was called."""
    step = replay.told_of(arguments, "frameId", Frame).step
    columns = replay.recording.columns
    replay.goto(columns.frame_first[columns.step_frame[step]])


def frame_restarted(replay: Replay, arguments: Arguments, poll: Poll) -> Events:
    yield stopped(replay, "restart", "Paused at the beginning of the call")


def stopped_by(replay: Replay, stops: list[Stop]) -> tuple[str, dict]:
    """Which breakpoints it was; an exception says what was raised."""
    reason = stops[0].reason
    name, body = stopped(replay, reason, f"Paused on {reason}")
    if reason == "exception":
        body["text"] = visible(str(replay.cursor.step.value))
    return name, body | {"hitBreakpointIds": [stop.number for stop in stops]}


def stopped(replay: Replay, reason: str, description: str) -> tuple[str, dict]:
    """The event, with what happens at the step where it is no mere line."""
    body = {"reason": reason, "description": description, "allThreadsStopped": True}
    step = replay.cursor.step
    if step.event in HAPPENS:
        given = f" {step.value}" if step.value is not None else ""
        body["text"] = visible(f"{step.function} {HAPPENS[step.event]}{given}")
    return "stopped", body | {"threadId": replay.threads.of(replay.index)}


def output(text: str) -> tuple[str, dict]:
    return "output", {"category": "console", "output": text + "\n"}


ANSWERS = {
    "next": (check_step, step_over),
    "stepIn": (check_step, step_in),
    "stepOut": (check_step, step_out),
    "stepBack": (check_step, step_back),
    "continue": (check_continue, run(backwards=False)),
    "reverseContinue": (check_thread, run(backwards=True)),
    "pause": (check_thread, pause),
    "goto": (goto, went),
    "restartFrame": (restart_frame, frame_restarted),
}
