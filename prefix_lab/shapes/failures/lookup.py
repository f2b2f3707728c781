"""Operations that look numbers up in a tensor: embedding, gather, index, x[…]."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from prefix_lab.shapes.failures.operands import Broken, Operand, against, rank, written


def embedding(one: Operand, other: Operand, *_: Any, **__: Any) -> Iterator[Broken]:
    """F.embedding takes the numbers first, torch.embedding the table."""
    ids, table = (other, one) if "float" in one.dtype else (one, other)
    least, most = extremes(ids)
    rows = table.shape[0]
    if most is not None and (most >= rows or least < 0):
        wrong = most if most >= rows else least
        yield Broken(
            lambda: (
                f"{ids.name} has the number {wrong}, but {table.name} has {table.axis(0)} rows, axis 0: "
                f"numbers from 0 to {rows - 1} can be looked up."
            ),
            ((table, 0),),
        )


def extremes(operand: Operand) -> tuple[int, int] | tuple[None, None]:
    """The least and greatest number of a live tensor of whole numbers."""
    import torch

    tensor = operand.value
    if type(tensor) not in (torch.Tensor, torch.nn.Parameter) or tensor.is_meta or not tensor.numel():
        return None, None
    with torch.no_grad():
        return int(tensor.min()), int(tensor.max())


def gather(one: Operand, dim: Any, index: Any, *_: Any) -> Iterator[Broken]:
    if not isinstance(index, Operand) or not isinstance(dim, int):
        return
    if len(one.shape) != len(index.shape):
        yield rank(index, f"{one.name} has {len(one.shape)}", "gather and scatter take an index of equal rank.")
        return
    for at in range(len(one.shape)):
        if at != dim % len(one.shape) and index.shape[at] > one.shape[at]:
            yield against(index, at, one, at, "The index may not be larger there.")
    yield from in_range(one, dim, index)


def index_select(one: Operand, dim: Any, index: Any, *_: Any) -> Iterator[Broken]:
    if isinstance(index, Operand) and isinstance(dim, int):
        yield from in_range(one, dim, index)


def in_range(one: Operand, dim: int, index: Operand) -> Iterator[Broken]:
    size, (least, most) = one.shape[dim], extremes(index)
    if most is not None and (most >= size or least < 0):
        wrong, at = most if most >= size else least, dim % len(one.shape)
        yield Broken(
            lambda: f"{index.name} has the number {wrong}, but axis {at} of {one.name} is {one.axis(at)}.", ((one, at),)
        )


def index(one: Operand, *place: Any, **_: Any) -> Iterator[Broken]:
    """x[…]: no more indexes than axes, numbers within them, masks as large as what they choose from."""
    if not all(p is None or p is Ellipsis or isinstance(p, int | slice | list | Operand) for p in place):
        return
    takes = [0 if p is None or p is Ellipsis else axes_taken(p) for p in place]
    if sum(takes) > len(one.shape):
        yield Broken(
            lambda: (
                f"{one.name} has {len(one.shape)} {'axis' if len(one.shape) == 1 else 'axes'}, "
                f"{written(one.shape)}, but {sum(takes)} indexes are given."
            ),
            tuple((one, at) for at in range(len(one.shape))),
        )
        return
    at = 0
    for taken, asked in zip(takes, place, strict=True):
        if asked is Ellipsis:
            at = len(one.shape) - sum(takes[list(place).index(Ellipsis) :])
            continue
        if type(asked) is int and not -one.shape[at] <= asked < one.shape[at]:
            yield Broken(
                lambda at=at, asked=asked: (
                    f"Axis {at} of {one.name} is {one.axis(at)}, so it has no index {asked}: "
                    f"from 0 to {one.shape[at] - 1}."
                ),
                ((one, at),),
            )
        elif isinstance(asked, Operand):
            yield from by_tensor(one, at, asked)
        at += taken


def by_tensor(one: Operand, at: int, chosen: Operand) -> Iterator[Broken]:
    """A mask, or numbers, which may count from the end."""
    if chosen.dtype == "bool":
        for i, size in enumerate(chosen.shape):
            if size != one.shape[at + i]:
                yield against(chosen, i, one, at + i, "A mask is as large as what it chooses from.")
    elif "int" in chosen.dtype:
        least, _ = extremes(chosen)
        if least is None or least >= 0 or least < -one.shape[at]:
            yield from in_range(one, at, chosen)


def axes_taken(place: Any) -> int:
    return len(place.shape) if isinstance(place, Operand) and place.dtype == "bool" else 1
