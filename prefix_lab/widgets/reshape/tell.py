"""A journey in words: what each step did to the shape, to the memory and to the order of the numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from prefix_lab.widgets.reshape.run import Piece, State

SHOWN = 24  # numbers of a tensor that the text shows


def shape_in_words(piece: Piece) -> str:
    """`(batch, 3) = (2, 3)`, or the sizes alone where no axis has a name."""
    numbers = f"({', '.join(map(str, piece.shape))}{',' if len(piece.shape) == 1 else ''})"
    if not any(piece.axes):
        return numbers if piece.shape else "() = one number"
    names = ", ".join(name or str(size) for name, size in zip(piece.axes, piece.shape, strict=True))
    return f"({names}) = {numbers}"


def shapes_in_words(stage: State) -> str:
    """The shape of all pieces in one, if they have one: `layers: 2 × (…)`."""
    if not stage.many:
        return shape_in_words(stage.pieces[0])
    shapes = list(dict.fromkeys(shape_in_words(piece) for piece in stage.pieces))
    if len(shapes) == 1:
        return f"{count_of(stage)} × {shapes[0]}"
    return " and ".join(shapes) or "no tensors"


def count_of(stage: State) -> str:
    """`2 layers`, `1 piece`, `3 pieces`."""
    return f"{len(stage.pieces)} {stage.each}{'s' * (stage.each == 'piece' and len(stage.pieces) != 1)}"


def memory_in_words(stages: Sequence[State], number: int) -> str:
    """One line about where the numbers lie: what a step moved, the strides, and whether they are in reading order."""
    stage = stages[number]
    strides = " and ".join(dict.fromkeys(tuple_of(piece.strides) for piece in stage.pieces))
    if stage.step is None:
        piece = stage.pieces[0]
        order = "in reading order" if piece.contiguous else "not in reading order (not contiguous)"
        return f"{counted(piece.origins.size)}, in memory {order}: strides {strides}."
    name, count = "view" if stage.instead else stage.step.operation, stage.origins.size
    name = {"[]": "The index", "=": "Giving names"}.get(name, name)
    distinct = np.unique(stage.origins).size
    again = f", each of the {distinct} {count // distinct} times" if distinct and count > distinct else ""
    if stage.moved:
        return f"{name} wrote {counted(count)} into new memory{again}: strides {strides}. {order_of(stage)}"
    before = " and ".join(dict.fromkeys(tuple_of(piece.strides) for piece in stages[number - 1].pieces))
    offsets = [piece.offset for piece in stage.pieces]
    start = f", from place{'s' * (len(offsets) > 1)} {listed(offsets)} on" if any(offsets) else ""
    new = f"strides {before} → {strides}" if before != strides else f"strides {strides} as before"
    zero = " Stride 0 reads the same numbers again." if any(0 in p.strides for p in stage.pieces) and again else ""
    return f"{name} moved no numbers; it reads the same memory{start}: {new}.{zero} {order_of(stage)}"


def order_of(stage: State) -> str:
    if all(piece.contiguous for piece in stage.pieces):
        return "Reading order is memory order (contiguous)."
    return "Reading order now jumps about in memory (not contiguous): where axes must be joined, view refuses."


def mistake_in_words(right: State, wrong: State) -> str:
    """What a view in place of the step did: how many numbers stand wrong, and an example."""
    count, off = right.origins.size, np.flatnonzero(right.origins != wrong.origins)
    what = right.step.text if right.step and wrong.instead else ""
    if not off.size:
        return f"view in place of {what}: here it makes no difference." if what else "No number stands wrong here."
    piece, inside = locate(right, int(off[0]))
    place = list(map(int, np.unravel_index(inside, piece.shape)))
    head = f"view in place of {what}: the same shape, no error, but" if what else "Since view stood for it before,"
    where = f"{piece.label}, at {place}" if piece.label else f"at {place}"
    return (
        f"{head} {off.size} of {count} numbers stand where they should not. E.g. {where}, should be "
        f"{right.origins[off[0]]}, is {wrong.origins[off[0]]}. view never moves a number; it only counts them off anew."
    )


def locate(stage: State, place: int) -> tuple[Piece, int]:
    """The piece that holds the number at a place among all pieces, and its place there."""
    for piece in stage.pieces:
        if place < piece.origins.size:
            return piece, place
        place -= piece.origins.size
    raise IndexError(place)


def step_in_words(stages: Sequence[State], number: int) -> str:
    """`2 of 3: permute(2, 0, 1)`."""
    stage = stages[number]
    if stage.step is None:
        return f"0 of {len(stages) - 1}: the start"
    code = f"view in place of {stage.step.text}" if stage.instead else stage.step.text
    return f"{number} of {len(stages) - 1}: {code}"


def journey_in_words(stages: Sequence[State], notes: Sequence[str], right: Sequence[State]) -> str:
    """The whole journey as plain text, for a terminal and for screen readers."""
    lines = []
    for number, stage in enumerate(stages):
        lines += [f"Step {step_in_words(stages, number)}", f"  {shapes_in_words(stage)}"]
        lines += [f"  {notes[number]}"] if number < len(notes) else []
        lines += [f"  {memory_in_words(stages, number)}"]
        if stage is not right[number] and any(one.instead for one in stages[: number + 1]):
            lines.append(f"  {mistake_in_words(right[number], stage)}")
        for piece in stage.pieces:
            head = f"{piece.label}: " if piece.label else "reads "
            lines.append(f"  {head}{few(piece.origins)}")
    return "\n".join(lines)


def few(numbers: np.ndarray) -> str:
    shown = " ".join(map(str, numbers[:SHOWN].tolist())) or "no numbers"
    return f"{shown} … ({numbers.size} numbers)" if numbers.size > SHOWN else shown


def counted(count: int) -> str:
    return "1 number" if count == 1 else f"{count} numbers"


def tuple_of(numbers: Sequence[int]) -> str:
    return f"({', '.join(map(str, numbers))}{',' if len(numbers) == 1 else ''})"


def listed(numbers: Sequence[int]) -> str:
    shown = [*map(str, numbers[:8])] + ["…"] * (len(numbers) > 8)
    return ", ".join(shown)
