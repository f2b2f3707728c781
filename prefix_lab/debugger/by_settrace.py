"""Recording through `sys.settrace`: the way before Python 3.12.

The interpreter asks one function at each call; if the call is in scope, it gets a function of its own that hears of
its lines. Every thread has its own tape.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from time import perf_counter_ns
from types import FrameType
from typing import Any, NamedTuple

from prefix_lab.debugger.frames import LIVE, fast, where
from prefix_lab.debugger.tape import RecordingSession, Tape
from prefix_lab.debugger.tokens import AGAIN, MISSING, RAISE, RESUME, RETURN, TURN, UNWIND, YIELD, CodeInfo, LineInfo

Tracer = Callable[[FrameType, str, Any], Any]
UNKNOWN = object()
_begun: list[SettraceHooks] = []
"""Those that are switched on, in the order in which they were."""


class AfterError(tuple):
    """Pending names of a frame whose last event was an exception."""

    __slots__ = ()


class Tracers(NamedTuple):
    """What one thread needs."""

    tracer_of: Callable[..., Tracer]  # makes a frame's own tracer
    on_call: Tracer  # is asked at each call
    called: Callable[..., Tracer | None]  # as `on_call`, of what it does not know to be out of scope
    shut: Callable[[], None]  # nothing is written any more, by frames that still run either


class SettraceHooks:
    """Switches recording on in this thread and in those that it starts, and off again."""

    def __init__(self, session: RecordingSession):
        self.session = session
        self.traced: dict[FrameType, Any] = {}  # frames that ran already, with the tracer that each had before

    def start(self, frame: FrameType) -> None:
        """Record from here on: calls to come, and the frames that run already, from `frame` outwards."""
        session, tape = self.session, self.session.tape_of_this_thread()
        self.before, self.threads_before = sys.gettrace(), threading.gettrace()
        nested = is_ours(self.before)
        if self.before is not None and not nested:
            session.note(
                f"A tracer was there ({name_of(self.before)}: a debugger, or coverage). It is off while this "
                "recording is made, and back afterwards; on Python 3.12 or newer both would work at once."
            )
        tracer_of, on_call, *_ = tracers(session)
        for running in session.frames_in_scope(frame):
            info = session.known[id(running.f_code)]
            tape.running(running, info)
            self.traced[running] = running.f_trace
            running.f_trace = for_both(tracer_of(info, where(running)), running.f_trace if nested else None)
        self.own = for_both(on_call, self.before if nested else None)
        self.own_thread = for_both(self.in_new_thread, self.threads_before if nested else None)
        threading.settrace(self.own_thread)
        _begun.append(self)
        sys.settrace(self.own)

    def in_new_thread(self, frame: FrameType, event: str, argument: Any) -> Any:
        """The first call in a thread that began under the recording: from now on it has tracers of its own."""
        if self.session.closed:
            return None
        on_call = tracers(self.session).on_call
        if sys.gettrace() is self.own_thread:
            sys.settrace(on_call)
        return on_call(frame, event, argument)

    def stop(self) -> None:
        """Put back what was there. Where a recording that began later goes on, that one is to put it back."""
        innermost, later = _begun[-1], _begun[_begun.index(self) + 1 :]
        _begun.remove(self)
        here = later[0].before if later else sys.gettrace()
        if here is not self.own or sys.gettrace() is not innermost.own:
            self.session.note(
                "The tracer was changed while recording, by the program, an interrupt, or a recursion that reached its "
                "limit; what came after is missing."
            )
        if here is self.own or here is None:
            if later:
                later[0].before = self.before
            else:
                sys.settrace(self.before)
        if later and later[0].threads_before is self.own_thread:
            later[0].threads_before = self.threads_before
        elif threading.gettrace() is self.own_thread:
            threading.settrace(self.threads_before)
        for frame, before in self.traced.items():
            over = next((one.traced for one in later if frame in one.traced), None)
            if over is None:
                frame.f_trace = before
            else:
                over[frame] = before
        self.traced.clear()
        self.session.closed = True
        for tape in self.session.tapes:
            if tape.tracers is not None:
                tape.tracers.shut()


def is_ours(tracer: Any) -> bool:
    return getattr(tracer, "__module__", None) == __name__


def name_of(tracer: Any) -> str:
    module, name = getattr(tracer, "__module__", None), getattr(tracer, "__qualname__", type(tracer).__qualname__)
    return f"{module}.{name}" if module else name


def for_both(inner: Tracer | None, outer: Tracer | None) -> Tracer | None:
    """One tracer that feeds two recordings, one inside the other."""
    if inner is None or outer is None:
        return inner or outer

    def both(frame: FrameType, event: str, argument: Any) -> Any:
        found = inner(frame, event, argument), outer(frame, event, argument)
        return both if found == (inner, outer) else for_both(*found)

    return both


def tracers(session: RecordingSession) -> Tracers:
    """Those of this thread."""
    tape = session.tape_of_this_thread()
    if tape.tracers is None:
        tape.tracers = new_tracers(session, tape)
    return tape.tracers


def new_tracers(session: RecordingSession, tape: Tape) -> Tracers:
    frames, atoms, is_known = session.frames, session.atoms, session.known.get
    items, append, extend, put, look_at = tape.items, tape.append, tape.items.extend, tape.put, tape.look_at
    now = perf_counter_ns
    put_named = tape.put_named

    def tracer_of(info: CodeInfo, held: Any, pending: Any = None) -> Tracer:
        lines, read, direct, slots = info.lines, info.read, info.direct, info.slots
        if LIVE:
            held = None  # it would keep the frame alive

        # The hot path; what is rare is left to `other`, since each name from outside costs time at every line.
        def trace(frame: FrameType, event: str, argument: Any) -> Tracer | None:
            nonlocal pending
            try:
                if pending is not None:
                    if type(pending) is str:
                        if direct:
                            try:
                                value = fast[held + slots[pending]]
                            except ValueError:  # it is not bound
                                value = MISSING
                        else:
                            value = read(frame.f_locals if held is None else held, pending, MISSING)
                        append(value if type(value) in atoms else put_named(pending, value, info))
                    elif pending is TURN:
                        if len(items) > tape.next_check:
                            tape.check()
                    elif type(pending) is LineInfo:
                        return gone_on(frame, event, argument, pending)
                    else:
                        look_at(frame, pending, info, frame.f_locals if held is None else held)
                if event == "line":
                    place = lines[frame.f_lineno]
                    if tape.waits:
                        tape.take_turn()
                    append(place)
                    pending = place.names
                else:
                    pending = other(frame, event, argument, pending, info)
            except BaseException as error:
                pending = tape.lost(error)
                if session.closed:
                    frame.f_trace = None
                    return None
            return trace

        return trace

    def gone_on(frame: FrameType, event: str, argument: Any, paused: LineInfo) -> Tracer | None:
        """Python 3.11 does not say "call" when what was thrown into a generator ends the one that it delegates to."""
        # The tracer is this thread's, which may be another one than before.
        tracer = tracers(session).called(frame, "call", paused.info, paused)
        return tracer and tracer(frame, event, argument)

    def other(frame: FrameType, event: str, argument: Any, pending: Any, info: CodeInfo) -> Any:
        """A return, a yield, an exception; what is pending then, which is the line itself while the frame is paused."""
        if tape.waits:
            tape.take_turn()
        at = frame.f_lasti
        if event == "exception":
            place = info.lines[frame.f_lineno]
            if argument[0] is StopIteration and at in info.skips:  # a loop ends, or a `yield from`
                extend((AGAIN, (place,)))
                return place.names
            error = put(argument[1] if argument[1] is not None else argument[0])
            # AGAIN, since the line may go on: an `async for` ends by an exception that it handles itself.
            extend((RAISE, error, AGAIN, (place,)))
            names = place.names
            return AfterError(names if type(names) is tuple else (names,) if names else ())
        if info.pauses and at in info.yields and not (argument is None and type(pending) is AfterError):
            extend((YIELD, argument if type(argument) in atoms else put(argument)))
            return info.lines[frame.f_lineno]
        if argument is None and at not in info.returns:
            extend((UNWIND, now()))
        else:
            extend((RETURN, now(), argument if type(argument) in atoms else put(argument)))
        if info.pauses:
            frames.pop(id(frame), None)
        return None

    def resumed(frame: FrameType, info: CodeInfo, paused: LineInfo | None) -> Any:
        """A generator or coroutine goes on; what is pending then: the names of the line that had paused."""
        number, place = frames.get(id(frame)), paused or info.lines[frame.f_lineno]
        if number is None:
            tape.running(frame, info, place)
        else:
            tape.write(RESUME, now(), number, (place,))
        return place.names

    # Asked at every call of the whole program, so most of its work is to say no.
    def on_call(frame: FrameType, event: str, argument: Any) -> Tracer | None:
        info = is_known(id(frame.f_code), UNKNOWN)
        return None if info is None else called(frame, event, info)

    def called(frame: FrameType, event: str, info: Any, paused: LineInfo | None = None) -> Tracer | None:
        try:
            if info is UNKNOWN:
                info = session.info(frame.f_code, frame)
            if session.closed and sys.gettrace() is on_call:
                sys.settrace(None)  # of a thread that outlives the recording
            if info is None or session.closed or event != "call":
                return None
            if info.pauses and frame.f_lasti not in info.starts:
                return tracer_of(info, where(frame), resumed(frame, info, paused))
            held = where(frame)
            tape.enter(frame, info, held)
            return tracer_of(info, held)
        except BaseException as error:
            return tape.lost(error)

    def shut() -> None:
        nonlocal append
        append = tape.append = refuse

    return Tracers(tracer_of, on_call, called, shut)


def refuse(item: Any) -> None:
    raise RuntimeError("The recording has ended.")
