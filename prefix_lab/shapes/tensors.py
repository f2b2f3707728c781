"""How a tensor looks in a recording: shape, dtype, device and the rest; what it holds only where the recording asks.

No subclass, mode, trace, transform or profiler hears of it. A plain tensor's facts lie in it. With a mode on, in a
trace, or for a subclass, even `tensor.shape` would be handed to whoever stands between; it is then read with all of
them set aside, and what only they could tell is None.

The values are read where they lie in memory: no operation of torch runs for it. Where they lie elsewhere (on a GPU) or
in a form that NumPy does not know (eight-bit floats), a copy is made by torch, outside of gradients and of all modes; a
profiler sees that.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator
from math import prod
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np
import torch

from prefix_lab.debugger.look import Look, full_name, mro_of
from prefix_lab.debugger.scope import name_of
from prefix_lab.debugger.summary import Summary

PLAIN = frozenset({torch.Tensor, torch.nn.Parameter})
"""Classes whose attributes are torch's own; a subclass may define any of them anew."""

LAZY = torch.nn.parameter.UninitializedTensorMixin
function_modes, in_a_trace = torch._C._len_torch_function_stack, torch._C._is_tracing
of_plain = attrgetter("shape", "dtype", "device", "requires_grad", "_version")


class Facts(NamedTuple):
    """`shape` has None for a size that is no number yet (a symbol, rows of a nested tensor)."""

    shape: tuple[int | None, ...] | None
    dtype: torch.dtype | None
    device: torch.device | None
    requires_grad: bool | None
    version: int | None


class Nobody:
    """Stands in front of all dispatch modes and subclasses: what would be handed to them goes no further."""

    def __torch_dispatch__(self, function: Any, types: Any, arguments: Any = (), options: Any = None) -> Any:
        raise RuntimeError("only the tensor's class could tell")

    @classmethod
    def ignore_compile_internals(cls) -> bool:
        """Asked by `torch.compile`: no; so that it leaves alone what runs while this stands there."""
        return False

    is_infra_mode = ignore_compile_internals


NOBODY = Nobody()


@contextlib.contextmanager
def unseen() -> Iterator[None]:
    """Inside, this thread's function modes, dispatch modes, subclasses and trace hear of nothing."""
    trace = torch._C._get_tracing_state()
    with torch._C.DisableTorchFunction():
        if trace is not None:
            torch._C._set_tracing_state(None)
        torch._C._push_on_torch_dispatch_stack(NOBODY)
        try:
            yield
        finally:
            torch._C._pop_torch_dispatch_stack(None)
            if trace is not None:
                torch._C._set_tracing_state(trace)


@contextlib.contextmanager
def unheard() -> Iterator[None]:
    """Inside, what is worked out with tensors is heard by no mode, and makes no graph; a profiler sees it, and a class
    with a `__torch_dispatch__` of its own runs for its tensors."""
    from torch.utils._python_dispatch import _disable_current_modes

    with torch._C.DisableTorchFunction(), torch.no_grad(), _disable_current_modes():
        yield


def told(ask: Callable[[Any], Any], tensor: torch.Tensor) -> Any:
    """One fact, as `torch.Tensor` itself tells it; None where it cannot. Call it inside `unseen`."""
    try:
        return ask(tensor)
    except RuntimeError:
        return None


ASKED = tuple(vars(torch._C.TensorBase)[name].__get__ for name in ("shape", "dtype", "device", "requires_grad"))
VERSION, LAYOUT, IS_NESTED = (vars(torch._C.TensorBase)[name].__get__ for name in ("_version", "layout", "is_nested"))
IS_VIEW = torch._C.TensorBase._is_view


def is_quiet(tensor: torch.Tensor) -> bool:
    """Whether its attributes can be read as usual, since nobody stands between."""
    return type(tensor) in PLAIN and not function_modes() and not in_a_trace()


def facts_of(tensor: torch.Tensor) -> Facts | tuple:
    """Shape, dtype, device, whether it asks for a gradient, and how often it was changed in place; a plain tensor's as
    a plain tuple, which is quicker."""
    if type(tensor) in PLAIN and not function_modes() and not in_a_trace():
        try:
            return of_plain(tensor)
        except RuntimeError:  # made in inference mode, where changes are not counted; nested
            pass
    with unseen():
        shape, dtype, device, trains = (told(ask, tensor) for ask in ASKED)
        version = told(VERSION, tensor)
    if device is None:  # a fake tensor's own class would work it out
        device = object.__getattribute__(tensor, "__dict__").get("fake_device")
    if LAZY in mro_of(type(tensor)):  # what it holds is no number of it yet
        shape = None
    sizes = None if shape is None else tuple(size if type(size) is int else None for size in shape)
    return Facts(sizes, dtype, device, trains, version)


