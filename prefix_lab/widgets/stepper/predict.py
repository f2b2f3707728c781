"""`predict(recording, at=..., name=...)`: say what shape a line will give, before it runs."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from prefix_lab.debugger import Breakpoint, Recording, Step, Summary
from prefix_lab.debugger.steps import NONE
from prefix_lab.shapes import AXES, evaluate
from prefix_lab.widgets.stepper.questions import must_be_recording
from prefix_lab.widgets.stepper.stages import bands
from prefix_lab.widgets.stepper.stepper import Stepper

HINT_AFTER, SHOWN_AFTER = 1, 3  # wrong answers


@dataclass
class Score:
    """How many questions were answered, and how many of them at the first try."""

    asked: set[tuple[str, str, int]] = field(default_factory=set)
    right: set[tuple[str, str, int]] = field(default_factory=set)
    at_once: set[tuple[str, str, int]] = field(default_factory=set)

    def __str__(self) -> str:
        return f"{len(self.right)} of {len(self.asked)} right, {len(self.at_once)} at the first try"


SCORE = Score()
"""The score of this session."""


class Prediction(Stepper):
    """A stepper that stands before a line and asks for the shape that a name will have after it.

    `answer_with("(batch, prefix_len, hidden)")` answers from Python, by names or by numbers, and returns what is said;
    `is_right` tells whether it was answered rightly.
    """

    def __init__(self, recording: Recording, step: Step, name: str, score: Score, **options: Any):
        self.name, self.asked, self.score = name, step, score
        self.tries, self.is_right = 0, False
        self.expected = step.changed[name]
        super().__init__(recording, at=step, **options)
        self.key = (step.file, name, step.index)
        score.asked.add(self.key)
        self.question = {"step": step.index, "text": self.asks, "said": "", "done": False, "score": str(score)}
        self.observe(self._answered, "answer")

    @property
    def asks(self) -> str:
        """The question."""
        example = "(batch, prefix_len)" if "axes" in self.expected.facts else "(2, 20)"
        return (
            f"Line {self.asked.line} of {self.asked.function} is about to run: {self.asked.text}  What shape will "
            f"{self.name} have? Answer with names or numbers, as in {example}."
        )

    def answer_with(self, text: str) -> str:
        """Answer, and hear whether it is right."""
        if self.is_right:
            return self.question["said"]
        self.tries += 1
        wrong = wrong_with(text, self.expected, sizes_of(self.recording), self.tries)
        if not wrong:
            self.is_right = True
            self.score.right.add(self.key)
            if self.tries == 1:
                self.score.at_once.add(self.key)
        done = not wrong or self.tries >= SHOWN_AFTER
        said = wrong if wrong and not done else (f"{wrong} " if wrong else "Right. ") + explained(self.asked, self.name)
        self.question = self.question | {"said": said, "done": done, "given": text, "score": str(self.score)}
        return said

    def _answered(self, change: Any) -> None:
        if change["new"]:
            self.answer_with(str(change["new"].get("text", "")))

    @property
    def text(self) -> str:
        """The question, what was said to the last answer, and the score."""
        return "\n".join(part for part in (self.asks, self.question["said"], f"[{self.question['score']}]") if part)


def predict(
    recording: Recording,
    at: int | str | Step | Breakpoint,
    name: str,
    *,
    score: Score | None = None,
    language: str = "en",
    height: str = "600px",
) -> Prediction:
    """Pause before the line that gives `name` a tensor, and ask for its shape.

    `at` says from where on to look, in that call: a step, a stage of the walk, a function, or a breakpoint. In a
    notebook it is a stepper with a question; `.answer_with("(batch, prefix_len)")` answers from Python.

    Raises `ValueError` that names the argument when there is no such place, or `name` gets no tensor there.
    """
    must_be_recording("recording", recording)
    step = asked_step(recording, place(recording, at), name)
    return Prediction(recording, step, name, SCORE if score is None else score, language=language, height=height)


def place(recording: Recording, at: Any) -> Step:
    """The step that `at` names."""
    if isinstance(at, Step):
        return at
    if isinstance(at, int):
        return recording.steps[at]
    breakpoint = at
    if isinstance(at, str):
        stages = {stage: runs for stage, _, runs in bands(recording)}
        if at in stages:
            return recording.steps[stages[at][0].first]
        breakpoint = Breakpoint(at)
    if not isinstance(breakpoint, Breakpoint):
        raise ValueError(f"at={at!r}, expected a step, a stage's name, a function's name or a Breakpoint.")
    found = next(breakpoint.steps(recording, -1, False), None)
    if found is None:
        names = {part for _, name, _ in recording.columns.functions for part in (name, name.rpartition(".")[2])}
        near = get_close_matches(str(at), sorted({*names, *(stage for stage, _, _ in bands(recording))}), cutoff=0.4)
        said = f"Near it: {', '.join(near)}." if near else "print(recording) shows its calls."
        raise ValueError(f"at={at!r} is no stage or function that this recording ran through. {said}")
    return recording.steps[found]


def asked_step(recording: Recording, start: Step, name: str) -> Step:
    """The first step from there on, in that frame, where the name gets a tensor."""
    columns, at = recording.columns, start.index
    names: dict[str, None] = {}
    while at != NONE:
        step = recording.steps[at]
        for bound, value in step.changed.items() if step.event == "line" else ():
            if "shape" in value.facts:
                names[bound] = None
                if bound == name:
                    return step
        at = columns.step_after[at]
    known = f"Those that do: {', '.join(names)}." if names else "No name does."
    raise ValueError(f"name={name!r} gets no tensor in {start.function} from step {start.index} on. {known}")


def sizes_of(recording: Recording) -> dict[str, int]:
    """The sizes of the axes that the recording's tensors name; an axis with several sizes is left out."""
    seen: dict[str, set[int]] = {}
    products: set[tuple[str, int]] = set()
    for value in recording.columns.values:
        if isinstance(value, Summary) and "axes" in value.facts:
            for axis, size in zip(value.facts["axes"], value.facts["shape"], strict=True):
                if axis in AXES:
                    seen.setdefault(axis, set()).add(size)
                elif re.fullmatch(r"[\w·]+", axis):
                    products.add((axis, size))
    sizes = {axis: found.pop() for axis, found in seen.items() if len(found) == 1}
    for product, size in sorted(products):  # an axis that never stands alone: 2·layers·hidden = 768 tells layers
        unknown = [part for part in product.split("·") if not part.isdigit() and part not in sizes]
        if len(unknown) == 1 and unknown[0] in AXES and unknown[0] not in seen:
            known = evaluate("·".join(part for part in product.split("·") if part != unknown[0]) or "1", sizes)
            if known and size % known == 0:
                sizes[unknown[0]] = size // known
    return {axis: sizes[axis] for axis in AXES if axis in sizes}


