"""One client's session, from initialize to disconnect: which request may come when, its answer, and what follows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import IntEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from prefix_lab.debugger.calls import closing_words, heading, outline
from prefix_lab.debugger.dap import looking, moving, set_breakpoints
from prefix_lab.debugger.dap.arguments import Arguments, Refused
from prefix_lab.debugger.dap.debuggee import Client, Debuggee
from prefix_lab.debugger.dap.messages import Broken, Channel, Closed, Incoming, Limits, Malformed, Request, as_bytes
from prefix_lab.debugger.text import clipped, listed

if TYPE_CHECKING:
    from prefix_lab.debugger.recording import Recording

Answer = Callable[[Debuggee, Arguments], Any]
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


def initialize(debuggee: Debuggee, arguments: Arguments) -> dict:
    """Hear how the client counts and names; say what can be asked."""
    debuggee.client = Client(
        first_line=int(arguments.flag("linesStartAt1", True)),
        first_column=int(arguments.flag("columnsStartAt1", True)),
        with_types=arguments.flag("supportsVariableType", False),
        as_uri=arguments.one_of("pathFormat", ("path", "uri"), "path") == "uri",
    )
    return CAPABILITIES


def launch(debuggee: Debuggee, arguments: Arguments) -> None:
    """`stopOnEntry` (true) stops at the beginning; `step` begins further on; `noDebug` prints the outline, and ends."""
    debuggee.stop_on_entry = arguments.flag("stopOnEntry", True)
    debuggee.only_outline = arguments.flag("noDebug", False)
    debuggee.first = arguments.whole("step", 0)
    count = len(debuggee.recording)
    if debuggee.first >= max(count, 1):
        raise Refused(f"step: {debuggee.first:,} was given, and the last of {count:,} steps is {max(count - 1, 0):,}.")


def launched(debuggee: Debuggee, arguments: Arguments, poll: Callable[[], bool]) -> Events:
    """Breakpoints may come now."""
    yield "initialized", {}


def configured(debuggee: Debuggee, arguments: Arguments, poll: Callable[[], bool]) -> Events:
    """Say what the recording is, and stop at its beginning, or at the first breakpoint."""
    recording = debuggee.recording
    said = outline(recording).split("\n") if debuggee.only_outline else [heading(recording), *closing_words(recording)]
    yield moving.output("\n".join(map(clipped, said)))
    if debuggee.only_outline or not len(recording):
        yield "terminated", {}
        return
    yield from begin(debuggee, arguments, poll)


def begin(debuggee: Debuggee, arguments: Arguments, poll: Callable[[], bool]) -> Events:
    debuggee.goto(debuggee.first)
    if debuggee.stop_on_entry:
        yield moving.stopped(debuggee, "entry", "Paused at the first step" if not debuggee.first else "Paused on entry")
    elif found := [stop for stop in debuggee.stops if stop.at(debuggee.first)]:
        yield moving.stopped_by(debuggee, found)
    else:
        yield from moving.run_on(debuggee, False, poll)


def restart(debuggee: Debuggee, arguments: Arguments) -> None:
    """To where the session began; breakpoints stay. A client may send the arguments of `launch` anew."""
    if arguments.has("arguments"):
        launch(debuggee, arguments.inside("arguments"))


def restarted(debuggee: Debuggee, arguments: Arguments, poll: Callable[[], bool]) -> Events:
    yield "continued", {"threadId": debuggee.threads.of(debuggee.index), "allThreadsContinued": True}
    yield from begin(debuggee, arguments, poll)


def nothing(debuggee: Debuggee, arguments: Arguments) -> None:
    """An answer without a body."""


def terminated(debuggee: Debuggee, arguments: Arguments, poll: Callable[[], bool]) -> Events:
    yield "terminated", {}


class Phase(IntEnum):
    """How far a session has come; each begins with the request that is named."""

    CONNECTED = 0
    INITIALIZE = 1
    LAUNCH = 2
    STOPPED = 3  # configurationDone
    ENDED = 4  # terminate


NEXT = {
    Phase.CONNECTED: "Send initialize first.",
    Phase.INITIALIZE: "Send launch or attach first.",
    Phase.LAUNCH: "Send configurationDone first.",
    Phase.STOPPED: "It can be sent once, and has been.",
    Phase.ENDED: "The session has ended; send disconnect.",
}


class Command(NamedTuple):
    """How a request is answered, in which phases, what follows its answer, and the phase that it leads to."""

    answer: Answer
    first: Phase
    last: Phase
    then: Callable[[Debuggee, Arguments, Callable[[], bool]], Events] | None = None
    leads_to: Phase | None = None


P = Phase
ANSWERS: dict[str, Command] = {
    "initialize": Command(initialize, P.CONNECTED, P.CONNECTED, leads_to=P.INITIALIZE),
    "launch": Command(launch, P.INITIALIZE, P.INITIALIZE, launched, P.LAUNCH),
    "attach": Command(launch, P.INITIALIZE, P.INITIALIZE, launched, P.LAUNCH),
    "configurationDone": Command(nothing, P.LAUNCH, P.LAUNCH, configured, P.STOPPED),
    "restart": Command(restart, P.STOPPED, P.STOPPED, restarted),
    "terminate": Command(nothing, P.LAUNCH, P.STOPPED, terminated, P.ENDED),
    "disconnect": Command(nothing, P.CONNECTED, P.ENDED),
    **{
        name: Command(answer, P.INITIALIZE, P.STOPPED)
        for name, answer in (set_breakpoints.ANSWERS | looking.CONFIGURING).items()
    },
    **{name: Command(answer, P.LAUNCH, P.STOPPED) for name, answer in looking.ANYTIME.items()},
    **{name: Command(answer, P.STOPPED, P.STOPPED) for name, answer in looking.STANDING.items()},
    **{name: Command(answer, P.STOPPED, P.STOPPED, then) for name, (answer, then) in moving.ANSWERS.items()},
}


class DebugSession:
    """Serves one client from its first word to its last. `run` returns why it ended: empty when the client went."""

    def __init__(self, recording: Recording, channel: Channel, limits: Limits | None = None):
        self.debuggee, self.channel = Debuggee(recording), channel
        self.incoming = Incoming(channel, limits or Limits())
        self.phase, self.sent, self.over = Phase.CONNECTED, 0, False

    def run(self) -> str:
        try:
            while not self.over:
                message = self.incoming.next()
                if isinstance(message, Malformed):
                    self.refuse(message.seq, message.command, message.reason)
                else:
                    self.serve(message)
        except Closed:
            return ""
        except Broken as error:
            return self.give_up(str(error))
        return ""

    def give_up(self, reason: str) -> str:
        """Say why there will be no other answer."""
        try:
            self.refuse(0, "", reason)
            if Phase.CONNECTED < self.phase < Phase.ENDED:
                self.event("terminated", {})
        except Closed:
            pass
        return reason

    def serve(self, request: Request) -> None:
        """Answer one request, and do what follows from it."""
        arguments = Arguments(request.arguments)
        try:
            command = self.command(request.command)
            body = command.answer(self.debuggee, arguments)
        except Refused as error:
            self.refuse(request.seq, request.command, str(error))
            return
        except Exception as error:  # a mistake of ours costs this answer, and not the session
            self.refuse(request.seq, request.command, internal(error))
            return
        self.respond(request.seq, request.command, body)
        self.phase = self.phase if command.leads_to is None else command.leads_to
        self.over = request.command == "disconnect"
        if command.then is not None:
            self.follow(command.then(self.debuggee, arguments, self.incoming.interrupted))

    def command(self, name: str) -> Command:
        command = ANSWERS.get(name)
        if command is None:
            raise Refused(
                f"{name[:80]!r} is no request that a recording can answer. Those are: {listed(list(ANSWERS), 99)}."
            )
        if not command.first <= self.phase <= command.last:
            raise Refused(f"{name} cannot be answered now. {NEXT[self.phase]}")
        return command

    def follow(self, events: Events) -> None:
        """Send the events that come of a request. If finding them fails, the recording still stands somewhere."""
        try:
            for name, body in events:
                self.event(name, body)
                if name == "terminated":
                    self.phase = Phase.ENDED
        except (Closed, Broken):
            raise
        except Exception as error:
            self.event("output", {"category": "stderr", "output": internal(error) + "\n"})
            self.event(*moving.stopped(self.debuggee, "pause", "It stays where it was"))

    def respond(self, seq: int, command: str, body: Any) -> None:
        found = {"type": "response", "request_seq": seq, "success": True, "command": command}
        self.send(found if body is None else found | {"body": body})

    def refuse(self, seq: int, command: str, reason: str) -> None:
        error = {"id": 1, "format": "{reason}", "variables": {"reason": reason}, "showUser": True}
        found = {"type": "response", "request_seq": seq, "success": False, "command": command}
        self.send(found | {"message": reason, "body": {"error": error}})

    def event(self, name: str, body: dict) -> None:
        self.send({"type": "event", "event": name, "body": body})

    def send(self, message: dict) -> None:
        self.sent += 1
        self.channel.write(as_bytes({"seq": self.sent, **message}))


def internal(error: Exception) -> str:
    return f"This is a mistake of prefix_lab's own, and the session goes on: {type(error).__name__}: {str(error)[:200]}"
