"""The journey as a picture: a line of boxes for each step, a box an axis, and ribbons that follow an axis down.

A box that stands for a product is as wide as the boxes it will be cut into, so that `view` only draws borders,
`permute` only crosses ribbons, and `cat` shows every row twice. A second picture shows which decoder layer reads which
row of the prefix: half of them are read by none.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

from prefix_lab.locale import _
from prefix_lab.locale.room import wrapped
from prefix_lab.widgets.colours import COLOURS, OTHER, colours_of
from prefix_lab.widgets.flow.journey import JourneyStep, Setting, amount, readers_of_rows
from prefix_lab.widgets.picture import FAINT, Picture
from prefix_lab.widgets.sizes import Sizes

# In inches. What the boxes of one axis take, wide enough for its name; type in points, of which 9 are 12 pixels.
WIDTHS = {"batch": 0.66, "prefix_len": 0.94, "rows": 1.02, "heads": 0.8, "head_dim": 0.9, "block": 0.36}
TEXT_WIDTH, ENCODER_HIDDEN, COUNT = 0.82, 1.4, 1.02
LEFT, RIGHT, TOP, LINE, BOX, GAP = 2.8, 0.8, 0.08, 0.94, 0.52, 0.09
WRAP = 36  # signs of a sentence in one line
TYPE, NARROWEST = 9.8, 0.92
SOURCES = {"rows": ("rows", "block"), "block": ("rows",)}  # a block holds the rows of one layer


class Part(NamedTuple):
    """One stretch of a box: what it stands for, its left end and width, its colour."""

    kind: str
    left: float
    width: float
    colour: str


class Box(NamedTuple):
    """One axis of a step's tensor, or, where `times` holds, how many tensors there are."""

    name: str
    number: int
    parts: tuple[Part, ...]
    times: bool

    @property
    def left(self) -> float:
        return self.parts[0].left

    @property
    def width(self) -> float:
        return sum(part.width for part in self.parts)


def draw_journey(steps: Sequence[JourneyStep], setting: Setting, title: str, text: str) -> str:
    """The picture as `<svg>`; `title` and `text` are for those who hear it."""
    lines = [boxes_of(step) for step in steps]
    right = max(line[-1].left + line[-1].width for line in lines) + RIGHT
    picture = Picture(LEFT, right, 2 * TOP + LINE * len(steps) - 0.12)
    for number, (above, below) in enumerate(itertools.pairwise(lines)):
        top = TOP + number * LINE
        draw_between(picture, steps[number + 1].key, above, below, (top + BOX, top + LINE))
    trouble = setting.sizes.trouble
    for number, (step, boxes) in enumerate(zip(steps, lines, strict=True)):
        top = TOP + number * LINE
        draw_operation(picture, step, top, trouble is not None and trouble.step == step.key)
        for box in boxes:
            draw_box(picture, box, top)
        for line, said in enumerate(memory(step)):
            picture.words(right - 0.05, top + BOX / 2 + (line - 0.5) * 0.17, said, TYPE, "end")
    return picture.svg(title, text, NARROWEST)


def boxes_of(step: JourneyStep) -> list[Box]:
    """The boxes of a step from left to right."""
    boxes, left = [], 0.0
    if step.count_axis:
        layers = Part("rows", left, COUNT, COLOURS["layers"])
        boxes.append(Box(step.count_axis, step.count, (layers,), True))
        left += COUNT + 3 * GAP
    for name, number in zip(step.axes, step.shape, strict=True):
        parts = []
        for kind, width, colour in stretches(name):
            parts.append(Part(kind, left, width, colour))
            left += width
        boxes.append(Box(name, number, tuple(parts), False))
        left += GAP
    return boxes


def stretches(name: str) -> list[tuple[str, float, str]]:
    """What a box consists of: kind, width, colour. A product's factors are those that it will be cut into."""
    if name in ("2", "4"):
        return [("block", WIDTHS["block"], OTHER)]
    if name == "encoder_hidden":
        return [("mixed", ENCODER_HIDDEN, colours_of(name)[0])]
    if "+" in name:
        first, second = name.split("+")
        return [("prefix_len", WIDTHS["prefix_len"], colours_of(first)[0]), (second, TEXT_WIDTH, colours_of(second)[0])]
    if name.startswith("4·layers"):
        return [("rows", WIDTHS["rows"], colours_of(name)[0])] * 2
    found = []
    if name.startswith("2·layers"):
        found.append(("rows", WIDTHS["rows"], colours_of(name)[0]))
        name = name.removeprefix("2·layers").removeprefix("·")
    if name == "hidden" or "·" in name:
        colours = colours_of(name)
        return [*found, ("heads", WIDTHS["heads"] + GAP, colours[0]), ("head_dim", WIDTHS["head_dim"], colours[-1])]
    if name:
        kind = "heads" if name == "kv_heads" else name
        found.append((kind, WIDTHS[kind], colours_of(name)[0]))
    return found


