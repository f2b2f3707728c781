"""A step as a picture: the tensor before, the tensor after, and each number flying from its old place to its new one.

The last axis goes to the right, the one before downwards, and each further axis as frames around them. A cell has the
colour of an axis somewhere on the journey, whose index each number keeps for ever. Written as SVG by hand, since a
thousand numbers are moved by the page's own CSS; colours are the theme's.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, NamedTuple

import numpy as np

from prefix_lab.locale import N_, _
from prefix_lab.locale.room import columns
from prefix_lab.widgets.colours import OTHER, colours_of
from prefix_lab.widgets.picture import FAINT, IN_THE_PAGE, INCH, INK, wide
from prefix_lab.widgets.reshape.run import MOVES, State, count_of, locate

CELL, LINE = 28, 21  # a number's width and height, in pixels
PAD, TITLE, GAP = 5, 16, 6
TYPE, NARROWEST = 13, 0.95  # pixels, and share of the width: never below 12
LONGEST = 32  # numbers in a line: what is longer goes on below
WIDE, SHAPELY = 850, 2.6  # the width to stay below, and the width for one of height that looks well
NARROW = 480  # what needs no more than this stays in one row
LETTER = 7  # width of a letter in a frame's title


@dataclass(frozen=True)
class Frame:
    """Around what has one index along an axis. `axis` is -1 for a whole piece."""

    x: float
    y: float
    width: float
    height: float
    axis: int
    index: int


@dataclass(frozen=True)
class Layout:
    """`cells` has a row (x, y) for each number in reading order; `ways` an arrow for each axis."""

    width: float
    height: float
    cells: np.ndarray
    frames: tuple[Frame, ...]
    ways: tuple[str, ...]


def lay_out(shape: Sequence[int]) -> Layout:
    """The places of all numbers of a tensor of this shape; its height and width may be zero."""
    full = (1, 1, *shape)[-max(2, len(shape)) :]
    lead = len(full) - len(shape)
    line = min(full[-1], LONGEST)
    lines = -(-full[-1] // LONGEST)
    width, row = line * CELL, lines * LINE + (GAP if lines > 1 else 0)
    height = full[-2] * row
    tracks = [Track(1, 0, row), Track(max(line, 1), CELL, LINE)]
    boxes: list[tuple[float, float]] = []
    for size in reversed(full[:-2]):
        box = (width + 2 * PAD, height + PAD + TITLE)
        track = Track(in_a_row(size, *box), box[0] + GAP, box[1] + GAP)
        boxes.insert(0, box)
        tracks.insert(0, track)
        width = min(size, track.row) * track.x - GAP
        height = -(-size // track.row) * track.y - GAP
    deep = len(full) - 2
    at = np.indices(full).reshape(len(full), -1)  # each number's index along each axis
    x, y = (sum(one) for one in zip(*map(Track.place, tracks, at), strict=True))
    cells = np.stack([x + deep * PAD, y + deep * TITLE], axis=1).astype(float)
    ways = tuple(track.way(size) for track, size in zip(tracks, full, strict=True))[lead:]
    return Layout(max(width, 0), max(height, 0), cells, frames_of(full, tracks, boxes, lead), ways)


class Track(NamedTuple):
    """How an axis runs: `row` places side by side, `x` apart, and each further row of them `y` below."""

    row: int
    x: float
    y: float

    def place(self, index: Any) -> tuple[Any, Any]:
        """Right and down, for an index or an array of them."""
        return index % self.row * self.x, index // self.row * self.y

    def way(self, size: int) -> str:
        """An arrow: to the right, downwards, or first the one and then the other."""
        return "→" if self.row >= size > 1 or self.x == CELL else "↓" if self.row == 1 else "→↓"


def in_a_row(size: int, width: float, height: float) -> int:
    """How many boxes look best side by side, so that all rows are full and none too wide."""

    def beauty(row: int) -> float:
        return -abs(math.log(row * (width + GAP) / (size // row * (height + GAP)) / SHAPELY))

    if 0 < size * (width + GAP) <= NARROW:
        return size
    fitting = [row for row in range(1, size + 1) if size % row == 0 and row * (width + GAP) <= WIDE]
    return max(fitting, key=beauty, default=1)


def frames_of(
    full: Sequence[int], tracks: Sequence[Track], boxes: Sequence[tuple[float, float]], lead: int
) -> tuple[Frame, ...]:
    """The frames of all axes but the last two, the outermost first."""
    found = []
    for axis, (width, height) in enumerate(boxes):
        for index in np.ndindex(*full[: axis + 1]):
            x, y = (sum(one) for one in zip(*map(Track.place, tracks, index), strict=True))
            found.append(Frame(x + axis * PAD, y + axis * TITLE, width, height, axis - lead, index[-1]))
    return tuple(found)


def together(layouts: Sequence[Layout]) -> tuple[Layout, list[Frame]]:
    """Several pieces in one picture, each in a frame of its own, in rows as long as there is room."""
    x = y = high = 0.0
    cells, frames, pieces = [np.empty((0, 2))], [], []
    for number, one in enumerate(layouts):
        width, height = one.width + 2 * PAD, one.height + PAD + TITLE
        if x and x + width > WIDE:
            x, y, high = 0.0, y + high + GAP, 0.0
        pieces.append(Frame(x, y, width, height, -1, number))
        cells.append(one.cells + np.array([x + PAD, y + TITLE]))
        frames += [Frame(f.x + x + PAD, f.y + y + TITLE, f.width, f.height, f.axis, f.index) for f in one.frames]
        x, high = x + width + GAP, max(high, height)
    wide = max((frame.x + frame.width for frame in pieces), default=0)
    ways = layouts[0].ways if layouts else ()
    return Layout(wide, y + high, np.concatenate(cells), tuple(frames), ways), pieces


NAMELESS = "#b0467e"  # for an axis without a name: in no axis's colour, and as readable in either theme
PALEST, FULLEST = 0.05, 0.82


@dataclass(frozen=True)
class Colouring:
    """`index` has, for each flat position in the first tensor, its index along the axis, or -1 where it has none."""

    label: str
    index: np.ndarray
    count: int
    colour: str
    meanings: tuple[str, ...] = ()

    def shade(self, origin: int) -> float:
        """How opaque a number's cell is: the later the index, the fuller."""
        index = int(self.index[origin])
        return 0.0 if index < 0 else PALEST + (FULLEST - PALEST) * index / max(self.count - 1, 1)


