"""What is known of a tensor without asking anybody: no subclass, mode, trace, transform or profiler hears of it.

A plain tensor's facts lie in it. With a mode on, in a trace, or for a subclass, even `tensor.shape` would be handed to
whoever stands between; it is then read with all of them set aside, and what only they could tell is None.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from operator import attrgetter
from typing import Any, NamedTuple

import torch

from prefix_lab.debugger.look import mro_of

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
