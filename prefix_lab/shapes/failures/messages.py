"""What a message itself says of shapes, where the line's operands cannot be read or it names things out of sight."""

from __future__ import annotations

import re
from typing import NamedTuple

from prefix_lab.shapes.failures.alike import ALIGNED
from prefix_lab.shapes.failures.operands import Broken, Operand, against
from prefix_lab.shapes.failures.products import SUMMED

ABOUT = re.compile(
    r"\b(sizes?|shapes?|dimensions?|\w*dims?|dimensionality|numel|axis|axes|heads|wide|layers|broadcast\w*|expand\w*|"
    r"index out of range|out of bounds|too many indices|values to unpack|mat1|stride)\b",
    re.IGNORECASE,
)
KINDS = {"RuntimeError", "ValueError", "IndexError", "TypeError", "AssertionError"}
LOADED = re.compile(
    r"size mismatch for ([\w.]+): copying a param with shape torch\.Size\(\[([\d, ]*)\]\) from checkpoint, "
    r"the shape in current model is torch\.Size\(\[([\d, ]*)\]\)"
)
MULTIPLIED = re.compile(r"\((\d+)x(\d+) and (\d+)x(\d+)\)")
ALONG = re.compile(
    r"size of tensor a \((\d+)\) must match the size of tensor b \((\d+)\) at non-singleton dimension (\d+)"
)
SHOWN = 8


class Said(NamedTuple):
    """What was taken from a message: the tensors that it names, if any, and what disagrees."""

    operands: list[Operand]
    broken: list[Broken]


def is_about_shapes(kinds: set[str], message: str) -> bool:
    """Whether an error of these classes, its own and its bases', says something of sizes."""
    return bool(kinds & KINDS) and not kinds & {"RecursionError", "NotImplementedError"} and bool(ABOUT.search(message))


def said_by_message(message: str, operands: list[Operand]) -> Said:
    """Read a message of torch's that has shapes in it; `operands` are the tensors of the line, as far as known."""
    loaded = LOADED.findall(message)
    if loaded:
        return of_loading(loaded)
    if found := MULTIPLIED.search(message):
        rows, inner, other_inner, columns = map(int, found.groups())
        one = next((o for o in operands if o.shape and o.shape[-1] == inner), Operand("the left factor", (rows, inner)))
        other = Operand("the right factor", (other_inner, columns))
        return Said(list(dict.fromkeys([*operands, one, other])), [against(one, -1, other, 0, SUMMED)])
    if found := ALONG.search(message):
        size, other_size, at = map(int, found.groups())
        having = [o for o in operands if len(o.shape) > at]
        one = next((o for o in having if o.shape[at] == size), None)
        other = next((o for o in having if o.shape[at] == other_size), None)
        if one is not None and other is not None:
            return Said(operands, [against(one, at, other, at, ALIGNED)])
        return Said(
            operands, [Broken(lambda: f"{size} against {other_size}, at axis {at} of the longer one. {ALIGNED}")]
        )
    return Said([], [])


def of_loading(loaded: list[tuple[str, str, str]]) -> Said:
    """A checkpoint that was saved from a model of other sizes."""
    operands, broken = [], []
    for name, saved, present in loaded[:SHOWN]:
        one = Operand(f"{name} in the checkpoint", shape_of(saved))
        other = Operand(f"{name} in the model", shape_of(present))
        operands += [one, other]
        if len(one.shape) != len(other.shape):
            broken.append(Broken(lambda one=one, other=other: f"{one} and {other}: they have other numbers of axes."))
        broken += [
            against(one, at, other, at, "A weight is loaded into one of its own shape.")
            for at, (size, other_size) in enumerate(zip(one.shape, other.shape, strict=False))
            if size != other_size
        ]
    if len(loaded) > SHOWN:
        broken.append(Broken(lambda: f"{len(loaded) - SHOWN} more weights do not fit."))
    return Said(operands, broken)


def shape_of(text: str) -> tuple[int, ...]:
    return tuple(int(size) for size in text.split(",") if size.strip())
