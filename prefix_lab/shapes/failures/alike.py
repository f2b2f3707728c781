"""Operations whose operands must be equally large, or spread to each other: + and its like, cat, stack, losses."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, pairwise
from typing import Any

from prefix_lab.shapes.failures.operands import Broken, Operand, against, rank, written

ALIGNED = "Shapes are laid side by side from the last axis; there, two sizes must be equal, or one of them 1."


def broadcast(*operands: Any, skip: int = 0, **_: Any) -> Iterator[Broken]:
    """Any two, without their last `skip` axes."""
    tensors = [one for one in operands if isinstance(one, Operand)]
    for one, other in combinations(tensors, 2):
        for back in range(1 + skip, min(len(one.shape), len(other.shape)) + 1):
            if one.shape[-back] != other.shape[-back] and 1 not in (one.shape[-back], other.shape[-back]):
                yield against(one, -back, other, -back, ALIGNED)


def into(target: Operand, *operands: Any, **_: Any) -> Iterator[Broken]:
    """What is written into a tensor must spread to its shape; the tensor does not grow."""
    for one in operands:
        if not isinstance(one, Operand):
            continue
        extra = len(one.shape) - len(target.shape)
        if extra > 0 and any(size != 1 for size in one.shape[:extra]):
            yield rank(one, f"{target.name} has {written(target.shape)}", "What is written into must have room for it.")
        for back in range(1, min(len(one.shape), len(target.shape)) + 1):
            if one.shape[-back] not in (1, target.shape[-back]):
                yield against(one, -back, target, -back, "What is written into a tensor must spread to its shape.")


def cat(tensors: Any, dim: Any = 0, **_: Any) -> Iterator[Broken]:
    several = [one for one in tensors if isinstance(one, Operand) and one.shape != (0,)]
    for one, other in pairwise(several):
        if len(one.shape) != len(other.shape):
            yield rank(
                other, f"{one.name} has {len(one.shape)}, {written(one.shape)}", "cat joins tensors of equal rank."
            )
            continue
        along = dim % len(one.shape) if isinstance(dim, int) else None
        for at, (size, other_size) in enumerate(zip(one.shape, other.shape, strict=True)):
            if size != other_size and at != along:
                yield against(one, at, other, at, f"cat joins along axis {along}; all other axes must be equal.")


def stack(tensors: Any, *_: Any, **__: Any) -> Iterator[Broken]:
    several = [one for one in tensors if isinstance(one, Operand)]
    for one, other in pairwise(several):
        if len(one.shape) != len(other.shape):
            yield rank(other, f"{one.name} has {written(one.shape)}", "stack takes tensors of one shape.")
        for at, (size, other_size) in enumerate(zip(one.shape, other.shape, strict=False)):
            if size != other_size:
                yield against(one, at, other, at, "stack takes tensors of one shape.")


def layer_norm(given: Operand, normalized: Any, *_: Any) -> Iterator[Broken]:
    sizes = normalized if isinstance(normalized, list) else [normalized]
    for back, size in enumerate(reversed(sizes), 1):
        if type(size) is int and (len(given.shape) < back or given.shape[-back] != size):
            at = len(given.shape) - back
            yield Broken(
                lambda size=size, at=at: (
                    f"Axis {at} of {given.name} is {given.axis(at)}, but the layer was made to even out {size}."
                ),
                ((given, at),) if at >= 0 else (),
            )


def cross_entropy(given: Operand, target: Any, *_: Any, **__: Any) -> Iterator[Broken]:
    """One class for each row: (batch, classes, …) and (batch, …)."""
    if not isinstance(target, Operand) or len(given.shape) - len(target.shape) not in (0, 1):
        return
    if len(given.shape) == len(target.shape):
        yield from (
            against(given, at, target, at, "With classes as probabilities, both have one shape.")
            for at in range(len(given.shape))
            if given.shape[at] != target.shape[at]
        )
        return
    left = [at for at in range(len(given.shape)) if at != min(1, len(given.shape) - 1)]
    for at, other in zip(left, range(len(target.shape)), strict=True):
        if given.shape[at] != target.shape[other]:
            yield against(given, at, target, other, "There is one right answer for each row of scores.")
