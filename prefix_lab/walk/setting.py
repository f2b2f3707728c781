"""What both libraries run under: the same random numbers, and a model without values on torch's meta device."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode


def on_meta(model: nn.Module) -> bool:
    """Whether the model has shapes and no values."""
    return next(model.parameters()).is_meta


@contextmanager
def same_setting(model: nn.Module, seed: int) -> Iterator[None]:
    """Random numbers from `seed`, and on the meta device if the model is there. The caller's numbers are unchanged."""
    with ExitStack() as stack:
        stack.enter_context(torch.random.fork_rng(devices=[]))
        torch.manual_seed(seed)
        if on_meta(model):
            stack.enter_context(torch.device("meta"))
            stack.enter_context(WithoutValues())
        yield


class WithoutValues(TorchFunctionMode):
    """Answer the two questions that a model without values is asked on its way.

    Masks are asked whether they are all ones, to be left out if so: they are not, so every mask is really built. And
    what is to be saved is asked to come to the CPU: it stays where it is.
    """

    def __torch_function__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        if args and isinstance(args[0], Tensor) and args[0].is_meta:
            if func in (Tensor.all, torch.all) and len(args) == 1 and not kwargs:
                return torch.tensor(False, device="cpu")
            if func is Tensor.cpu:
                return args[0]
        return func(*args, **(kwargs or {}))