def colourings(stages: Sequence[State], meanings: Mapping[str, Sequence[str]]) -> list[Colouring]:
    """Every axis that gives each number one index and tells at least two apart, those that say the same once."""
    found: list[Colouring] = []
    total = stages[0].origins.size
    for stage in stages:
        for label, name, index, count in axes_of(stage, total):
            if index is None or count < 2 or any(np.array_equal(index, one.index) for one in found):
                continue
            label = f"{label} ({stage.step.operation})" if any(one.label == label for one in found) else label
            colour = colours_of(name)[0] if name else NAMELESS
            colour = NAMELESS if colour == OTHER and not name else colour
            found.append(Colouring(label, index, count, colour, tuple(meanings.get(name, ()))))
    return found


def axes_of(stage: State, total: int) -> list[tuple[str, str, np.ndarray | None, int]]:
    """Label, name, index of each number and size, for each axis of the pieces, and for which piece it is in."""
    pieces = stage.pieces
    where = stage.step.operation if stage.step else _("start")
    numbers = [np.full(piece.origins.size, number) for number, piece in enumerate(pieces)]
    found = (
        [(_("{axis} of {step}").format(axis=stage.each, step=where), stage.each, numbers, len(pieces))]
        if stage.many and pieces
        else []
    )
    if pieces and all(piece.shape == pieces[0].shape for piece in pieces):
        for axis, (size, name) in enumerate(zip(pieces[0].shape, pieces[0].axes, strict=True)):
            index = np.indices(pieces[0].shape)[axis].ravel()
            found.append(
                (name or _("axis {axis} of {step}").format(axis=axis, step=where), name, [index] * len(pieces), size)
            )
    return [
        (label, name, once(stage.origins, np.concatenate(indices), total), count)
        for label, name, indices, count in found
    ]


def once(origins: np.ndarray, indices: np.ndarray, total: int) -> np.ndarray | None:
    """Index by origin; None when a number that is there twice has two."""
    index = np.full(total, -1)
    index[origins] = indices
    return index if np.array_equal(index[origins], indices) else None


def first_choice(stages: Sequence[State], choices: Sequence[Colouring]) -> int:
    """The axis of layers; or else the one that a permute brings to the front; or else the first."""
    for number, choice in enumerate(choices):
        if "layers" in choice.label.split("·") and "hidden" not in choice.label:
            return number
    moved = (one for one in stages if one.step and one.step.operation in MOVES and one.pieces[0].shape)
    for stage in moved:
        front = once(stage.origins, np.indices(stage.pieces[0].shape)[0].ravel(), stages[0].origins.size)
        fitting = (number for number, one in enumerate(choices) if np.array_equal(one.index, front))
        return next(fitting, 0)
    return 0


