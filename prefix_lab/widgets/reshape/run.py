"""The real torch operations, run on a tensor of positions, so that each number tells where it came from.

Each stage is run twice. Once on positions in memory, laid out as the learner's tensor is, which shows whether numbers
were moved; and once on the places of the stage before, which shows from where each number came in this step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from prefix_lab.widgets.reshape.code import Step
from prefix_lab.widgets.reshape.names import MOVES, axes_after
from prefix_lab.widgets.reshape.operate import after, check_size, tensors

if TYPE_CHECKING:
    from torch import Tensor


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
class Stage:
    """What is there after a step (None for the start). `moved` says whether the numbers lie in new memory, and `each`
    what the pieces of a split are called."""

    step: Step | None
    pieces: tuple[Piece, ...]
    moved: bool = False
    many: bool = False  # whether torch gives a tuple, which may have one piece
    each: str = ""
    instead: bool = False  # whether a view stands in place of the step

    @property
    def origins(self) -> np.ndarray:
        return np.concatenate([piece.origins for piece in self.pieces]) if self.pieces else np.empty(0, int)


def run(
    first: Tensor, axes: Sequence[str], steps: Sequence[Step], sizes: Mapping[str, int], by_view: bool = False
) -> list[Stage]:
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
        stages = [Stage(None, (piece_of(now, now, tuple(axes), place, np.arange(now.numel())),))]
        for step in steps:
            before, stage = now, stages[-1]
            replaced = by_view and step.operation in MOVES
            now = after(step, before, replaced)
            stages.append(stage_of(step, now, before, stage, place, address, sizes, replaced))
            storages = [one.untyped_storage().data_ptr() for one in tensors(now)]
            address = storages[0] if storages else address
    return stages


def stage_of(
    step: Step, now: Any, before: Any, stage: Stage, place: np.ndarray, address: int, sizes: Any, by_view: bool
) -> Stage:
    import torch

    starts = np.cumsum([0, *(one.numel() for one in tensors(before))])
    places = tuple(
        torch.arange(start, start + one.numel(), device="cpu").view(one.shape)
        for start, one in zip(starts.tolist(), tensors(before), strict=False)
    )
    parents = after(step, places if isinstance(before, tuple) else places[0], by_view)
    names = axes_after(step, stage, now, sizes)
    each = step.each or ("piece" if isinstance(now, tuple) else "")
    labels = step.args if step.operation == "=" else [f"{each} {i}" for i in range(len(tensors(now)))]
    pieces = tuple(
        piece_of(one, of, axes, place, None, str(label) if isinstance(now, tuple) else "")
        for one, of, axes, label in zip(tensors(now), tensors(parents), names, labels, strict=True)
    )
    moved = any(one.untyped_storage().data_ptr() != address for one in tensors(now))
    return Stage(step, pieces, moved, isinstance(now, tuple), each, by_view)


def piece_of(
    now: Tensor, parents: Tensor, axes: tuple[str, ...], place: np.ndarray, at: np.ndarray | None, label: str = ""
) -> Piece:
    origins = place[now.numpy().ravel()]
    came = parents.numpy().ravel() if at is None else at
    return Piece(tuple(now.shape), axes, origins, came, now.stride(), now.storage_offset(), now.is_contiguous(), label)
