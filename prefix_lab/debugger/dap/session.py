"""One client's session, from initialize to disconnect: what can be asked, who answers, and what follows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from prefix_lab.debugger.calls import closing_words, heading, outline
from prefix_lab.debugger.dap import looking, moving, walking
from prefix_lab.debugger.dap.debuggee import Debuggee
from prefix_lab.debugger.dap.messages import Arguments, Connection, Ended, Gone, Refused, Request
from prefix_lab.debugger.text import clipped, listed

if TYPE_CHECKING:
    from prefix_lab.debugger.recording import Recording

CLASS_NAME = "a class, or several with commas: ValueError, torch.OutOfMemoryError"
FILTERS = (
    {
        "filter": "raised",
        "label": "Raised Exceptions",
        "description": "Stop where an exception is raised, caught or not.",
        "default": False,
        "supportsCondition": True,
        "conditionDescription": CLASS_NAME,
    },
    {
        "filter": "uncaught",
        "label": "Uncaught Exceptions",
        "description": "Stop where an exception is raised that leaves all recorded functions.",
        "default": True,
        "supportsCondition": True,
        "conditionDescription": CLASS_NAME,
    },
)
SUPPORTED = (
    *("ConfigurationDoneRequest", "FunctionBreakpoints", "ConditionalBreakpoints", "HitConditionalBreakpoints"),
    *("EvaluateForHovers", "StepBack", "RestartFrame", "GotoTargetsRequest", "RestartRequest", "ExceptionInfoRequest"),
    *("ExceptionFilterOptions", "DelayedStackTraceLoading", "LoadedSourcesRequest", "TerminateRequest"),
    *("ClipboardContext", "SteppingGranularity", "LogPoints", "DataBreakpoints", "CompletionsRequest"),
)
QUIET = ("evaluate", "completions", "dataBreakpointInfo")  # asked at every step; a client shows their errors in place
NO_CHANGE = (
    "This is a recording of what has happened, and nothing in it can be changed. To see what another value would do, "
    "run the program itself under a debugger, and set it there."
)
CAPABILITIES = {f"supports{name}": True for name in SUPPORTED} | {"exceptionBreakpointFilters": list(FILTERS)}


def initialize(debuggee: Debuggee, arguments: Arguments) -> dict:
    """Say what can be asked. No client is known that counts from 0 or names files by URI."""
    for name, expected in (("linesStartAt1", True), ("columnsStartAt1", True), ("pathFormat", "path")):
        if arguments.given.get(name, expected) != expected:
            raise Refused(f"{name}: {arguments.given[name]!r} was given, and only {expected!r} is spoken here.")
    debuggee.shows_types = arguments.flag("supportsVariableType", False)
    return CAPABILITIES


def take(debuggee: Debuggee, arguments: Arguments) -> None:
    """`stopOnEntry` (true) stops at the beginning; `step` begins further on; `noDebug` prints the outline, and ends."""
    debuggee.stop_on_entry = arguments.flag("stopOnEntry", True)
    debuggee.only_outline = arguments.flag("noDebug", False)
    debuggee.first = arguments.whole("step", 0)
    count = len(debuggee.recording)
    if debuggee.first >= max(count, 1):
        raise Refused(f"step: {debuggee.first:,} was given, and the last of {count:,} steps is {max(count - 1, 0):,}.")


def launch(debuggee: Debuggee, arguments: Arguments) -> moving.Events:
    """Breakpoints may come now."""
    take(debuggee, arguments)
    yield None
    yield "initialized", {}


def configuration_done(debuggee: Debuggee, arguments: Arguments) -> moving.Events:
    """Say what the recording is, and stop at its beginning, or at the first breakpoint."""
    yield None
    recording = debuggee.recording
    said = outline(recording).split("\n") if debuggee.only_outline else [heading(recording), *closing_words(recording)]
    yield moving.output("\n".join(map(clipped, said)))
    if debuggee.only_outline or not len(recording):
        yield "terminated", {}
    else:
        yield from begin(debuggee)


def begin(debuggee: Debuggee) -> moving.Events:
    debuggee.goto(debuggee.first)
    if debuggee.stop_on_entry:
        yield moving.stopped(debuggee, "entry", "Paused at the first step" if not debuggee.first else "Paused on entry")
    elif found := [one for one in debuggee.breakpoints if one.stops_at(debuggee.first)]:
        yield moving.stopped_by(debuggee, found)
    else:
        yield from moving.run_on(debuggee, False)


def restart(debuggee: Debuggee, arguments: Arguments) -> moving.Events:
    """To where the session began; breakpoints stay. A client may send the arguments of `launch` anew."""
    if arguments.has("arguments"):
        take(debuggee, arguments.inside("arguments"))
    yield None
    yield "continued", {"threadId": 1, "allThreadsContinued": True}
    yield from begin(debuggee)


def terminate(debuggee: Debuggee, arguments: Arguments) -> moving.Events:
    yield None
    yield "terminated", {}


def no_change(debuggee: Debuggee, arguments: Arguments) -> None:
    raise Refused(NO_CHANGE)


def disconnect(debuggee: Debuggee, arguments: Arguments) -> None:
    """The session's last answer."""


