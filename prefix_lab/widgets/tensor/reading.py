"""What a tensor or array says of itself: its facts, its statistics, and the numbers of a slice. It is never changed.

Gradients, versions and random numbers stay as they are; only the part that is asked for is copied. Statistics are of
all numbers; of a big tensor, of numbers taken at equal distances, and they say so.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from prefix_lab.locale import _

if TYPE_CHECKING:
    from torch import Tensor

DENSE = 2**22
"""Numbers that are read whole, of a slice or for exact statistics."""
SAMPLE = 2**20
ROWS, COLUMNS = 64, 96  # of a picture
Index = tuple[int | slice, ...]


@dataclass(frozen=True)
class Source:
    """`dtype` and `device` as text, `more` what else is to be said of it (requires_grad), `kind` one of bool, int and
    float; `strides` count numbers, and are 0 along an axis that repeats the same ones."""

    value: Any
    shape: tuple[int, ...]
    dtype: str
    device: str
    kind: str
    strides: tuple[int, ...]
    more: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        return math.prod(self.shape)

    def read(self, index: Index) -> np.ndarray:
        """The numbers at an index, in a type that NumPy knows; bfloat16 and smaller floats as float32.

        Raises `ValueError` where they cannot be read.
        """
        if isinstance(self.value, np.ndarray):
            return np.asarray(self.value[index])
        return read_tensor(self.value, index)

    def version(self) -> int | None:
        """A number that grows when a tensor is changed in place, if that is counted."""
        try:
            return self.value._version
        except (AttributeError, RuntimeError):  # an array, or a tensor made in inference mode
            return None


def source_of(value: Any) -> Source:
    """Look at a torch tensor, a parameter or a NumPy array. Raises `ValueError` for what has no numbers to show."""
    if isinstance(value, np.ndarray):
        return source_of_array(value)
    import torch

    if isinstance(value, torch.Tensor):
        return source_of_tensor(value)
    if isinstance(value, torch.nn.Module):
        names = ", ".join(f".{name}" for name, _ in value.named_parameters())[:90] or "none"
        raise ValueError(
            f"tensor is a module, {type(value).__name__}; expected one tensor. Choose a parameter of it: {names}."
        )
    if hasattr(value, "facts") and hasattr(value, "parts"):
        raise ValueError(
            "tensor is a summary out of a recording, which keeps shapes and not the numbers. Give the tensor itself; "
            "its names may come from the summary: TensorView(tensor, axes=summary.axes)."
        )
    raise ValueError(
        f"tensor is a {type(value).__name__}; expected a torch tensor, a parameter or a NumPy array. Make one with "
        "torch.tensor(…)."
    )


def source_of_array(array: np.ndarray) -> Source:
    if isinstance(array, np.ma.MaskedArray):
        raise ValueError("tensor is a masked array; say what masked places are: TensorView(array.filled(np.nan)).")
    kinds = {"b": "bool", "i": "int", "u": "int", "f": "float"}
    if array.dtype.kind not in kinds:
        raise ValueError(
            f"tensor is an array of dtype {array.dtype}; expected real numbers or bool. Choose a column, or convert it "
            "with array.astype(float)."
        )
    strides = tuple(stride // array.itemsize for stride in array.strides)
    return Source(array.view(np.ndarray), array.shape, str(array.dtype), "NumPy", kinds[array.dtype.kind], strides)


def source_of_tensor(tensor: Tensor) -> Source:
    import torch

    if isinstance(tensor, torch.nn.parameter.UninitializedTensorMixin):
        raise ValueError("tensor is a parameter without a shape yet. Call its module once, which gives it one.")
    shape, dtype = tuple(tensor.shape), str(tensor.dtype).removeprefix("torch.")
    if tensor.is_meta:
        raise ValueError(
            f"tensor is on the meta device: it has a shape, {shape}, but no numbers to show. Load or make it on a real "
            "device, e.g. torch.empty_like(tensor, device='cpu')."
        )
    if tensor.layout != torch.strided or tensor.is_quantized:
        what = "quantised" if tensor.is_quantized else str(tensor.layout).removeprefix("torch.").replace("_", " ")
        way_out = "tensor.dequantize()" if tensor.is_quantized else "tensor.to_dense()"
        raise ValueError(f"tensor is {what}; expected one that holds each of its numbers. Give {way_out}.")
    if tensor.is_complex():
        raise ValueError(f"tensor is {dtype}; expected real numbers or bool. Give a part of it, e.g. tensor.abs().")
    kind = "bool" if tensor.dtype == torch.bool else "float" if tensor.is_floating_point() else "int"
    more = ("requires_grad",) if tensor.requires_grad else ()
    return Source(tensor, shape, dtype, str(tensor.device), kind, tuple(tensor.stride()), more)


def read_tensor(tensor: Tensor, index: Index) -> np.ndarray:
    """Part of a tensor as an array, outside of gradients, and without asking a subclass."""
    import torch

    from prefix_lab.shapes.tensors import unheard

    try:
        with unheard():
            part = tensor.detach()[index].cpu().resolve_neg()
            part = part.float() if part.is_floating_point() and part.dtype != torch.float64 else part
            return part.numpy()
    except (RuntimeError, TypeError, NotImplementedError) as error:  # without numbers, or bits without a meaning
        said = str(error).strip().split("\n")[0]
        raise ValueError(
            f"tensor of type {type(tensor).__name__}, {tensor.dtype}, cannot be read: {said}. Give a plain copy of it: "
            "tensor.detach().to(torch.float32)."
        ) from None


@dataclass(frozen=True)
class Slice:
    """`numbers` are those at `rows` and `columns`, indices out of `full`, the whole slice's size.

    `nan`, `plus_inf` and `minus_inf` have the shape of `numbers`; each says whether there is such a number between its
    row and column and the next ones shown (`marks_all`), or, in a slice too big to look through, right there.
    """

    numbers: np.ndarray
    rows: np.ndarray
    columns: np.ndarray
    full: tuple[int, int]
    nan: np.ndarray
    plus_inf: np.ndarray
    minus_inf: np.ndarray
    marks_all: bool

    @property
    def sampled(self) -> bool:
        return self.numbers.shape != self.full

    @property
    def largest(self) -> float:
        """The greatest finite magnitude, 0 where there is none."""
        found = np.abs(self.numbers.astype(np.float64))
        return float(found[np.isfinite(found)].max(initial=0.0))


def slice_of(source: Source, row: int | None, column: int | None, fixed: Mapping[int, int]) -> Slice:
    """The numbers along two axes (None for an axis that is not there), the others held at the indices in `fixed`."""
    full = tuple(1 if axis is None else source.shape[axis] for axis in (row, column))
    steps = [max(1, -(-size // most)) for size, most in zip(full, (ROWS, COLUMNS), strict=True)]
    rows, columns = (np.arange(0, size, step) for size, step in zip(full, steps, strict=True))
    everything = full[0] * full[1] <= DENSE
    taken = [slice(None) if everything else slice(None, None, step) for step in steps]
    index: list[int | slice] = [fixed.get(axis, 0) for axis in range(len(source.shape))]
    for axis, one in ((row, taken[0]), (column, taken[1])):
        if axis is not None:
            index[axis] = one
    seen = source.read(tuple(index))
    if row is not None and column is not None and row > column:
        seen = seen.T
    seen = seen.reshape((1, 1) if column is None else (1, -1) if row is None else seen.shape)
    shown = np.array(seen[:: steps[0], :: steps[1]] if everything else seen)
    marks = [shrunk(found, rows, columns, everything) for found in faults(seen)]
    return Slice(shown, rows, columns, full, *marks, marks_all=everything)


def faults(numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where there is NaN, +Inf, -Inf."""
    if numbers.dtype.kind in "biu":
        return (np.zeros(numbers.shape, bool),) * 3
    return np.isnan(numbers), np.isposinf(numbers), np.isneginf(numbers)


