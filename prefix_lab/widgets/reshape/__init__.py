"""ReshapeView: one small tensor through view, permute, split and cat, step by step, with each number's origin.

The journeys that come with it mirror the middle of `peft.peft_model.PeftModel.get_prompt`, at tiny sizes: what it does
to the encoder's output, for a model with one stack of layers and for an encoder-decoder.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any, NamedTuple

import ipywidgets

from prefix_lab.shapes import evaluate
from prefix_lab.widgets.picture import TextForm, still_picture
from prefix_lab.widgets.reshape.code import steps_of
from prefix_lab.widgets.reshape.draw import KEY_VALUE, colourings, first_choice, legend, picture
from prefix_lab.widgets.reshape.run import MOVES, run
from prefix_lab.widgets.reshape.tell import (
    journey_in_words,
    memory_in_words,
    mistake_in_words,
    shapes_in_words,
    step_in_words,
)

TINY = {"batch": 2, "prefix_len": 3, "layers": 2, "heads": 2, "head_dim": 2}
"""Small enough that each number can be seen; what a learner gives in `sizes` comes first."""

START = "batch prefix_len 2·layers·hidden"
SPLIT = "view(batch, prefix_len, 2*layers, heads, head_dim)"


class Example(NamedTuple):
    """Steps to walk through, and what a sentence says of the start and of each step."""

    axes: str
    steps: str
    notes: tuple[str, ...]
    rows: int  # of the blocks that the last step makes: key and value, and for an encoder-decoder two more


GPT2 = Example(
    START,
    f"{SPLIT}\npermute(2, 0, 3, 1, 4)\nsplit(2)  # layers × (key_value, batch, heads, prefix_len, head_dim)",
    (
        "What the encoder made: one long vector for each virtual token. In it lie, one after the other, a key and a "
        "value for each layer.",
        "The long vector is cut up: 2·layers pieces, in each the heads, in each head its numbers.",
        "Each layer wants its own piece, and in it each head its own tokens: so the axes change places.",
        "Two pieces for each layer: the first is its key, the second its value.",
    ),
    2,
)
T5 = Example(
    START,
    f"{SPLIT}\ncat([x, x], dim=2)\npermute(2, 0, 3, 1, 4)\n"
    "split(4)  # layers × (key_value, batch, heads, prefix_len, head_dim)",
    (
        *GPT2.notes[:2],
        "An encoder-decoder needs keys and values for two kinds of attention, so all pieces are put there twice.",
        GPT2.notes[2],
        "Four pieces for each layer. The decoder's own attention reads the first two; the two that were meant for "
        "cross-attention are thrown away. Look which numbers are left: with an even number of layers, half of them are "
        "nowhere, and never learn.",
    ),
    4,
)
EXAMPLES = {"GPT-2": GPT2, "T5": T5}


def complete(sizes: Mapping[str, int] | None) -> dict[str, int]:
    """The sizes given, the tiny ones for the others, and what follows from them: hidden is heads · head_dim.

    Raises `ValueError` when a size is no whole number above zero, or hidden cannot be shared among the heads.
    """
    given = dict(sizes or {})
    for name, size in given.items():
        if isinstance(size, bool) or not isinstance(size, int) or size < 1:
            raise ValueError(f"sizes has {name!r}: {size!r}; expected a whole number, 1 or more, e.g. {{{name!r}: 2}}.")
    known = TINY | given
    if "hidden" in given and "head_dim" not in given:
        known["head_dim"], left = divmod(known["hidden"], known["heads"])
        if left or not known["head_dim"]:
            raise ValueError(
                f"sizes has hidden = {known['hidden']}, which {known['heads']} heads cannot share evenly. Give a "
                f"multiple of heads, e.g. hidden = {2 * known['heads']}."
            )
    known.setdefault("hidden", known["heads"] * known["head_dim"])
    if "hidden" in given and "head_dim" in given and known["hidden"] != known["heads"] * known["head_dim"]:
        raise ValueError(
            f"sizes has hidden = {known['hidden']}, but heads · head_dim = {known['heads']} · {known['head_dim']} = "
            f"{known['heads'] * known['head_dim']}. Leave one of the three out, and it follows from the others."
        )
    return known


def meanings(journey: Example, layers: int) -> dict[str, tuple[str, ...]]:
    """What the numbers along an axis stand for: of 2·layers, each layer's key and value."""
    return {
        "2·layers": tuple(f"{row} of layer {layer}" for layer in range(layers) for row in KEY_VALUE[:2]),
        "key_value": KEY_VALUE[: journey.rows],
    }