def asked(ask: Callable[[Any], Any], tensor: torch.Tensor) -> Any:
    """A fact that is asked for more rarely; None where nobody but the tensor's class could tell."""
    if is_quiet(tensor):
        return ask(tensor)
    with unseen():
        return told(ask, tensor)


def short(word: Any) -> str:
    """`float32` for `torch.float32`."""
    return str(word).removeprefix("torch.")


def written(shape: Any) -> str:
    return f"({', '.join('?' if size is None else str(size) for size in shape)})"


SMALL = 64  # values of a tensor that `keep="small"` keeps


def describe_tensor(tensor: torch.Tensor, look: Look) -> Summary:
    """Shape, dtype, device, whether it asks for a gradient, is a view, and how often it was changed in place."""
    number = look.number(tensor)
    facts = facts_of(tensor)
    if look.keep != "shapes":
        return with_values(tensor, described(tensor, facts), number, look)
    last = look.last.get(number)
    if last is not None and last[0] == facts:
        return last[1]
    known = look.memo.get((number, *facts))
    if known is None:
        kind = (type(tensor), *facts, asked(IS_VIEW, tensor))
        alike = look.memo.get(kind)  # another tensor of which the same is to be said
        if alike is None:
            alike = look.memo[kind] = described(tensor, facts)
        known = look.memo[(number, *facts)] = Summary(alike.type, alike.text, alike.facts, number=number)
    look.last[number] = (facts, known)
    return known


def describe_uninitialized(tensor: torch.Tensor, look: Look) -> Summary:
    """A parameter or buffer of a lazy module, before its first call."""
    cls, (_, dtype, device, trains, _) = type(tensor), facts_of(tensor)
    facts = {"dtype": short(dtype), "device": str(device), "requires_grad": trains}
    text = f"{name_of(cls)} {short(dtype)}, without a shape yet"
    number = look.number(tensor)
    return look.shared((cls, number, text, trains), (), lambda: Summary(full_name(cls), text, facts, number=number))


def described(tensor: torch.Tensor, seen: tuple) -> Summary:
    shape, dtype, device, trains, version = seen
    cls, layout = type(tensor), asked(LAYOUT, tensor)
    facts: dict[str, Any] = {} if shape is None else {"shape": tuple(shape)}
    facts |= {
        "dtype": short(dtype),
        "device": None if device is None else str(device),
        "requires_grad": trains,
        "is_view": asked(IS_VIEW, tensor),
        "version": version,
    }
    if layout is not torch.strided:
        facts["layout"] = None if layout is None else short(layout)
    said = written(shape) if shape is not None else "nested" if asked(IS_NESTED, tensor) else "of unknown shape"
    return Summary(full_name(cls), f"{name_of(cls)} {said} {short(dtype)}", facts)


def with_values(tensor: torch.Tensor, plain: Summary, number: int | None, look: Look) -> Summary:
    """The summary with statistics, and with the values themselves where they are few and asked for."""
    facts = plain.facts | statistics(tensor, SMALL if look.keep == "small" else 0)
    key = (number, plain.text, tuple((name, repr(fact)) for name, fact in facts.items()))
    known = look.memo.get(key)
    if known is None:
        known = look.memo[key] = Summary(plain.type, plain.text, facts, number=number)
    return known


B = torch._C.TensorBase
QUANTIZED = vars(B)["is_quantized"].__get__
NAMES = [f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)]
NAMES += ["float16", "float32", "float64", "complex64", "complex128", "bool"]
KNOWN = {getattr(torch, name): name for name in NAMES} | {torch.bfloat16: "uint16"}
MANY = 2**20  # numbers


class Memory:
    """A stretch of memory as NumPy asks for it; read, and never written."""

    def __init__(self, at: int, shape: tuple[int, ...], strides: tuple[int, ...], kind: str):
        self.__array_interface__ = {
            "data": (at, True),
            "shape": shape,
            "strides": strides,
            "typestr": np.dtype(kind).str,
            "version": 3,
        }


