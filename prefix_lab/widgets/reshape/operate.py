"""One step done by torch, or refused in a sentence: on a tensor, or on the pieces that a split has made."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any

from prefix_lab.widgets.reshape.code import JOINS, Step

if TYPE_CHECKING:
    from torch import Tensor

LIMIT = 1024  # numbers in a picture


def after(step: Step, before: Any, by_view: bool = False) -> Any:
    """What torch gives: a tensor, or a tuple of tensors. First without numbers, so that nothing big is made."""
    import torch

    try:
        bare = [torch.empty(one.shape, device="meta") for one in tensors(before)]
        planned = apply(step, tuple(bare) if isinstance(before, tuple) else bare[0])
        check_size((sum(one.numel() for one in tensors(planned)),), step.text)
        if by_view:
            return before.reshape(planned.shape)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of .T on other than two axes
            return apply(step, before)
    except (RuntimeError, IndexError, TypeError, NotImplementedError) as error:
        shape = " and ".join(str(tuple(one.shape)) for one in tensors(before))
        said = str(error).strip().split("\n")[0].rstrip(".")
        raise ValueError(
            f"steps: {step.text!r} does not fit the shape {shape}. torch says: {said}. {way_out(said)}"
        ) from None


def way_out(said: str) -> str:
    if "stride" in said:
        return (
            "view needs numbers that lie in memory in reading order. Write reshape, which copies where it must, or "
            "contiguous().view(…), which says so aloud."
        )
    if "invalid for input of size" in said:
        return "The sizes must multiply to as many numbers as there are; one of them may be -1."
    return "Count the axes from 0, and see that each size is there in the shape before."


def apply(step: Step, before: Any) -> Any:
    """The operation itself, as torch has it."""
    import torch

    name, args, kwargs = step.operation, plain(step.args), {key: plain(one) for key, one in step.kwargs.items()}
    if isinstance(before, tuple):
        return of_pieces(step, before)
    if name == "=":
        pieces = before.unbind(0)
        if len(pieces) != len(args):
            raise RuntimeError(f"there are {len(pieces)} tensors for the {len(args)} names {', '.join(args)}")
        return pieces
    if name == "[]":
        return before[args[0]]
    if name in JOINS:
        copies, *rest = args
        return getattr(torch, name)([before] * copies, *rest, **kwargs)
    found = getattr(before, name)
    found = found(*args, **kwargs) if callable(found) else found
    return tuple(found) if isinstance(found, list) else found  # without numbers, split gives a list


def of_pieces(step: Step, pieces: tuple[Tensor, ...]) -> Any:
    """After a split there are several tensors: one is chosen with an index, or all get names."""
    if step.operation == "[]" and isinstance(step.args[0], int):
        return pieces[step.args[0]]
    if step.operation == "=" and len(step.args) == len(pieces):
        return pieces
    raise RuntimeError(f"there are {len(pieces)} tensors here. Choose one first, e.g. with [0]")


def plain(value: Any) -> Any:
    """Named sizes as the plain numbers that torch knows."""
    if isinstance(value, tuple):
        return tuple(map(plain, value))
    return int(value) if isinstance(value, int) and not isinstance(value, bool) else value


def tensors(value: Any) -> tuple[Tensor, ...]:
    return tuple(value) if isinstance(value, tuple | list) else (value,)


def check_size(shape: tuple[int, ...], what: str) -> None:
    count = math.prod(shape)
    if count > LIMIT:
        raise ValueError(
            f"{what} would have {count:,} numbers; ReshapeView draws each one, up to {LIMIT:,}. Take small sizes, e.g. "
            "ReshapeView(sizes={'prefix_len': 3}): the steps are the same. TensorView shows big tensors."
        )
