"""One client's session: which request may come when, its answer, and the events that follow."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import IntEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from prefix_lab.debugger.dap import looking, moving, setting, starting
from prefix_lab.debugger.dap.arguments import Arguments, Refused
from prefix_lab.debugger.dap.channel import Channel, Closed, Limits
from prefix_lab.debugger.dap.messages import Broken, Incoming, Malformed, Request, as_bytes
from prefix_lab.debugger.dap.replay import Replay
from prefix_lab.debugger.dap.text import listed

if TYPE_CHECKING:
    from prefix_lab.debugger.recording import Recording


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
Answer = Callable[[Replay, Arguments], Any]
Events = Iterator[tuple[str, dict]]


class Command(NamedTuple):
    """How a request is answered, in which phases, what follows its answer, and the phase that it leads to."""

    answer: Answer
    first: Phase
    last: Phase
    then: Callable[[Replay, Arguments, Callable[[], bool]], Events] | None = None
    leads_to: Phase | None = None


P = Phase
ANSWERS: dict[str, Command] = {
    "initialize": Command(starting.initialize, P.CONNECTED, P.CONNECTED, leads_to=P.INITIALIZE),
    "launch": Command(starting.launch, P.INITIALIZE, P.INITIALIZE, starting.launched, P.LAUNCH),
    "attach": Command(starting.launch, P.INITIALIZE, P.INITIALIZE, starting.launched, P.LAUNCH),
    "configurationDone": Command(starting.nothing, P.LAUNCH, P.LAUNCH, starting.configured, P.STOPPED),
    "restart": Command(starting.restart, P.STOPPED, P.STOPPED, starting.restarted),
    "terminate": Command(starting.nothing, P.LAUNCH, P.STOPPED, starting.terminated, P.ENDED),
    "disconnect": Command(starting.nothing, P.CONNECTED, P.ENDED),
    **{name: Command(answer, P.INITIALIZE, P.STOPPED) for name, answer in setting.ANSWERS.items()},
    **{name: Command(answer, P.LAUNCH, P.STOPPED) for name, answer in looking.ANYTIME.items()},
    **{name: Command(answer, P.STOPPED, P.STOPPED) for name, answer in looking.STANDING.items()},
    **{name: Command(answer, P.STOPPED, P.STOPPED, then) for name, (answer, then) in moving.ANSWERS.items()},
}


class Session:
    """Serves one client from its first word to its last. `run` returns why it ended: empty when the client went."""

    def __init__(self, recording: Recording, channel: Channel, limits: Limits | None = None):
        self.replay, self.channel = Replay(recording), channel
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
            body = command.answer(self.replay, arguments)
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
            self.follow(command.then(self.replay, arguments, self.incoming.interrupted))

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
            self.event(*moving.stopped(self.replay, "pause", "It stays where it was"))

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
