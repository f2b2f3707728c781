"""The real torch operations, run on a tensor of positions, so that each number tells where it came from.

Each stage is run twice. Once on positions in memory, laid out as the learner's tensor is, which shows whether numbers
were moved; and once on the places of the stage before, which shows from where each number came in this step. The names
of the axes after a step are taken from the code where it says them, and else followed through torch itself: the
operation runs on a tensor that holds each number's index along the axis.
"""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from prefix_lab.locale import _, ngettext
from prefix_lab.shapes import name_axes_of
from prefix_lab.widgets.reshape.written import JOINS, Size, WrittenStep

if TYPE_CHECKING:
    from torch import Tensor


MOVES = ("permute", "transpose", "swapaxes", "swapdims", "movedim", "moveaxis", "t", "T", "mT")
"""Operations that change the places of axes, and for which a view is often written by mistake."""
PRIMES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41)
Axes = tuple[str, ...]
LIMIT = 1024  # numbers in a picture
PIECE = "piece"  # what a split gives, where no comment says it


@dataclass(frozen=True)
class Piece:
    """A tensor of a stage: for each place, in reading order, the flat position in the first tensor (`origins`) and in
    the stage before, all its pieces together (`parents`). `strides` and `offset` count numbers, not bytes."""

    shape: tuple[int, ...]
    axes: tuple[str, ...]
    origins: np.ndarray
    parents: np.ndarray
    strides: tuple[int, ...]
    offset: int
    contiguous: bool
    label: str = ""


@dataclass(frozen=True)
class State:
    """What is there after a step (None for the start). `moved` says whether the numbers lie in new memory, and `each`
    what the pieces of a split are called."""

    step: WrittenStep | None
    pieces: tuple[Piece, ...]
    moved: bool = False
    many: bool = False  # whether torch gives a tuple, which may have one piece
    each: str = ""
    instead: bool = False  # whether a view stands in place of the step

    @property
    def origins(self) -> np.ndarray:
        return np.concatenate([piece.origins for piece in self.pieces]) if self.pieces else np.empty(0, int)


def count_of(stage: State) -> str:
    """`2 layers`, `1 piece`, `3 pieces`."""
    count = len(stage.pieces)
    return (
        ngettext("{count} piece", "{count} pieces", count).format(count=count)
        if stage.each == PIECE
        else f"{count} {stage.each}"
    )


def run(
    first: Tensor, axes: Sequence[str], steps: Sequence[WrittenStep], sizes: Mapping[str, int], by_view: bool = False
) -> list[State]:
    """The start and what each step makes of it. With `by_view`, a view stands where axes change places.

    Of `first` only the shape and the strides count. Raises `ValueError` for a step that torch refuses, and for a
    tensor too big to draw.
    """
    import torch

    check_size(tuple(first.shape), "the first tensor")
    span = max(1 + sum((size - 1) * stride for size, stride in zip(first.shape, first.stride(), strict=True)), 0)
    with torch.no_grad():
        now: Any = torch.arange(span, device="cpu").as_strided(first.shape, first.stride())
        memory, where = np.unique(now.numpy().ravel(), return_index=True)
        place = np.zeros(span, int)
        place[memory] = where  # a number that is there more than once came from its first place
        address = now.untyped_storage().data_ptr()
        stages = [State(None, (piece_of(now, now, tuple(axes), place, np.arange(now.numel())),))]
        for step in steps:
            before, stage = now, stages[-1]
            replaced = by_view and step.operation in MOVES
            now = after(step, before, replaced)
            stages.append(stage_of(step, now, before, stage, place, address, sizes, replaced))
            storages = [one.untyped_storage().data_ptr() for one in tensors(now)]
            address = storages[0] if storages else address
    return stages


def stage_of(
    step: WrittenStep, now: Any, before: Any, stage: State, place: np.ndarray, address: int, sizes: Any, by_view: bool
) -> State:
    import torch

    starts = np.cumsum([0, *(one.numel() for one in tensors(before))])
    places = tuple(
        torch.arange(start, start + one.numel(), device="cpu").view(one.shape)
        for start, one in zip(starts.tolist(), tensors(before), strict=False)
    )
    parents = after(step, places if isinstance(before, tuple) else places[0], by_view)
    names = axes_after(step, stage, now, sizes)
    each = step.each or (PIECE if isinstance(now, tuple) else "")
    labels = (
        step.args
        if step.operation == "="
        else [
            _("piece {number}").format(number=i) if each == PIECE else f"{each} {i}" for i in range(len(tensors(now)))
        ]
    )
    pieces = tuple(
        piece_of(one, of, axes, place, None, str(label) if isinstance(now, tuple) else "")
        for one, of, axes, label in zip(tensors(now), tensors(parents), names, labels, strict=True)
    )
    moved = any(one.untyped_storage().data_ptr() != address for one in tensors(now))
    return State(step, pieces, moved, isinstance(now, tuple), each, by_view)