SPAN = 2**20  # numbers of memory between a tensor's first and last
WIDE = {"description_width": "initial"}


class ReshapeView(TextForm, ipywidgets.VBox):
    """One small tensor through the steps that you write, each number in the colour of the place that it came from.

    ReshapeView()                                                  what PEFT's get_prompt does, at tiny sizes
    ReshapeView("T5", sizes={"layers": 3})                         the same for an encoder-decoder
    ReshapeView(torch.arange(24), "view(2, 3, 4).permute(2, 0, 1).split(2)")
    ReshapeView((4, 6), "x = x.T", "x.reshape(2, 12)")
    ReshapeView("batch hidden", "view(batch, heads, head_dim)", sizes={"heads": 3})

    `first` is a tensor (only its shape and strides count), a shape, axis names with spaces between them, or a journey
    that comes along: "GPT-2" or "T5". The numbers shown are flat positions in this first tensor.
    `steps` are texts, as in a source file. `sizes` gives names their numbers; those
    left out are tiny. Raises `ValueError` for a step that does not fit, and for more than 1,024 numbers.
    """

    def __init__(self, first: Any = None, *steps: Any, sizes: Mapping[str, int] | None = None):
        known = complete(sizes)
        journey = EXAMPLES["GPT-2"] if first is None else EXAMPLES.get(first) if isinstance(first, str) else None
        if journey:
            known |= {"key_value": journey.rows}
            first, given = journey.axes, steps or (journey.steps,)
        else:
            given = steps
        start, axes = start_of(first, known)
        planned = steps_of(given, known)
        self.right = run(start, axes, planned, known)
        moves = any(step.operation in MOVES for step in planned)
        self.wrong = run(start, axes, planned, known, by_view=True) if moves else self.right
        self.notes = journey.notes if journey and not steps else ()
        self.choices = colourings(self.right, meanings(journey, known["layers"]) if journey else {})
        self.controls(len(planned), moves)
        super().__init__([self.bar, self.words, self.key, self.drawing])
        self.show(fly=False)

    def controls(self, last: int, moves: bool) -> None:
        self.back = ipywidgets.Button(description="Back", icon="arrow-left", tooltip="The step before")
        self.next = ipywidgets.Button(description="Next", icon="arrow-right", tooltip="The next step")
        self.step = ipywidgets.IntSlider(0, 0, last, description="Step", style=WIDE)
        self.colour_by = ipywidgets.Dropdown(
            options=[(choice.label, number) for number, choice in enumerate(self.choices)] or [("nothing", None)],
            value=first_choice(self.right, self.choices) if self.choices else None,
            description="Colour by",
            style=WIDE,
        )
        self.by_view = ipywidgets.Checkbox(
            False, description="What if it were view, not permute?", indent=False, disabled=not moves
        )
        self.by_view.layout = ipywidgets.Layout(width="auto")
        self.back.on_click(lambda _: self.go(-1))
        self.next.on_click(lambda _: self.go(+1))
        for control in (self.back, self.next):
            control.layout.width = "90px"
        self.step.observe(lambda change: self.show(fly=change.new == change.old + 1), "value")
        self.colour_by.observe(lambda _: self.show(fly=False), "value")
        self.by_view.observe(lambda _: self.show(fly=True), "value")
        wrap = ipywidgets.Layout(flex_flow="row wrap", align_items="center")
        shown = [self.back, self.next, self.step, self.colour_by, *([self.by_view] if moves else [])]
        self.bar = ipywidgets.HBox(shown, layout=wrap)
        self.words, self.key, self.drawing = ipywidgets.HTML(), ipywidgets.HTML(), ipywidgets.HTML()

    def go(self, by: int) -> None:
        """Some steps on, or back where `by` is negative; not beyond the ends."""
        self.step.value = min(max(self.step.value + by, 0), self.step.max)

    @property
    def stages(self) -> list:
        """The start and what each step makes of it, as the picture shows it now."""
        return self.wrong if self.by_view.value else self.right

    def show(self, fly: bool) -> None:
        """Draw the present step; the numbers fly from where they stood, if `fly`."""
        number, stages = self.step.value, self.stages
        right, now = self.right[number], self.stages[number]
        self.back.disabled, self.next.disabled = number == 0, number == self.step.max
        colouring = self.choices[self.colour_by.value] if self.choices else None
        lines = [memory_in_words(stages, number)]
        lines += [self.notes[number]] if number < len(self.notes) else []
        if any(stage.instead for stage in stages[: number + 1]):
            lines.append(mistake_in_words(right, now))
        head = f"Step {step_in_words(stages, number)}"
        self.words.value = paragraphs(head, [shapes_in_words(now), *lines[1:], lines[0]])
        shown = [*stages[max(number - 1, 0) : number + 1]]
        copies = any(len(set(stage.origins.tolist())) < stage.origins.size for stage in shown)
        self.key.value = legend(colouring, copies, bool((now.origins != right.origins).any()))
        told = "\n".join([f"{head}: {shapes_in_words(now)}", *lines])
        self.drawing.value = picture(stages, number, colouring, right, fly and number > 0, told)

    @property
    def text(self) -> str:
        """The whole journey in words."""
        return journey_in_words(self.stages, self.notes, self.right)

    @property
    def still(self) -> str:
        return still_picture(self.words.value + self.key.value + self.drawing.value, self.text)


