"""`stop_at`: a debugger at a stage of the walk or in any function, as long as a `with` block runs.

It is pdb, the standard one or IPython's, in a cell or a terminal; it knows `shapes()`, and may type commands for the
learner. Where JupyterLab's debugger or VS Code's is attached, it is that one.
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
from prefix_lab.breakpoints.attached import is_recording_instead, settrace_itself, shell, wait_until_attached
from prefix_lab.breakpoints.breaking import (
    StageBreakpoint,
    check_times,
    condition_for,
    set_for_a_block,
    taken_after_a_block,
)
from prefix_lab.breakpoints.live import (
    ANOTHER_CELL,
    IN_DEBUGGER,
    INTERRUPTED,
    STOPPED,
    TRY,
    AnotherCell,
    Asked,
    Printed,
    Visit,
    at_the_keyboard,
    nobody_types,
    running_kernel,
    say,
    short,
    visit,
)
from prefix_lab.breakpoints.places import StopPlace, code_of, place_of, places_of, side
from prefix_lab.breakpoints.seen import outwards, shapes
from prefix_lab.locale import N_, _
from prefix_lab.stages import stage as stage_of

QUIT = N_("Quit: the rest of the block did not run.")
NEVER_TRUE = N_("The block ended, and {name} was never reached with {condition} true.")
NEVER_CALLED = N_("The block ended, and {name} was never reached: nothing in the block called {place}.")


def stop_at(
    stage: str | Callable,
    where: str = "ours",
    condition: str | None = None,
    times: int | None = None,
    commands: Sequence[str] | None = None,
    debugger: str | None = None,
    suggest: Sequence[str] | None = None,
) -> StopAt:
    """`with stop_at("encode"):` opens a debugger when the block comes to that stage; you type, and `c` goes on.

    `stage` may also be a function or method: `with stop_at(DynamicLayer.update):`, without `where`. `where`,
    `condition` and `times` are as in `break_at`. `suggest` are commands of pdb to try, such as
    `["n", "shapes()", "c"]`: they are shown above the prompt, and where nobody can type, they are typed. `commands` are
    typed always. When typed commands are used up, the program goes on without a stop. `debugger` is "pdb" or "ipdb";
    without it, the shell's own. While JupyterLab's debugger or VS Code's is on, it stops in that one.

    `with … as stop:` gives what happened: `hits`; `by`, who typed: "hand", "list" (`commands`), "lesson" (`suggest`)
    or "debugger"; `visits`, where the program stood still; and `asked`, each command and what it answered.

    Raises `ValueError` as `break_at` does, for a function that is not written in Python, and for `commands` or
    `suggest` that are no list of texts; `RuntimeError` when the block begins while something else is tracing that
    cannot step aside: coverage or, before Python 3.12, a recording.
    """
    name, where, places = in_function(stage, where) if callable(stage) else in_stage(stage, where)
    check_times(times)
    typed, tried = check_commands("commands", commands), check_commands("suggest", suggest)
    asked = condition_for(condition, places) if condition is not None else None
    found = StageBreakpoint(name, where, asked, times, dict(enumerate(places)))
    return StopAt(found, typed, debugger, tried)


def check_commands(name: str, given: Any) -> list[str] | None:
    if given is None:
        return None
    if not isinstance(given, list | tuple) or not all(isinstance(line, str) and line.strip() for line in given):
        raise ValueError(f"{name}={given!r}, expected a list of pdb's commands, such as ['n', 'shapes()', 'c'].")
    return list(given)


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
    """What `stop_at` returns: a context that watches calls for one stage, and hands the frame to a debugger.

    `visits` are the places where the program stood still, a step's included; `asked` are the commands typed there.
    """

    by: str | None = None  # until the block begins
    earlier = 0  # of `asked`, those from when the cell ran before

    def __init__(
        self, breakpoint: StageBreakpoint, typed: list[str] | None, kind: str | None, suggest: list[str] | None
    ):
        self.breakpoint, self.commands, self.suggest, self.kind = breakpoint, typed, suggest, kind
        self.codes = {place.code for place in breakpoint.places.values()}
        self.visits: list[Visit] = []
        self.asked: list[Asked] = []
        check_kind(kind)

    @property
    def hits(self) -> int:
        """How often the stage was reached with the condition true."""
        return self.breakpoint.hits

    def __enter__(self) -> StopAt:
        wait_until_attached()
        self.by, said = self.who_types()
        if self.by == "debugger":
            self.breakpoint.seen = lambda frame: self.visits.append(visit(frame))
            say(said)
            set_for_a_block(self.breakpoint)
            return self
        refuse_another_tracer()
        self.typed = {"list": self.commands, "lesson": self.suggest or []}.get(self.by)
        self.typed = None if self.typed is None else list(self.typed)
        self.over = False
        self.pdb = new_pdb(self)
        if said:
            say(said)
        self.before = sys.gettrace()  # of a debugger that is on, or was switched off
        self.outermost = sys._getframe(1)
        self.traced = {frame: frame.f_trace for frame in outwards(self.outermost)}
        self.settrace, sys.settrace = sys.settrace, settrace_itself()  # which pdb calls, too
        sys.settrace(self.watch)
        return self

    def who_types(self) -> tuple[str, str]:
        """Whether a person, a list, the lesson, or another debugger; and a sentence about it."""
        if self.commands is not None:
            return "list", ""
        nobody = nobody_types()
        if nobody and (self.suggest is not None or running_kernel() is not None):
            return "lesson", _(nobody)
        if attached_debugger() is not None:
            place = next(iter(self.breakpoint.places.values()))
            return "debugger", _(IN_DEBUGGER).format(function=place.code.co_qualname, file=place.file, line=place.line)
        return "hand", ""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        """No tracer of pdb's stays behind. Quitting pdb ends the block, and is no error."""
        if self.by == "debugger":
            taken_after_a_block(self.breakpoint)
        else:
            self.stop_watching()
        if kind is not None and issubclass(kind, bdb.BdbQuit):
            say(_(self.pdb.left))
            return True
        if error is None and not self.breakpoint.hits:
            say(self.never())
        return False

    def stop_watching(self) -> None:
        sys.settrace(None)
        for frame, tracer in self.traced.items():
            frame.f_trace = tracer
        self.traced = {}
        self.pdb.clear_all_breaks()
        sys.settrace(self.before)
        sys.settrace = self.settrace

    def never(self) -> str:
        one = self.breakpoint
        name = f"{one.stage!r} ({one.where})" if one.where else one.stage
        said = _(NEVER_TRUE if one.condition else NEVER_CALLED)
        return said.format(name=name, condition=one.condition and one.condition.text, place=one.row()[2])

    def watch(self, frame: FrameType, event: str, argument: Any) -> Any:
        """Asked at every call: is it the stage? The debugger's own breakpoints, set by hand at a stop, work as well."""
        if frame.f_code in self.codes and not self.over and (self.typed or self.typed is None or not self.hits):
            return self.at_first_line
        return self.pdb.trace_dispatch(frame, event, argument) if self.pdb.breaks else None

    def at_first_line(self, frame: FrameType, event: str, argument: Any) -> Any:
        if event != "line":
            return self.at_first_line
        places = self.breakpoint.places.values()
        place = next((place for place in places if place.code is frame.f_code), None)
        if place is None or not self.breakpoint.reached(place, frame.f_locals):
            return self.past_first_line
        self.pdb.announced = False
        return stand_in(self.pdb, frame, event, self.outermost)

    def past_first_line(self, frame: FrameType, event: str, argument: Any) -> Any:
        """No stop in this call, but for one that was set by hand. None would leave `at_first_line` in place."""
        if self.pdb.breaks:
            return self.pdb.trace_dispatch(frame, event, argument)
        return self.past_first_line

    def watch_on(self) -> None:
        """After `continue`, which would have switched pdb off for good."""
        sys.settrace(self.watch)

    def announce(self, frame: FrameType) -> None:
        """Say where the program stands and how to leave; and what to try."""
        page, file = self.pdb.stdout.page, short(frame.f_code.co_filename)
        say(_(STOPPED).format(function=frame.f_code.co_qualname, file=file, line=frame.f_lineno), page)
        if self.suggest:
            say(_(TRY).format(commands="  ·  ".join(self.suggest)), page)