def piece_of(
    now: Tensor, parents: Tensor, axes: tuple[str, ...], place: np.ndarray, at: np.ndarray | None, label: str = ""
) -> Piece:
    origins = place[now.numpy().ravel()]
    came = parents.numpy().ravel() if at is None else at
    return Piece(tuple(now.shape), axes, origins, came, now.stride(), now.storage_offset(), now.is_contiguous(), label)


def after(step: WrittenStep, before: Any, by_view: bool = False) -> Any:
    """What torch gives: a tensor, or a tuple of tensors. First without numbers, so that nothing big is made."""
    import torch

    try:
        bare = [torch.empty(one.shape, device="meta") for one in tensors(before)]
        planned = apply(step, tuple(bare) if isinstance(before, tuple) else bare[0])
        check_size((sum(one.numel() for one in tensors(planned)),), step.text)
        if by_view:
            return before.reshape(planned.shape)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of .T on other than two axes
            return apply(step, before)
    except (RuntimeError, IndexError, TypeError, NotImplementedError) as error:
        shape = " and ".join(str(tuple(one.shape)) for one in tensors(before))
        said = str(error).strip().split("\n")[0].rstrip(".")
        raise ValueError(
            f"steps: {step.text!r} does not fit the shape {shape}. torch says: {said}. {way_out(said)}"
        ) from None


def way_out(said: str) -> str:
    if "stride" in said:
        return (
            "view needs numbers that lie in memory in reading order. Write reshape, which copies where it must, or "
            "contiguous().view(…), which says so aloud."
        )
    if "invalid for input of size" in said:
        return "The sizes must multiply to as many numbers as there are; one of them may be -1."
    return "Count the axes from 0, and see that each size is there in the shape before."


def apply(step: WrittenStep, before: Any) -> Any:
    """The operation itself, as torch has it."""
    import torch

    name, args, kwargs = step.operation, plain(step.args), {key: plain(one) for key, one in step.kwargs.items()}
    if isinstance(before, tuple):
        return of_pieces(step, before)
    if name == "=":
        pieces = before.unbind(0)
        if len(pieces) != len(args):
            raise RuntimeError(f"there are {len(pieces)} tensors for the {len(args)} names {', '.join(args)}")
        return pieces
    if name == "[]":
        return before[args[0]]
    if name in JOINS:
        copies, *rest = args
        return getattr(torch, name)([before] * copies, *rest, **kwargs)
    found = getattr(before, name)
    found = found(*args, **kwargs) if callable(found) else found
    return tuple(found) if isinstance(found, list) else found  # without numbers, split gives a list


def of_pieces(step: WrittenStep, pieces: tuple[Tensor, ...]) -> Any:
    """After a split there are several tensors: one is chosen with an index, or all get names."""
    if step.operation == "[]" and isinstance(step.args[0], int):
        return pieces[step.args[0]]
    if step.operation == "=" and len(step.args) == len(pieces):
        return pieces
    raise RuntimeError(f"there are {len(pieces)} tensors here. Choose one first, e.g. with [0]")


def plain(value: Any) -> Any:
    """Named sizes as the plain numbers that torch knows."""
    if isinstance(value, tuple):
        return tuple(map(plain, value))
    return int(value) if isinstance(value, int) and not isinstance(value, bool) else value


def tensors(value: Any) -> tuple[Tensor, ...]:
    return tuple(value) if isinstance(value, tuple | list) else (value,)


def check_size(shape: tuple[int, ...], what: str) -> None:
    count = math.prod(shape)
    if count > LIMIT:
        raise ValueError(
            f"{what} would have {count:,} numbers; ReshapeView draws each one, up to {LIMIT:,}. Take small sizes, e.g. "
            "ReshapeView(sizes={'prefix_len': 3}): the steps are the same. TensorView shows big tensors."
        )


def axes_after(step: WrittenStep, stage: State, now: Any, sizes: Mapping[str, int]) -> list[Axes]:
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


def moved(step: WrittenStep, axes: Axes) -> Axes:
    """Where the axes of different sizes go, there go their names."""
    import torch

    shape = PRIMES[: len(axes)]
    return tuple(axes[shape.index(size)] for size in apply(step, torch.empty(shape, device="meta")).shape)


def said(step: WrittenStep) -> Axes:
    """The names of the sizes in view(batch, prefix_len, 2·layers)."""
    if step.operation not in ("view", "reshape", "expand"):
        return ()
    args = [one for arg in step.args for one in (arg if isinstance(arg, tuple) else (arg,))]
    return tuple(arg.name if isinstance(arg, Size) else "" for arg in args)


def follow(step: WrittenStep, shape: tuple[int, ...], axes: Axes) -> list[Axes]:
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
    factor, rest = name.partition("·")[::2]
    return f"{copies * int(factor)}·{rest}" if factor.isdigit() and rest else f"{copies}·{name}"
