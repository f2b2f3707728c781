"""Beginning and ending: initialize, launch or attach, configurationDone, restart, terminate."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from prefix_lab.debugger.dap import moving
from prefix_lab.debugger.dap.arguments import Arguments, Refused
from prefix_lab.debugger.dap.replay import Client
from prefix_lab.debugger.dap.text import visible
from prefix_lab.debugger.outline import heading, outline, told

if TYPE_CHECKING:
    from prefix_lab.debugger.dap.replay import Replay

Events = Iterator[tuple[str, dict]]
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
CAPABILITIES = {
    "supportsConfigurationDoneRequest": True,
    "supportsFunctionBreakpoints": True,
    "supportsConditionalBreakpoints": True,
    "supportsHitConditionalBreakpoints": True,
    "supportsEvaluateForHovers": True,
    "exceptionBreakpointFilters": list(FILTERS),
    "supportsStepBack": True,
    "supportsRestartFrame": True,
    "supportsGotoTargetsRequest": True,
    "supportsRestartRequest": True,
    "supportsExceptionInfoRequest": True,
    "supportsExceptionFilterOptions": True,
    "supportsDelayedStackTraceLoading": True,
    "supportsLoadedSourcesRequest": True,
    "supportsTerminateRequest": True,
    "supportsClipboardContext": True,
    "supportsSteppingGranularity": True,
}


def initialize(replay: Replay, arguments: Arguments) -> dict:
    """Hear how the client counts and names; say what can be asked."""
    replay.client = Client(
        first_line=int(arguments.flag("linesStartAt1", True)),
        first_column=int(arguments.flag("columnsStartAt1", True)),
        with_types=arguments.flag("supportsVariableType", False),
        as_uri=arguments.one_of("pathFormat", ("path", "uri"), "path") == "uri",
    )
    return CAPABILITIES


def launch(replay: Replay, arguments: Arguments) -> None:
    """`stopOnEntry` (true) stops at the beginning; `step` begins further on; `noDebug` prints the outline, and ends."""
    replay.stop_on_entry = arguments.flag("stopOnEntry", True)
    replay.only_outline = arguments.flag("noDebug", False)
    replay.first = arguments.whole("step", 0)
    count = len(replay.recording)
    if replay.first >= max(count, 1):
        raise Refused(f"step: {replay.first:,} was given, and the last of {count:,} steps is {max(count - 1, 0):,}.")


def launched(replay: Replay, arguments: Arguments, poll: Callable[[], bool]) -> Events:
    """Breakpoints may come now."""
    yield "initialized", {}


def configured(replay: Replay, arguments: Arguments, poll: Callable[[], bool]) -> Events:
    """Say what the recording is, and stop at its beginning, or at the first breakpoint."""
    recording = replay.recording
    said = outline(recording).split("\n") if replay.only_outline else [heading(recording), *told(recording)]
    yield moving.output("\n".join(map(visible, said)))
    if replay.only_outline or not len(recording):
        yield "terminated", {}
        return
    yield from begin(replay, arguments, poll)


def begin(replay: Replay, arguments: Arguments, poll: Callable[[], bool]) -> Events:
    replay.goto(replay.first)
    if replay.stop_on_entry:
        yield moving.stopped(replay, "entry", "Paused at the first step" if not replay.first else "Paused on entry")
    elif found := [stop for stop in replay.stops if stop.at(replay.first)]:
        yield moving.stopped_by(replay, found)
    else:
        yield from moving.run_on(replay, False, poll)


def restart(replay: Replay, arguments: Arguments) -> None:
    """To where the session began; breakpoints stay. A client may send the arguments of `launch` anew."""
    if arguments.has("arguments"):
        launch(replay, arguments.inside("arguments"))


def restarted(replay: Replay, arguments: Arguments, poll: Callable[[], bool]) -> Events:
    yield "continued", {"threadId": replay.threads.of(replay.index), "allThreadsContinued": True}
    yield from begin(replay, arguments, poll)


def nothing(replay: Replay, arguments: Arguments) -> None:
    """An answer without a body."""


def terminated(replay: Replay, arguments: Arguments, poll: Callable[[], bool]) -> Events:
    yield "terminated", {}
