"""Lesson 3's picture: the questions that get_peft_model asks, and the way that a config takes through them."""

from __future__ import annotations

from typing import Any

from prefix_lab.course.lessons.drawn import Drawn
from prefix_lab.mapping import MODEL_TYPE_TO_PEFT_MODEL_MAPPING
from prefix_lab.widgets.colours import COLOURS
from prefix_lab.widgets.picture import FAINT, INK, Picture

WAY = COLOURS["prefix_len"]
LINE, RIGHT, ENDS = 0.24, 4.7, 4.5  # inches: a row of the table, where answers stand, and how wide they are


def draw_choice(config: Any, mixed: bool = False) -> Drawn:
    """The way of one config, PEFT's or ours: filled boxes are passed, the others are not."""
    steps, end = way_of(config, mixed)
    table = list(MODEL_TYPE_TO_PEFT_MODEL_MAPPING.items())
    picture = Picture(0.06, RIGHT + ENDS + 0.1, 4.72)
    name = type(config).__name__
    box(picture, 0.0, 0.06, 3.9, f"{name}, task_type={plain(config.task_type)}", True)

    ask(picture, 0.82, "mixed=True?", steps[0])
    answer(picture, 0.82, "yes", "PeftMixedModel, for layers of several methods", end == "PeftMixedModel")
    ask(picture, 1.72, "is the task type in the table?", steps[1])
    for number, (task_type, kind) in enumerate(table):
        here = end == kind.__name__
        top = 1.36 + LINE * number
        picture.box(RIGHT, top, ENDS, LINE - 0.03, fill=WAY if here else "none", fill_opacity=0.3, stroke=FAINT)
        picture.words(RIGHT + 0.1, top + 0.11, task_type.value, 8.5, "start", bold=here)
        picture.words(RIGHT + 1.75, top + 0.11, kind.__name__, 8.5, "start", bold=here)
    arrow_right(picture, 1.93, "yes", end in [kind.__name__ for _, kind in table])
    ask(picture, 3.12, "is it prompt learning?", steps[2])
    answer(picture, 3.12, "no", "PeftModel: layers change, any model will do", end == "PeftModel")
    arrow_down(picture, 3.54, 4.1, end == "KeyError", "yes")
    box(picture, 0.0, 4.14, 3.9, "KeyError: the table has no such entry", end == "KeyError")
    title = f"The way of a {name} with task_type={plain(config.task_type)}"
    told = f"{' → '.join(said(steps))} → {end}"
    return Drawn(picture.svg(title, told), f"{title}\n{told}")


QUESTIONS = ("mixed=True?", "is the task type in the table?", "is it prompt learning?")


def way_of(config: Any, mixed: bool) -> tuple[list[bool | None], str]:
    """The answers to the three questions, None where one is not asked, and where the way ends."""
    if mixed:
        return [True, None, None], "PeftMixedModel"
    if config.task_type in list(MODEL_TYPE_TO_PEFT_MODEL_MAPPING):
        return [False, True, None], MODEL_TYPE_TO_PEFT_MODEL_MAPPING[config.task_type].__name__
    prompt_learning = bool(config.is_prompt_learning)
    return [False, False, prompt_learning], "KeyError" if prompt_learning else "PeftModel"


def said(steps: list[bool | None]) -> list[str]:
    return [
        f"{question} {'yes' if step else 'no'}"
        for question, step in zip(QUESTIONS, steps, strict=True)
        if step is not None
    ]


def plain(task_type: Any) -> str:
    """`'CAUSAL_LM'` for a text and for a member of TaskType."""
    return repr(getattr(task_type, "value", task_type))


def box(picture: Picture, left: float, top: float, width: float, text: str, on: bool) -> None:
    fill = WAY if on else "none"
    picture.box(left, top, width, 0.42, fill=fill, fill_opacity=0.3, stroke=INK if on else FAINT, rx=5)
    picture.words(left + width / 2, top + 0.21, text, 10, bold=on)


def ask(picture: Picture, top: float, text: str, step: bool | None) -> None:
    """A question on the left, with the arrow that leads down to it."""
    above = {0.82: 0.48, 1.72: 1.24, 3.12: 2.14}[top]
    arrow_down(picture, above, top, step is not None, "" if top < 1 else "no")
    box(picture, 0.0, top, 3.9, text, step is not None)


def answer(picture: Picture, top: float, word: str, text: str, on: bool) -> None:
    arrow_right(picture, top + 0.21, word, on)
    box(picture, RIGHT, top, ENDS, text, on)


def arrow_right(picture: Picture, y: float, word: str, on: bool) -> None:
    picture.line((3.94, y), (RIGHT - 0.08, y), stroke=INK if on else FAINT, stroke_width=2.2 if on else 1)
    picture.words(RIGHT - 0.09, y, "›", 14)
    picture.words(4.28, y - 0.12, word, 9, bold=on)


def arrow_down(picture: Picture, top: float, bottom: float, on: bool, word: str) -> None:
    picture.line((1.95, top), (1.95, bottom - 0.02), stroke=INK if on else FAINT, stroke_width=2.2 if on else 1)
    if word:
        picture.words(2.08, (top + bottom) / 2, word, 9, "start", bold=on)
