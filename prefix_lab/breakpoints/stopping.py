"""`stop_at`: pdb at a stage of the walk or in any function, in a cell or a terminal, as long as a `with` block runs.

The pdb is the standard one or IPython's; it knows `shapes()`, and may type commands for the learner.
"""

from __future__ import annotations

import bdb
import builtins
import pdb
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any

from prefix_lab.breakpoints.attached import debugger as attached_debugger
from prefix_lab.breakpoints.attached import is_recording_instead, settrace_itself, shell
from prefix_lab.breakpoints.breaking import StageBreakpoint, check_times, condition_for
from prefix_lab.breakpoints.places import StopPlace, code_of, place_of, places_of, side
from prefix_lab.breakpoints.seen import shapes
from prefix_lab.stages import stage as stage_of


def stop_at(
    stage: str | Callable,
    where: str = "ours",
    condition: str | None = None,
    times: int | None = None,
    commands: Sequence[str] | None = None,
    debugger: str | None = None,
) -> StopAt:
    """`with stop_at("encode"):` opens pdb when the block comes to that stage; `shapes()` there names the axes.

    `stage` may also be a function or method: `with stop_at(DynamicLayer.update):`, without `where`. `where`,
    `condition` and `times` are as in `break_at`. `commands` are typed for you, one after the other, as in a
    lesson: `["n", "shapes()", "c"]`; when they are used up, the program goes on without a stop. `debugger` is "pdb" or
    "ipdb"; without it, the shell's own. `with … as stop:` gives `stop.hits`.

    Raises `ValueError` as `break_at` does, for a function that is not written in Python, and for `commands` that are
    no list of texts; `RuntimeError` when the block begins while something else is tracing: a debugger or, before
    Python 3.12, a recording.
    """
    name, where, places = in_function(stage, where) if callable(stage) else in_stage(stage, where)
    check_times(times)
    if commands is not None and (
        not isinstance(commands, list | tuple) or not all(isinstance(line, str) and line.strip() for line in commands)
    ):
        raise ValueError(f"commands={commands!r}, expected a list of pdb's commands, such as ['n', 'shapes()', 'c'].")
    asked = condition_for(condition, places) if condition is not None else None
    found = StageBreakpoint(name, where, asked, times, dict(enumerate(places)))
    return StopAt(found, None if commands is None else list(commands), debugger)


def in_stage(stage: str, where: str) -> tuple[str, str, tuple[StopPlace, ...]]:
    row, where = stage_of(stage), side(where)
    return stage, where, places_of(row, where)


def in_function(function: Callable, where: str) -> tuple[str, str, tuple[StopPlace, ...]]:
    """The function's name, no side, and its place."""
    if where != "ours":
        raise ValueError(f"where={where!r} goes with a stage's name, and stage is a function. Leave out one of them.")
    if code_of(function) is None:
        raise ValueError(
            f"stage={function!r} has no lines of Python to stop in. Give a function or method that is written in "
            "Python, or the name of a stage: stop_at('encode')."
        )
    place = place_of(function, "")
    return place.code.co_qualname, "", (place,)


class StopAt:
    """What `stop_at` returns: a context that watches calls for one stage, and hands the frame to pdb."""

    def __init__(self, breakpoint: StageBreakpoint, typed: list[str] | None, kind: str | None):
        self.breakpoint, self.typed = breakpoint, typed
        self.codes = {place.code for place in breakpoint.places.values()}
        self.pdb = new_pdb(kind, typed, self.watch_on)

    @property
    def hits(self) -> int:
        """How often the stage was reached with the condition true."""
        return self.breakpoint.hits

    def __enter__(self) -> StopAt:
        refuse_another_tracer(self.breakpoint)
        self.before = sys.gettrace()  # of a debugger that was switched off, say
        self.outermost = sys._getframe(1)
        self.settrace, sys.settrace = sys.settrace, settrace_itself()  # which pdb calls, too
        sys.settrace(self.watch)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        """No tracer of pdb's stays behind. Quitting pdb ends the block, and is no error."""
        sys.settrace(None)
        frame: FrameType | None = sys._getframe(1)
        while frame is not None:
            frame.f_trace = None
            frame = frame.f_back
        self.pdb.clear_all_breaks()
        sys.settrace(self.before)
        sys.settrace = self.settrace
        if kind is not None and issubclass(kind, bdb.BdbQuit):
            print("Quit: the rest of the block did not run.")
            return True
        if error is None and not self.breakpoint.hits:
            print(f"The block ended, and {self.never()}")
        return False

    def never(self) -> str:
        one = self.breakpoint
        name = f"{one.stage!r} ({one.where})" if one.where else one.stage
        if one.condition:
            return f"{name} was never reached with {one.condition.text} true."
        return f"{name} was never reached: nothing in it called {one.row()[2]}."

    def watch(self, frame: FrameType, event: str, argument: Any) -> Any:
        """Asked at every call: is it the stage? The debugger's own breakpoints, set by hand at a stop, work as well."""
        if frame.f_code in self.codes and (self.typed is None or self.typed or not self.breakpoint.hits):
            return self.at_first_line
        return self.pdb.trace_dispatch(frame, event, argument) if self.pdb.breaks else None

    def at_first_line(self, frame: FrameType, event: str, argument: Any) -> Any:
        if event != "line":
            return self.at_first_line
        places = self.breakpoint.places.values()
        place = next((place for place in places if place.code is frame.f_code), None)
        if place is None or not self.breakpoint.reached(place, frame.f_locals):
            return self.past_first_line
        return stand_in(self.pdb, frame, event, self.outermost)

    def past_first_line(self, frame: FrameType, event: str, argument: Any) -> Any:
        """No stop in this call, but for one that was set by hand. None would leave `at_first_line` in place."""
        if self.pdb.breaks:
            return self.pdb.trace_dispatch(frame, event, argument)
        return self.past_first_line

    def watch_on(self) -> None:
        """After `continue`, which would have switched pdb off for good."""
        sys.settrace(self.watch)


