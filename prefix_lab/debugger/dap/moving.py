"""Breakpoints, and moving: over, in, out, on to the next stop, and back.

A request to move is answered first: what its function here yields first is the answer, and events follow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from prefix_lab.debugger import stops
from prefix_lab.debugger.cursor import COMPREHENSIONS, functions_of
from prefix_lab.debugger.dap.looking import GIVES, Pane
from prefix_lab.debugger.dap.messages import Arguments, Refused
from prefix_lab.debugger.placing import Interrupted, PlacedBreakpoint, at_exceptions, nearest
from prefix_lab.debugger.shown import happening, text_of
from prefix_lab.debugger.text import clipped

if TYPE_CHECKING:
    from prefix_lab.debugger.dap.debuggee import Debuggee

Events = Iterator[Any]  # of names and bodies, after the answer
FIRST = "This is the first step of the recording: go on from here."
LAST = "This is the last step of the recording: step back, or run backwards."
FILTERS = ("raised", "uncaught")
LOGGED_AT_MOST = 1000
EDITED = "The file was edited since: line {line} was line {recorded} when this was recorded."
NO_DATA = "{name}: names of a function can be watched, and a recording knows no more of what is inside a value."
REASONS = ("exception", "data breakpoint", "function breakpoint", "breakpoint")  # of several the first is said


def set_breakpoints(debuggee: Debuggee, arguments: Arguments) -> dict:
    """In one source, instead of those that were set there before."""
    source = arguments.inside("source")
    key = (source.whole("sourceReference", 0), debuggee.files.path_of(source))
    try:
        file, why = debuggee.files.find(source), ""
    except Refused as error:
        file, why = "", str(error)

    def place(asked: Arguments) -> PlacedBreakpoint:
        line, limits = asked.whole("line"), limits_of(asked)
        if why:
            raise ValueError(why)
        recorded = debuggee.files.recorded_line(file, source, line)
        stop = {"file": file, "line": recorded, "log": asked.text("logMessage", "")}
        found = stops.placed(debuggee.recording, stop | limits)
        if recorded != line:
            found.moved = EDITED.format(line=line, recorded=recorded) + (found.moved and f" {found.moved}")
        return found

    return placed(debuggee, key, arguments.objects("breakpoints"), place)


def set_function_breakpoints(debuggee: Debuggee, arguments: Arguments) -> dict:
    """At the calls of functions: a qualified name, or its end; or at a stage of the walk, by its name."""

    def place(asked: Arguments) -> PlacedBreakpoint:
        return stops.placed(debuggee.recording, {"function": asked.text("name").strip()} | limits_of(asked))

    return placed(debuggee, "functions", arguments.objects("breakpoints"), place)


def data_breakpoint_info(debuggee: Debuggee, arguments: Arguments) -> dict:
    """What to say for a name when it is to be watched: its function and itself, so that it holds in each call."""
    name = arguments.text("name").removeprefix(GIVES)
    if arguments.has("variablesReference"):
        pane = debuggee.pane(arguments)
        frame = pane.frame if isinstance(pane, Pane) else None
    else:
        frame = debuggee.step(arguments, "frameId") if arguments.has("frameId") else debuggee.index
    if frame is None or not name.isidentifier():
        return {"dataId": None, "description": NO_DATA.format(name=clipped(name))}
    function = debuggee.recording.steps[frame].function
    said = f"{clipped(name)} in {clipped(function)}"
    return {"dataId": f"{function} {name}", "description": said, "accessTypes": ["write"], "canPersist": True}


def set_data_breakpoints(debuggee: Debuggee, arguments: Arguments) -> dict:
    """Where names are given other values, or the contents of their values change."""

    def place(asked: Arguments) -> PlacedBreakpoint:
        function, _, name = asked.text("dataId").rpartition(" ")
        return stops.placed(debuggee.recording, {"name": name, "function": function} | limits_of(asked))

    return placed(debuggee, "data", arguments.objects("breakpoints"), place)


def set_exception_breakpoints(debuggee: Debuggee, arguments: Arguments) -> dict:
    """`raised` stops at all, `uncaught` at those that leave the recorded code; a condition names classes."""

    def place(asked: Arguments) -> PlacedBreakpoint:
        name = asked.text("filterId")
        if name not in FILTERS:
            raise ValueError(f"{clipped(name)!r} is no filter; there are raised and uncaught.")
        return at_exceptions(debuggee.recording, name == "uncaught", asked.text("condition", ""))

    filters = [Arguments({"filterId": name}) for name in arguments.taken("filters", list, "a list")]
    return placed(debuggee, "exceptions", filters + arguments.objects("filterOptions"), place)


def placed(
    debuggee: Debuggee, key: object, asked: list[Arguments], place: Callable[[Arguments], PlacedBreakpoint]
) -> dict:
    """Set those that can stop, and say of each where it stands, or why it never will."""
    described, found = [], []
    for one in asked:
        number, line = debuggee.number(), {"line": one.given["line"]} if one.has("line") else {}
        try:
            breakpoint = place(one)
        except ValueError as error:
            described.append(
                {"id": number, "verified": False, "message": clipped(str(error)), "reason": "failed"} | line
            )
            continue
        breakpoint.number = number
        found.append(breakpoint)
        told = {"id": number, "verified": True}
        if breakpoint.file:
            told |= {"line": breakpoint.line, "source": debuggee.files.described(breakpoint.file)}
        described.append(told | ({"message": breakpoint.moved} if breakpoint.moved else {}))
    debuggee.set_in[key] = found
    return {"breakpoints": described}


def limits_of(asked: Arguments) -> dict[str, str]:
    return {"condition": asked.text("condition", ""), "hits": asked.text("hitCondition", "")}


def step(move: str, backwards: bool = False) -> Callable[[Debuggee, Arguments], Events]:
    """One of the cursor's moves, from where the thread stands; its very next step, or the one before, is its own.

    Backwards an editor has one button: with `granularity: instruction`, which is the finest, it goes into calls. As in
    the stepper and the replay, no step goes into a comprehension; breakpoints stop there all the same.
    """

    def answer(debuggee: Debuggee, arguments: Arguments) -> Events:
        thread = debuggee.thread(arguments)
        target = here = debuggee.threads.standing(thread, debuggee.index)
        if move == "step_in" or (backwards and arguments.text("granularity", "") == "instruction"):
            target = beside(debuggee, thread, -1 if backwards else 1)
        elif here is not None:
            scout = debuggee.recording.cursor(here)
            scout.skip = COMPREHENSIONS
            target = scout.index if getattr(scout, move)(backwards) else None
        yield None
        yield from go(debuggee, target, backwards)

    return answer


def beside(debuggee: Debuggee, thread: int, beyond: int) -> int | None:
    """The thread's next step, or the one before, that is not inside a comprehension."""
    columns, inside = debuggee.recording.columns, functions_of(debuggee.recording, COMPREHENSIONS)
    step = debuggee.threads.standing(thread, debuggee.index, beyond)
    while step is not None and columns.frame_function[columns.step_frame[step]] in inside:
        step = debuggee.threads.standing(thread, step, beyond)
    return step


