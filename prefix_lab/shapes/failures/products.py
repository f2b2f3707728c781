"""Operations that multiply and sum: matrix products, linear layers, attention, convolution, einsum."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from prefix_lab.shapes.failures.alike import broadcast
from prefix_lab.shapes.failures.operands import Broken, Operand, against, rank

Rule = Callable[..., Iterator[Broken]]
SUMMED = "The product sums over these two, so they must be equal."


def matmul(one: Operand, other: Operand, *_: Any) -> Iterator[Broken]:
    for operand in (one, other):
        if not operand.shape:
            yield rank(operand, "a matrix product needs at least 1", "")
            return
    at = len(other.shape) - 2 if len(other.shape) > 1 else 0
    if one.shape[-1] != other.shape[at]:
        yield against(one, -1, other, at, SUMMED)
    yield from broadcast(one, other, skip=2)


def of_rank(count: int) -> Rule:
    """mm and bmm: as matmul, but with so many axes each, and without broadcasting."""

    def rule(one: Operand, other: Operand, *_: Any) -> Iterator[Broken]:
        for operand in (one, other):
            if len(operand.shape) != count:
                yield rank(operand, f"{count} are expected", "`@` takes more or fewer.")
                return
        if one.shape[-1] != other.shape[-2]:
            yield against(one, -1, other, -2, SUMMED)
        if count == 3 and one.shape[0] != other.shape[0]:
            yield against(one, 0, other, 0, "bmm multiplies matrix by matrix, so there must be as many of each.")

    return rule


def addmm(bias: Operand, one: Operand, other: Operand, *_: Any) -> Iterator[Broken]:
    yield from matmul(one, other)
    yield from broadcast(bias, made_by(one, other))


def made_by(one: Operand, other: Operand) -> Operand:
    shape = (*one.shape[:-1], *other.shape[-1:])
    axes = (*one.axes[:-1], *other.axes[-1:]) if one.axes and other.axes else None
    return Operand("the product", shape, axes)


def linear(given: Operand, weight: Operand, bias: Any = None, *_: Any) -> Iterator[Broken]:
    """A weight is (out, in)."""
    if given.shape and given.shape[-1] != weight.shape[-1]:
        why = "A linear layer's weight is (out, in), and `in` must be the input's last axis."
        yield against(given, -1, weight, -1, why)
    if isinstance(bias, Operand) and bias.shape and bias.shape[0] != weight.shape[0]:
        yield against(weight, 0, bias, 0, "There is one bias for each output.")


def attention(
    query: Operand, key: Operand, value: Operand, mask: Any = None, *_: Any, **named: Any
) -> Iterator[Broken]:
    """scaled_dot_product_attention: query · keyᵀ, plus the mask, · value."""
    mask = named.get("attn_mask", mask)
    if query.shape[-1] != key.shape[-1]:
        yield against(query, -1, key, -1, "Each query is multiplied with each key, so both must be equally wide.")
    if key.shape[-2] != value.shape[-2]:
        yield against(key, -2, value, -2, "There is one value for each key.")
    yield from broadcast(query, key, skip=2)
    yield from broadcast(key, value, skip=2)
    if isinstance(mask, Operand):
        seen = Operand("the scores", (*query.shape[:-1], key.shape[-2]), None)
        if query.axes and key.axes:
            seen.axes = (*query.axes[:-1], key.axes[-2])
        yield from broadcast(mask, seen)


def conv(axes: int, transposed: bool = False) -> Rule:
    def rule(given: Operand, weight: Operand, *rest: Any, groups: Any = None, **_: Any) -> Iterator[Broken]:
        if len(given.shape) not in (axes + 1, axes + 2):
            yield rank(given, f"{axes + 2} are expected: batch, channels and {axes} more", "")
            return
        place = 5 if transposed else 4
        groups = groups if isinstance(groups, int) else rest[place] if len(rest) > place else 1
        groups = groups if isinstance(groups, int) else 1
        channels = weight.shape[0] if transposed else weight.shape[1] * groups
        at = len(given.shape) - axes - 1
        if given.shape[at] != channels:
            why = "A filter reads all channels of its group." if groups == 1 else f"There are {groups} groups."
            yield against(given, at, weight, 0 if transposed else 1, why)

    return rule


def einsum(equation: Any, *operands: Any) -> Iterator[Broken]:
    """Letters stand for axes; the same letter, the same size."""
    if not isinstance(equation, str) or "." in equation:
        return
    tensors = operands[0] if len(operands) == 1 and isinstance(operands[0], list) else operands
    first: dict[str, tuple[Operand, int]] = {}
    for letters, one in zip(equation.replace(" ", "").split("->")[0].split(","), tensors, strict=False):
        if not isinstance(one, Operand):
            continue
        if len(letters) != len(one.shape):
            yield rank(one, f"the equation gives it {len(letters)}: {letters!r}", "")
            continue
        for at, letter in enumerate(letters):
            known, place = first.setdefault(letter, (one, at))
            if known.shape[place] != one.shape[at] and 1 not in (known.shape[place], one.shape[at]):
                yield against(known, place, one, at, f"Both are {letter!r} in the equation, so they must be equal.")
