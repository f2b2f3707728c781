"""ReshapeView: one small tensor through view, permute, split and cat, step by step, with each number's origin.

The journeys that come with it mirror the middle of `peft.peft_model.PeftModel.get_prompt`, at tiny sizes: what it does
to the encoder's output, for a model with one stack of layers and for an encoder-decoder.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, NamedTuple

import ipywidgets
import numpy as np

from prefix_lab.locale import N_, _, ngettext, paragraph
from prefix_lab.widgets.picture import TextForm, still_picture
from prefix_lab.widgets.reshape.draw import KEY_VALUE, colourings, first_choice, legend, picture
from prefix_lab.widgets.reshape.run import MOVES, Piece, State, count_of, locate, run
from prefix_lab.widgets.reshape.written import complete, start_of, steps_of

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
        N_(
            "What the encoder made: one long vector for each virtual token. In it lie, one after the other, a key and "
            "a value for each layer."
        ),
        N_("The long vector is cut up: 2·layers pieces, in each the heads, in each head its numbers."),
        N_("Each layer wants its own piece, and in it each head its own tokens: so the axes change places."),
        N_("Two pieces for each layer: the first is its key, the second its value."),
    ),
    2,
)
T5 = Example(
    START,
    f"{SPLIT}\ncat([x, x], dim=2)\npermute(2, 0, 3, 1, 4)\n"
    "split(4)  # layers × (key_value, batch, heads, prefix_len, head_dim)",
    (
        *GPT2.notes[:2],
        N_("An encoder-decoder needs keys and values for two kinds of attention, so all pieces are put there twice."),
        GPT2.notes[2],
        N_(
            "Four pieces for each layer. The decoder's own attention reads the first two; the two that were meant for "
            "cross-attention are thrown away. Look which numbers are left: with an even number of layers, half of "
            "them are nowhere, and never learn."
        ),
    ),
    4,
)
EXAMPLES = {"GPT-2": GPT2, "T5": T5}


def meanings(journey: Example, layers: int) -> dict[str, tuple[str, ...]]:
    """What the numbers along an axis stand for: of 2·layers, each layer's key and value."""
    return {
        "2·layers": tuple(
            _(row).format(layer=layer)
            for layer in range(layers)
            for row in (N_("key of layer {layer}"), N_("value of layer {layer}"))
        ),
        "key_value": tuple(map(_, KEY_VALUE[: journey.rows])),
    }


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
        self.back = ipywidgets.Button(description=_("Back"), icon="arrow-left", tooltip=_("The step before"))
        self.next = ipywidgets.Button(description=_("Next"), icon="arrow-right", tooltip=_("The next step"))
        self.step = ipywidgets.IntSlider(0, 0, last, description=_("Step"), style=WIDE)
        self.colour_by = ipywidgets.Dropdown(
            options=[(choice.label, number) for number, choice in enumerate(self.choices)] or [(_("nothing"), None)],
            value=first_choice(self.right, self.choices) if self.choices else None,
            description=_("Colour by"),
            style=WIDE,
        )
        self.by_view = ipywidgets.Checkbox(
            False, description=_("What if it were view, not permute?"), indent=False, disabled=not moves
        )
        self.by_view.layout = ipywidgets.Layout(width="auto")
        self.back.on_click(lambda button: self.go(-1))
        self.next.on_click(lambda button: self.go(+1))
        for control in (self.back, self.next):
            control.layout.width = "90px"
        self.step.observe(lambda change: self.show(fly=change.new == change.old + 1), "value")
        self.colour_by.observe(lambda change: self.show(fly=False), "value")
        self.by_view.observe(lambda change: self.show(fly=True), "value")
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
        lines += [_(self.notes[number])] if number < len(self.notes) else []
        if any(stage.instead for stage in stages[: number + 1]):
            lines.append(mistake_in_words(right, now))
        head = step_in_words(stages, number)
        self.words.value = paragraphs(head, [shapes_in_words(now), *lines[1:], lines[0]])
        shown = [*stages[max(number - 1, 0) : number + 1]]
        copies = any(len(set(stage.origins.tolist())) < stage.origins.size for stage in shown)
        self.key.value = legend(colouring, copies, bool((now.origins != right.origins).any()))
        told = "\n".join([f"{head}: {shapes_in_words(now)}", *lines])
        drawn = picture(stages, number, colouring, right, fly and number > 0, told)
        self.drawing.value = f'<div style="overflow-x: auto">{drawn}</div>'

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


SHOWN = 24  # numbers of a tensor that the text shows


def shape_in_words(piece: Piece) -> str:
    """`(batch, 3) = (2, 3)`, or the sizes alone where no axis has a name."""
    numbers = f"({', '.join(map(str, piece.shape))}{',' if len(piece.shape) == 1 else ''})"
    if not any(piece.axes):
        return numbers if piece.shape else _("() = one number")
    names = ", ".join(name or str(size) for name, size in zip(piece.axes, piece.shape, strict=True))
    return f"({names}) = {numbers}"


def shapes_in_words(stage: State) -> str:
    """The shape of all pieces in one, if they have one: `layers: 2 × (…)`."""
    if not stage.many:
        return shape_in_words(stage.pieces[0])
    shapes = list(dict.fromkeys(shape_in_words(piece) for piece in stage.pieces))
    if len(shapes) == 1:
        return f"{count_of(stage)} × {shapes[0]}"
    return "; ".join(shapes) or _("no tensors")