ANSWERS: dict[str, Callable[[Debuggee, Arguments], Any]] = {
    "initialize": initialize,
    "launch": launch,
    "attach": launch,
    "setBreakpoints": moving.set_breakpoints,
    "setFunctionBreakpoints": moving.set_function_breakpoints,
    "setExceptionBreakpoints": moving.set_exception_breakpoints,
    "setDataBreakpoints": moving.set_data_breakpoints,
    "setVariable": no_change,
    "setExpression": no_change,
    "prefixLab/stages": walking.stages,
    "prefixLab/counts": walking.counts,
    "configurationDone": configuration_done,
    "threads": looking.threads,
    "source": looking.source_text,
    "loadedSources": looking.loaded_sources,
    "terminate": terminate,
    "disconnect": disconnect,
}
STANDING: dict[str, Callable[[Debuggee, Arguments], Any]] = {  # at a step, so that there must be one
    "stackTrace": looking.stack_trace,
    "scopes": looking.scopes,
    "variables": looking.variables,
    "evaluate": looking.evaluate,
    "completions": looking.completions,
    "dataBreakpointInfo": moving.data_breakpoint_info,
    "prefixLab/lines": walking.lines,
    "prefixLab/history": walking.history_of,
    "prefixLab/goto": walking.goto,
    "exceptionInfo": looking.exception_info,
    "gotoTargets": looking.goto_targets,
    "next": moving.step("step_over"),
    "stepIn": moving.step("step_in"),
    "stepOut": moving.step("step_out"),
    "stepBack": moving.step("step_over", backwards=True),
    "continue": moving.run(backwards=False),
    "reverseContinue": moving.run(backwards=True),
    "pause": moving.pause,
    "goto": moving.goto,
    "restart": restart,
    "restartFrame": moving.restart_frame,
}


class DebugSession:
    """Serves one client from its first word to its last. `run` returns why it ended: empty when the client went."""

    def __init__(self, recording: Recording, connection: Connection, idle: float):
        self.connection, self.idle = connection, idle
        self.debuggee = Debuggee(recording, connection.interrupted)

    def run(self) -> str:
        try:
            while True:
                request = self.connection.next(self.idle)
                if isinstance(request, Ended):
                    return self.give_up(request.reason)
                self.serve(request)
                if request.command == "disconnect":
                    return ""
        except Gone:
            return ""

    def give_up(self, reason: str) -> str:
        """Say why there will be no other answer."""
        if reason:
            self.connection.refuse(Request(0, "", {}), reason)
            self.connection.event("terminated", {})
        return reason

    def serve(self, request: Request) -> None:
        """Answer one request, and send the events that follow from it."""
        try:
            answer = self.answer(request)
            following = answer if isinstance(answer, Iterator) else iter([answer])
            body = next(following)
        except Refused as error:
            return self.connection.refuse(request, str(error), request.command not in QUIET)
        except Exception as error:  # a mistake of ours costs this answer, and not the session
            return self.connection.refuse(request, internal(error))
        self.connection.respond(request, body)
        try:
            for name, event in following:
                self.connection.event(name, event)
        except Gone:
            raise
        except Exception as error:  # the recording still stands somewhere
            self.connection.event("output", {"category": "stderr", "output": internal(error) + "\n"})
            self.connection.event(*moving.stopped(self.debuggee, "pause", "It stays where it was"))

    def answer(self, request: Request) -> Any:
        if request.malformed:
            raise Refused(request.malformed)
        found = ANSWERS.get(request.command) or STANDING.get(request.command)
        if found is None:
            known = listed([*ANSWERS, *STANDING], 99)
            raise Refused(f"{request.command[:80]!r} is no request that a recording can answer. Those are: {known}.")
        if request.command in STANDING and not len(self.debuggee.recording):
            raise Refused("This recording has no steps to stand at.")
        return found(self.debuggee, Arguments(request.arguments))


def internal(error: Exception) -> str:
    return f"This is a mistake of prefix_lab's own, and the session goes on: {type(error).__name__}: {str(error)[:200]}"