def paragraphs(head: str, lines: list[str]) -> str:
    """The code of a step, then sentences, all as text."""
    code = f'<code style="font-size: 14px; font-weight: 600">{escape(head)}</code>'
    rest = "".join(f'<div style="max-width: 62em">{escape(line)}</div>' for line in lines)
    return f'<div style="line-height: 1.45; padding: 4px 0">{code}{rest}</div>'


def start_of(first: Any, sizes: Mapping[str, int]) -> tuple[Any, tuple[str, ...]]:
    """An empty tensor with the shape and strides of what was given, and the names of its axes."""
    import torch

    if isinstance(first, str):
        axes = tuple(first.replace("*", "·").split())
        shape = [evaluate(axis, sizes) for axis in axes]
        if None in shape:
            raise ValueError(
                f"first names the axis {axes[shape.index(None)]!r}, and sizes has no number for it. Give it one, e.g. "
                f"sizes={{...: 2}}; known are {', '.join(sizes)}. The journeys are {' and '.join(EXAMPLES)}."
            )
        return torch.empty(shape, device="meta"), tuple("" if axis.isdigit() else axis for axis in axes)
    shape = (first,) if isinstance(first, int) and not isinstance(first, bool) else getattr(first, "shape", first)
    try:
        shape = tuple(int(size) for size in shape)
    except (TypeError, ValueError, RuntimeError):
        shape = (-1,)
    if any(size < 0 for size in shape):
        raise ValueError(
            f"first is a {type(first).__name__}; expected a tensor, a shape like (2, 3, 4), axis names like "
            f"'batch heads head_dim', or one of the journeys {' and '.join(EXAMPLES)}."
        )
    bare = torch.empty(shape, device="meta")
    if isinstance(first, torch.Tensor) and first.layout == torch.strided and first.numel():
        strides = [int(stride) for stride in first.stride()]
        if sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True)) < SPAN:
            bare = torch.empty_strided(shape, strides, device="meta")
    return bare, ("",) * len(shape)