def draw_box(picture: Picture, box: Box, top: float) -> None:
    """A frame in the axis's colours, its name above its number."""
    for part in box.parts:
        picture.box(part.left, top, part.width, BOX, fill=part.colour, fill_opacity=0.18)
        picture.box(part.left, top, part.width, 0.045, fill=part.colour)
    dashes = {"stroke_dasharray": "4 3"} if box.times else {}
    picture.box(box.left, top, box.width, BOX, fill="none", stroke=box.parts[0].colour, **dashes)
    middle = box.left + box.width / 2
    if not box.name.isdigit():
        picture.words(middle, top + 0.155, f"{box.name} ×" if box.times else box.name, TYPE)
    picture.words(middle, top + 0.37, f"{box.number} ×" if box.times else str(box.number), 11.5, bold=True)


def draw_between(
    picture: Picture, key: str, above: Sequence[Box], below: Sequence[Box], heights: tuple[float, float]
) -> None:
    """From each stretch of a line to where the same numbers are in the next one, which is the step `key`."""
    if key == "mask":  # it does not come from the keys
        return
    if key.startswith("linear"):  # every number of the last axis goes into every number of the next
        first, second = ((box.left, box.left + box.width) for box in (above[-1], below[-1]))
        picture.band(first, second, heights, OTHER)
        above, below = above[:-1], below[:-1]
    for number, part in enumerate(part for box in below for part in box.parts):
        found = [one for box in above for one in box.parts if one.kind in SOURCES.get(part.kind, (part.kind,))]
        if key == "permute" and part.kind == "rows":  # the doubled rows stay two
            found = found[number : number + 1]
        if found:
            source = min(one.left for one in found), max(one.left + one.width for one in found)
            picture.band(source, (part.left, part.left + part.width), heights, part.colour)


def draw_operation(picture: Picture, step: JourneyStep, top: float, fails: bool) -> None:
    """What happens, on the left: the operation, and a sentence on it."""
    picture.words(-LEFT + 0.05, top + 0.07, ("✗ " if fails else "") + step.shown, 10.5, "start", bold=True)
    for line, said in enumerate(wrapped(step.sentence, WRAP)):
        picture.words(-LEFT + 0.05, top + 0.27 + line * 0.17, said, TYPE, "start")


def memory(step: JourneyStep) -> list[str]:
    """The type, and what the step takes: a view of what is there takes nothing."""
    if step.key == "ids":
        return [step.dtype]
    return [step.dtype, amount(step.bytes) if step.copies else _("no copy")]


SHOWN = 48  # more cells than this would be too narrow for their numbers
WIDTH, HEIGHT, CELL = 9.2, 0.85, 0.3


def draw_rows(sizes: Sizes, title: str, text: str) -> str:
    """A cell for each of the 2·layers rows, the layers that read it below; as `<svg>`. `text` says it in words."""
    readers = readers_of_rows(sizes.layers, sizes.readers, sizes.encoder_decoder)
    shown = min(2 * sizes.layers, SHOWN)
    step = WIDTH / max(shown, 12)  # few rows do not become wide
    picture = Picture(0.05, WIDTH, HEIGHT)
    for row in range(shown):
        left, alive = row * step, row in readers
        look = {"fill": COLOURS["layers"], "fill_opacity": 0.35} if alive else {"fill": "none"}
        picture.box(left, 0.25, step * 0.92, CELL, stroke=FAINT, **look)
        picture.words(left + 0.46 * step, 0.14, str(row), TYPE)
        if not alive:
            picture.line((left, 0.25), (left + 0.92 * step, 0.25 + CELL), stroke=FAINT)
            picture.line((left, 0.25 + CELL), (left + 0.92 * step, 0.25), stroke=FAINT)
        elif row % 2 == 0:
            picture.words(left + 0.96 * step, 0.68, ", ".join(map(str, readers[row])), TYPE)
    return picture.svg(title, text, NARROWEST)
