"""Operations on one tensor's axes: view, permute, expand, split, an axis by its number."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod
from typing import Any

from prefix_lab.shapes.failures.operands import Broken, Operand, written


def flat(sizes: Sequence[Any]) -> list[Any]:
    """`view(2, 3)` and `view((2, 3))` ask for the same."""
    return list(sizes[0]) if len(sizes) == 1 and isinstance(sizes[0], list) else list(sizes)


def view(one: Operand, *sizes: Any, texts: Sequence[str] = (), **_: Any) -> Iterator[Broken]:
    """view and reshape: as many numbers as before. `texts` are the sizes as they stand in the source."""
    wanted = flat(sizes)
    if not all(type(size) is int for size in wanted) or not wanted:
        return
    have, asked, free = prod(one.shape), prod(size for size in wanted if size != -1), wanted.count(-1)
    if have == asked and not free:
        yield Broken(
            lambda: (
                f"{one.name} has as many numbers as are asked for, {have:,}, but they do not lie in that order in "
                "memory, as after a transpose or permute. `reshape` copies them into order; `view` never copies."
            )
        )
        return
    if free == 1 and asked and have % asked == 0:
        return
    said = " · ".join(map(str, wanted))
    counts = f"{one.name} has {' · '.join(map(str, one.shape)) or '1'} = {have:,} numbers, and {said}"
    counts += f" = {asked:,} are asked for." if not free else f" asks for a multiple of {asked:,}."
    labels = list(texts) if len(texts) == len(wanted) else [""] * len(wanted)
    head = same_at_head(one.shape, wanted)
    tail = same_at_head(one.shape[head:][::-1], wanted[head:][::-1])
    middle = range(head, len(one.shape) - tail)
    asked_there = [(size, label) for size, label in zip(wanted, labels, strict=True)][head : len(wanted) - tail]

    def tell() -> str:
        return f"{counts} {misfit(one, middle, asked_there)}".strip()

    yield Broken(tell, tuple((one, at) for at in middle))


def same_at_head(one: Sequence[int], other: Sequence[int]) -> int:
    count = 0
    for size, other_size in zip(one, other, strict=False):
        if size != other_size:
            break
        count += 1
    return count


def misfit(one: Operand, middle: range, asked: Sequence[tuple[int, str]]) -> str:
    """Which of the sizes asked for does not divide what is to be cut, once the axes that stay are set aside."""
    if not middle or not asked:
        return ""
    there = " · ".join(one.axis(at) for at in middle)
    axes = f"Axis {middle[0]}" if len(middle) == 1 else f"Axes {middle[0]} to {middle[-1]}"
    rest, before = prod(one.shape[at] for at in middle), []
    for size, label in asked:
        called = f"{label} = {size}" if label and label != str(size) else str(size)
        if size > 0 and rest % size:
            left = f"cut into {' · '.join(before)} leaves {rest:,}, and {called} does not divide that" if before else ""
            return f"{axes} of {one.name}, {there}: {left or f'{called} does not divide {rest:,}'}."
        if size > 0:
            rest //= size
            before.append(called)
    return f"{axes} of {one.name}, {there}, cannot be cut into {' · '.join(before)}: {rest:,} would be left over."


def permute(one: Operand, *order: Any, **_: Any) -> Iterator[Broken]:
    wanted = flat(order)
    if len(wanted) != len(one.shape) and all(type(at) is int for at in wanted):
        yield Broken(
            lambda: (
                f"{one.name} has {len(one.shape)} axes, {written(one.shape)}, but {len(wanted)} are put in order: "
                f"{written(tuple(wanted))}. Name each axis once."
            ),
            tuple((one, at) for at in range(len(one.shape))),
        )
        return
    yield from numbered(one, *wanted)


def numbered(one: Operand, *places: Any, **named: Any) -> Iterator[Broken]:
    """Axes by their numbers: transpose, sum, softmax, unsqueeze, …"""
    count = len(one.shape)
    for at in [*flat(places), *(named.get("dim"), named.get("axis"))]:
        if type(at) is int and not -count <= at < count:
            axes = ", ".join(one.axes[i] if one.axes else str(one.shape[i]) for i in range(count))
            yield Broken(
                lambda at=at, axes=axes: (
                    f"There is no axis {at} in {one.name}: it has {count}, ({axes}), from 0 to {count - 1}, or "
                    f"from -{count} to -1."
                ),
                tuple((one, i) for i in range(count)),
            )


def expand(one: Operand, *sizes: Any, **_: Any) -> Iterator[Broken]:
    wanted = flat(sizes)
    if len(wanted) < len(one.shape):
        yield Broken(
            lambda: (
                f"{one.name} has {len(one.shape)} axes, {written(one.shape)}, and only {len(wanted)} sizes are given. "
                "Give one for each axis; -1 leaves it as it is."
            ),
            tuple((one, at) for at in range(len(one.shape))),
        )
    for back in range(1, min(len(wanted), len(one.shape)) + 1):
        size, asked, at = one.shape[-back], wanted[-back], len(one.shape) - back
        if type(asked) is int and asked not in (-1, size) and size != 1:
            yield Broken(
                lambda at=at, asked=asked: (
                    f"Axis {at} of {one.name} is {one.axis(at)}, and {asked} is asked for. "
                    "Only an axis of size 1 can be expanded."
                ),
                ((one, at),),
            )


def unpack(sizes: list[Any], count: int, name: str) -> Iterator[Broken]:
    """`batch, tokens = x.shape`"""
    if len(sizes) != count:
        yield Broken(
            lambda: (
                f"{name} has {len(sizes)} {'size' if len(sizes) == 1 else 'sizes'}, ({', '.join(map(str, sizes))}), "
                f"and {count} names are to take them."
            )
        )


def by_number(one: Operand, place: Any = None, *_: Any, **named: Any) -> Iterator[Broken]:
    """sum(dim), softmax(dim), …: the first argument is an axis, or several."""
    yield from numbered(one, *([] if place is None else [place]), **named)


def by_keyword(one: Operand, *_: Any, **named: Any) -> Iterator[Broken]:
    """topk(k, dim=…), roll(shifts, dims=…): only what is said by name is an axis."""
    yield from numbered(one, **named)


def split(one: Operand, sizes: Any, dim: Any = 0, *_: Any) -> Iterator[Broken]:
    if not isinstance(sizes, list) or not all(type(size) is int for size in sizes) or not isinstance(dim, int):
        return
    at = dim % max(len(one.shape), 1)
    if sum(sizes) != one.shape[at]:
        said = " + ".join(map(str, sizes))
        yield Broken(
            lambda: f"Axis {at} of {one.name} is {one.axis(at)}, but the parts are {said} = {sum(sizes)}.", ((one, at),)
        )
