"""How a tensor looks in a recording: shape, dtype, device and the rest; its numbers only where the recording asks."""

from __future__ import annotations

from typing import Any

import torch

from prefix_lab.debugger.look import Look, full_name, name_of
from prefix_lab.debugger.summary import Summary
from prefix_lab.shapes.unseen import IS_NESTED, IS_VIEW, LAYOUT, asked, facts_of

SMALL = 64  # numbers of a tensor that `keep="small"` keeps


def describe_tensor(tensor: torch.Tensor, look: Look) -> Summary:
    """Shape, dtype, device, whether it asks for a gradient, is a view, and how often it was changed in place."""
    number = look.number(tensor)
    facts = facts_of(tensor)
    if look.keep != "shapes":
        return with_numbers(tensor, described(tensor, facts), number, look)
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


def described(tensor: torch.Tensor, told: tuple) -> Summary:
    shape, dtype, device, trains, version = told
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


def with_numbers(tensor: torch.Tensor, plain: Summary, number: int | None, look: Look) -> Summary:
    """The summary with statistics, and with the numbers themselves where they are few and asked for."""
    from prefix_lab.shapes.numbers_in_memory import statistics

    facts = plain.facts | statistics(tensor, SMALL if look.keep == "small" else 0)
    key = (number, plain.text, tuple((name, repr(fact)) for name, fact in facts.items()))
    known = look.memo.get(key)
    if known is None:
        known = look.memo[key] = Summary(plain.type, plain.text, facts, number=number)
    return known


def short(word: Any) -> str:
    """`float32` for `torch.float32`."""
    return str(word).removeprefix("torch.")


def written(shape: Any) -> str:
    return f"({', '.join('?' if size is None else str(size) for size in shape)})"
