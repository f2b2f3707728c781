"""A place in a recording that moves: what a debugger does to a running program, forwards and backwards."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from functools import lru_cache
from pathlib import PurePath

from prefix_lab.debugger.breakpoints import Breakpoint
from prefix_lab.debugger.search import history, is_end_of, is_end_of_name
from prefix_lab.debugger.steps import NONE, RecordedSteps, Step
from prefix_lab.debugger.summary import Summary

COMPREHENSIONS = ("<genexpr>", "<listcomp>", "<setcomp>", "<dictcomp>")
"""What the stepper and the replay step past unless they are told otherwise."""


class Cursor:
    """`index` is the step where it stands. Every move returns whether it moved; at either end, it stays.

    With `backwards=True` a move goes the same way in the other direction. `skip` are functions, files and folders that
    no step goes into, as with pdb's `skip=`: `<genexpr>`, `PeftModel.__getattr__`, `peft/utils/other.py`,
    `transformers/`; what they call, it does. It can be set at any time, and breakpoints stop in them all the same.
    """

    def __init__(self, recording: RecordedSteps, index: int = 0, skip: Iterable[str] = ()):
        self.recording = recording
        self.index = 0
        self.skip = skip
        if len(recording) or index:
            self.goto(index)

    def goto(self, step: int | Step) -> bool:
        """Stand at this step. Raises `IndexError` when there is none of that number."""
        count, index = len(self.recording), step.index if isinstance(step, Step) else step
        if not isinstance(index, int) or not 0 <= index < count:
            raise IndexError(f"step {index!r}: this recording has {count:,} steps, from 0 to {count - 1:,}.")
        moved, self.index = index != self.index, index
        return moved

    @property
    def step(self) -> Step:
        return self.recording.steps[self.index]

    @property
    def skip(self) -> tuple[str, ...]:
        return self._skip

    @skip.setter
    def skip(self, skip: Iterable[str]) -> None:
        """Raises `TypeError` for what is no collection of texts."""
        found = tuple(skip) if isinstance(skip, Iterable) and not isinstance(skip, str) else (skip,)
        if not all(isinstance(one, str) and one for one in found):
            raise TypeError(f"skip={skip!r}, expected names of functions, files or folders: ('<genexpr>', 'peft/').")
        self._skip = found
        self._skipped = functions_of(self.recording, found) if found else frozenset()

    def step_in(self, backwards: bool = False) -> bool:
        """To the next step, wherever it is."""
        beside = self.index + (-1 if backwards else 1)
        there = self.past(beside, backwards) if self._skipped else beside
        return there is not None and self._to(there)

    def past(self, step: int, backwards: bool = False) -> int | None:
        """The first step from this one on that is not to be skipped; None where there is none."""
        while 0 <= step < len(self.recording) and self._skips(step):
            step += -1 if backwards else 1
        return step if 0 <= step < len(self.recording) else None

    def step_over(self, backwards: bool = False) -> bool:
        """To the next step of this frame, past all calls; after its last, to the frame that it was called from."""
        columns = self.recording.columns
        if not len(columns):
            return False
        there = (columns.step_before if backwards else columns.step_after)[self.index]
        return self._to(there) if there != NONE else self.step_out(backwards)

    def step_out(self, backwards: bool = False) -> bool:
        """To the frame that this one was called from: the step after the call, or, backwards, the call itself.

        Where that frame has no step after the call, since an exception goes on at the end of its `finally`, this leads
        further out. A frame that was called from outside the recording leads to the step after its end, or before its
        beginning.
        """
        at = self._outside(self.index, backwards) if len(self.recording) else -1
        while 0 <= at < len(self.recording) and self._skips(at):
            before, at = at, self._outside(at, backwards)
            if (at < before) != backwards:  # a generator that another thread goes on with
                return False
        return self._to(at)

    def step_end(self, backwards: bool = False) -> bool:
        """To the last step of this frame, where it returns; backwards, to its first, where it was called."""
        columns = self.recording.columns
        if not len(columns):
            return False
        there = (columns.frame_first if backwards else columns.frame_last)[columns.step_frame[self.index]]
        return there != self.index and self._to(there)

    def _outside(self, step: int, backwards: bool) -> int:
        columns = self.recording.columns
        caller, depth = self.recording.caller(step), columns.step_depth[step]
        if backwards and caller is not None:
            return caller
        frame = columns.step_frame[step]
        thread = columns.thread_of(step)
        at = columns.frame_first[frame] - 1 if backwards else columns.frame_last[frame] + 1
        while caller is not None:
            if (there := columns.step_after[caller]) != NONE:
                return there
            # Left without a step of its own. What else its line called is deeper than it, and is not where one lands.
            at, depth, caller = step + 1, depth - 1, self.recording.caller(caller)
        while 0 <= at < len(columns) and (
            columns.thread_of(at) != thread or columns.step_depth[at] > depth
        ):  # deeper is what the frame's last line called, where an exception left the frame then
            at += -1 if backwards else 1
        return at

    def _skips(self, step: int) -> bool:
        columns = self.recording.columns
        return columns.frame_function[columns.step_frame[step]] in self._skipped

    def run_to(self, breakpoint: Breakpoint, backwards: bool = False) -> bool:
        """To the next step where the breakpoint holds, this one aside; if there is none, stay.

        Raises `TypeError` for what is no breakpoint.
        """
        if not isinstance(breakpoint, Breakpoint):
            raise TypeError(f"breakpoint={breakpoint!r} is none. Give one: Breakpoint('forward'), Breakpoint(line=30).")
        stops = breakpoint.steps(self.recording, self.index, backwards)
        found = next(itertools.islice(stops, breakpoint.hits - 1, None), None)
        return found is not None and self._to(found)

    def _to(self, index: int) -> bool:
        if not 0 <= index < len(self.recording):
            return False
        self.index = index
        return True

    @property
    def locals(self) -> dict[str, Summary]:
        """The frame's names as this step finds them."""
        return self.step.locals

    @property
    def changed(self) -> dict[str, Summary]:
        """What this step binds or changes."""
        return self.step.changed

    @property
    def watches(self) -> dict[str, Summary]:
        return self.step.watches

    @property
    def stack(self) -> list[Step]:
        """The steps where the frames stand: this one, the line that called it, and so on outwards."""
        return [Step(self.recording, index) for index in self.recording.stack(self.index)]

    @property
    def source(self) -> str:
        """The text of the file, as it was when recorded."""
        return self.recording.sources.get(self.step.file, "")

    def history(self, name: str) -> list[tuple[Step, Summary]]:
        """Every value that the name took in this frame, with the step that gave it."""
        return history(self.recording, name, self.index)

    def __repr__(self) -> str:
        return f"<Cursor at {self.step!r}>"


@lru_cache(maxsize=8)
def functions_of(recording: RecordedSteps, names: tuple[str, ...]) -> frozenset[int]:
    """The numbers of the functions that are meant by a name or its end, by their file, or by a folder that it is in."""

    def is_meant(file: str, function: str) -> bool:
        path = f"/{PurePath(file).as_posix()}"
        return any(
            is_end_of_name(name, function) or is_end_of(name, file) or (name[-1] == "/" and f"/{name}" in path)
            for name in names
        )

    functions = recording.columns.functions
    return frozenset(number for number, (file, function, _) in enumerate(functions) if is_meant(file, function))
