"""What is said of a tensor's numbers when somebody unfolds them in a variables pane: of a bounded part of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from prefix_lab.shapes.tensor_statistics import statistics

SHOWN = 10  # items of a tensor's first axis
LOOKED_AT = 1_000_000  # numbers of a tensor that its statistics are made from, at most
Children = list[tuple[str, Any, str | None]]
"""Name, value, and how one writes it after the parent's name; None where one cannot."""


class Lazy:
    """Something about a tensor that is worked out when it is unfolded."""

    def __init__(self, tensor: Any):
        self.tensor = tensor

    def children(self) -> Children:
        try:
            return [(name, value, None) for name, value in self.found()]
        except Exception as error:  # on the meta device, inside vmap: its numbers cannot be had
            return [("not available", str(error).split("\n")[0], None)]

    def found(self) -> Iterator[tuple[str, Any]]:
        raise NotImplementedError


class Statistics(Lazy):
    """Least, greatest and mean number, and whether there are NaN or infinite ones."""

    text = "min, max, mean: unfold"

    def found(self) -> Iterator[tuple[str, Any]]:
        tensor, count = sample(self.tensor)
        told = statistics(tensor)
        yield from ((name, told[name]) for name in ("min", "max", "mean", "nan", "inf") if name in told)
        if not told:
            yield "not available", "there are no numbers to look at"
        elif count > LOOKED_AT:
            yield "of", f"{tensor.numel():,} numbers, evenly spread over {count:,}"


class Items(Lazy):
    """The first items along the first axis: tensors, or numbers."""

    text = "the first items: unfold"

    def found(self) -> Iterator[tuple[str, Any]]:
        from prefix_lab.shapes.tensors import unheard

        with unheard():
            items = [self.tensor[at] for at in range(min(SHOWN, len(self.tensor)))]
            found = [one if one.ndim else one.item() for one in items]
        yield from ((f"[{at}]", one) for at, one in enumerate(found))


def sample(tensor: Any) -> tuple[Any, int]:
    """A plain tensor with at most about `LOOKED_AT` of the numbers, and how many different ones lie in memory.

    An axis that `expand` made holds the same numbers again and again, so one of them is enough.
    """
    import torch

    from prefix_lab.shapes.tensors import unheard

    with unheard():
        plain = tensor.detach().as_subclass(torch.Tensor)
        for axis in range(plain.ndim):
            if plain.stride(axis) == 0 and plain.shape[axis]:
                plain = plain.narrow(axis, 0, 1)
        count = plain.numel()
        for axis in range(plain.ndim):
            step = min(plain.shape[axis], -(-plain.numel() // LOOKED_AT))
            if step > 1:
                plain = plain[(slice(None),) * axis + (slice(None, None, step),)]
        return plain.clone(memory_format=torch.contiguous_format), count