TEXT, EDGE = IN_THE_PAGE[INK], IN_THE_PAGE[FAINT]
HEAD, BETWEEN = 24, 26
STYLE = """<style>
@keyframes prefix-lab-fly { from { transform: translate(var(--x), var(--y)); } }
.prefix-lab-fly { animation: prefix-lab-fly 1.1s ease-in-out; }
.prefix-lab-cell:hover rect { stroke-width: 2.5px; }
@media (prefers-reduced-motion: reduce) { .prefix-lab-fly { animation: none; } }
</style>"""


def picture(
    stages: Sequence[State], number: int, colouring: Colouring | None, right: State, fly: bool, told: str
) -> str:
    """The `<svg>` of one step. `right` is the stage as it should be, `fly` whether numbers fly, `told` the words."""
    after = stages[number]
    after_layout, after_frames = arrange(after)
    parts, y, before_cells = [], 0.0, None
    width = after_layout.width
    if number:
        before = stages[number - 1]
        before_layout, before_frames = arrange(before)
        head, title = heading(_("before"), before, before_layout)
        parts.append(group(head, 0))
        parts.append(group(tensor(before, before_layout, before_frames, colouring), HEAD))
        width = max(width, before_layout.width, title)
        y = HEAD + before_layout.height + BETWEEN
        before_cells = before_layout.cells - np.array([0, y])
    wrong = after.origins != right.origins
    head, title = heading(_("after") if number else _("the start"), after, after_layout)
    parts.append(group(head, y))
    moves = before_cells[parents(after)] - after_layout.cells if before_cells is not None and fly else None
    parts.append(group(tensor(after, after_layout, after_frames, colouring, wrong, moves), y + HEAD))
    height = y + HEAD + after_layout.height + 2
    title_said = _("Step {number} of {all}").format(number=number, all=len(stages) - 1)
    width = max(width, title, 460) + 2
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="-1 0 {width:.0f} {height:.0f}" role="img" '
        f'style="{wide(width / INCH, NARROWEST)}; font-family: sans-serif">'
        f"<title>{escape(title_said)}</title><desc>{escape(told)}</desc>{STYLE}{''.join(parts)}</svg>"
    )


def parents(stage: State) -> np.ndarray:
    return np.concatenate([piece.parents for piece in stage.pieces]) if stage.pieces else np.empty(0, int)


def arrange(stage: State) -> tuple[Layout, list]:
    """The layout of a stage's tensor, or of its pieces with a frame around each."""
    layouts = [lay_out(piece.shape) for piece in stage.pieces]
    return together(layouts) if stage.many else (layouts[0], [])


def group(inner: str, y: float) -> str:
    return f'<g transform="translate(0 {y:.0f})">{inner}</g>'


def heading(word: str, stage: State, layout: Layout) -> tuple[str, float]:
    """`after batch 2 → heads 4 ↓`, with a patch of its colour before each axis; and how wide it is."""
    x = 12.0 + 8 * columns(word)
    found = [write(0, 13, word, "font-weight: 600")]
    if stage.many:
        text = f"{count_of(stage)} ×"
        found.append(write(x, 13, text))
        x += 7 * columns(text) + 8
    piece = stage.pieces[0] if stage.pieces else None
    same = piece and all(one.shape == piece.shape for one in stage.pieces)
    for axis in range(len(piece.shape) if piece and same else 0):
        for colour in colours_of(piece.axes[axis]):
            found.append(f'<rect x="{x:.0f}" y="3" width="9" height="12" rx="2" fill="{colour}"/>')
            x += 10
        text = f"{piece.axes[axis] or _('axis {axis}:').format(axis=axis)} {piece.shape[axis]} {layout.ways[axis]}"
        found.append(write(x + 3, 13, text))
        x += 7 * columns(text) + 16
    return "".join(found), x


def tensor(
    stage: State,
    layout: Layout,
    around: list,
    colouring: Colouring | None,
    wrong: np.ndarray | None = None,
    moves: np.ndarray | None = None,
) -> str:
    """All numbers of a stage in their frames."""
    axes = stage.pieces[0].axes if stage.pieces else ()
    found = [framed(f, colours_of(stage.each)[0], stage.pieces[f.index].label, 2) for f in around]
    for frame in layout.frames:
        name = axes[frame.axis] if 0 <= frame.axis < len(axes) else ""
        label = f"{name or _('axis {axis}:').format(axis=frame.axis)} {frame.index}" if frame.axis >= 0 else ""
        if frame.axis >= 0 and name == "key_value":
            label = _(KEY_VALUE[frame.index % 4])
        found.append(framed(frame, colours_of(name)[0], label))
    seen: set[int] = set()
    for place, ((x, y), origin) in enumerate(zip(layout.cells, stage.origins.tolist(), strict=True)):
        copy = origin in seen
        seen.add(origin)
        off = wrong is not None and len(wrong) > place and bool(wrong[place])
        fly = None if moves is None else moves[place]
        found.append(cell(x, y, origin, colouring, copy, off, fly, where(stage, place, origin)))
    return "".join(found) or write(0, 14, _("no numbers: an axis has size 0"))