def refuse_another_tracer(wanted: StageBreakpoint) -> None:
    tracer = sys.gettrace()
    if tracer is None or (attached_debugger() is None and type(tracer).__module__.startswith("_pydevd")):
        return  # the latter is what a debugger leaves behind when it is switched off
    if is_recording_instead():
        raise RuntimeError(
            f"A recording is being made, and on Python {sys.version_info[0]}.{sys.version_info[1]} only one of the two "
            "can watch. Put stop_at outside of record(...), or use Python 3.12 or newer, where both work."
        )
    if attached_debugger() is not None:
        use = f"break_at({wanted.stage!r})" if wanted.where else f"set a breakpoint in {wanted.row()[2]}"
        raise RuntimeError(
            f"A debugger is attached, and pdb would push it aside. Use it: {use}. Or switch it off (in "
            "JupyterLab: the bug), and run this again."
        )
    raise RuntimeError("Another debugger, or coverage, is watching this Python. Switch it off, and run this again.")


KINDS = ("pdb", "ipdb")
SKIP = ["prefix_lab.breakpoints.*", "contextlib"]


class StagePdb:
    """What is added to a pdb class. `went_on` is called when the learner lets the program continue."""

    went_on: Callable[[], None]
    typed: list[str] | None

    def set_continue(self) -> None:
        super().set_continue()
        self.went_on()

    def interaction(self, *arguments: Any) -> None:
        """At a stop the name `shapes` is known in every frame, also in PEFT's."""
        with known_everywhere("shapes", lambda: shapes(self.curframe)):
            super().interaction(*arguments)

    def do_shapes(self, argument: str) -> None:
        """shapes
        The tensors of this frame, with the names of their axes.
        """
        self.message(shapes(self.curframe).text)

    def cmdloop(self, intro: str | None = None) -> None:
        """Until a command lets the program go on. Typed commands are shown as if somebody had typed them."""
        if self.typed is None:
            super().cmdloop(intro)
            return
        going_on = False
        while not going_on:
            line = self.typed.pop(0) if self.typed else "continue"
            self.message(f"{self.prompt.strip()} {line}")
            going_on = bool(self.onecmd(line))


@contextmanager
def known_everywhere(name: str, value: Any) -> Iterator[None]:
    """For a moment a builtin of this name, unless there is one."""
    if hasattr(builtins, name):
        yield
        return
    setattr(builtins, name, value)
    try:
        yield
    finally:
        delattr(builtins, name)


def new_pdb(kind: str | None, typed: list[str] | None, went_on: Callable[[], None]) -> Any:
    """A debugger of that kind; without one, the shell's own: ipdb in IPython and notebooks, else pdb.

    Raises `ValueError` for another kind, `ImportError` for ipdb where IPython is not installed.
    """
    if kind not in (None, *KINDS):
        raise ValueError(f"debugger={kind!r}, expected 'pdb' or 'ipdb', or nothing for the shell's own.")
    base = class_of(kind)
    options: dict[str, Any] = {"skip": SKIP, "nosigint": True}
    if typed is not None:
        options |= {"readrc": False, "stdout": sys.stdout}
    found = type("StagePdb", (StagePdb, base), {})(**options)
    found.typed, found.went_on = typed, went_on
    return found


def class_of(kind: str | None) -> type:
    ipython = shell()
    if kind == "pdb" or (kind is None and ipython is None):
        core = sys.modules.get("IPython.core.debugger")
        return getattr(core, "OldPdb", pdb.Pdb)  # a kernel puts IPython's in the place of pdb.Pdb
    if ipython is not None:
        return ipython.debugger_cls
    from IPython.terminal.debugger import TerminalPdb

    return TerminalPdb


def stand_in(debugger: Any, frame: FrameType, event: str, outermost: FrameType) -> Any:
    """Stop here, at the line that is about to run; gives the tracer for what comes next in this frame."""
    debugger.set_trace(frame)
    debugger.botframe = outermost  # `w` ends at the `with` block, and not deep in IPython
    return debugger.trace_dispatch(frame, event, None)
