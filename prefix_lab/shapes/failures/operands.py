"""A tensor as a failing line sees it: what it is called there, its shape, the names of its axes; and what is found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple


@dataclass(eq=False)
class Operand:
    """`value` is the live tensor, or None for one that was recorded or is only known by its shape."""

    name: str
    shape: tuple[int, ...]
    axes: tuple[str, ...] | None = None
    dtype: str = ""
    value: Any = field(default=None, repr=False)
    hints: dict[int, str] = field(default_factory=dict)  # what else is known to be as large

    def axis(self, at: int) -> str:
        """`hidden 768`, or `768` where the axis has no name, or its name is that number."""
        name = self.axes[at] if self.axes else ""
        size = str(self.shape[at])
        if name not in ("", size):
            return f"{name} {size}"
        return f"{size} (as large as {self.hints[at]})" if at in self.hints else size

    def __str__(self) -> str:
        if not self.shape:
            return f"{self.name}: () = one number"
        names = f"({', '.join(self.axes)}) = " if self.axes and any(not one.isdigit() for one in self.axes) else ""
        return f"{self.name}: {names}{written(self.shape)}"


class Broken(NamedTuple):
    """A rule that is broken: `axes` are those that disagree, each an operand and the number of its axis; `tell` gives
    the sentence, with the names that the operands have by then."""

    tell: Callable[[], str]
    axes: tuple[tuple[Operand, int], ...] = ()


def against(one: Operand, at: int, other: Operand, other_at: int, why: str) -> Broken:
    """Two axes that should be equally large."""
    at, other_at = at % len(one.shape), other_at % len(other.shape)

    def tell() -> str:
        where = f"axis {at} of {one.name} and axis {other_at} of {other.name}"
        return f"{one.axis(at)} against {other.axis(other_at)}: {where}. {why}"

    return Broken(tell, ((one, at), (other, other_at)))


def rank(operand: Operand, expected: str, why: str) -> Broken:
    """A tensor with more or fewer axes than an operation takes."""
    count = len(operand.shape)

    def tell() -> str:
        axes = "axis" if count == 1 else "axes"
        return f"{operand.name} has {count} {axes}, {written(operand.shape)}; {expected}. {why}".strip()

    return Broken(tell, tuple((operand, at) for at in range(count)))


def written(shape: tuple[int, ...]) -> str:
    return f"({', '.join(map(str, shape))})"
