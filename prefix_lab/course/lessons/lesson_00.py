"""Lesson 0: a map of the walk; and its checks: what a prefix is, and a shape said before it is there."""

from __future__ import annotations

from typing import Any

from prefix_lab.course.checking import answered_shape, chosen, exercise, is_open
from prefix_lab.course.shown import Drawn
from prefix_lab.locale import N_, _
from prefix_lab.locale.room import wrapped
from prefix_lab.stages import STAGES, Flow, Stage
from prefix_lab.walk.page import called
from prefix_lab.widgets.colours import colours_of
from prefix_lab.widgets.picture import FAINT, INK, Picture

ACROSS, WIDTH, HEIGHT, GAP = 4, 2.42, 1.74, 0.18  # boxes in a line, and inches
BELOW = 0.16
SENTENCE = 32  # signs in one line of a box; Chinese ones count twice


def draw_walk() -> Drawn:
    """Eight boxes in two lines, each with what happens there and what comes out, its axes in their colours."""
    lines = -(-len(STAGES) // ACROSS)
    picture = Picture(0.06, ACROSS * (WIDTH + GAP), lines * (HEIGHT + BELOW))
    for number, row in enumerate(STAGES):
        draw_stage(picture, row, number)
    title = _("The walk: from get_peft_model to a saved prefix")
    return Drawn(picture.svg(title, told()), f"{title}\n{told()}")


def draw_stage(picture: Picture, row: Stage, number: int) -> None:
    left, top = number % ACROSS * (WIDTH + GAP), 0.06 + number // ACROSS * (HEIGHT + BELOW)
    picture.box(left, top, WIDTH, HEIGHT, fill="none", stroke=FAINT, stroke_width=1.2, rx=6)
    picture.words(left + 0.12, top + 0.2, f"{number + 1} · {row.name}", 12, "start", bold=True)
    for line, text in enumerate(wrapped(_(row.sentence), SENTENCE)):
        picture.words(left + 0.12, top + 0.47 + 0.18 * line, text, 9.5, "start")
    draw_result(picture, shown(row), left + 0.12, top + 1.2)
    if number + 1 < len(STAGES):
        end_of_line = number % ACROSS == ACROSS - 1
        x, y = left + WIDTH, top + HEIGHT / 2
        if not end_of_line:
            picture.line((x + 0.03, y), (x + GAP - 0.05, y), stroke=INK, stroke_width=1.4)
            picture.words(x + GAP - 0.06, y, "›", 13)


def draw_result(picture: Picture, flow: Flow, left: float, top: float) -> None:
    """What comes out: its name, a strip with a colour for each axis, and the names of the axes."""
    picture.words(left, top, f"→ {called(flow.name)}", 9.5, "start", bold=True)
    axes = names_of(flow)
    if not axes:
        return
    width = (WIDTH - 0.24) / len(axes)
    for place, axis in enumerate(axes):
        parts = colours_of(axis)
        for part, colour in enumerate(parts):
            piece = (width - 0.03) / len(parts)
            picture.box(left + place * width + part * piece, top + 0.13, piece, 0.1, fill=colour)
    picture.words(left, top + 0.37, f"({', '.join(axes)})", 8.5, "start")


def shown(row: Stage) -> Flow:
    """The one result that a small box has room for; of preparation's four sizes, all by name."""
    if row.gives[0].axes is None and len(row.gives) > 1:
        return Flow(f"{row.gives[0].name}, {row.gives[1].name}, …")
    return next((flow for flow in row.gives if flow.name == "logits"), row.gives[0])


def names_of(flow: Flow) -> list[str]:
    return [axis.split("|")[0] for axis in flow.axes or ()]


def told() -> str:
    """The picture in words."""
    lines = []
    for number, row in enumerate(STAGES, 1):
        flow = shown(row)
        axes = f" ({', '.join(names_of(flow))})" if flow.axes else ""
        lines.append(f"{number} {row.name}: {_(row.sentence)} → {called(flow.name)}{axes}")
    return "\n".join(lines)


NOT_THESE = {
    "a": N_("No word was added: the text has as many tokens as before, and a virtual token has no letters."),
    "b": N_(
        "That is prompt tuning, another method: vectors at the input alone. Ten of them would be 10 · 128 = 1,280 "
        "numbers, and the file has 10,240. Look at the picture again: in which layers does the prefix stand?"
    ),
    "d": N_(
        "GPT-2's own numbers are the same with the prefix and without it: with the prefix switched off, it wrote what "
        "it had written before."
    ),
}


@exercise("what_is_added")
def check_what_is_added(answer: Any) -> str:
    """`answer` is the letter of what a trained prefix is."""
    chosen(answer, "c", NOT_THESE)
    return _("10 virtual tokens, 4 layers, a key and a value of 128 numbers each: 10 · 4 · 2 · 128 = 10,240.")


@exercise("first_shape")
def check_first_shape(question: Any, answer: Any) -> str:
    """The answer to the stepper's question, by names or numbers; one that was given in the picture counts."""
    if is_open(answer) and getattr(question, "is_right", False):
        return _("Answered in the picture. {said}").format(said=question.question["said"])
    return answered_shape(question, answer)