def shrunk(found: np.ndarray, rows: np.ndarray, columns: np.ndarray, everything: bool) -> np.ndarray:
    """For each number shown, whether anything was found from there to the next."""
    if not everything or not found.size:
        return found
    return np.logical_or.reduceat(np.logical_or.reduceat(found, rows, axis=0), columns, axis=1)


@dataclass(frozen=True)
class Statistics:
    """`looked_at` of `count` numbers were looked at, all that there are where `exact`. `least`, `greatest`, `mean` and
    `std` (divided by n - 1, as torch does) are those of the finite ones, None where there are too few. `zeros` is a
    share between 0 and 1."""

    count: int
    looked_at: int
    exact: bool
    least: float | int | None
    greatest: float | int | None
    mean: float | None
    std: float | None
    zeros: float
    nan: int
    plus_inf: int
    minus_inf: int

    @property
    def scope(self) -> str:
        if self.exact:
            return _("all {count:,} numbers").format(count=self.count) if self.count != 1 else _("the one number")
        text = _("{looked_at:,} of {count:,} numbers, taken at equal distances: the others may differ")
        return text.format(looked_at=self.looked_at, count=self.count)


def statistics_of(source: Source) -> Statistics:
    """Exact up to four million different numbers; an axis that repeats the same ones is read once."""
    axes = list(zip(source.shape, source.strides or [1] * len(source.shape), strict=True))
    times = math.prod(size for size, stride in axes if stride == 0 and size > 1)
    shape = [1 if stride == 0 else size for size, stride in axes]
    steps = steps_for(shape) if math.prod(shape) > DENSE else [1] * len(shape)
    index = tuple(slice(0, size, step) for size, step in zip(shape, steps, strict=True))
    numbers = source.read(index).ravel()
    nan, plus, minus = (int(found.sum()) for found in faults(numbers))
    finite = numbers[np.isfinite(numbers)] if nan or plus or minus else numbers
    least, greatest = (finite.min().item(), finite.max().item()) if finite.size else (None, None)
    mean, std = mean_and_std(finite, times)
    zeros = float((numbers == 0).mean()) if numbers.size else 0.0
    exact, looked_at = all(step == 1 for step in steps), numbers.size * times
    found = (least, greatest, mean, std, zeros, nan * times, plus * times, minus * times)
    return Statistics(source.count, looked_at, exact, *found)


def steps_for(shape: list[int]) -> list[int]:
    """Distances along each axis that leave about a million numbers: the longest axis gives way first.

    They are odd, so that they do not fall in step with sizes that are powers of two.
    """
    steps = [1] * len(shape)
    while math.prod(-(-size // step) for size, step in zip(shape, steps, strict=True)) > SAMPLE:
        longest = max(range(len(shape)), key=lambda axis: shape[axis] / steps[axis])
        steps[longest] = 2 * steps[longest] + 1
    return steps


def mean_and_std(finite: np.ndarray, times: int) -> tuple[float | None, float | None]:
    """In units of the largest number, so that neither a sum nor a square can overflow; each stands for `times`."""
    if not finite.size:
        return None, None
    parts = finite.astype(np.float64)
    scale = float(np.abs(parts).max()) or 1.0
    parts, total = parts / scale, finite.size * times
    mean = float(parts.mean())
    spread = math.sqrt(float(np.square(parts - mean).mean()) * total / (total - 1)) * scale if total > 1 else None
    return mean * scale, spread
