"""How a debugger's variables pane shows tensors, caches, modules, configs and encodings: shapes first, never values.

The extension in `for_debugpy` asks this. Nothing here reads what a tensor holds, but for the two children that say so
and are looked at only when somebody unfolds them; and those read a bounded part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from prefix_lab.debugger.look import Look, full_name, load_plugins, mro_of
from prefix_lab.debugger.summary import Summary
from prefix_lab.locale import N_, _

SHOWN = 10  # items of a tensor's first axis
LOOKED_AT = 1_000_000  # numbers of a tensor that its statistics are made from, at most
Children = list[tuple[str, Any, str | None]]
"""Name, value, and how one writes it after the parent's name; None where one cannot."""

KINDS = {
    "torch.Tensor": "tensor",
    "torch.nn.modules.module.Module": "module",
    "transformers.cache_utils.Cache": "cache",
    "transformers.cache_utils.CacheLayerMixin": "object",
    "transformers.configuration_utils.PreTrainedConfig": "object",
    "transformers.configuration_utils.PretrainedConfig": "object",
    "transformers.tokenization_utils_base.BatchEncoding": "encoding",
    "peft.config.PeftConfigMixin": "object",
    "prefix_lab.config.PeftConfig": "object",
    "torch.dtype": "plain",
    "torch.device": "plain",
    "torch.Size": "plain",
    "prefix_lab.breakpoints.variables.Statistics": "statistics",
    "prefix_lab.breakpoints.variables.Items": "items",
    "list": "holder",
    "tuple": "holder",
    "dict": "holder",
}


def kind_of(cls: type) -> str | None:
    """What sort of thing instances of a class are, by the first of its bases that is known; None for all others."""
    if cls is bool or cls is type:
        return None
    return next((KINDS[name] for name in map(full_name, mro_of(cls)) if name in KINDS), None)


def text_of(value: Any, axes: tuple[str, ...] = ()) -> str | None:
    """`Tensor (4, 20, 128) float32`, `PrefixEncoder with 2,560 parameters, 2,560 trainable`; None for other values.

    `axes` are the names of a tensor's axes, where they are known.
    """
    kind = kind_of(type(value))
    if kind is None:
        return None
    if isinstance(value, Lazy):
        return _(value.text)
    load_plugins()
    summary = Look()(value)
    if not isinstance(summary, Summary) or (kind == "holder" and not holds_tensors(summary)):
        return None
    return repr(Summary(summary.type, summary.text, summary.facts | {"axes": axes}))


def holds_tensors(summary: Summary) -> bool:
    return any(
        isinstance(part, Summary) and ("shape" in part.facts or holds_tensors(part)) for name, part in summary.parts
    )


def children_of(value: Any) -> Children:
    """What unfolds below a value: few, and those that help."""
    kind = kind_of(type(value))
    return CHILDREN[kind](value) if kind in CHILDREN else []


def of_tensor(tensor: Any) -> Children:
    """Where it lies, and whether it learns; its numbers only when unfolded."""
    from prefix_lab.shapes.tensors import facts_of, short, unheard, written

    shape, dtype, device, trains = facts_of(tensor)[:4]
    with unheard():
        is_leaf = tensor.is_leaf
        grad = tensor.grad if is_leaf else None
    return [
        ("shape", _("not known") if shape is None else written(shape), None),
        ("dtype", short(dtype), None),
        ("device", str(device), None),
        ("requires_grad", trains, ".requires_grad"),
        ("grad", grad, ".grad" if is_leaf else None),
        ("statistics", Statistics(tensor), None),
        *([("items", Items(tensor), None)] if shape != () else []),
    ]


def of_module(module: Any) -> Children:
    """Its parts, its parameters and buffers, and what else it was given."""
    own = vars(module)
    tables: tuple[str, ...] = ("_modules", "_parameters", "_buffers")
    named = [(name, one) for table in tables for name, one in own.get(table, {}).items() if one is not None]
    others = [(name, one) for name, one in own.items() if not name.startswith("_")]
    return [
        *((name, one, f".{name}" if name.isidentifier() else f".get_submodule({name!r})") for name, one in named),
        *((name, one, f".{name}") for name, one in others),
    ]


def of_object(value: Any) -> Children:
    return [(name, one, f".{name}") for name, one in vars(value).items() if not name.startswith("_")]


def of_encoding(value: Any) -> Children:
    return [(str(name), one, f"[{name!r}]") for name, one in vars(value).get("data", {}).items()]


def of_cache(cache: Any) -> Children:
    """A key and a value for each layer; of an encoder-decoder's cache, the two caches in it."""
    layers = vars(cache).get("layers")
    if not isinstance(layers, list):
        return of_object(cache)
    found: Children = []
    for at, layer in enumerate(layers):
        for name in ("keys", "values"):
            if name in vars(layer):
                found.append((f"layers[{at}].{name}", vars(layer)[name], f".layers[{at}].{name}"))
    return found


def of_lazy(value: Lazy) -> Children:
    return value.children()


CHILDREN: dict[str, Callable[[Any], Children]] = {
    "tensor": of_tensor,
    "module": of_module,
    "cache": of_cache,
    "object": of_object,
    "encoding": of_encoding,
    "statistics": of_lazy,
    "items": of_lazy,
}
"""The kinds whose children are given here; lists and dicts keep the debugger's own."""


class Lazy:
    """Something about a tensor that is worked out when it is unfolded."""

    def __init__(self, tensor: Any):
        self.tensor = tensor

    def children(self) -> Children:
        try:
            return [(name, value, None) for name, value in self.found()]
        except Exception as error:  # on the meta device, inside vmap: its numbers cannot be had
            return [(_("not available"), str(error).split("\n")[0], None)]

    def found(self) -> Iterator[tuple[str, Any]]:
        raise NotImplementedError


class Statistics(Lazy):
    """Least, greatest and mean number, and whether there are NaN or infinite ones."""

    text = N_("min, max, mean: unfold")

    def found(self) -> Iterator[tuple[str, Any]]:
        from prefix_lab.shapes.tensors import statistics

        tensor, count = sample(self.tensor)
        told = statistics(tensor)
        yield from ((name, told[name]) for name in ("min", "max", "mean", "nan", "inf") if name in told)
        if not told:
            yield _("not available"), _("there are no numbers to look at")
        elif count > LOOKED_AT:
            text = _("{looked_at:,} numbers, evenly spread over {count:,}")
            yield _("of"), text.format(looked_at=tensor.numel(), count=count)


class Items(Lazy):
    """The first items along the first axis: tensors, or numbers."""

    text = N_("the first items: unfold")

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
