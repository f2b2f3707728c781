"""Reads that run nothing of the program: an attribute as it lies in an object, a tensor's shape, a shape worked out."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from prefix_lab.shapes.failures.operands import Operand

PLAIN = (int, float, str, bool, type(None))


class Unreadable(Exception):
    """An expression that cannot be read without running the program."""


MISSING = object()


def is_tensor(value: Any) -> bool:
    """Whether a value is a tensor whose sizes are plain numbers; a nested tensor's are not."""
    torch = sys.modules.get("torch")
    if torch is None or torch.Tensor not in type.__dict__["__mro__"].__get__(type(value)):
        return False
    try:
        with torch._C.DisableTorchFunctionSubclass():
            return all(type(size) is int for size in value.shape)
    except RuntimeError:
        return False


def seen(tensor: Any, label: str, axes: tuple[str, ...] | None) -> Operand:
    import torch

    with torch._C.DisableTorchFunctionSubclass():
        shape = tuple(tensor.shape)
        return Operand(label, shape, axes, str(tensor.dtype).removeprefix("torch."), tensor)


def own(value: Any, name: str) -> Any:
    """An attribute as it lies in the object, its module's tables, or its class; nothing that would compute it."""
    try:
        held = object.__getattribute__(value, "__dict__")
    except (AttributeError, TypeError):
        held = {}
    bases = [vars(base) for base in type.__dict__["__mro__"].__get__(type(value))]
    for_all = next((base[name] for base in bases if name in base), MISSING)
    if type(for_all).__name__ == "_tuplegetter":  # a field of a named tuple
        return tuple.__getitem__(value, type(value)._fields.index(name))
    if for_all is not MISSING and hasattr(type(for_all), "__set__"):
        raise Unreadable(name)  # a property
    if type(held) is not dict:
        raise Unreadable(name)
    for table in (held, *(held.get(kind) for kind in ("_parameters", "_buffers", "_modules"))):
        if isinstance(table, dict) and name in table:
            return dict.__getitem__(table, name)
    renamed = next((base["attribute_map"] for base in bases if type(base.get("attribute_map")) is dict), {})
    if renamed.get(name) in held:  # a model's config that calls its sizes otherwise
        return held[renamed[name]]
    if type(for_all) in (*PLAIN, tuple):
        return for_all
    raise Unreadable(name)


def of_tensor(tensor: Operand, name: str, label: str) -> Any:
    match name:
        case "shape":
            return list(tensor.shape)
        case "ndim":
            return len(tensor.shape)
        case "data":
            return Operand(label, tensor.shape, tensor.axes, tensor.dtype, tensor.value)
        case "T" | "mT" if len(tensor.shape) == 2:
            return Operand(label, tensor.shape[::-1], tensor.axes and tensor.axes[::-1], tensor.dtype)
    raise Unreadable(label)


def worked_out(tensor: Operand, turn: Callable[[Any], Any]) -> tuple[int, ...]:
    """The shape that torch would give, on a tensor without numbers."""
    import torch

    try:
        return tuple(turn(torch.empty(tensor.shape, device="meta")).shape)
    except (RuntimeError, IndexError, TypeError, ValueError) as error:
        raise Unreadable from error


def turned(tensor: Operand, method: str, arguments: list[Any]) -> tuple[str, ...] | None:
    """The names of the axes after they changed places."""
    if tensor.axes is None or method not in ("transpose", "permute", "t"):
        return None
    order = list(range(len(tensor.axes)))
    if method == "permute":
        order = arguments[0] if len(arguments) == 1 and isinstance(arguments[0], list) else arguments
    else:
        one, other = arguments or (0, 1)
        order[one], order[other] = order[other], order[one]
    return tuple(tensor.axes[at] for at in order)


def at_place(shape: tuple[int, ...], at: int) -> int:
    if not -len(shape) <= at < len(shape):
        raise Unreadable
    return shape[at]


def product(shape: tuple[int, ...]) -> int:
    total = 1
    for size in shape:
        total *= size
    return total
