"""What a tensor's shape has against the numbers in a line: sizes to view, axes by their number, indexes, ids.

A rule takes an operation's arguments as `reading` gives them, and yields a sentence for each thing that does not fit.
Rules rest on shapes, not on torch's messages, which differ by operation and device. `texts` are the arguments after
the tensor as they stand in the source.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import prod
from typing import Any

from prefix_lab.shapes.failures.operands import Operand, written


def flat(sizes: Sequence[Any]) -> list[Any]:
    """`view(2, 3)` and `view((2, 3))` ask for the same."""
    return list(sizes[0]) if len(sizes) == 1 and isinstance(sizes[0], list) else list(sizes)


def view(one: Operand, *sizes: Any, texts: Sequence[str] = (), **_: Any) -> Iterator[str]:
    """view and reshape: as many numbers as before."""
    wanted = flat(sizes)
    if not all(type(size) is int for size in wanted) or not wanted:
        return
    have, asked, free = prod(one.shape), prod(size for size in wanted if size != -1), wanted.count(-1)
    if have == asked and not free:
        yield (
            f"{one.name} has as many numbers as are asked for, {have:,}, but they do not lie in that order in "
            "memory, as after a transpose or permute. `reshape` copies them into order; `view` never copies."
        )
    elif free != 1 or not asked or have % asked:
        said = " · ".join(map(str, wanted))
        counts = f"{one.name} has {' · '.join(map(str, one.shape)) or '1'} = {have:,} numbers, and {said}"
        counts += f" = {asked:,} are asked for." if not free else f" asks for a multiple of {asked:,}."
        yield f"{counts} {misfit(one, wanted, texts)}".strip()


def misfit(one: Operand, wanted: list[int], texts: Sequence[str]) -> str:
    """Which of the sizes asked for does not divide what is to be cut, once the axes that stay are set aside."""
    labels = texts if len(texts) == len(wanted) else [""] * len(wanted)
    head = same_at_head(one.shape, wanted)
    tail = same_at_head(one.shape[head:][::-1], wanted[head:][::-1])
    middle = range(head, len(one.shape) - tail)
    asked = list(zip(wanted, labels, strict=True))[head : len(wanted) - tail]
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


def same_at_head(one: Sequence[int], other: Sequence[int]) -> int:
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def permute(one: Operand, *order: Any, **_: Any) -> Iterator[str]:
    wanted = flat(order)
    if len(wanted) != len(one.shape) and all(type(at) is int for at in wanted):
        yield (
            f"{one.name} has {len(one.shape)} axes, {written(one.shape)}, but {len(wanted)} are put in order: "
            f"{written(tuple(wanted))}. Name each axis once."
        )
    else:
        yield from numbered(one, *wanted)


def numbered(one: Operand, *places: Any, **named: Any) -> Iterator[str]:
    """Axes by their numbers: transpose, unsqueeze, …"""
    count = len(one.shape)
    for at in [*flat(places), named.get("dim"), named.get("axis")]:
        if type(at) is int and not -count <= at < count:
            axes = ", ".join(one.axes[i] if one.axes else str(one.shape[i]) for i in range(count))
            yield (
                f"There is no axis {at} in {one.name}: it has {count}, ({axes}), from 0 to {count - 1}, or "
                f"from -{count} to -1."
            )


def by_number(one: Operand, place: Any = None, *_: Any, **named: Any) -> Iterator[str]:
    """sum(dim), softmax(dim), …: the first argument is an axis, or several."""
    yield from numbered(one, *([] if place is None else [place]), **named)


def expand(one: Operand, *sizes: Any, **_: Any) -> Iterator[str]:
    wanted = flat(sizes)
    if len(wanted) < len(one.shape):
        yield (
            f"{one.name} has {len(one.shape)} axes, {written(one.shape)}, and only {len(wanted)} sizes are given. "
            "Give one for each axis; -1 leaves it as it is."
        )
    for back in range(1, min(len(wanted), len(one.shape)) + 1):
        size, asked, at = one.shape[-back], wanted[-back], len(one.shape) - back
        if type(asked) is int and asked not in (-1, size) and size != 1:
            yield (
                f"Axis {at} of {one.name} is {one.axis(at)}, and {asked} is asked for. "
                "Only an axis of size 1 can be expanded."
            )


def split(one: Operand, sizes: Any, dim: Any = 0, *_: Any, **__: Any) -> Iterator[str]:
    if isinstance(sizes, list) and sum(sizes) != one.shape[dim]:
        at, said = dim % len(one.shape), " + ".join(map(str, sizes))
        yield f"Axis {at} of {one.name} is {one.axis(at)}, but the parts are {said} = {sum(sizes)}."


def unpack(sizes: list[Any], count: int, texts: Sequence[str]) -> Iterator[str]:
    """`batch, tokens = x.shape`"""
    if all(type(size) is int for size in sizes) and len(sizes) != count:
        sizes_word = "size" if len(sizes) == 1 else "sizes"
        yield f"{texts[0]} has {len(sizes)} {sizes_word}, {written(tuple(sizes))}, and {count} names are to take them."


def rank(operand: Operand, expected: str, why: str) -> str:
    """A tensor with more or fewer axes than an operation takes."""
    axes = "axis" if len(operand.shape) == 1 else "axes"
    return f"{operand.name} has {len(operand.shape)} {axes}, {written(operand.shape)}; {expected}. {why}"


def joined(tensors: Any, *_: Any, **__: Any) -> Iterator[str]:
    """cat and stack."""
    for one, other in pairwise(one for one in tensors if one.shape != (0,)):
        if len(one.shape) != len(other.shape):
            have = f"{one.name} has {len(one.shape)}, {written(one.shape)}"
            yield rank(other, have, "Tensors of equal rank are joined.")


def matrices(one: Operand, other: Operand, count: int) -> Iterator[str]:
    """mm and bmm."""
    for operand in (one, other):
        if len(operand.shape) != count:
            yield rank(operand, f"{count} are expected", "`@` takes more or fewer.")


def embedding(one: Operand, other: Operand, *_: Any, **__: Any) -> Iterator[str]:
    """F.embedding takes the ids first, torch.embedding the table."""
    ids, table = (other, one) if "float" in one.dtype else (one, other)
    rows, wrong = table.shape[0], out_of(table.shape[0], ids)
    if wrong is not None:
        yield (
            f"{ids.name} has the number {wrong}, but {table.name} has {table.axis(0)} rows, axis 0: "
            f"numbers from 0 to {rows - 1} can be looked up."
        )


def out_of(size: int, ids: Operand, least: int = 0) -> int | None:
    """A number of a live tensor of whole numbers that is not from `least` up to below a size."""
    import torch

    tensor = ids.value
    if type(tensor) not in (torch.Tensor, torch.nn.Parameter) or tensor.is_meta or not tensor.numel():
        return None
    with torch.no_grad():
        return next((one for one in (int(tensor.max()), int(tensor.min())) if not least <= one < size), None)


def index_select(one: Operand, dim: Any, ids: Operand, *_: Any, **__: Any) -> Iterator[str]:
    at, wrong = dim % len(one.shape), out_of(one.shape[dim], ids)
    if wrong is not None:
        yield f"{ids.name} has the number {wrong}, but axis {at} of {one.name} is {one.axis(at)}."


def index(one: Operand, *place: Any, **_: Any) -> Iterator[str]:
    """x[…]: no more indexes than axes, numbers within them, masks as large as what they choose from."""
    if not all(p is None or p is Ellipsis or isinstance(p, int | slice | list | Operand) for p in place):
        return
    takes = [0 if p is None or p is Ellipsis else axes_taken(p) for p in place]
    if sum(takes) > len(one.shape):
        axes = "axis" if len(one.shape) == 1 else "axes"
        yield f"{one.name} has {len(one.shape)} {axes}, {written(one.shape)}, but {sum(takes)} indexes are given."
        return
    at = 0
    for taken, asked in zip(takes, place, strict=True):
        if asked is Ellipsis:
            at = len(one.shape) - sum(takes[list(place).index(Ellipsis) :])
        elif type(asked) is int and not -one.shape[at] <= asked < one.shape[at]:
            yield (
                f"Axis {at} of {one.name} is {one.axis(at)}, so it has no index {asked}: from 0 to {one.shape[at] - 1}."
            )
        elif isinstance(asked, Operand):
            yield from by_tensor(one, at, asked)
        at += taken


def by_tensor(one: Operand, at: int, chosen: Operand) -> Iterator[str]:
    """A mask, or numbers, which may count from the end."""
    if chosen.dtype == "bool":
        for i, size in enumerate(chosen.shape):
            if size != one.shape[at + i]:
                axes = f"axis {i} of {chosen.name} and axis {at + i} of {one.name}"
                sizes = f"{chosen.axis(i)} against {one.axis(at + i)}"
                yield f"{sizes}: {axes}. A mask is as large as what it chooses from."
    elif "int" in chosen.dtype:
        wrong = out_of(one.shape[at], chosen, -one.shape[at])
        if wrong is not None:
            yield f"{chosen.name} has the number {wrong}, but axis {at} of {one.name} is {one.axis(at)}."


def axes_taken(place: Any) -> int:
    return len(place.shape) if isinstance(place, Operand) and place.dtype == "bool" else 1


ONE_AXIS = """
sum mean max min softmax log_softmax argmax argmin cumsum squeeze unbind sort norm var std amax any all prod
"""
RULES = {
    **{"view": view, "reshape": view, "permute": permute, "expand": expand, "unpack": unpack},
    **dict.fromkeys(("split", "split_with_sizes"), split),
    **dict.fromkeys(("transpose", "swapaxes"), numbered),
    **dict.fromkeys(ONE_AXIS.split(), by_number),
    **dict.fromkeys(("cat", "concat", "stack"), joined),
    **{"mm": lambda one, other, **_: matrices(one, other, 2), "bmm": lambda one, other, **_: matrices(one, other, 3)},
    **{"embedding": embedding, "[]": index, "index_select": index_select, "gather": index_select},
}
"""By the name of the function or method."""
