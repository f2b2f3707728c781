"""A tensor or array as something to read from: its facts, and any part of it as a NumPy array. It is never changed.

Gradients, versions and random numbers stay as they are; only the part that is asked for is copied.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

DENSE = 2**22
"""Numbers that are read whole, of a slice or for exact statistics."""
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
            part = tensor.detach()[index].cpu()
            part = part.float() if part.is_floating_point() and part.dtype != torch.float64 else part
            return part.numpy()
    except (RuntimeError, TypeError, NotImplementedError) as error:  # without numbers, or bits without a meaning
        said = str(error).strip().split("\n")[0]
        raise ValueError(
            f"tensor of type {type(tensor).__name__}, {tensor.dtype}, cannot be read: {said}. Give a plain copy of it: "
            "tensor.detach().to(torch.float32)."
        ) from None
