"""Where a recording is written while the program runs: a `Tape` for each thread, a `RecordingSession` for all."""

from __future__ import annotations

import itertools
import sys
import threading
import weakref
from collections.abc import Callable
from time import perf_counter_ns
from types import CodeType, FrameType
from typing import Any

from prefix_lab.debugger.bytecode import table_of
from prefix_lab.debugger.frames import all_names, namespace, where
from prefix_lab.debugger.look import Look, from_signal
from prefix_lab.debugger.scope import Scope
from prefix_lab.debugger.summary import Summary
from prefix_lab.debugger.tokens import (
    LOST,
    MISSING,
    TURN,
    CodeInfo,
    LineInfo,
    Mark,
    Missing,
    Others,
    Running,
    Shared,
    Token,
    Touched,
    Watch,
)

CHECK_EVERY = 4096  # items on a tape
SAMPLE = 17  # one item in so many is weighed; a prime, since what loops write has a rhythm
POINTER, MEMO_ENTRY = 8, 600  # bytes, about
NEVER: tuple[object, None, list[str]] = (None, None, [])
UNCOUNTED = frozenset({"unwind", "lost", "again"})


class RecordingSession:
    """One recording while it is made: what is in scope, the tapes, the limits, and what went wrong."""

    # Values that a tape takes as they are; texts may be long, and are looked at.
    atoms = frozenset({int, float, bool, complex, type(None), Missing})

    def __init__(
        self,
        scope: Scope,
        keep: str,
        watches: tuple[Watch, ...],
        max_steps: int,
        max_bytes: int,
        progress: Callable[[int], Any] | None,
        secrets: bool = False,
    ):
        self.scope, self.watches, self.look = scope, watches, Look(keep, secrets)
        self.max_steps, self.max_bytes, self.progress = max_steps, max_bytes, progress
        self.known: dict[int, CodeInfo | None] = {}
        self.when_known: Callable[[CodeType], None] = lambda code: None  # told of each function in scope, once
        self.codes: list[CodeType] = []  # alive, so that no other code gets the id of one that is known
        self.spaces: dict[str, dict[str, Any]] = {}  # what the globals of each file in scope say of the module
        self.frames: dict[int, int] = {}  # the numbers of frames that may pause
        self.numbers = itertools.count()
        self.turns = itertools.count()
        self.tapes: list[Tape] = []
        self.tape_of: dict[int, Tape] = {}
        self.notes: list[str] = []
        self.errors, self.first_error = 0, ""
        self.exception: Summary | None = None
        self.closed = False
        self.look.when_met = self.look_closer

    def look_closer(self) -> None:
        """From now on, look at what any line that may run code could have changed."""
        for info in list(self.known.values()):
            if info is not None:
                info.look_closer()

    def note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    def info(self, code: CodeType, frame: FrameType) -> CodeInfo | None:
        """The table of a function if it is in scope, made when it is met first."""
        key = id(code)
        if key in self.known:
            return self.known[key]
        self.codes.append(code)
        info = self.known[key] = table_of(code, self.watches) if self.scope.covers(code, frame) else None
        if info is not None:
            if self.look.met is not None:
                info.look_closer()
            self.spaces.setdefault(code.co_filename, module_of(frame.f_globals))
            self.when_known(code)
        return info

    def frames_in_scope(self, frame: FrameType | None) -> list[FrameType]:
        """The frames that run already and are in scope, the outermost first."""
        found: list[FrameType] = []
        while frame is not None:
            if self.info(frame.f_code, frame) is not None:
                found.append(frame)
            frame = frame.f_back
        return found[::-1]

    def tape_of_this_thread(self) -> Tape:
        ident = threading.get_ident()
        tape = self.tape_of.get(ident)
        if tape is None or tape.has_ended():
            thread = next((one for one in threading.enumerate() if one.ident == ident), None)
            tape = self.tape_of[ident] = Tape(self, thread)
            self.tapes.append(tape)
        return tape

    def failed(self, error: BaseException) -> None:
        """An error of the recorder's own: counted, and told at the end."""
        self.errors += 1
        self.first_error = self.first_error or f"{type(error).__name__}: {error}"

    def has_enough(self) -> bool:
        """Whether there are max_steps steps; they are counted only once there are as many items."""
        tapes, most = list(self.tapes), self.max_steps
        return sum(len(tape.items) for tape in tapes) >= most and sum(tape.count() for tape in tapes) >= most

    @property
    def left_out(self) -> int:
        return sum(tape.left_out for tape in self.tapes)

    @property
    def weight(self) -> int:
        """How many bytes the recording takes, about."""
        return sum(tape.weight for tape in self.tapes) + MEMO_ENTRY * len(self.look.memo)


