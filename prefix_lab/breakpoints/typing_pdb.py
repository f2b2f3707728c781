"""A pdb for one stage, the standard one or IPython's: it knows `shapes()`, and may type commands for the learner."""

from __future__ import annotations

import builtins
import pdb
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from prefix_lab.breakpoints.attached import shell
from prefix_lab.breakpoints.seen import shapes

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
