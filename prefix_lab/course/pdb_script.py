"""Stop in a function with pdb and let it type for you: a lesson shows a real debugger, and still runs top to bottom."""

import pdb
import sys
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any


class TypedPdb(pdb.Pdb):
    """A pdb that waits for one function, takes its commands from a list, shows them as if typed, and then goes on."""

    def __init__(self, code: CodeType, commands: list[str]):
        super().__init__(stdout=sys.stdout, nosigint=True, readrc=False)
        self.code = code
        self.commands_left = list(commands)
        self.arrived = False

    def user_call(self, frame: FrameType, argument_list: None) -> None:
        if self.arrived:
            super().user_call(frame, argument_list)

    def user_line(self, frame: FrameType) -> None:
        # pdb stops at once when it starts, before the place that we wait for, and again at later calls.
        if frame.f_code is not self.code if not self.arrived else not self.commands_left:
            self.set_continue()
            return
        self.arrived = True
        super().user_line(frame)

    def cmdloop(self, intro: str | None = None) -> None:
        """Until a command lets the program go on; without commands left, continue."""
        if not self.commands_left:
            self.set_continue()  # the function is called again: the lesson has seen it
            return
        going_on = False
        while not going_on:
            line = self.commands_left.pop(0) if self.commands_left else "continue"
            self.message(f"(Pdb) {line}")
            going_on = bool(self.onecmd(line))


def stop_in(function: Callable, call: Callable[[], Any], commands: list[str]) -> Any:
    """Run `call()`, stop where `function` begins, type `commands`, go on; returns what `call` returns.

    `function` is a Python function or method; `commands` are pdb's: `p x.shape`, `n`, `s`, `u`, `w`, `c`.
    Raises `RuntimeError` when another debugger is watching, since pdb would push it aside.
    """
    if sys.gettrace() is not None:
        raise RuntimeError("Another debugger is watching. Switch it off (in JupyterLab: the bug), and run this again.")
    code = function.__code__
    debugger = TypedPdb(code, commands)
    first_statement = min(line for _, _, line in code.co_lines() if line and line > code.co_firstlineno)
    debugger.set_break(code.co_filename, first_statement)
    try:
        return debugger.runcall(call)
    finally:
        sys.settrace(None)
        debugger.clear_all_breaks()
