"""Breakpoints by line, by function and by exception. Each request replaces what the one before it set."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import TYPE_CHECKING

from prefix_lab.debugger.dap.arguments import Arguments, Refused
from prefix_lab.debugger.dap.stops import Stop, condition_of, steps_at, times_of
from prefix_lab.debugger.dap.text import listed, visible
from prefix_lab.debugger.decode import CALL
from prefix_lab.debugger.search import is_exception
from prefix_lab.debugger.summary import as_summary

if TYPE_CHECKING:
    from prefix_lab.debugger.dap.replay import Replay
    from prefix_lab.debugger.dap.sources import Sources

Found = tuple[dict, Stop | None]


def set_breakpoints(replay: Replay, arguments: Arguments) -> dict:
    """In one source. A line that never ran is moved to one that did if it leads there, and refused otherwise."""
    source = arguments.inside("source")
    if not arguments.has("breakpoints"):  # the older form of this request
        lines = [{"line": line} for line in arguments.items("lines")]
        arguments = Arguments({"breakpoints": lines})
    asked = arguments.objects("breakpoints")
    key = (source.whole("sourceReference", 0), replay.sources.path_of(source))
    for one in asked:
        one.whole("line")  # a wrong number is a mistake of the client's, and sets nothing
    try:
        file = replay.sources.find(source)
    except Refused as error:
        replay.by_source.pop(key, None)
        lines = [one.whole("line") for one in asked]
        return {"breakpoints": [unverified(replay, str(error)) | {"line": line} for line in lines]}
    found = [at_line(replay, file, one) for one in asked]
    replay.by_source[key] = [stop for _, stop in found if stop]
    return {"breakpoints": [described for described, _ in found]}


def at_line(replay: Replay, file: str, asked: Arguments) -> Found:
    shift = 1 - replay.client.first_line
    line = asked.whole("line") + shift
    settled = replay.lines_of(file).settle(line)
    place = {"line": settled.line - shift, "source": replay.sources.described(file)}
    if not settled.places:
        return unverified(replay, settled.message) | place, None
    try:
        condition, times = limits_of(replay, asked)
    except Refused as error:
        return unverified(replay, str(error)) | place, None
    steps = steps_at(replay.recording, settled.places)
    found = Stop(replay.recording, replay.number(), "breakpoint", steps, condition, times)
    return verified(found, settled.message) | place, found


def set_function_breakpoints(replay: Replay, arguments: Arguments) -> dict:
    """At the calls of functions: a qualified name, or its end."""
    found = [at_function(replay, asked) for asked in arguments.objects("breakpoints")]
    replay.by_function = [stop for _, stop in found if stop]
    return {"breakpoints": [described for described, _ in found]}


def at_function(replay: Replay, asked: Arguments) -> Found:
    name = asked.text("name").strip()
    columns = replay.recording.columns
    places = [
        number
        for number, (event, function, _) in enumerate(columns.places)
        if event == CALL and fits(name, columns.functions[function][1])
    ]
    try:
        if not places:
            known = sorted({end for _, called, _ in columns.functions for end in (called, called.rpartition(".")[2])})
            near = get_close_matches(name[:200], known, n=4, cutoff=0.5)
            said = f" Near it: {listed(near)}." if near else ""
            raise Refused(f"No function {visible(name)!r} was called in this recording.{said}")
        condition, times = limits_of(replay, asked)
    except Refused as error:
        return unverified(replay, str(error)), None
    steps = steps_at(replay.recording, places)
    found = Stop(replay.recording, replay.number(), "function breakpoint", steps, condition, times)
    _, function, line = columns.places[places[0]]
    place = replay.sources.described(columns.functions[function][0])
    return verified(found) | {"source": place, "line": line - 1 + replay.client.first_line}, found


def fits(name: str, function: str) -> bool:
    return function == name or function.endswith("." + name)


def set_exception_breakpoints(replay: Replay, arguments: Arguments) -> dict:
    """`raised` stops at all, `uncaught` at those that leave the recorded code; a condition names classes."""
    asked = [(name, "") for name in arguments.texts("filters", required=True)]
    asked += [(one.text("filterId"), one.text("condition", "")) for one in arguments.objects("filterOptions")]
    found = [at_exceptions(replay, name, condition) for name, condition in asked]
    replay.by_exception = [stop for _, stop in found if stop]
    return {"breakpoints": [described for described, _ in found]}


def at_exceptions(replay: Replay, name: str, classes: str) -> Found:
    if name not in ("raised", "uncaught"):
        return unverified(replay, f"{visible(name)!r} is no filter; there are raised and uncaught."), None
    steps: Iterable[int] = replay.raised.first if name == "raised" else replay.raised.uncaught
    names = [one.strip() for one in classes.split(",") if one.strip()]
    if names:
        values = replay.recording.columns.values
        steps = (
            step
            for step in steps
            if any(is_exception(as_summary(values[replay.raised.value(step)]), one) for one in names)
        )
    found = Stop(replay.recording, replay.number(), "exception", array("I", steps))
    return verified(found), found


def limits_of(replay: Replay, asked: Arguments) -> tuple:
    """The condition and the count that a breakpoint has. Raises `Refused` for what could never hold."""
    condition = condition_of(asked.text("condition", ""), replay.recording)
    times: Callable[[int], bool] | None = times_of(asked.text("hitCondition", ""))
    return condition, times


def verified(stop: Stop, message: str = "") -> dict:
    return {"id": stop.number, "verified": True} | ({"message": message} if message else {})


def unverified(replay: Replay, message: str) -> dict:
    return {"id": replay.number(), "verified": False, "message": message, "reason": "failed"}


def source_text(replay: Replay, arguments: Arguments) -> dict:
    """A file as it was when it was recorded."""
    sources: Sources = replay.sources
    if arguments.has("source"):
        text = sources.text(arguments.inside("source"))
    else:
        arguments.whole("sourceReference", least=1)
        text = sources.text(arguments)
    return {"content": text, "mimeType": "text/x-python"}


def loaded_sources(replay: Replay, arguments: Arguments) -> dict:
    return {"sources": [replay.sources.described(file) for file in replay.sources.files]}


ANSWERS = {
    "setBreakpoints": set_breakpoints,
    "setFunctionBreakpoints": set_function_breakpoints,
    "setExceptionBreakpoints": set_exception_breakpoints,
    "source": source_text,
    "loadedSources": loaded_sources,
}