KEY_VALUE = (N_("key"), N_("value"), N_("cross key, unused"), N_("cross value, unused"))


def framed(frame, colour: str, label: str, width: float = 1.3) -> str:
    fits = columns(label) * LETTER < frame.width - 4
    label = label if fits else str(frame.index) if label else ""
    return (
        f'<rect x="{frame.x:.1f}" y="{frame.y:.1f}" width="{frame.width:.1f}" height="{frame.height:.1f}" rx="3" '
        f'fill="none" stroke="{colour}" stroke-width="{width}"/>' + write(frame.x + 4, frame.y + 12.5, label)
    )


def cell(x: float, y: float, origin: int, colouring, copy: bool, off: bool, fly, said: str) -> str:
    """One number in its box; a copy has a filled corner, and one that stands wrong is crossed out."""
    fill, shade = (colouring.colour, colouring.shade(origin)) if colouring else (OTHER, 0.1)
    move = "" if fly is None else f' style="--x: {fly[0]:.0f}px; --y: {fly[1]:.0f}px"'
    kind = "prefix-lab-cell" if fly is None else "prefix-lab-cell prefix-lab-fly"
    right, low = x + CELL - 1, y + LINE - 1
    box = (
        f'<rect x="{x + 0.5:.1f}" y="{y + 0.5:.1f}" width="{CELL - 1}" height="{LINE - 1}" fill="{fill}" '
        f'fill-opacity="{shade:.2f}" stroke="{EDGE}"/>'
    )
    corner = f'<path d="M{right:.1f} {y + 1:.1f} h-7 l7 7 z" fill="{TEXT}" opacity="0.75"/>' if copy else ""
    cross = f'<path d="M{x + 2:.1f} {low:.1f} L{right:.1f} {y + 2:.1f}" stroke="{TEXT}" fill="none"/>' if off else ""
    number = write(x + CELL / 2, y + 15, str(origin), "text-anchor: middle", TYPE if origin < 1000 else 12)
    return f'<g class="{kind}"{move}><title>{escape(said)}</title>{box}{corner}{number}{cross}</g>'


def where(stage: State, place: int, origin: int) -> str:
    """What a cell says when the pointer rests on it: its number, and its index along each axis."""
    piece, inside = locate(stage, place)
    index = np.unravel_index(inside, piece.shape) if piece.shape else ()
    said = [
        f"{name or _('axis {axis}:').format(axis=axis)} {at}"
        for axis, (name, at) in enumerate(zip(piece.axes, index, strict=True))
    ]
    return ", ".join([_("number {number}").format(number=origin), *([piece.label] if piece.label else []), *said])


def write(x: float, y: float, text: str, style: str = "", size: float = TYPE) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{TEXT}" style="font-size: {size}px; {style}">{escape(text)}</text>'


def legend(colouring: Colouring | None, copies: bool, wrong: bool) -> str:
    """What the colours, corners and strokes mean, as HTML."""
    items = []
    if colouring:
        shown = min(colouring.count, 12)
        items = [patch(colouring, index) for index in range(shown)] + ["…"] * (colouring.count > shown)
        items.insert(0, f"<b>{escape(colouring.label)}</b>")
    items += [_("◥ there already: a copy")] * copies + [_("╱ stands where it should not")] * wrong
    return f'<div style="display: flex; flex-wrap: wrap; gap: 2px 14px; line-height: 20px">{spans(items)}</div>'


def spans(items: Sequence[str]) -> str:
    return "".join(f"<span>{item}</span>" for item in items)


def patch(colouring: Colouring, index: int) -> str:
    shade = colouring.shade(int(np.flatnonzero(colouring.index == index)[0])) if index in colouring.index else 0
    box = (
        f'<svg width="18" height="12" style="vertical-align: -1px" aria-hidden="true"><rect x="0.5" y="0.5" width="17" '
        f'height="11" fill="{colouring.colour}" fill-opacity="{shade:.2f}" stroke="{EDGE}"/></svg>'
    )
    meaning = f" {colouring.meanings[index]}" if index < len(colouring.meanings) else ""
    return f"{box} {index}{escape(meaning)}"
