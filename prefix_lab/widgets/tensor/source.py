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
"""Numbers that are read whole: of a slice, for exact statistics, or of a sparse or quantised tensor."""
Index = tuple[int | slice, ...]


@dataclass(frozen=True)
class Source:
    """`dtype` and `device` as text, `more` what else is to be said of it (requires_grad, sparse), `kind` one of bool,
    int, float and complex; `strides` count numbers, and are 0 along an axis that repeats the same ones."""

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
    kinds = {"b": "bool", "i": "int", "u": "int", "f": "float", "c": "complex"}
    if array.dtype.kind not in kinds:
        raise ValueError(
            f"tensor is an array of dtype {array.dtype}; expected numbers or bool. Choose a column, or convert it with "
            "array.astype(float)."
        )
    if isinstance(array, np.ma.MaskedArray):
        raise ValueError("tensor is a masked array; say what masked places are: TensorView(array.filled(np.nan)).")
    strides = tuple(stride // array.itemsize for stride in array.strides)
    return Source(array.view(np.ndarray), array.shape, str(array.dtype), "NumPy", kinds[array.dtype.kind], strides)


def source_of_tensor(tensor: Tensor) -> Source:
    import torch
    from torch._subclasses.fake_tensor import FakeTensor

    if isinstance(tensor, torch.nn.parameter.UninitializedTensorMixin):
        raise ValueError("tensor is a parameter without a shape yet. Call its module once, which gives it one.")
    if tensor.is_nested:
        raise ValueError(
            "tensor is nested: its rows differ in length. Give one, tensor[0], or tensor.to_padded_tensor(0)."
        )
    shape = tuple(tensor.shape)
    for kind, found in (("fake", isinstance(tensor, FakeTensor)), ("on the meta device", tensor.is_meta)):
        if found:
            raise ValueError(
                f"tensor is {kind}: it has a shape, {shape}, but no numbers to show. Load or make it on a real device, "
                "e.g. torch.empty_like(tensor, device='cpu')."
            )
    strided = tensor.layout == torch.strided
    whole = not strided or tensor.is_quantized
    what = "quantised" if tensor.is_quantized else str(tensor.layout).removeprefix("torch.").replace("_", " ")
    if whole and math.prod(shape) > DENSE:
        raise ValueError(
            f"tensor is {what} with {math.prod(shape):,} places; up to {DENSE:,} can be unpacked to be shown. Give a "
            "part of it, or its own numbers: " + ("tensor.int_repr()." if tensor.is_quantized else "tensor.values().")
        )
    more = [what] * whole + ["requires_grad"] * tensor.requires_grad
    kind = "float" if tensor.is_quantized else kind_of(tensor.dtype)
    strides = tuple(tensor.stride()) if strided else ()
    dtype = str(tensor.dtype).removeprefix("torch.")
    return Source(tensor, shape, dtype, str(tensor.device), kind, strides, tuple(more))


def kind_of(dtype: Any) -> str:
    import torch

    if dtype == torch.bool:
        return "bool"
    return "complex" if dtype.is_complex else "float" if dtype.is_floating_point else "int"


def read_tensor(tensor: Tensor, index: Index) -> np.ndarray:
    """Part of a tensor as an array, outside of gradients, and without asking a subclass."""
    import torch

    from prefix_lab.shapes.tensors import unheard

    known = (torch.bool, *(getattr(torch, f"{u}int{bits}") for u in ("", "u") for bits in (8, 16, 32, 64)))
    known += (torch.float16, torch.float32, torch.float64, torch.complex64, torch.complex128)
    try:
        with unheard():
            part = tensor.detach()
            part = part.dequantize() if part.is_quantized else part
            part = part.to_dense() if part.layout != torch.strided else part
            part = part[index].cpu().resolve_conj().resolve_neg()
            if part.dtype not in known:
                part = part.to(torch.complex64 if part.is_complex() else torch.float32)
            return part.numpy()
    except (RuntimeError, TypeError, NotImplementedError) as error:  # inside vmap, bits without a meaning
        said = str(error).strip().split("\n")[0]
        raise ValueError(
            f"tensor of type {type(tensor).__name__}, {tensor.dtype}, cannot be read: {said}. Give a plain copy of it, "
            "made outside of vmap and the like: tensor.detach().to(torch.float32)."
        ) from None
