"""`Stepper(recording)`: walk through a recording in a notebook, forwards and backwards."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any

import anywidget
import traitlets

from prefix_lab.debugger import Cursor, Recording, Step
from prefix_lab.debugger.breakpoints import Breakpoint
from prefix_lab.debugger.conditions import Condition
from prefix_lab.debugger.cursor import COMPREHENSIONS
from prefix_lab.debugger.shown import text_of
from prefix_lab.debugger.steps import number_of
from prefix_lab.locale import _, for_page
from prefix_lab.widgets.picture import preformatted
from prefix_lab.widgets.stepper.keys import TakesKeys, now
from prefix_lab.widgets.stepper.page import HERE, linked
from prefix_lab.widgets.stepper.questions import Desk, must_be_recording, must_be_text, texts
from prefix_lab.widgets.stepper.written import clipped, short_path
from prefix_lab.widgets.table import in_columns

SCRIPT = linked(HERE / "widget.js")


class Stepper(TakesKeys, anywidget.AnyWidget):
    """A debugger for what has already happened: source, values beside lines, calls, variables, timeline.

    `step` is where the reader is; set it, or call `goto` and `goto_stage`, to lead. `breakpoints` is a list of
    `{"file": "peft/peft_model.py", "line": 300, "condition": "i == 5"}`; `{"function": "encode"}` is a function or a
    stage, `{"name": "x", "function": "forward"}` stops where a name's value changes, and each may have `hits`, "3" or
    "% 3", and `log`, "x is {x}", which is said instead of stopping. `watches` is a list of expressions. `skip` are
    the functions, files and folders that no step goes into, as a `Cursor` takes them: at first what runs inside a
    comprehension. `on_step` is told where a reader rests. `height` is a CSS length.
    `tour=True` begins a tour of four bubbles, until the reader has ended it once; panes and watches stay as they were
    left in this notebook.

    Raises `TypeError` for what is no recording or step, `IndexError` for a step that there is not, `ValueError` that
    names the argument for a file, condition or expression that cannot be.
    """

    _esm = SCRIPT
    _css = HERE / "stepper.css"
    step = traitlets.Int(0).tag(sync=True)
    breakpoints = traitlets.List(traitlets.Dict()).tag(sync=True)
    watches = traitlets.List(traitlets.Unicode()).tag(sync=True)
    skip = traitlets.List(traitlets.Unicode(), list(COMPREHENSIONS)).tag(sync=True)
    said = traitlets.Dict().tag(sync=True)
    height = traitlets.Unicode("600px").tag(sync=True)
    opening = traitlets.Dict().tag(sync=True)
    question = traitlets.Dict(None, allow_none=True).tag(sync=True)
    answer = traitlets.Dict(None, allow_none=True).tag(sync=True)
    made = traitlets.Float().tag(sync=True)
    tour = traitlets.Bool(False).tag(sync=True)

    def __init__(
        self,
        recording: Recording,
        *,
        at: int | Step = 0,
        breakpoints: list[dict[str, Any]] | None = None,
        watches: str | Iterable[str] | None = None,
        skip: str | Iterable[str] = COMPREHENSIONS,
        title: str = "",
        height: str = "600px",
        tour: bool = False,
    ):
        must_be_recording("recording", recording)
        self.recording = recording
        self._desk = Desk(recording, title)
        first = number_of("at", at)
        if not isinstance(breakpoints, list | tuple | None):
            raise TypeError(f"breakpoints={breakpoints!r}, expected a list: [{{'file': 'a/b.py', 'line': 300}}].")
        for one in breakpoints or ():
            self._desk.questions.check(one)
        for name, text, example in (("title", title, "My walk"), ("height", height, "600px")):
            must_be_text(name, text, example)
        super().__init__(
            said=for_page(SCRIPT),
            height=height,
            step=first,
            breakpoints=list(breakpoints or ()),
            watches=texts("watches", watches or (), "x.shape[0]"),
            skip=texts("skip", skip, "peft/utils/"),
            opening=self._desk.first(first),
            tour=tour,
            made=now(),
        )
        self.on_msg(self._heard)

    @traitlets.validate("step")
    def _step_is_there(self, proposal: Any) -> int:
        count, step = len(self.recording), proposal["value"]
        if count and not 0 <= step < count:
            raise IndexError(f"step {step}: this recording has {count:,} steps, from 0 to {count - 1:,}.")
        return step

    @traitlets.validate("breakpoints")
    def _breakpoints_can_be(self, proposal: Any) -> list[dict[str, Any]]:
        for one in proposal["value"]:
            self._desk.questions.check(one)
        return proposal["value"]

    @traitlets.validate("watches")
    def _watches_can_be(self, proposal: Any) -> list[str]:
        for text in proposal["value"]:
            Condition(text)
        return proposal["value"]

    @property
    def cursor(self) -> Cursor:
        """A cursor where the reader is: its `locals`, `stack` and so on. Moving it does not move the reader."""
        found = self.recording.cursor(self.step)
        found.skip = self.skip
        return found

    def goto(self, step: int | Step) -> None:
        """Lead the reader to a step."""
        self.step = number_of("step", step)

    def goto_stage(self, name: str) -> None:
        """Lead the reader to where a stage of the walk begins. Raises `ValueError` that lists the stages there are."""
        stages = {stage: runs for stage, _, runs in self._desk.pieces.opening()["stages"]}
        if name not in [*stages]:
            known = ", ".join(stages) or "none"
            raise ValueError(f"name={name!r} is not a stage that this recording ran through. Those are: {known}.")
        self.step = stages[name][0].first

    def run_to(self, breakpoint: Breakpoint, backwards: bool = False) -> bool:
        """Lead the reader to the next step where a breakpoint holds; whether there is one."""
        cursor = self.cursor
        moved = cursor.run_to(breakpoint, backwards)
        self.step = cursor.index
        return moved

    def on_step(self, told: Callable[[Step], Any]) -> Callable[[], None]:
        """Call `told(step)` whenever the reader rests at another step; what is returned ends that."""
        if not callable(told):
            raise TypeError(f"told={told!r}, expected a function that takes a step: stepper.on_step(print).")

        def moved(change: Any) -> None:
            told(self.recording.steps[change["new"]])

        self.observe(moved, "step")
        return functools.partial(self.unobserve, moved, "step")

    def _heard(self, _: Any, message: Any, buffers: Any) -> None:
        """A request of a view's, answered under its number; what is wrong with it is said there, too."""
        if not isinstance(message, dict) or "number" not in message:
            return
        self.send(self._desk.reply(message))

    @property
    def text(self) -> str:
        """Where the reader is, in words."""
        if not len(self.recording):
            return _("<Stepper of an empty recording>")
        return _("<Stepper at {step}>").format(step=repr(self.recording.steps[self.step]))

    @property
    def still(self) -> str:
        return preformatted(f"{self.text}\n\n{moment_in_words(self.recording, self.step)}")


def moment_in_words(recording: Recording, index: int, around: int = 8) -> str:
    """The source around a step with its line marked, and the names there before it runs."""
    if not len(recording):
        return ""
    step = recording.steps[index]
    lines = range(max(1, step.line - around), step.line + around + 1)
    texts = {line: recording.line_text(step.file, line).rstrip() for line in lines}
    source = [f"{'→' if line == step.line else ' '} {line:>5}  {text}" for line, text in texts.items() if text]
    names = [(f"  {name}", clipped(text_of(value))) for name, value in step.locals.items()]
    return "\n".join([f"{step.function}, {short_path(step.file)}", *source, "", *(in_columns(names) if names else [])])
