"""`record`: run any code, and keep what every line of it did."""

from __future__ import annotations

import ast
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterable
from types import FrameType, TracebackType
from typing import Any

from prefix_lab.debugger.by_monitoring import MonitoringHooks
from prefix_lab.debugger.by_settrace import SettraceHooks
from prefix_lab.debugger.look import KEEPS, load_plugins
from prefix_lab.debugger.progress import Progress
from prefix_lab.debugger.recording import Recording
from prefix_lab.debugger.scope import Included, Scope
from prefix_lab.debugger.tape import RecordingSession
from prefix_lab.debugger.tokens import RAISE, Watch

MAX_STEPS = 2_000_000
MAX_BYTES = 512 * 2**20
HOOKS = ("monitoring", "settrace")
RECORDING = "Recording: {far:,} steps in {seconds:.0f} s"
STOPPED = "Stopped. The recording holds the steps that came before; its last one is the interrupt."
_open: list[Recorder] = []


def record(
    include: Included | Iterable[Included] | None = None,
    *,
    keep: str = "shapes",
    watch: str | Iterable[str] = (),
    secrets: bool = False,
    max_steps: int = MAX_STEPS,
    max_bytes: int = MAX_BYTES,
    progress: Callable[[int], Any] | None = None,
    hooks: str | None = None,
) -> Recorder:
    """`with record(...) as recording:` keeps what the lines inside it, and all that they call, do.

    `include` says what is recorded: names of packages or modules, module objects, functions, classes, paths; without
    it, the module that this is called in. `keep="statistics"` adds each tensor's least, greatest and mean value and
    whether it has NaN or infinite ones; `keep="small"` adds the numbers of small tensors too. `watch` holds
    expressions that are evaluated after each line of the frames that know their names. A text whose name says that it
    is secret (`password`, `api_key`, an `access_token` that looks like one) is left out, in locals, fields and dicts;
    `secrets=True` keeps it. Recording stops at `max_steps`
    steps or about `max_bytes` bytes; what comes after is counted. `progress` is called now and then with the number
    of steps so far; without it, a terminal or a notebook shows them after a second. `hooks` chooses "monitoring"
    (Python 3.12 on) or "settrace"; without it, the better one there is.

    Raises `ValueError` that names the argument for something that cannot be included, a wrong expression, an unknown
    `keep` or limit; `RuntimeError` when another thread is recording.
    """
    if include is None:
        caller = sys._getframe(1)
        include = [caller.f_globals.get("__name__") or caller.f_code]  # what `exec` is given may have no name
    if keep not in KEEPS:
        raise ValueError(f"keep={keep!r}, expected one of {', '.join(map(repr, KEEPS))}.")
    for name, limit in (("max_steps", max_steps), ("max_bytes", max_bytes)):
        if not isinstance(limit, int) or isinstance(limit, bool) or limit < 1:
            raise ValueError(f"{name}={limit!r}, expected a whole number of at least 1.")
    if progress is not None and not callable(progress):
        raise ValueError(f"progress={progress!r}, expected a function that takes the number of steps so far.")
    available = HOOKS if hasattr(sys, "monitoring") else HOOKS[1:]
    if hooks is not None and hooks not in available:
        raise ValueError(f"hooks={hooks!r}, expected one of {', '.join(map(repr, available))} on this Python.")
    if not isinstance(watch, Iterable):
        raise ValueError(f"watch={watch!r}, expected an expression such as 'x.shape[0]', or a list of them.")
    watches = tuple(map(watch_for, [watch] if isinstance(watch, str) else watch))
    return Recorder(
        RecordingSession(Scope(include), keep, watches, max_steps, max_bytes, progress, secrets), hooks or available[0]
    )


def watch_for(text: str) -> Watch:
    """An expression made ready. Raises `ValueError` for what is none."""
    try:
        tree = ast.parse(text, mode="eval")
        if any(isinstance(node, ast.NamedExpr | ast.Await | ast.Yield | ast.YieldFrom) for node in ast.walk(tree)):
            raise SyntaxError("it would change or suspend the frame")
        return Watch(text, compile(tree, "<watch>", "eval"))
    except (SyntaxError, TypeError, ValueError) as error:
        raise ValueError(f"watch: {text!r} is not an expression ({error}). Write one, such as 'x.shape[0]'.") from None


class Recorder:
    """What `record` returns: a context that records, once."""

    def __init__(self, session: RecordingSession, hooks: str):
        self.session = session
        self.recording = Recording()
        self.hooks = (MonitoringHooks if hooks == "monitoring" else SettraceHooks)(session)
        self.progress = None if session.progress else Progress(RECORDING, STOPPED)
        session.progress = session.progress or self.progress

    def __enter__(self) -> Recording:
        return self.begin(sys._getframe(1))

    def arm(self) -> Recording:
        """Begin to record here, in the middle of a program; `disarm()` ends it, in whichever function that is.

        Recorded is all that runs in scope in between, in this thread and in those that are started meanwhile. Frames
        that run already take part from their next line on, with the names that they have now; what they did before is
        not known, and their call is not among the steps. Raises `RuntimeError` as `with` does.
        """
        return self.begin(sys._getframe(1))

    def disarm(self) -> Recording:
        """End what `arm()` has begun, and give the recording. What frames that still run do from here on is not in it.

        Raises `RuntimeError` when nothing is recorded, in another thread than `arm()` was called in, and while a
        recording that began later is open.
        """
        if self.recording.state != "open":
            raise RuntimeError("disarm(): nothing is being recorded. Call arm() first, once for each record(...).")
        if self.thread != threading.get_ident():
            raise RuntimeError("disarm(): another thread has begun this recording. Call it there.")
        if _open[-1] is not self:
            raise RuntimeError("disarm(): a recording that began after this one is still open. End that one first.")
        self.__exit__(None, None, None)
        return self.recording

    def begin(self, frame: FrameType) -> Recording:
        """Record from here on, in this frame and those further out too."""
        if self.recording.state != "new":
            raise RuntimeError("This record(...) was used before. Call record(...) again for another recording.")
        if _open and _open[-1].thread != threading.get_ident():
            raise RuntimeError(
                "Another thread is recording. It records the threads that are started under it, too: end that "
                "recording first, or record in one thread only."
            )
        load_plugins()
        self.thread, self.tape = threading.get_ident(), self.session.tape_of_this_thread()
        _open.append(self)
        self.recording.state = "open"
        if self.progress is not None:
            self.progress.__enter__()
        try:
            self.hooks.start(frame)
        except BaseException:
            if self.progress is not None:
                self.progress.__exit__(None, None, None)
            _open.remove(self)
            self.recording.state = "new"
            raise
        for note in self.session.notes:
            warnings.warn(note, stacklevel=3)
        return self.recording

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop recording. An exception is the last word of the recording, and goes on its way. Ctrl-C waits for the end
        of this: a recording that is closed by half is lost."""
        came: list[Any] = []
        before = signal.getsignal(signal.SIGINT)
        holds = callable(before) and threading.current_thread() is threading.main_thread()
        if holds:
            signal.signal(signal.SIGINT, lambda *said: came.append(said))
        try:
            self.end(kind, error, traceback)
        finally:
            if holds:
                signal.signal(signal.SIGINT, before)
            if came:
                before(*came[0])

    def end(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Take the hooks away, and make of what they noted a recording."""
        self.hooks.stop()
        self.session.closed = True
        if self.progress is not None:
            self.progress.__exit__(kind, error, traceback)
        _open.remove(self)
        if error is not None:
            self.session.exception = self.session.look(error)
            self.tape.write(RAISE, self.session.exception)
        self.recording.close(self.session)