def parts_of(text: str) -> list[str]:
    """The axes of an answer, in one spelling: `2*layers*hidden`, `2 layers hidden` and `2·layers·hidden` are one."""
    inner = text.strip().strip("()[]").strip()
    parts = [re.sub(r"\s*[*×·]\s*|(?<=\w)\s+(?=\w)", "·", part.strip()) for part in inner.split(",")]
    return [re.sub(r"\s+", "", part) for part in parts if part]


def wrong_with(text: str, expected: Summary, sizes: dict[str, int], tries: int) -> str:
    """What is wrong with an answer, said with more help at each try; empty when it is right."""
    shape, given = expected.facts["shape"], parts_of(text)
    if not given and shape:
        return "Write one name or number for each axis, with commas between them."
    if len(given) != len(shape):
        return f"You gave {counted(len(given), 'axis', 'axes')}; it has {len(shape)}."
    for number, (part, size) in enumerate(zip(given, shape, strict=True)):
        try:
            worth = evaluate(part, sizes)
        except ValueError:
            worth = None
        if worth is None:
            known = ", ".join(sizes) or "none; answer with numbers"
            return f"{part!r} is neither a number nor made of this recording's axes: {known}."
        if worth != size:
            hint = f" It has {size} entries." if tries > HINT_AFTER else ""
            return f"Axis {number} is not {part}{'' if part.isdigit() else f' = {worth}'}.{hint}"
    return ""


def counted(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"


def explained(step: Step, name: str) -> str:
    """The shape by names and numbers, and those of what the line used."""
    value = step.changed[name]
    used = [
        f"{other} {written(one)}"
        for other, one in step.locals.items()
        if "shape" in one.facts and re.search(rf"\b{re.escape(other)}\b", step.text.partition("=")[2])
    ]
    source = f", from {' and '.join(itertools.islice(used, 3))}" if used else ""
    return f"{name} is {written(value)}{source}."


def written(value: Summary) -> str:
    """`(batch, prefix_len) = (2, 20)`."""
    numbers = f"({', '.join(map(str, value.facts['shape']))})"
    axes = value.facts.get("axes")
    return f"({', '.join(axes)}) = {numbers}" if axes else numbers