class Tape:
    """One thread's items, in the order in which things happened.

    Across tapes the order is that of turns. A thread has the turn until another one writes; which wrote when in between
    is nobody's concern, so a line costs no time stamp. Before a token is written, `waits` says whether the turn was
    lost; if so, `take_turn` draws the next number. Values need no turn: they belong to the token before them.
    """

    def __init__(self, session: RecordingSession, thread: threading.Thread | None):
        self.session = session
        self.thread = "a thread of no name" if thread is None else thread.name
        self.lives = None if thread is None else weakref.ref(thread)
        self.items: list[Any] = []
        self.append = self.items.append
        self.turns: list[tuple[int, int]] = []  # their numbers, and where on the tape they begin
        self.waits = True
        self.put, self.atoms, self.quiet = session.look, session.atoms, session.look.quiet
        self.touched, self.look = session.look.touched, session.look
        # By frame: what was met when its names were looked through; those whose values may change without being named.
        self.up_to: dict[int, tuple[object, CodeInfo | None, list[str]]] = {}
        self.checked = 0  # how many items were weighed
        self.next_check = CHECK_EVERY
        self.tally = (0, 0)  # how many items were looked through for steps, and how many of these there are
        self.steps = self.weight = 0  # about
        self.full_at: int | None = None
        self.left_out = 0
        self.tracers: Any = None  # `by_settrace`'s

    def take_turn(self) -> None:
        """From now on this thread writes, and the others wait.

        No lock, which a fork or a signal could leave locked: a turn is had from the moment its number is drawn.
        `waits` is cleared before, so that whoever draws a later number sets it again; and others are told before this
        thread goes on with the program, so what they hear of it cannot be in a turn before this one.
        """
        self.waits = False
        self.turns.append((next(self.session.turns), len(self.items)))
        for other in self.session.tapes:
            if other is not self and not other.waits:
                other.waits = True

    def write(self, *items: Any) -> None:
        """A token with what belongs to it, all or nothing."""
        if self.waits:
            self.take_turn()
        self.items.extend(items)

    def has_ended(self) -> bool:
        """Whether its thread is no more, so that another one with the same ident needs a tape of its own."""
        thread = None if self.lives is None else self.lives()
        return self.lives is not None and (thread is None or not thread.is_alive())

    def lost(self, error: BaseException) -> None:
        """In an `except`: no more of the values that should follow. What a signal raised goes its way."""
        session = self.session
        going_on = session is not None and not session.closed  # the recording may have ended, and this thread goes on
        if going_on:
            self.append(LOST)
            for info in list(session.known.values()):  # what a name stands for may not have been seen
                if info is not None:
                    info.moves_all()
        if not isinstance(error, Exception) or from_signal(error):
            raise
        if going_on:
            session.failed(error)

    def enter(self, frame: FrameType, info: CodeInfo, held: Any) -> None:
        """A call, with the time, the number of a frame that may pause, and the arguments."""
        append, put_named, atoms = self.append, self.put_named, self.atoms
        if self.waits:
            self.take_turn()
        if info.pauses:
            number = next(self.session.numbers)
            self.items.extend((info, perf_counter_ns(), number))
            self.session.frames[id(frame)] = number
        else:
            self.items.extend((info, perf_counter_ns()))
        if info.simple:
            read = info.read
            for name in info.arguments:
                value = read(held, name, MISSING)
                append(value if type(value) in atoms else put_named(name, value, info))
        elif info.arguments:
            self.look_at(frame, info.arguments, info, held)
        if len(self.items) > self.next_check:
            self.check()

    def put_named(self, name: str, value: Any, info: CodeInfo) -> Any:
        """The summary of what a name stands for now; from here on, lines that may change it in place look at it."""
        if type(value) not in self.quiet and name not in info.moving and self.look.is_touched(value):
            info.moves(name)
        return self.look.named(name, value)

    def running(self, frame: FrameType, info: CodeInfo, place: LineInfo | None = None) -> None:
        """A frame that was there before the recording, with its locals; a module's are its globals, and too many."""
        in_module = info.in_mapping and namespace(frame) is frame.f_globals
        held = () if in_module else all_names(frame, info)
        number = next(self.session.numbers) if info.pauses else None
        told = {name: self.put_named(name, value, info) for name, value in held}
        self.write(Running(info, place or info.lines.get(frame.f_lineno), number, told))
        if number is not None:
            self.session.frames[id(frame)] = number

    def look_at(self, frame: FrameType, names: tuple, info: CodeInfo, held: Any) -> None:
        """Take the values that a line's names have now that it has run."""
        if names is TURN:
            if len(self.items) > self.next_check:
                self.check()
            return
        append, atoms, read = self.append, self.atoms, info.read
        for name in names:
            if type(name) is str or type(name) is Shared:
                value = read(held, name, MISSING)
                append(value if type(value) in atoms else self.put_named(name, value, info))
            elif type(name) is Touched:
                value = read(held, name, MISSING)
                append(value if type(value) in atoms else self.touched(value))
            elif type(name) is Others:
                append(None if self.look.met is None else self.others(frame, info, names))
            elif name is None:
                if len(self.items) > self.next_check:
                    self.check()
            else:
                append(self.watched(frame, name, info))

    def others(self, frame: FrameType, info: CodeInfo, said: tuple) -> dict[str, Any] | None:
        """The frame's names whose values may not be as they were told, though the line has not named them."""
        look, atoms = self.look, self.atoms
        met, known, names = self.up_to.get(id(frame), NEVER)
        if met is look.met and known is info:
            if not names:
                return None
            at = where(frame)
            values = [(name, info.read(at, name, MISSING)) for name in names if name not in said]
            told = {name: look(value) for name, value in values if value is not MISSING}
        else:  # since then, one of the frame's names may have come to stand for such a thing
            told, names = {}, []
            for name, value in all_names(frame, info):
                if type(value) in atoms or not look.may_change(value):
                    continue
                if name not in said:
                    before, summary = look.met, look(value)
                    if look.met is before:
                        continue
                    told[name] = summary
                names.append(name)
        self.up_to[id(frame)] = look.met, info, names
        return told

    def watched(self, frame: FrameType, watch: Watch, info: CodeInfo) -> Any:
        """What a watch is worth in this frame; an error is its value."""
        around = frame.f_globals
        if not dict.__contains__(around, "__builtins__"):  # `eval` would put them in
            around = dict(dict.items(around))
        try:
            return self.put(eval(watch.code, around, dict(all_names(frame, info))))
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            return Summary("error", f"{type(error).__name__}: {error}", {"error": type(error).__name__})

    def check(self) -> None:
        """Weigh what came since the last time; at a limit, count what comes and throw it away."""
        session, items = self.session, self.items
        if self.full_at is not None:
            self.left_out += sum(map(is_step, items[self.full_at :]))
            del items[self.full_at :]
        else:
            sample = items[self.checked :: SAMPLE]
            self.steps += SAMPLE * sum(map(is_step, sample))
            self.weight += POINTER * (len(items) - self.checked) + SAMPLE * sum(map(weight_of, sample))
            self.checked = len(items)
            heavy = session.weight > session.max_bytes
            if heavy or session.has_enough():
                self.full_at = self.checked
                if heavy:
                    session.note(f"The recording reached max_bytes={session.max_bytes:,}.")
        self.next_check = len(items) + CHECK_EVERY
        if session.progress is not None:
            session.progress(sum(tape.steps for tape in session.tapes) + session.left_out)

    def count(self) -> int:
        """How many steps there are on the tape, exactly; counts what came since the last time. Any thread may ask."""
        looked_through, steps = self.tally
        fresh = self.items[looked_through:]
        steps += sum(map(is_step, fresh))
        self.tally = looked_through + len(fresh), steps
        return steps

    def let_go(self) -> None:
        """Keep the items alone; with the session go the code objects and classes that it knew."""
        self.session = self.put = self.touched = self.look = self.tracers = None

    def close(self) -> None:
        """Ready to be read: cut at the limit, and no longer what a thread that still runs appends to."""
        self.items = self.items[:]
        if self.full_at is not None:
            self.left_out += sum(map(is_step, self.items[self.full_at :]))
            del self.items[self.full_at :]


def module_of(space: dict[str, Any]) -> dict[str, Any]:
    """What globals say of their module. The rest is the program's, and so are the methods of a mapping of its own."""
    return {name: dict.get(space, name) for name in ("__name__", "__spec__", "__loader__")}


def is_step(item: Any) -> bool:
    return isinstance(item, Token) and not (type(item) is Mark and item.name in UNCOUNTED)


def weight_of(item: Any) -> int:
    """The bytes of a value that only the tape holds."""
    return 0 if isinstance(item, Token | Summary) or item is None else sys.getsizeof(item)
