"""How a debugger's variables pane shows tensors, caches, modules, configs and encodings: shapes first, never numbers.

The extension in `for_debugpy` asks this. Nothing here reads a tensor's numbers, but for the two children that say
so and are looked at only when somebody unfolds them; and those read a bounded part.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from prefix_lab.breakpoints.numbers_inside import Children, Items, Lazy, Statistics
from prefix_lab.debugger.look import Look, full_name, load_plugins, mro_of
from prefix_lab.debugger.summary import Summary

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
    "prefix_lab.breakpoints.numbers_inside.Statistics": "statistics",
    "prefix_lab.breakpoints.numbers_inside.Items": "items",
    "list": "holder",
    "tuple": "holder",
    "dict": "holder",
}


def kind_of(cls: type) -> str | None:
    """What sort of thing instances of a class are, by the first of its bases that is known; None for all others."""
    if cls is bool or cls is type:
        return None
    return next((KINDS[name] for name in map(full_name, mro_of(cls)) if name in KINDS), None)


def text_of(value: Any) -> str | None:
    """`Tensor (4, 20, 128) float32`, `PrefixEncoder with 2,560 parameters, 2,560 trainable`; None for other values."""
    kind = kind_of(type(value))
    if kind is None:
        return None
    if isinstance(value, Lazy):
        return value.text
    load_plugins()
    summary = Look()(value)
    if not isinstance(summary, Summary) or (kind == "holder" and not holds_tensors(summary)):
        return None
    return summary.text


def holds_tensors(summary: Summary) -> bool:
    return any(
        isinstance(part, Summary) and ("shape" in part.facts or holds_tensors(part)) for _, part in summary.parts
    )


def children_of(value: Any) -> Children:
    """What unfolds below a value: few, and those that help."""
    kind = kind_of(type(value))
    return CHILDREN[kind](value) if kind in CHILDREN else []


def of_tensor(tensor: Any) -> Children:
    """Where it lies, and whether it learns; its numbers only when unfolded."""
    from prefix_lab.shapes.tensors import facts_of, short, unheard, written

    shape, dtype, device, trains, _ = facts_of(tensor)
    with unheard():
        is_leaf = tensor.is_leaf
        grad = tensor.grad if is_leaf else None
    return [
        ("shape", "not known" if shape is None else written(shape), None),
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
