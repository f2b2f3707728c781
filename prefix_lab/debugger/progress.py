"""How far a long action is: a line that comes after a second and goes at the end, in a terminal or a notebook.

Where it is stopped, by Ctrl-C or a notebook's interrupt, it says what is left of it. Elsewhere nothing is shown.
"""

from __future__ import annotations

import math
import shutil
import sys
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from html import escape
from types import TracebackType
from typing import Any, ClassVar, TextIO

PATIENCE = 1.0  # seconds until the first line
EVERY = 0.5  # seconds between two


class Progress:
    """A context around an action: `with Progress("Opening {name}: {seconds:.0f} s", "Stopped: …", name=name):`.

    `line` is what is shown, `stopped` what is said after an interrupt; both are filled with `said`, with the `seconds`
    that went by, and with `far`: what the action itself, which calls the context now and then, said last. With `watch`
    a thread shows the line instead: for what has no time to say how far it is. Then `watch` is asked for `far`.
    Of actions inside others the outermost is shown.
    """

    outermost: ClassVar[Progress | None] = None

    def __init__(self, line: str, stopped: str, watch: Callable[[], Any] | None = None, **said: Any):
        self.line, self.stopped, self.watch, self.said = line, stopped, watch, said
        self.far: Any = 0
        self.shown = False
        self.screen: Terminal | Notebook | None = None
        self.begun = self.next = math.inf
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.look_on, daemon=True, name="prefix_lab progress")

    def __enter__(self) -> Progress:
        self.begun = time.monotonic()
        self.next = self.begun + PATIENCE
        if Progress.outermost is None:
            Progress.outermost, self.screen = self, screen_of_this_process()
        if self.watch is not None and self.screen is not None:
            self.thread.start()
        return self

    def look_on(self) -> None:
        while not self.ended.wait(max(0.0, self.next - time.monotonic())):
            self(self.watch() if self.watch is not None else None)

    def __call__(self, far: Any) -> None:
        """The action has come so far; shown if it is time."""
        self.far, now = far, time.monotonic()
        if self.screen is not None and now >= self.next:
            self.next = now + EVERY
            self.shown = True
            self.screen.show(self.line.format(far=far, seconds=now - self.begun, **self.said))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.ended.set()
        if self.thread.is_alive():
            self.thread.join()
        if Progress.outermost is self:
            Progress.outermost = None
        if self.screen is None:
            return
        if isinstance(error, KeyboardInterrupt):
            self.screen.end(self.stopped.format(far=self.far, **self.said))
        elif self.shown:
            self.screen.end("")


class Terminal:
    """A line of a stream that is written over: the one that was there at the beginning, whatever the program puts in
    its place."""

    def __init__(self, stream: TextIO):
        self.stream = stream

    def show(self, line: str) -> None:
        self.write(f"\r{line[: shutil.get_terminal_size().columns - 1]}\x1b[K")

    def end(self, word: str) -> None:
        self.write(f"\r\x1b[K{word}{chr(10) if word else ''}")

    def write(self, text: str) -> None:
        with suppress(OSError, ValueError):  # it was closed since
            self.stream.write(text)
            self.stream.flush()


class Notebook:
    """An output of a cell that is changed in place. `publish` is IPython's, which is there already and not imported;
    what a program captures is published elsewhere."""

    def __init__(self, publish: Callable[..., None]):
        self.publish, self.name = publish, uuid.uuid4().hex
        self.begun = False

    def show(self, line: str) -> None:
        html = f"<small role='status'>{escape(line)}</small>" if line else ""
        data = {"text/plain": line, "text/html": html}
        self.publish(data, metadata={}, transient={"display_id": self.name}, update=self.begun)
        self.begun = True

    end = show


def screen_of_this_process() -> Terminal | Notebook | None:
    """Where a line can be shown and taken away again; None where that cannot be."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if getattr(shell, "kernel", None) is not None:
        return Notebook(shell.display_pub.publish)
    try:
        return Terminal(sys.stderr) if sys.stderr.isatty() else None
    except (AttributeError, ValueError):  # there is none, or it is closed
        return None