def memory_in_words(stages: Sequence[State], number: int) -> str:
    """One line about where the numbers lie: what a step moved, the strides, and whether they are in reading order."""
    stage = stages[number]
    strides = "; ".join(dict.fromkeys(tuple_of(piece.strides) for piece in stage.pieces))
    if stage.step is None:
        piece = stage.pieces[0]
        text = _("{numbers}, in memory not in reading order (not contiguous): strides {strides}.")
        if piece.contiguous:
            text = _("{numbers}, in memory in reading order: strides {strides}.")
        return text.format(numbers=counted(piece.origins.size), strides=strides)
    name, count = "view" if stage.instead else stage.step.operation, stage.origins.size
    name = {"[]": _("The index"), "=": _("Giving names")}.get(name, name)
    distinct = np.unique(stage.origins).size
    again = bool(distinct) and count > distinct
    if stage.moved:
        text = _("{name} wrote {numbers} into new memory: strides {strides}.")
        if again:
            text = _("{name} wrote {numbers} into new memory, each of the {distinct} {times} times: strides {strides}.")
        times = count // distinct if distinct else 0
        said = text.format(name=name, numbers=counted(count), strides=strides, distinct=distinct, times=times)
        return paragraph(said, order_of(stage))
    before = "; ".join(dict.fromkeys(tuple_of(piece.strides) for piece in stages[number - 1].pieces))
    offsets = [piece.offset for piece in stage.pieces]
    new = _("strides {before} → {strides}") if before != strides else _("strides {strides} as before")
    text = _("{name} moved no numbers; it reads the same memory: {strides}.")
    if any(offsets):
        text = ngettext(
            "{name} moved no numbers; it reads the same memory, from place {places} on: {strides}.",
            "{name} moved no numbers; it reads the same memory, from places {places} on: {strides}.",
            len(offsets),
        )
    new = new.format(before=before, strides=strides)
    zero = _("Stride 0 reads the same numbers again.") if any(0 in p.strides for p in stage.pieces) and again else ""
    return paragraph(text.format(name=name, places=listed(offsets), strides=new), zero, order_of(stage))


def order_of(stage: State) -> str:
    if all(piece.contiguous for piece in stage.pieces):
        return _("Reading order is memory order (contiguous).")
    return _("Reading order now jumps about in memory (not contiguous): where axes must be joined, view refuses.")


def mistake_in_words(right: State, wrong: State) -> str:
    """What a view in place of the step did: how many numbers stand wrong, and an example."""
    count, off = right.origins.size, np.flatnonzero(right.origins != wrong.origins)
    what = right.step.text if right.step and wrong.instead else ""
    if not off.size:
        same = _("view in place of {step}: here it makes no difference.").format(step=what)
        return same if what else _("No number stands wrong here.")
    piece, inside = locate(right, int(off[0]))
    place = list(map(int, np.unravel_index(inside, piece.shape)))
    text = _("Since view stood for it before, {off} of {count} numbers stand where they should not.")
    if what:
        text = _(
            "view in place of {step}: the same shape, no error, but {off} of {count} numbers stand where they should "
            "not."
        )
    example = _(
        "E.g. at {place}, should be {right}, is {wrong}. view never moves a number; it only counts them off anew."
    )
    where = f"{piece.label}, {place}" if piece.label else place
    return paragraph(
        text.format(step=what, off=off.size, count=count),
        example.format(place=where, right=right.origins[off[0]], wrong=wrong.origins[off[0]]),
    )


def step_in_words(stages: Sequence[State], number: int) -> str:
    """`Step 2 of 3: permute(2, 0, 1)`."""
    stage = stages[number]
    text = _("Step {number} of {all}: {code}")
    if stage.step is None:
        text = _("Step {number} of {all}: the start")
    elif stage.instead:
        text = _("Step {number} of {all}: view in place of {code}")
    return text.format(number=number, all=len(stages) - 1, code=stage.step and stage.step.text)


def journey_in_words(stages: Sequence[State], notes: Sequence[str], right: Sequence[State]) -> str:
    """The whole journey as plain text, for a terminal and for screen readers."""
    lines = []
    for number, stage in enumerate(stages):
        lines += [step_in_words(stages, number), f"  {shapes_in_words(stage)}"]
        lines += [f"  {_(notes[number])}"] if number < len(notes) else []
        lines += [f"  {memory_in_words(stages, number)}"]
        if stage is not right[number] and any(one.instead for one in stages[: number + 1]):
            lines.append(f"  {mistake_in_words(right[number], stage)}")
        for piece in stage.pieces:
            reads = f"{piece.label}: {few(piece.origins)}"
            lines.append(f"  {reads if piece.label else _('reads {numbers}').format(numbers=few(piece.origins))}")
    return "\n".join(lines)


def few(numbers: np.ndarray) -> str:
    shown = " ".join(map(str, numbers[:SHOWN].tolist())) or _("no numbers")
    return _("{first} … ({count} numbers)").format(first=shown, count=numbers.size) if numbers.size > SHOWN else shown


def counted(count: int) -> str:
    return ngettext("{count} number", "{count} numbers", count).format(count=count)


def tuple_of(numbers: Sequence[int]) -> str:
    return f"({', '.join(map(str, numbers))}{',' if len(numbers) == 1 else ''})"


def listed(numbers: Sequence[int]) -> str:
    shown = [*map(str, numbers[:8])] + ["…"] * (len(numbers) > 8)
    return ", ".join(shown)
