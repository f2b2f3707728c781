"""Breakpoints by line, by function and by exception. Each request replaces what the one before it set."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from prefix_lab.debugger.dap.arguments import Arguments, Refused
from prefix_lab.debugger.dap.stops import Stop, condition_of, steps_at, times_of
from prefix_lab.debugger.search import is_exception
from prefix_lab.debugger.steps import CALL
from prefix_lab.debugger.summary import as_summary
from prefix_lab.debugger.text import clipped, functions_near, listed

if TYPE_CHECKING:
    from prefix_lab.debugger.dap.debuggee import Debuggee

Found = tuple[dict, Stop | None]


def set_breakpoints(debuggee: Debuggee, arguments: Arguments) -> dict:
    """In one source. A line that never ran is moved to one that did if it leads there, and refused otherwise."""
    source = arguments.inside("source")
    if not arguments.has("breakpoints"):  # the older form of this request
        lines = [{"line": line} for line in arguments.items("lines")]
        arguments = Arguments({"breakpoints": lines})
    asked = arguments.objects("breakpoints")
    key = (source.whole("sourceReference", 0), debuggee.files.path_of(source))
    for one in asked:
        one.whole("line")  # a wrong number is a mistake of the client's, and sets nothing
    try:
        file = debuggee.files.find(source)
    except Refused as error:
        debuggee.by_source.pop(key, None)
        lines = [one.whole("line") for one in asked]
        return {"breakpoints": [unverified(debuggee, str(error)) | {"line": line} for line in lines]}
    found = [at_line(debuggee, file, one) for one in asked]
    debuggee.by_source[key] = [stop for _, stop in found if stop]
    return {"breakpoints": [described for described, _ in found]}


def at_line(debuggee: Debuggee, file: str, asked: Arguments) -> Found:
    shift = 1 - debuggee.client.first_line
    line = asked.whole("line") + shift
    settled = debuggee.lines_of(file).settle(line)
    place = {"line": settled.line - shift, "source": debuggee.files.described(file)}
    if not settled.places:
        return unverified(debuggee, settled.message) | place, None
    try:
        condition, times = limits_of(debuggee, asked)
    except Refused as error:
        return unverified(debuggee, str(error)) | place, None
    steps = steps_at(debuggee.recording, settled.places)
    found = Stop(debuggee.recording, debuggee.number(), "breakpoint", steps, condition, times)
    return verified(found, settled.message) | place, found


def set_function_breakpoints(debuggee: Debuggee, arguments: Arguments) -> dict:
    """At the calls of functions: a qualified name, or its end."""
    found = [at_function(debuggee, asked) for asked in arguments.objects("breakpoints")]
    debuggee.by_function = [stop for _, stop in found if stop]
    return {"breakpoints": [described for described, _ in found]}


def at_function(debuggee: Debuggee, asked: Arguments) -> Found:
    name = asked.text("name").strip()
    columns = debuggee.recording.columns
    places = [
        number
        for number, (event, function, _) in enumerate(columns.places)
        if event == CALL and fits(name, columns.functions[function][1])
    ]
    try:
        if not places:
            near = functions_near(name, (called for _, called, _ in columns.functions))
            said = f" Near it: {listed(near)}." if near else ""
            raise Refused(f"No function {clipped(name)!r} was called in this recording.{said}")
        condition, times = limits_of(debuggee, asked)
    except Refused as error:
        return unverified(debuggee, str(error)), None
    steps = steps_at(debuggee.recording, places)
    found = Stop(debuggee.recording, debuggee.number(), "function breakpoint", steps, condition, times)
    _, function, line = columns.places[places[0]]
    place = debuggee.files.described(columns.functions[function][0])
    return verified(found) | {"source": place, "line": line - 1 + debuggee.client.first_line}, found


def fits(name: str, function: str) -> bool:
    return function == name or function.endswith("." + name)


def set_exception_breakpoints(debuggee: Debuggee, arguments: Arguments) -> dict:
    """`raised` stops at all, `uncaught` at those that leave the recorded code; a condition names classes."""
    asked = [(name, "") for name in arguments.texts("filters", required=True)]
    asked += [(one.text("filterId"), one.text("condition", "")) for one in arguments.objects("filterOptions")]
    found = [at_exceptions(debuggee, name, condition) for name, condition in asked]
    debuggee.by_exception = [stop for _, stop in found if stop]
    return {"breakpoints": [described for described, _ in found]}


def at_exceptions(debuggee: Debuggee, name: str, classes: str) -> Found:
    if name not in ("raised", "uncaught"):
        return unverified(debuggee, f"{clipped(name)!r} is no filter; there are raised and uncaught."), None
    steps: Iterable[int] = debuggee.raised.first if name == "raised" else debuggee.raised.uncaught
    names = [one.strip() for one in classes.split(",") if one.strip()]
    if names:
        values = debuggee.recording.columns.values
        steps = (
            step
            for step in steps
            if any(is_exception(as_summary(values[debuggee.raised.value(step)]), one) for one in names)
        )
    found = Stop(debuggee.recording, debuggee.number(), "exception", array("I", steps))
    return verified(found), found


def limits_of(debuggee: Debuggee, asked: Arguments) -> tuple:
    """The condition and the count that a breakpoint has. Raises `Refused` for what could never hold."""
    condition = condition_of(asked.text("condition", ""), debuggee.recording)
    times: Callable[[int], bool] | None = times_of(asked.text("hitCondition", ""))
    return condition, times


def verified(stop: Stop, message: str = "") -> dict:
    return {"id": stop.number, "verified": True} | ({"message": message} if message else {})


def unverified(debuggee: Debuggee, message: str) -> dict:
    return {"id": debuggee.number(), "verified": False, "message": message, "reason": "failed"}


ANSWERS = {
    "setBreakpoints": set_breakpoints,
    "setFunctionBreakpoints": set_function_breakpoints,
    "setExceptionBreakpoints": set_exception_breakpoints,
}
