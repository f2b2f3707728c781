"""The names of the axes after a step: taken from the code where it says them, and else followed through torch itself.

To follow an axis, the operation runs on a tensor that holds each number's index along it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from prefix_lab.shapes import name_axes_of
from prefix_lab.widgets.reshape.arguments import Size
from prefix_lab.widgets.reshape.code import JOINS, Step
from prefix_lab.widgets.reshape.operate import after, apply

if TYPE_CHECKING:
    from prefix_lab.widgets.reshape.run import Stage

MOVES = ("permute", "transpose", "swapaxes", "swapdims", "movedim", "moveaxis", "t", "T", "mT")
"""Operations that change the places of axes, and for which a view is often written by mistake."""
PRIMES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41)
Axes = tuple[str, ...]


def axes_after(step: Step, stage: Stage, now: Any, sizes: Mapping[str, int]) -> list[Axes]:
    """The names for each tensor of the result, "" where an axis has none."""
    results = list(now) if isinstance(now, tuple) else [now]
    if step.axes and all(len(one.shape) == len(step.axes) for one in results):
        return [known(name_axes_of(one.shape, step.axes, sizes)) for one in results]
    if stage.many:
        names = [piece.axes for piece in stage.pieces]
        return [names[step.args[0]]] if step.operation == "[]" else names
    piece = stage.pieces[0]
    if step.operation in MOVES and len(piece.shape) <= len(PRIMES):
        return [moved(step, piece.axes)]
    followed = follow(step, piece.shape, piece.axes)
    written = said(step)
    if written and len(written) == len(followed[0]):
        followed = [tuple(one or other for one, other in zip(written, followed[0], strict=True))]
    return followed


def known(names: Axes) -> Axes:
    return tuple("" if name.isdigit() else name for name in names)


def moved(step: Step, axes: Axes) -> Axes:
    """Where the axes of different sizes go, there go their names."""
    import torch

    shape = PRIMES[: len(axes)]
    return tuple(axes[shape.index(size)] for size in apply(step, torch.empty(shape, device="meta")).shape)


def said(step: Step) -> Axes:
    """The names of the sizes in view(batch, prefix_len, 2·layers)."""
    if step.operation not in ("view", "reshape", "expand"):
        return ()
    args = [one for arg in step.args for one in (arg if isinstance(arg, tuple) else (arg,))]
    return tuple(arg.name if isinstance(arg, Size) else "" for arg in args)


def follow(step: Step, shape: tuple[int, ...], axes: Axes) -> list[Axes]:
    """Each axis of the result has the name of the axis whose indices it counts, from 0 to the same end."""
    import torch

    found: list[list[str]] = []
    for axis, (size, name) in enumerate(zip(shape, axes, strict=True)):
        spread = [size if one == axis else 1 for one in range(len(shape))]
        index = torch.arange(size, device="cpu").view(spread).expand(shape).contiguous()
        result = after(step, index)
        results = list(result) if isinstance(result, tuple) else [result]
        found = found or [[""] * one.dim() for one in results]
        for names, one in zip(found, results, strict=True):
            for place, length in enumerate(one.shape):
                copies = length // size if step.operation in JOINS and size and length % size == 0 else 1
                if not names[place] and counts(one, place, size, copies):
                    names[place] = times(copies, name)
                    break
    if not found:
        result = after(step, torch.zeros(shape, device="cpu"))
        found = [[""] * one.dim() for one in (result if isinstance(result, tuple) else [result])]
    return [tuple(names) for names in found]


def counts(indices: Any, place: int, size: int, copies: int) -> bool:
    """Whether the indices along one axis are 0, 1, … size - 1, as often as there are copies, wherever one looks."""
    import torch

    if indices.shape[place] != size * copies or not indices.numel():
        return False
    spread = [-1 if one == place else 1 for one in range(indices.dim())]
    return bool((indices == torch.arange(size, device="cpu").repeat(copies).view(spread)).all())


def times(copies: int, name: str) -> str:
    """Twice `2·layers` is `4·layers`; a sum or a nameless axis gets no name."""
    if copies == 1 or not name:
        return name
    if re.search(r"[+/|-]", name):
        return ""
    factor, _, rest = name.partition("·")
    return f"{copies * int(factor)}·{rest}" if factor.isdigit() and rest else f"{copies}·{name}"
