"""`Recording`: what `record` gives. Its data is in `steps`; here is all that a user asks of the whole."""

from __future__ import annotations

import copy
import threading
from html import escape
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from prefix_lab.debugger.calls import Call, call_tree, html_outline, outline
from prefix_lab.debugger.comparing import Change, Difference, changed, diff
from prefix_lab.debugger.cursor import Cursor
from prefix_lab.debugger.decode import Decoder
from prefix_lab.debugger.progress import Progress
from prefix_lab.debugger.search import find, history
from prefix_lab.debugger.secrets import NOTE
from prefix_lab.debugger.sources import sources_of
from prefix_lab.debugger.steps import Columns, RecordedSteps, Step
from prefix_lab.debugger.storage import read, write
from prefix_lab.debugger.summary import Summary
from prefix_lab.debugger.tape import RecordingSession, Tape
from prefix_lab.debugger.tokens import LineInfo

LAYING_OUT = "Laying out the recording: {far:,} steps in {seconds:.0f} s"
LAID_OUT_LATER = "Stopped. Nothing is lost: the recording is laid out when it is next looked at."
OPENING, NOT_OPENED = "Opening {path}: {seconds:.0f} s", "Stopped. {path} was not opened, and is as it was."
SAVING, NOT_SAVED = "Saving {path}: {seconds:.0f} s", "Stopped. {path} was not written, and is as it was."


class Recording(RecordedSteps):
    """What `record` gives, complete when its `with` block has ended.

    `steps` is the sequence of steps, `notes` says in sentences what the recording lacks, `left_out` counts the steps
    that came after a limit, `exception` is the error that ended the block. All of it is data: no value, frame or
    function of the program is kept alive.
    """

    def __init__(self):
        super().__init__()
        self.state = "new"
        self._tapes: list[Tape] = []
        self._max_steps = self._left_out = 0
        self._columns: Columns | None = None
        self._lock = threading.Lock()

    def close(self, session: RecordingSession) -> None:
        """Take over what a session has written, and the text of the files that it ran through."""
        self._tapes, self._max_steps = list(session.tapes), session.max_steps
        for tape in self._tapes:
            tape.close()
        self._left_out = session.left_out
        self.notes, self.exception = session.notes, session.exception
        self.sources, changed = sources_of([code for code in session.codes if session.known[id(code)]], session.spaces)
        self.notes += changed
        if not self._left_out and not any(type(item) is LineInfo for tape in self._tapes for item in tape.items):
            self.notes.append(session.scope.nothing_ran(session.codes))
        if session.errors:
            self.notes.append(f"{session.errors:,} errors of the recorder itself; the first: {session.first_error}.")
        if session.look.hid:
            self.notes.append(NOTE)
        if session.look.errors:
            self.notes.append(f"{session.look.errors:,} values could not be looked at; they are shown by their type.")
        for tape in self._tapes:
            tape.let_go()
        self.state = "closed"

    @property
    def columns(self) -> Columns:
        """The steps laid out in arrays; made when they are asked for first."""
        if self._columns is not None:
            return self._columns
        if self.state != "closed":
            raise RuntimeError("This recording is not finished: leave its `with record(...)` block first.")
        with self._lock:
            if self._columns is None:
                self._columns = self._read_tapes()
        return self._columns

    def _read_tapes(self) -> Columns:
        decoder = Decoder(self._max_steps)
        with Progress(LAYING_OUT, LAID_OUT_LATER, lambda: len(decoder.columns)):
            columns = decoder.read(self._tapes)
        self._tapes = []
        columns.left_out += self._left_out
        if decoder.out_of_place:
            self.notes.append(
                f"Of {decoder.out_of_place:,} calls the beginning or the end is missing: the recording was interrupted "
                "there."
            )
        if columns.left_out:
            self.notes.append(
                f"{columns.left_out:,} steps came after a limit and were left out. Raise max_steps or max_bytes, or "
                "include less."
            )
        return columns

    @property
    def left_out(self) -> int:
        return self.columns.left_out

    def cursor(self, index: int = 0) -> Cursor:
        """Something that walks through the steps, forwards and backwards. Raises `IndexError` for no step's index."""
        return Cursor(self, index)

    def find(self, **wanted: Any) -> list[Step]:
        """The steps that fit: see `search.find`."""
        return find(self, **wanted)

    def history(self, name: str, at: int | Step = 0) -> list[tuple[Step, Summary]]:
        """Every value that a name took in the frame of step `at`, with the step that gave it."""
        return history(self, name, at)

    def changed(self, first: int | Step, last: int | Step) -> list[Change]:
        """The names that have another value at the later of two steps: see `comparing.changed`."""
        return changed(self, first, last)

    @property
    def calls(self) -> list[Call]:
        """The call tree: see `calls.Call`."""
        return call_tree(self)

    def diff(self, other: Recording) -> Difference | None:
        """The first step where two recordings part, or None: see `comparing.diff`."""
        return diff(self, other)

    def with_names(self, names: Any) -> Recording:
        """This recording again, with what `names` of `prefix_lab.shapes` know: tensors then have the fact `axes`.

        `names.apply(recording)` gives the values of a recording's table, in the same order, each as it was or with more
        to say; `names.remarks(recording)` sentences that a reader of the recording, now named, should know.

        Raises `TypeError` for what knows no names.
        """
        if not hasattr(names, "apply"):
            raise TypeError(f"names={names!r} knows no axes. Give what prefix_lab.shapes.name_axes(...) returns.")
        columns = copy.copy(self.columns)
        columns.values = names.apply(self)
        named = self.of(columns, self.sources, self.notes, self.exception)
        named.notes += [one for one in names.remarks(named) if one not in self.notes]
        return named

    @classmethod
    def of(cls, columns: Columns, sources: dict[str, str], notes: list[str], exception: Summary | None) -> Recording:
        """A recording from its data."""
        made = cls()
        made.state, made._columns = "closed", columns
        made.sources, made.notes, made.exception = sources, [*notes], exception
        return made

    def save(self, path: str | Path) -> None:
        """Write one compressed file, whole or not at all. The same recording gives the same bytes.

        Raises `RuntimeError` for a recording that is not finished, `ValueError` when the folder is not there.
        """
        with Progress(SAVING, NOT_SAVED, lambda: 0, path=path):
            write(self, path)

    @classmethod
    def load(cls, path: str | Path) -> Recording:
        """Read a file that `save` wrote; it is data alone, and safe to open.

        Raises `ValueError` that names the file and says what is wrong with it.
        """
        with Progress(OPENING, NOT_OPENED, lambda: 0, path=path):
            return cls.of(*read(path))

    def to_html(self, path: str | Path, **options: Any) -> None:
        """Write one HTML page that walks through this recording, with no kernel and no network; whole or not at all.

        `title=` heads it. Raises `RuntimeError` where no package is installed that makes
        such pages: the debugger itself shows nothing, it asks for the entry point "page" of `prefix_lab.pages`.
        """
        _ = self.columns
        makers = entry_points(group="prefix_lab.pages", name="page")
        if not makers:
            raise RuntimeError("No installed package makes pages of recordings. Install prefix_lab: pip install -e .")
        next(iter(makers)).load()(self, path, **options)

    def __repr__(self) -> str:
        if self.state != "closed":
            return f"<Recording, {'still open' if self.state == 'open' else 'not begun'}>"
        return outline(self)

    def _repr_html_(self) -> str:
        return html_outline(self) if self.state == "closed" else f"<p>{escape(repr(self))}</p>"
