"""Recording through `sys.monitoring`, from Python 3.12 on: only functions in scope are slowed down.

The interpreter calls back for each line of the functions that were chosen, whatever else is tracing. A callback learns
of the code, and not of the frame, so each thread keeps a stack of what it is in. As long as one thread runs, the
callbacks are that thread's own; with a second one, a dispatcher comes between.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from time import perf_counter_ns
from types import CodeType, FrameType
from typing import Any

from prefix_lab.debugger.frames import LIVE, where
from prefix_lab.debugger.tape import RecordingSession, Tape
from prefix_lab.debugger.tokens import (
    AGAIN,
    MISSING,
    RAISE,
    RESUME,
    RETURN,
    TURN,
    UNWIND,
    YIELD,
    CodeInfo,
    Mark,
)

Callbacks = dict[int, Callable]


class MonitoringHooks:
    """Switches recording on in this thread and in those that it starts, and off again."""

    def __init__(self, session: RecordingSession):
        self.session = session
        self.threads: dict[int, Callbacks] = {}
        self.others: frozenset[int] = frozenset()

    def start(self, frame: FrameType) -> None:
        """Record from here on: calls to come, and the frames that run already, from `frame` outwards."""
        monitoring, session = sys.monitoring, self.session
        events = monitoring.events
        free = [number for number in (3, 4, 5, 2) if monitoring.get_tool(number) is None]
        if not free:
            raise RuntimeError(
                "All of sys.monitoring's tools are in use, by other recordings, debuggers or profilers. End one first."
            )
        self.tool = free[0]
        monitoring.use_tool_id(self.tool, "prefix_lab")
        monitoring.restart_events()  # a recording before this one switched off what was out of its scope
        self.local = events.LINE | events.JUMP | events.PY_RETURN | events.PY_YIELD
        everywhere = (events.PY_START, events.PY_RESUME, events.PY_THROW, events.PY_UNWIND, events.RAISE)

        session.when_known = self.watch_lines
        ident = threading.get_ident()
        self.others = frozenset(sys._current_frames()) - {ident}
        tape = session.tape_of_this_thread()
        running = session.frames_in_scope(frame)
        for one in running:
            info = session.known[id(one.f_code)]
            tape.running(one, info)
        self.threads[ident] = thread_callbacks(self, tape, ident, running)
        self.register(self.threads[ident])
        if self.in_scope_elsewhere():
            self.for_threads()
        monitoring.set_events(self.tool, sum(everywhere))

    def in_scope_elsewhere(self) -> bool:
        """Whether another thread is inside a function that is recorded; one that comes into one later is noticed."""
        frames = [frame for ident, frame in sys._current_frames().items() if ident in self.others]
        return any(self.session.frames_in_scope(frame) for frame in frames)

    def watch_lines(self, code: CodeType) -> None:
        sys.monitoring.set_local_events(self.tool, code, self.local)

    def register(self, callbacks: Callbacks) -> None:
        for event, callback in callbacks.items():
            sys.monitoring.register_callback(self.tool, event, callback)

    def for_threads(self) -> Callbacks:
        """From now on several threads may call: each event goes to the callbacks of its thread."""
        events = sys.monitoring.events
        starts = {events.PY_START, events.PY_RESUME, events.PY_THROW}

        def dispatcher(event: int) -> Callable:
            def dispatch(code: CodeType, *arguments: Any, depth: int = 2) -> Any:
                ident = threading.get_ident()
                mine = self.threads.get(ident)
                if mine is None or (event in starts and self.session.tape_of[ident].has_ended()):
                    if ident in self.others or self.session.closed:
                        return None
                    tape = self.session.tape_of_this_thread()
                    mine = self.threads[ident] = thread_callbacks(self, tape, ident, [])
                return mine[event](code, *arguments, depth)

            return dispatch

        callbacks = {event: dispatcher(event) for event in next(iter(self.threads.values()))}
        self.register(callbacks)
        return callbacks

    def stop(self) -> None:
        monitoring = sys.monitoring
        monitoring.set_events(self.tool, 0)
        for code in self.session.codes:
            if self.session.known.get(id(code)) is not None:
                monitoring.set_local_events(self.tool, code, 0)
        for event in next(iter(self.threads.values())):
            monitoring.register_callback(self.tool, event, None)
        monitoring.free_tool_id(self.tool)
        self.threads.clear()


def thread_callbacks(hooks: MonitoringHooks, tape: Tape, owner: int, running: list[FrameType]) -> Callbacks:
    """One thread's callbacks. `depth` is how far above them the recorded frame is: one, or two under a dispatcher."""
    session = hooks.session
    events, disable = sys.monitoring.events, sys.monitoring.DISABLE
    known, frames, atoms = session.known, session.frames, session.atoms
    items, append, extend, now = tape.items, tape.append, tape.items.extend, perf_counter_ns
    put, put_named, look_at = tape.put, tape.put_named, tape.look_at
    getframe, get_ident = sys._getframe, threading.get_ident

    stack: list[tuple[CodeType | None, Any, Any, Any, int | None]] = []
    current: CodeType | None = None
    here: Any = None  # the table of `current`
    pending: Any = None
    held: Any = None  # where its names are looked up
    own: int | None = None  # the only frame that `held` may be used for, by its id; 0: for none; None: it knows its own
    for one in running:
        stack.append((current, here, pending, held, own))
        current, here = one.f_code, known[id(one.f_code)]
        held, own = where(one), 0

    def at(frame: FrameType) -> Any:
        """Where the names of the innermost frame are looked up."""
        return held if own is None or own == id(frame) else where(frame)

    def look(frame: FrameType) -> None:
        """Take the values that the line before has bound or changed."""
        nonlocal pending
        names, pending = pending, None
        if type(names) is str:
            value = here.read(at(frame), names, MISSING)
            append(value if type(value) in atoms else put_named(names, value, here))
        elif names is not None:
            look_at(frame, names, here, at(frame))

    def line(code: CodeType, number: int, depth: int = 1) -> Any:
        nonlocal pending
        try:
            if code is not current:
                relocate(code, getframe(depth))
            if pending is not None:  # as `look`, written out since it is the hot path
                if type(pending) is str:
                    kept = own is None or own == id(getframe(depth))
                    value = here.read(held if kept else where(getframe(depth)), pending, MISSING)
                    append(value if type(value) in atoms else put_named(pending, value, here))
                elif pending is TURN:
                    if len(items) > tape.next_check:
                        tape.check()
                else:
                    frame = getframe(depth)
                    look_at(frame, pending, here, at(frame))
            place = here.lines[number]
            if tape.waits:
                tape.take_turn()
            append(place)
            pending = place.names
        except BaseException as error:
            lost(error)

    def jumped(code: CodeType, offset: int, target: int, depth: int = 1) -> Any:
        """A loop on one line goes round: that line again, of which the interpreter tells by the jump alone."""
        info = known.get(id(code))
        if info is None or target > offset or info.line_at(offset) != (number := info.line_at(target)):
            return disable
        return None if number is None else line(code, number, depth + 1)

    def lost(error: BaseException) -> None:
        nonlocal pending
        pending = None
        tape.lost(error)

    def relocate(code: CodeType, frame: FrameType) -> None:
        """In a frame that was not entered under the recording: one further out than where it began."""
        nonlocal current, here, pending, held, own
        current, here, pending = code, session.info(code, frame), None
        held, own = where(frame), 0
        tape.running(frame, here)

    def enter(frame: FrameType, code: CodeType, info: CodeInfo, names: Any = None) -> None:
        nonlocal current, here, pending, held, own
        stack.append((current, here, pending, held, own))
        current, here, pending, held, own = (
            code,
            info,
            names,
            where(frame),
            (0 if info.in_mapping else None) if LIVE else id(frame),
        )

    def leave() -> None:
        nonlocal current, here, pending, held, own
        current, here, pending, held, own = stack.pop() if stack else (None,) * 5

    def begins(event: int, code: CodeType, arguments: tuple, depth: int, write: Callable) -> Any:
        """A frame is entered, or goes on: if it is in scope and of this thread, `write` what there is to say."""
        try:
            frame = getframe(depth + 1)
            info = session.info(code, frame)
            if info is None:
                return None if event == events.PY_THROW else disable  # which cannot be disabled
            if get_ident() != owner:
                return hooks.for_threads()[event](code, *arguments, depth=4)
            write(frame, code, info)
        except BaseException as error:
            lost(error)

    def start(code: CodeType, offset: int, depth: int = 1) -> Any:
        return begins(events.PY_START, code, (offset,), depth, called)

    def resume(code: CodeType, offset: int, depth: int = 1) -> Any:
        return begins(events.PY_RESUME, code, (offset,), depth, go_on)

    def throw(code: CodeType, offset: int, exception: BaseException, depth: int = 1) -> Any:
        return begins(events.PY_THROW, code, (offset, exception), depth, go_on)

    def called(frame: FrameType, code: CodeType, info: CodeInfo) -> None:
        enter(frame, code, info)
        tape.enter(frame, info, held)

    def go_on(frame: FrameType, code: CodeType, info: CodeInfo) -> None:
        place = info.lines[frame.f_lineno]
        if id(frame) in frames:
            tape.write(RESUME, now(), frames[id(frame)], (place,))
        else:
            tape.running(frame, info, place)
        enter(frame, code, info, place.names)

    def leaving(code: CodeType, frame: FrameType, mark: Mark, value: Any = None) -> None:
        """The frame ends or pauses; what it gives, unless it is unwound, follows the mark."""
        if code is not current:
            return
        try:
            look(frame)
            value = value if type(value) in atoms else put(value)
            if tape.waits:
                tape.take_turn()
            if mark is RETURN:
                extend((RETURN, now(), value))
            else:
                extend((YIELD, value) if mark is YIELD else (UNWIND, now()))
            if here.pauses and mark is not YIELD:
                frames.pop(id(frame), None)
        except BaseException as error:
            lost(error)
        leave()

    def returned(code: CodeType, offset: int, value: Any, depth: int = 1) -> Any:
        leaving(code, getframe(depth), RETURN, value)

    def yielded(code: CodeType, offset: int, value: Any, depth: int = 1) -> Any:
        leaving(code, getframe(depth), YIELD, value)

    def unwound(code: CodeType, offset: int, exception: BaseException, depth: int = 1) -> Any:
        leaving(code, getframe(depth), UNWIND)

    def raised(code: CodeType, offset: int, exception: BaseException, depth: int = 1) -> Any:
        nonlocal pending
        try:
            if code is current and not (type(exception) is StopIteration and offset in known[id(code)].skips):
                look(getframe(depth))
                place = here.lines.get(getframe(depth).f_lineno)
                # AGAIN, since the line may go on: an `async for` ends by an exception that it handles itself.
                tape.write(RAISE, put(exception), AGAIN, (place,))
                pending = None if place is None else place.names
        except BaseException as error:
            lost(error)

    return {
        events.LINE: line,
        events.JUMP: jumped,
        events.PY_START: start,
        events.PY_RESUME: resume,
        events.PY_THROW: throw,
        events.PY_RETURN: returned,
        events.PY_YIELD: yielded,
        events.RAISE: raised,
        events.PY_UNWIND: unwound,
    }
