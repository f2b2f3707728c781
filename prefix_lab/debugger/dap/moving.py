"""Moving: over, in, out, on to the next stop, and back. Each request is answered first; where it led follows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from prefix_lab.debugger.dap.arguments import Arguments
from prefix_lab.debugger.dap.debuggee import GotoTarget, StackFrame
from prefix_lab.debugger.dap.stops import Interrupted, Stop, nearest
from prefix_lab.debugger.text import clipped

if TYPE_CHECKING:
    from prefix_lab.debugger.dap.debuggee import Debuggee

Events = Iterator[tuple[str, dict]]
Poll = Callable[[], bool]
GRANULARITIES = ("statement", "line", "instruction")
HAPPENS = {"call": "is called", "return": "returns", "yield": "yields", "resume": "goes on", "exception": "raises"}
FIRST = "This is the first step of the recording: go on from here."
LAST = "This is the last step of the recording: step back, or run backwards."


def check_step(debuggee: Debuggee, arguments: Arguments) -> None:
    debuggee.thread(arguments)
    arguments.one_of("granularity", GRANULARITIES, "statement")


def check_thread(debuggee: Debuggee, arguments: Arguments) -> None:
    debuggee.thread(arguments)


def check_continue(debuggee: Debuggee, arguments: Arguments) -> dict:
    debuggee.thread(arguments)
    return {"allThreadsContinued": True}


def step_over(debuggee: Debuggee, arguments: Arguments, poll: Poll) -> Events:
    here = standing(debuggee, arguments)
    yield from step_to(debuggee, here if here is None else over(debuggee, here, False), False, poll)


def step_back(debuggee: Debuggee, arguments: Arguments, poll: Poll) -> Events:
    """The step before in this function; with `granularity: instruction` the very step before, also inside a call."""
    here = standing(debuggee, arguments)
    if arguments.text("granularity", "") == "instruction":
        target = debuggee.threads.neighbour(debuggee.thread(arguments), debuggee.index, True)
    else:
        target = here if here is None else over(debuggee, here, True)
    yield from step_to(debuggee, target, True, poll)


def step_in(debuggee: Debuggee, arguments: Arguments, poll: Poll) -> Events:
    """The thread's next step. With one thread it is the cursor's own `step_in`."""
    yield from step_to(
        debuggee, debuggee.threads.neighbour(debuggee.thread(arguments), debuggee.index, False), False, poll
    )


def step_out(debuggee: Debuggee, arguments: Arguments, poll: Poll) -> Events:
    here = standing(debuggee, arguments)
    scout = debuggee.recording.cursor(here or 0)
    yield from step_to(debuggee, scout.index if here is not None and scout.step_out() else None, False, poll)


def standing(debuggee: Debuggee, arguments: Arguments) -> int | None:
    """The step at which the thread that was asked for stands."""
    return debuggee.threads.standing(debuggee.thread(arguments), debuggee.index)


def over(debuggee: Debuggee, here: int, backwards: bool) -> int | None:
    scout = debuggee.recording.cursor(here)
    return scout.index if scout.step_over(backwards) else None


def step_to(debuggee: Debuggee, target: int | None, backwards: bool, poll: Poll) -> Events:
    """Go there, unless a breakpoint lies on the way; None is beyond an end."""
    if target is None:
        yield from at_an_end(debuggee, backwards)
        return
    try:
        found = nearest(debuggee.stops, debuggee.index, backwards, target, poll)
    except Interrupted:
        yield stopped(debuggee, "pause", "It stays where it was")
        return
    debuggee.goto(found[0] if found else target)
    yield stopped_by(debuggee, found[1]) if found else stopped(debuggee, "step", "Paused on a step")


def run(backwards: bool) -> Callable[[Debuggee, Arguments, Poll], Events]:
    return lambda debuggee, arguments, poll: run_on(debuggee, backwards, poll)


def run_on(debuggee: Debuggee, backwards: bool, poll: Poll) -> Events:
    """To the nearest stop in that direction; where there is none, to that end of the recording."""
    try:
        found = nearest(debuggee.stops, debuggee.index, backwards, None, poll)
    except Interrupted:
        yield stopped(debuggee, "pause", "It stays where it was")
        return
    if found:
        debuggee.goto(found[0])
        yield stopped_by(debuggee, found[1])
        return
    debuggee.goto(0 if backwards else len(debuggee.recording) - 1)
    yield from at_an_end(debuggee, backwards)


def at_an_end(debuggee: Debuggee, backwards: bool) -> Events:
    """Nothing is recorded beyond: the session stays, so that one can go the other way."""
    at_end = debuggee.index == (0 if backwards else len(debuggee.recording) - 1)
    said = (FIRST if backwards else LAST) if at_end else "No such step is recorded on that side; it stays where it was."
    yield output(said)
    reason = ("entry" if backwards else "end") if at_end else "step"
    yield stopped(debuggee, reason, said)


def pause(debuggee: Debuggee, arguments: Arguments, poll: Poll) -> Events:
    yield stopped(debuggee, "pause", "Paused")


def goto(debuggee: Debuggee, arguments: Arguments) -> None:
    debuggee.thread(arguments)
    debuggee.goto(debuggee.told_of(arguments, "targetId", GotoTarget).step)


def went(debuggee: Debuggee, arguments: Arguments, poll: Poll) -> Events:
    yield stopped(debuggee, "goto", "Paused after a jump")


def restart_frame(debuggee: Debuggee, arguments: Arguments) -> None:
    """To the first step of a frame: where it was called."""
    step = debuggee.told_of(arguments, "frameId", StackFrame).step
    columns = debuggee.recording.columns
    debuggee.goto(columns.frame_first[columns.step_frame[step]])


def frame_restarted(debuggee: Debuggee, arguments: Arguments, poll: Poll) -> Events:
    yield stopped(debuggee, "restart", "Paused at the beginning of the call")


def stopped_by(debuggee: Debuggee, stops: list[Stop]) -> tuple[str, dict]:
    """Which breakpoints it was; an exception says what was raised."""
    reason = stops[0].reason
    name, body = stopped(debuggee, reason, f"Paused on {reason}")
    if reason == "exception":
        body["text"] = clipped(str(debuggee.cursor.step.value))
    return name, body | {"hitBreakpointIds": [stop.number for stop in stops]}


def stopped(debuggee: Debuggee, reason: str, description: str) -> tuple[str, dict]:
    """The event, with what happens at the step where it is no mere line."""
    body = {"reason": reason, "description": description, "allThreadsStopped": True}
    step = debuggee.cursor.step
    if step.event in HAPPENS:
        given = f" {step.value}" if step.value is not None else ""
        body["text"] = clipped(f"{step.function} {HAPPENS[step.event]}{given}")
    return "stopped", body | {"threadId": debuggee.threads.of(debuggee.index)}


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