def statistics(tensor: torch.Tensor, few: int = 0) -> dict[str, Any]:
    """Least, greatest and mean value, whether there are NaN or infinite ones, and a digest of the very bits, which two
    tensors share when they are equal bit for bit; of a tensor with up to `few` numbers also those.

    Empty where there are none to be had: of a subclass, of a sparse or quantized tensor, on the meta device, inside
    vmap and functionalize, and while a CUDA graph is captured. Of a tensor of more than `MANY` numbers that repeats
    itself in memory each is read once, and there is no digest.
    """
    if type(tensor) not in PLAIN:
        return {}  # a subclass may do anything when it is asked
    with unseen():
        while torch._C._functorch.is_gradtrackingtensor(tensor):
            tensor = torch._C._functorch.get_unwrapped(tensor)
        if not has_numbers(tensor):
            return {}
        sizes = sizes_in_memory(tensor)
        if tensor.numel() > MANY and prod(sizes) * tensor.element_size() > storage_of(tensor):
            return {}  # it repeats itself, but not along whole axes
        whole = prod(sizes) == tensor.numel()
        bits = numbers = array_of(tensor, sizes)
        if bits is None:
            bits, numbers = copied(tensor, sizes)
        elif tensor.dtype is torch.bfloat16:
            numbers = widened(bits)
        found = summed_up(numbers)
        if whole:
            found["digest"] = hashlib.blake2b(bits.tobytes(), digest_size=8).hexdigest()
        return found | ({"numbers": nested(numbers.tolist())} if whole and numbers.size <= few else {})


def has_numbers(tensor: torch.Tensor) -> bool:
    """Whether they lie somewhere in memory, one after the other."""
    if told(LAYOUT, tensor) is not torch.strided or told(QUANTIZED, tensor) or not told(B.const_data_ptr, tensor):
        return False
    if tensor.device.type == "cuda" and torch.cuda.is_current_stream_capturing():
        return False
    reach = 1 + sum((size - 1) * stride for size, stride in zip(tensor.size(), tensor.stride(), strict=True))
    # A storage may be made smaller than the tensors that look at it.
    return tensor.numel() > 0 and (B.storage_offset(tensor) + reach) * tensor.element_size() <= storage_of(tensor)


def storage_of(tensor: torch.Tensor) -> int:
    """The bytes of memory that a tensor looks at a part of."""
    return B.untyped_storage(tensor).nbytes()


def sizes_in_memory(tensor: torch.Tensor) -> tuple[int, ...]:
    """The tensor's sizes; of one with many numbers, 1 for each axis along which the same ones are repeated."""
    sizes = tuple(tensor.size())
    if prod(sizes) <= MANY:
        return sizes
    return tuple(size if stride else 1 for size, stride in zip(sizes, tensor.stride(), strict=True))


def array_of(tensor: torch.Tensor, sizes: tuple[int, ...]) -> np.ndarray | None:
    """The numbers as an array over the tensor's own memory; None where NumPy cannot read them there."""
    kind = KNOWN.get(tensor.dtype)
    if kind is None or tensor.device.type != "cpu":
        return None
    strides = tuple(stride * tensor.element_size() for stride in tensor.stride())
    array = np.asarray(Memory(B.const_data_ptr(tensor), sizes, strides, kind))
    if tensor.is_conj():
        array = array.conj()
    if tensor.is_neg():
        array = array ^ 0x8000 if tensor.dtype is torch.bfloat16 else -array
    return np.asarray(array)  # arithmetic on an array of no axes gives a number


def widened(bits: np.ndarray) -> np.ndarray:
    """Bfloat16 numbers, which are the upper halves of float32 ones."""
    return np.left_shift(bits, 16, dtype=np.uint32, out=np.empty(bits.shape, np.uint32)).view(np.float32)


def copied(tensor: torch.Tensor, sizes: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """The bits and the numbers of what torch has to bring here, or to convert."""
    with unheard():
        own = (
            tensor.detach()
            .as_strided(sizes, tensor.stride())
            .cpu()
            .resolve_conj()
            .resolve_neg()
            .clone(memory_format=torch.contiguous_format)
        )
        bits = own.flatten().view(torch.uint8)
        wide = own if own.dtype in KNOWN else own.to(torch.complex64 if own.is_complex() else torch.float32)
        if wide.dtype is torch.bfloat16:
            wide = wide.float()
        return bits.numpy(), wide.numpy()


def summed_up(numbers: np.ndarray) -> dict[str, Any]:
    """Their facts; whole numbers that a float cannot hold are told as they are."""
    if numbers.dtype.kind == "c":
        numbers = np.stack([numbers.real, numbers.imag])
    with np.errstate(all="ignore"):
        wide = numbers.astype(np.float64)
        finite = wide[np.isfinite(wide)]
        found: dict[str, Any] = {"nan": bool(np.isnan(wide).any()), "inf": bool(np.isinf(wide).any())}
        if finite.size:
            found |= {"min": float(finite.min()), "max": float(finite.max()), "mean": float(finite.mean())}
    if numbers.dtype.kind in "iu" and max(-found["min"], found["max"]) >= 2**53:
        found |= {"min": int(numbers.min()), "max": int(numbers.max())}
    return found


def nested(numbers: Any) -> Any:
    return tuple(map(nested, numbers)) if isinstance(numbers, list) else numbers
