"""`predict(recording, at=..., name=...)`: say what shape a line will give, before it runs."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from prefix_lab.debugger import Breakpoint, Recording, Step, Summary
from prefix_lab.debugger.stages import bands
from prefix_lab.debugger.steps import NONE
from prefix_lab.locale import N_, _, paragraph
from prefix_lab.shapes import AXES, evaluate
from prefix_lab.widgets.stepper.questions import must_be_recording
from prefix_lab.widgets.stepper.stepper import Stepper

HELP_FROM, ANSWER_FROM = 2, 3  # the wrong answer that brings help, and the one from which on the answer is offered


@dataclass
class Score:
    """How many questions were answered, and how many of them at the first try."""

    asked: set[tuple[str, str, int]] = field(default_factory=set)
    right: set[tuple[str, str, int]] = field(default_factory=set)
    at_once: set[tuple[str, str, int]] = field(default_factory=set)

    def __str__(self) -> str:
        said = _("{right} of {asked} right, {at_once} at the first try")
        return said.format(right=len(self.right), asked=len(self.asked), at_once=len(self.at_once))


SCORE = Score()
"""The score of this session."""

ABOUT_TO_RUN = N_("Line {line} of {function} is about to run:")
WHAT_SHAPE = N_("What shape will {name} have? Answer with names or numbers, as in {example}.")
RIGHT = N_("Right.")
SHOW_ANSWER = N_("Show the answer")
RIGHT_ARE = N_("These axes of your answer are right: {axes}.")
IT_READS = N_("The line reads {names}.")
IS = N_("{name} is {shape}.")
NO_PARTS = N_("Write one name or number for each axis, with commas between them.")
HOW_MANY = N_("Number of axes: you gave {given}, it has {expected}.")
NOT_AN_AXIS = N_("{part!r} is neither a number nor made of this recording's axes: {known}.")
NUMBERS_ONLY = N_("{part!r} is no number, and this recording has no axes with names: answer with numbers.")
NOT_THIS = N_("Axis {number} is not {part}.")
NOT_THIS_NAME = N_("Axis {number} is not {part} = {worth}.")


class Prediction(Stepper):
    """A stepper that stands before a line and asks for the shape that a name will have after it.

    `answer_with("(batch, prefix_len, hidden)")` answers from Python, by names or by numbers, and returns what is said;
    `is_right` tells whether it was answered rightly. `show_answer()` tells the shape to those who ask for it.
    """

    def __init__(self, recording: Recording, step: Step, name: str, score: Score, **options: Any):
        self.name, self.asked, self.score = name, step, score
        self.tries, self.is_right = 0, False
        self.expected = step.changed[name]
        super().__init__(recording, at=step, **options)
        self.key = (step.file, name, step.index)
        score.asked.add(self.key)
        example = "(batch, prefix_len)" if "axes" in self.expected.facts else "(2, 20)"
        self.question = {
            "step": step.index,
            "before": _(ABOUT_TO_RUN).format(line=step.line, function=step.function),
            "code": step.text,
            "text": _(WHAT_SHAPE).format(name=name, example=example),
            "said": "",
            "done": False,
            "offer": "",
            "score": str(score),
        }
        self.observe(self._answered, "answer")

    def answer_with(self, text: str) -> str:
        """Answer, and hear whether it is right."""
        if self.is_right:
            return self.question["said"]
        self.tries += 1
        wrong = wrong_with(text, self.expected, sizes_of(self.recording))
        if not wrong:
            self.is_right = True
            self.score.right.add(self.key)
            if self.tries == 1 and not self.question["done"]:
                self.score.at_once.add(self.key)
            return self._say(paragraph(_(RIGHT), explained(self.asked, self.name)), True, given=text)
        if self.tries >= HELP_FROM:
            fitting = right_axes(text, self.expected, sizes_of(self.recording))
            helped = [_(RIGHT_ARE).format(axes=", ".join(map(str, fitting)))] if fitting else []
            wrong = paragraph(wrong, *helped, help_with(self.asked))
        offer = _(SHOW_ANSWER) if self.tries >= ANSWER_FROM else ""
        return self._say(wrong, self.question["done"], given=text, offer=offer)

    def show_answer(self) -> str:
        """The shape, for those who ask for it: it does not count as answered."""
        return self._say(explained(self.asked, self.name), True)

    def _say(self, said: str, done: bool, offer: str = "", **more: str) -> str:
        news = {"said": said, "done": done, "offer": "" if done else offer, "score": str(self.score)}
        self.question = self.question | news | more
        return said

    def _answered(self, change: Any) -> None:
        if not change["new"]:
            return
        if change["new"].get("show"):
            self.show_answer()
        else:
            self.answer_with(str(change["new"].get("text", "")))

    @property
    def text(self) -> str:
        """The question, what was said to the last answer, and the score."""
        asked = self.question
        parts = [asked["before"], f"    {asked['code']}", asked["text"], asked["said"], f"[{asked['score']}]"]
        return "\n".join(filter(None, parts))


def predict(
    recording: Recording,
    at: int | str | Step | Breakpoint,
    name: str,
    *,
    score: Score | None = None,
    height: str = "600px",
) -> Prediction:
    """Pause before the line that gives `name` a tensor, and ask for its shape.

    `at` says from where on to look, in that call: a step, a stage of the walk, a function, or a breakpoint. In a
    notebook it is a stepper with a question; `.answer_with("(batch, prefix_len)")` answers from Python.

    Raises `ValueError` that names the argument when there is no such place, or `name` gets no tensor there.
    """
    must_be_recording("recording", recording)
    if not isinstance(score, Score | None):
        raise TypeError(f"score={score!r}, expected a Score to count in, or nothing for the session's own.")
    step = asked_step(recording, place(recording, at), name)
    return Prediction(recording, step, name, SCORE if score is None else score, height=height)


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


def wrong_with(text: str, expected: Summary, sizes: dict[str, int]) -> str:
    """What is wrong with an answer; empty when it is right."""
    shape, given = expected.facts["shape"], parts_of(text)
    if not given and shape:
        return _(NO_PARTS)
    if len(given) != len(shape):
        return _(HOW_MANY).format(given=len(given), expected=len(shape))
    for number, (part, size) in enumerate(zip(given, shape, strict=True)):
        worth = size_of(part, sizes)
        if worth is None:
            return _(NOT_AN_AXIS if sizes else NUMBERS_ONLY).format(part=part, known=", ".join(sizes))
        if worth != size:
            return _(NOT_THIS if part.isdigit() else NOT_THIS_NAME).format(number=number, part=part, worth=worth)
    return ""


def right_axes(text: str, expected: Summary, sizes: dict[str, int]) -> list[int]:
    """The axes of an answer that are as they should be; none where it has too few or too many."""
    shape, given = expected.facts["shape"], parts_of(text)
    if len(given) != len(shape):
        return []
    return [number for number, part in enumerate(given) if size_of(part, sizes) == shape[number]]


def size_of(part: str, sizes: dict[str, int]) -> int | None:
    """What an axis of an answer comes to; None where it is neither a number nor made of known axes."""
    try:
        return evaluate(part, sizes)
    except ValueError:
        return None


def help_with(step: Step) -> str:
    """What the line reads, with its shapes; empty when it reads no tensor."""
    return _(IT_READS).format(names=", ".join(read)) if (read := what_it_reads(step)) else ""


def what_it_reads(step: Step) -> list[str]:
    """The tensors that a line uses, each with its shape; at most three."""
    uses = step.text.partition("=")[2]
    known = ((other, one) for other, one in step.locals.items() if "shape" in one.facts)
    found = (f"{other} {written(one)}" for other, one in known if re.search(rf"\b{re.escape(other)}\b", uses))
    return list(itertools.islice(found, 3))


def explained(step: Step, name: str) -> str:
    """The shape by names and numbers, and those of what the line used."""
    return paragraph(_(IS).format(name=name, shape=written(step.changed[name])), help_with(step))


def written(value: Summary) -> str:
    """`(batch, prefix_len) = (2, 20)`."""
    numbers = f"({', '.join(map(str, value.facts['shape']))})"
    axes = value.facts.get("axes")
    return f"({', '.join(axes)}) = {numbers}" if axes else numbers