def refuse_another_tracer() -> None:
    """pydevd's tracer steps aside for a block, and so does what it leaves behind when it is switched off."""
    tracer = sys.gettrace()
    if tracer is None or type(tracer).__module__.startswith("_pydevd"):
        return
    if is_recording_instead():
        raise RuntimeError(
            f"A recording is being made, and on Python {sys.version_info[0]}.{sys.version_info[1]} only one of the two "
            "can watch. Put stop_at outside of record(...), or use Python 3.12 or newer, where both work."
        )
    raise RuntimeError("Another debugger, or coverage, is watching this Python. Switch it off, and run this again.")


KINDS = ("pdb", "ipdb")
SKIP = ["prefix_lab.breakpoints.*", "contextlib"]


NO_INTERACT = N_("`interact` needs a terminal. Here, `!` before a line of Python runs it: `!x = 2`.")


class StagePdb:
    """What is added to a pdb class: it tells its `stop` what it shows, and leaves a stop in every way that ends it."""

    stop: StopAt
    announced = True  # the line above the prompt of a new stop
    left = QUIT

    def set_continue(self) -> None:
        super().set_continue()
        self.stop.watch_on()

    def interaction(self, *arguments: Any) -> None:
        """At a stop the name `shapes` is known in every frame, also in PEFT's."""
        with known_everywhere("shapes", lambda: shapes(self.curframe)):
            super().interaction(*arguments)

    def do_interact(self, argument: str) -> None:
        """A second prompt inside the first: in a notebook, nothing would lead out of it."""
        if running_kernel() is not None:
            self.message(_(NO_INTERACT))
        else:
            super().do_interact(argument)

    def do_shapes(self, argument: str) -> None:
        """shapes
        The tensors of this frame, with the names of their axes.
        """
        self.message(shapes(self.curframe).text)

    def cmdloop(self, intro: str | None = None) -> None:
        """Until a command lets the program go on. Typed commands are shown as if somebody had typed them."""
        self.stop.visits.append(visit(self.curframe))
        if self.stop.typed is not None:
            self.type_commands()
            return
        if not self.announced:
            self.announced = True
            self.stop.announce(self.curframe)
        try:
            with at_the_keyboard():
                super().cmdloop(intro)
        except AnotherCell:
            say(_(ANOTHER_CELL), self.stdout.page)
            self.stop.over = True
            self.clear_all_breaks()
            self.set_continue()
        except KeyboardInterrupt:  # at the prompt; within a command, pdb itself answers it
            self.left = INTERRUPTED
            self.set_quit()

    def type_commands(self) -> None:
        self.preloop()  # shows what `display` was asked for, where it has changed
        going_on = False
        while not going_on:
            line = self.stop.typed.pop(0) if self.stop.typed else "continue"
            print(f"{self.prompt.strip()} {line}", file=self.stdout.page)
            going_on = bool(self.onecmd(line))

    def onecmd(self, line: str) -> bool:
        """What is printed from here on is the answer to this command."""
        if not line.strip():  # repeats the last one
            return super().onecmd(line)
        asked = Asked(line.strip(), self.curframe.f_code.co_qualname, self.stack[self.curindex][1])
        self.stop.asked.append(asked)
        self.stdout.kept = asked.printed
        return super().onecmd(line)


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


def check_kind(kind: str | None) -> None:
    if kind not in (None, *KINDS):
        raise ValueError(f"debugger={kind!r}, expected 'pdb' or 'ipdb', or nothing for the shell's own.")


def new_pdb(stop: StopAt) -> Any:
    """A debugger of the kind that is wanted; by itself the shell's own: ipdb in IPython and notebooks, else pdb.

    Raises `ImportError` for ipdb where IPython is not installed.
    """
    options: dict[str, Any] = {"skip": SKIP, "nosigint": True}
    if stop.typed is not None:
        options |= {"readrc": False, "stdout": sys.stdout}
    found = type("StagePdb", (StagePdb, class_of(stop.kind)), {"stop": stop})(**options)
    found.stdout = Printed(found.stdout)
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
