"""A tensor as a failing line sees it: what it is called there, its shape, the names of its axes.

All reads here are plain: no property, `__getattr__` or `__torch_function__` of the program is called.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from prefix_lab.shapes.shown import worth

PLAIN = (int, float, str, bool, type(None))
MISSING = object()


class Unreadable(Exception):
    """An expression that cannot be read without running the program."""


@dataclass(eq=False)
class Operand:
    """`value` is the live tensor, or None for one that was recorded or is only known by its shape.

    `sizes` are those that the axes around it are known to have; an axis without a name is compared with them.
    """

    name: str
    shape: tuple[int, ...]
    axes: tuple[str, ...] | None = None
    dtype: str = ""
    value: Any = field(default=None, repr=False)
    sizes: Mapping[str, set[int]] = field(default_factory=dict, repr=False)

    def axis(self, at: int) -> str:
        """`hidden 768`, or `768` where the axis has no name, or its name is that number."""
        name = self.axes[at] if self.axes else ""
        size = str(self.shape[at])
        if name not in ("", size):
            return f"{name} {size}"
        alike = as_large(self.shape[at], self.sizes)
        return f"{size} (as large as {alike})" if alike else size

    def __str__(self) -> str:
        if not self.shape:
            return f"{self.name}: () = one number"
        named = [name or str(size) for name, size in zip(self.axes or (), self.shape, strict=False)]
        names = f"({', '.join(named)}) = " if any(not one.isdigit() for one in named) else ""
        return f"{self.name}: {names}{written(self.shape)}"


def written(shape: tuple[int, ...]) -> str:
    return f"({', '.join(map(str, shape))})"


def as_large(size: int, sizes: Mapping[str, set[int]]) -> str:
    """The one axis that is known to be as large, or the width of all heads; empty where none or several are."""
    single = {axis: next(iter(one)) for axis, one in sizes.items() if len(one) == 1}
    same = [axis for axis, one in single.items() if one == size and one > 1]
    if not same:
        both = ("heads·head_dim", "kv_heads·head_dim", "2·layers·hidden")
        same = [text for text in both if worth(text, single) == size]
    return same[0] if len(same) == 1 else ""


def is_tensor(value: Any) -> bool:
    """Whether a value is a tensor whose sizes are plain numbers; a nested tensor's are not."""
    torch = sys.modules.get("torch")
    if torch is None or torch.Tensor not in type.__dict__["__mro__"].__get__(type(value)):
        return False
    try:
        with torch._C.DisableTorchFunction():
            return all(type(size) is int for size in value.shape)
    except RuntimeError:
        return False


def seen(tensor: Any, label: str, axes: tuple[str, ...] | None) -> Operand:
    """A live tensor as an operand."""
    import torch

    with torch._C.DisableTorchFunction():
        shape = tuple(tensor.shape)
        return Operand(label, shape, axes, str(tensor.dtype).removeprefix("torch."), tensor)


@contextmanager
def unheard() -> Iterator[None]:
    """What is tried here on tensors without numbers, no mode of the program hears of, and no warning is given."""
    import torch
    from torch.utils._python_dispatch import _disable_current_modes

    with torch._C.DisableTorchFunction(), _disable_current_modes(), torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def own(value: Any, name: str) -> Any:
    """An attribute as it lies in the object, its module's tables, or its class; nothing that would compute it.

    Raises `Unreadable` where it does not lie there.
    """
    try:
        held = object.__getattribute__(value, "__dict__")
    except (AttributeError, TypeError):
        held = {}
    bases = [vars(base) for base in type.__dict__["__mro__"].__get__(type(value))]
    for_all = next((base[name] for base in bases if name in base), MISSING)
    if type(for_all).__name__ == "_tuplegetter":  # a field of a named tuple
        return tuple.__getitem__(value, type(value)._fields.index(name))
    if type(held) is not dict or (for_all is not MISSING and hasattr(type(for_all), "__set__")):
        raise Unreadable(name)  # the latter is a property
    for table in (held, *(held.get(kind) for kind in ("_parameters", "_buffers", "_modules"))):
        if isinstance(table, dict) and name in table:
            return dict.__getitem__(table, name)
    renamed = next((base["attribute_map"] for base in bases if type(base.get("attribute_map")) is dict), {})
    if renamed.get(name) in held:  # a model's config that calls its sizes otherwise
        return held[renamed[name]]
    if type(for_all) in (*PLAIN, tuple):
        return for_all
    raise Unreadable(name)