def run(backwards: bool) -> Callable[[Debuggee, Arguments], Events]:
    def answer(debuggee: Debuggee, arguments: Arguments) -> Events:
        debuggee.thread(arguments)
        yield {"allThreadsContinued": True} if not backwards else None
        yield from run_on(debuggee, backwards)

    return answer


def run_on(debuggee: Debuggee, backwards: bool) -> Events:
    """To the nearest breakpoint in that direction; where there is none, to that end of the recording."""
    return go(debuggee, -1 if backwards else len(debuggee.recording), backwards)


def go(debuggee: Debuggee, target: int | None, backwards: bool) -> Events:
    """To a step, unless a breakpoint stands on the way; one beyond an end is that end, and None is nowhere."""
    last = len(debuggee.recording) - 1
    if target is None:
        yield from at_an_end(debuggee, backwards)
        return
    index, logged = debuggee.index, 0
    try:
        while found := nearest(debuggee.breakpoints, index, backwards, target, debuggee.given_up):
            index, here = found
            for one in here:
                if one.says and (logged := logged + 1) <= LOGGED_AT_MOST:
                    yield output(logged_text(debuggee, one.says, index))
            if here := [one for one in here if not one.says]:
                found = index, here
                break
    except Interrupted:
        yield stopped(debuggee, "pause", "It stays where it was")
        return
    if logged > LOGGED_AT_MOST:
        yield output(f"… and {logged - LOGGED_AT_MOST:,} more lines, left out.")
    debuggee.goto(found[0] if found else min(max(target, 0), last))
    if found:
        yield stopped_by(debuggee, found[1])
    elif 0 <= target <= last:
        yield stopped(debuggee, "step", "Paused on a step")
    else:
        yield from at_an_end(debuggee, backwards)


def logged_text(debuggee: Debuggee, says: str, step: int) -> str:
    """A log point's text at a step, with what stands in braces worked out there."""

    return stops.said_at(debuggee.recording.steps[step], says, lambda asked, error: f"{asked}: {error}")


def at_an_end(debuggee: Debuggee, backwards: bool) -> Events:
    """Nothing is recorded beyond: the session stays, so that one can go the other way."""
    at_end = debuggee.index == (0 if backwards else len(debuggee.recording) - 1)
    said = (FIRST if backwards else LAST) if at_end else "No such step is recorded on that side; it stays where it was."
    yield output(said)
    reason = ("entry" if backwards else "end") if at_end else "step"
    yield stopped(debuggee, reason, said)


def pause(debuggee: Debuggee, arguments: Arguments) -> Events:
    yield None
    yield stopped(debuggee, "pause", "Paused")


def goto(debuggee: Debuggee, arguments: Arguments) -> Events:
    debuggee.goto(debuggee.step(arguments, "targetId"))
    yield None
    yield stopped(debuggee, "goto", "Paused after a jump")


def restart_frame(debuggee: Debuggee, arguments: Arguments) -> Events:
    """To the first step of a frame: where it was called."""
    frame = debuggee.recording.cursor(debuggee.step(arguments, "frameId"))
    frame.step_end(backwards=True)
    debuggee.goto(frame.index)
    yield None
    yield stopped(debuggee, "restart", "Paused at the beginning of the call")


def stopped_by(debuggee: Debuggee, breakpoints: list[PlacedBreakpoint]) -> tuple[str, dict]:
    """Which breakpoints it was; an exception says what was raised."""
    breakpoints = sorted(breakpoints, key=lambda one: REASONS.index(one.label))
    reason = breakpoints[0].label
    name, body = stopped(debuggee, reason, f"Paused on {reason}")
    if reason == "exception":
        body["text"] = text_of(debuggee.cursor.step.value)
    return name, body | {"hitBreakpointIds": [one.number for one in breakpoints]}


def stopped(debuggee: Debuggee, reason: str, description: str) -> tuple[str, dict]:
    """The event, with what happens at the step where it is no mere line."""
    body = {"reason": reason, "description": description, "allThreadsStopped": True}
    step = debuggee.cursor.step
    if said := happening(step):
        body["text"] = f"{clipped(step.function)} {said}"
    return "stopped", body | {"threadId": debuggee.recording.columns.thread_of(step.index) + 1}


def output(text: str) -> tuple[str, dict]:
    return "output", {"category": "console", "output": text + "\n"}
