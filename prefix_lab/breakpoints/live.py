"""Who types at a stop: the person in front of it, or the lesson where nobody can; and what was asked and answered."""

from __future__ import annotations

import builtins
import os
import re
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from types import FrameType
from typing import Any, NamedTuple

from prefix_lab.breakpoints.attached import shell
from prefix_lab.breakpoints.seen import shapes
from prefix_lab.locale import N_
from prefix_lab.locale.room import is_wide, wrapped
from prefix_lab.widgets.asked import run_by_hand

SWITCHED_OFF = N_("Live stops are switched off, so the lesson types at this one.")
NOBODY = N_("Nobody can type here, so the lesson does.")
ALL_AT_ONCE = N_(
    "Several cells were run at once, so the lesson types here. Run this cell by itself, and the keyboard is yours."
)
STOPPED = N_(
    "Stopped in {function}, {file}, line {line}. Type below, and press Enter: `c` goes on, `q` leaves the block."
)
TRY = N_("Try: {commands}")
IN_DEBUGGER = N_(
    "Your debugger is on, so it stops in {function}, {file}, line {line}. Look at the variables there, step, and let "
    "the program go on with the debugger's own button. The breakpoint is gone when this block ends."
)
ANOTHER_CELL = N_(
    "Another cell was run while this stop waited for you, so the program goes on without stopping again. Run this cell "
    "by itself to stop here anew."
)
INTERRUPTED = N_("Interrupted: the stop is left, and the rest of the block did not run. Run it again to come back.")

_live = True


def switch(live: bool) -> None:
    """Whether stops open for the person who runs a cell; else the lesson types at each."""
    global _live
    _live = live


def nobody_types() -> str:
    """Why nobody types at a stop that begins now, as a sentence; empty where a person can."""
    if not _live or os.environ.get("PREFIX_LAB_LIVE") == "0":
        return SWITCHED_OFF
    if (kernel := running_kernel()) is not None:
        if not kernel._allow_stdin:  # of this very request: JupyterLab and VS Code can be asked, nbclient cannot
            return NOBODY
        return "" if run_by_hand() else ALL_AT_ONCE
    return "" if sys.stdin is not None and sys.stdin.isatty() else NOBODY


def running_kernel() -> Any | None:
    """The kernel that runs this, if one does and could ask for a line."""
    kernel = getattr(shell(), "kernel", None)
    return kernel if hasattr(kernel, "_allow_stdin") else None


class Visit(NamedTuple):
    """A place where the program stood still: the function by its qualified name, and its tensors by name."""

    function: str
    file: str
    line: int
    shapes: dict[str, str]


def visit(frame: FrameType) -> Visit:
    """What there is to see in a frame; an object of the learner's that cannot be looked at hides its tensors alone."""
    rows: list[tuple[str, str]] = []
    with suppress(Exception):
        rows = [row for row in shapes(frame).rows if not row[0].startswith("__")]  # pdb's own `__return__`
    return Visit(frame.f_code.co_qualname, short(frame.f_code.co_filename), frame.f_lineno, dict(rows))


def short(file: str) -> str:
    """A file from its package on: `peft/peft_model.py`, wherever it is installed."""
    above = [folder for folder in map(os.path.abspath, sys.path) if file.startswith(folder + os.sep)]
    return file.removeprefix(max(above, key=len, default="")).replace(os.sep, "/").lstrip("/")


WIDTH = 100  # a notebook breaks longer lines within a word


def say(text: str, page: Any = None) -> None:
    """A sentence above or below what the debugger prints."""
    whole_words = textwrap.wrap(text, WIDTH, break_long_words=False, break_on_hyphens=False)
    print("\n".join(wrapped(text, WIDTH) if any(map(is_wide, text)) else whole_words), file=page)


COLOURS = re.compile(r"\x1b\[[0-9;]*m")


@dataclass
class Asked:
    """A command, the frame that the debugger stood in, and all that it printed until the next command."""

    command: str
    function: str
    line: int
    printed: list[str] = field(default_factory=list, repr=False)

    @property
    def answer(self) -> str:
        return COLOURS.sub("", "".join(self.printed)).strip()


class Printed:
    """Where a debugger prints: on the same page as ever, and into the last command's answer."""

    def __init__(self, page: Any):
        self.page, self.kept = page, []

    def write(self, text: str) -> int:
        self.kept.append(text)
        return self.page.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.page, name)


class AnotherCell(Exception):
    """Somebody runs another cell while a stop waits for a line."""


@contextmanager
def at_the_keyboard() -> Iterator[None]:
    """Within, the kernel's question for a line ends with `AnotherCell` when the notebook wants to run another cell.

    A page that was closed and opened again has lost the box to type into: any cell that is run sets the kernel free.
    """
    kernel = running_kernel()
    if kernel is None:
        yield
        return
    before = builtins.input
    builtins.input = lambda prompt="": line_typed(kernel, str(prompt))
    try:
        yield
    finally:
        builtins.input = before


def line_typed(kernel: Any, prompt: str) -> str:
    """A line that the person types into the box under the cell: as ipykernel asks for one, with an ear for the rest."""
    sys.stdout.flush()
    sys.stderr.flush()
    while kernel.stdin_socket.poll(0):  # an answer that nobody asked for
        kernel.stdin_socket.recv_multipart()
    parent, question = kernel.get_parent("shell"), {"prompt": prompt, "password": False}
    kernel.session.send(kernel.stdin_socket, "input_request", question, parent, ident=kernel._parent_ident["shell"])
    while True:
        if another_cell_waits(parent):
            raise AnotherCell
        if kernel.stdin_socket.poll(50):
            _, reply = kernel.session.recv(kernel.stdin_socket)
            if reply is not None:
                line = reply["content"].get("value", "")
                if line == "\x04":
                    raise EOFError
                return line


_last_heard: dict[str, Any] = {}  # the header of the last request to run a cell


def another_cell_waits(parent: dict[str, Any]) -> bool:
    return bool(_last_heard) and _last_heard["msg_id"] != parent["header"]["msg_id"]


def listen() -> None:
    """From now on, hear of each cell that is asked for, also while one runs: ipykernel takes requests in a thread."""
    kernel = running_kernel()
    thread = getattr(kernel, "shell_channel_thread", None)
    if thread is None:
        return

    def heard(message: Any) -> Any:
        with suppress(Exception):  # what is wrong with a message is for ipykernel to say
            frames = kernel.session.feed_identities(message, copy=False)[1]
            told = kernel.session.deserialize(frames, content=False, copy=False)
            header = told["header"]  # another thread runs what is for a subshell
            runs = header["msg_type"] == "execute_request" and not header.get("subshell_id")
            if runs and not kernel.session.unpack(told["content"]).get("silent"):  # an editor's own questions are
                _last_heard.update(header)
        return kernel.shell_channel_thread_main(message)

    thread.io_loop.add_callback(kernel.shell_stream.on_recv, heard, copy=False)


listen()
