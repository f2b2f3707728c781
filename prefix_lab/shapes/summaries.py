"""How tensors, modules, caches, configs and a tokenizer's output look in a recording.

The debugger asks for this by the entry point `prefix_lab.summaries`. Classes are named by text, and what needs torch
or NumPy is imported when the first tensor or array is met.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from prefix_lab.debugger.look import Look, composed, describe_fields, dict_of, full_name, register
from prefix_lab.debugger.plain_values import describe_mapping
from prefix_lab.debugger.scope import name_of
from prefix_lab.debugger.summary import ATOMS, Summary, shortened

if TYPE_CHECKING:
    import numpy

PLAIN = (int, float, str, bool, type(None))


def register_all() -> None:
    """Tell the debugger about everything in this file."""
    register("torch.Tensor", "prefix_lab.shapes.tensors:describe_tensor")
    register("torch.nn.parameter.UninitializedTensorMixin", "prefix_lab.shapes.tensors:describe_uninitialized")
    register("numpy.ndarray", describe_array)
    register("numpy.generic", describe_scalar)
    register("torch.nn.modules.module.Module", "prefix_lab.shapes.modules:describe_module")
    register("transformers.cache_utils.Cache", describe_cache)
    register("transformers.cache_utils.CacheLayerMixin", describe_fields)
    register("transformers.configuration_utils.PreTrainedConfig", describe_config)
    register("transformers.configuration_utils.PretrainedConfig", describe_config)
    register("transformers.tokenization_utils_base.BatchEncoding", describe_encoding)
    register("torch.Size", describe_size)
    for name in ("torch.dtype", "torch.device"):
        register(name, describe_by_repr)


def describe_cache(cache: Any, look: Look) -> Summary:
    """How many layers, and the keys and values of the first ones."""
    from prefix_lab.shapes.tensors import facts_of

    own = dict_of(cache, look)
    cls, number = type(cache), look.number(cache)
    layers = own.get("layers")
    if type(layers) is not list:  # an encoder-decoder's: two caches in one
        parts = look.inside(((str(name), item) for name, item in list(own.items())), len(own))
        return look.shared((cls, number), parts, lambda: composed(full_name(cls), name_of(cls), parts, number))
    held = [(index, dict_of(layer, look)) for index, layer in enumerate(layers)]
    pairs = [(f"{index}.{name}", own[name]) for index, own in held for name in ("keys", "values") if name in own]
    pairs = [(label, tensor) for label, tensor in pairs if tensor is not None]
    state = [(id(tensor), facts_of(tensor)) for _, tensor in pairs]
    known = look.memo.get(("cache", number))
    if known is not None and known[0] == state:  # as when it was looked at last
        return known[1]
    parts = look.inside(iter(pairs), len(pairs))

    def make() -> Summary:
        told = next((part.text for _, part in parts if isinstance(part, Summary) and "shape" in part.facts), None)
        said = f", each {told[told.index('(') : told.index(')') + 1]}" if told else ""
        text = f"{name_of(cls)} of {len(layers)} layers{said}"
        return Summary(full_name(cls), text, {"length": len(layers)}, parts, number)

    summary = look.shared((cls, number, len(layers)), parts, make)
    look.memo[("cache", number)] = (state, summary)
    return summary


def describe_config(config: Any, look: Look) -> Summary:
    """A model's configuration: the fields that are plain values."""
    own = dict_of(config, look)
    fields = [(str(name), value) for name, value in own.items() if type(value) in PLAIN and value is not None]
    parts = look.inside(((name, value) for name, value in fields if not name.startswith("_")), len(fields))
    cls, number = type(config), look.number(config)
    return look.shared((cls, number), parts, lambda: composed(full_name(cls), name_of(cls), parts, number))


def describe_encoding(encoding: Any, look: Look) -> Summary:
    """What a tokenizer gives: its tensors by name."""
    data = dict_of(encoding, look).get("data")
    if type(data) is not dict:
        return look.plain(type(encoding))
    inner = describe_mapping(data, look)
    cls = type(encoding)
    return look.shared(
        (cls, inner.text), inner.parts, lambda: Summary(full_name(cls), f"{name_of(cls)} {inner.text}", {}, inner.parts)
    )


def describe_by_repr(value: Any, look: Look) -> Summary:
    """A dtype or device of torch's own, whose text is known to be short and plain."""
    text = str(value)
    return look.shared((type(value), text), (), lambda: Summary(full_name(type(value)), text))


def describe_size(value: tuple, look: Look) -> Summary:
    """A tensor's shape; in a trace its sizes are tensors, and symbols where they are not known yet, each shown as ?."""
    sizes = [str(size) if type(size) is int else "?" for size in tuple.__iter__(value)]
    text = f"({', '.join(sizes)}{',' if len(sizes) == 1 else ''})"
    return look.shared((type(value), text), (), lambda: Summary(full_name(type(value)), text))


@functools.cache
def array_readers() -> tuple[Callable[[Any], tuple], Callable[[Any], Any]]:
    """What reads an array's shape and its dtype, without asking a subclass."""
    import numpy

    return tuple(vars(numpy.ndarray)[name].__get__ for name in ("shape", "dtype"))


def describe_array(value: numpy.ndarray, look: Look) -> Summary:
    """Shape and dtype, whatever a subclass defines; which array it is, is not followed."""
    read_shape, read_dtype = array_readers()
    shape, dtype = read_shape(value), read_dtype(value)
    known = look.memo.get((shape, dtype))
    if known is None:
        text = f"ndarray ({', '.join(map(str, shape))}) {dtype}"
        known = look.memo[(shape, dtype)] = Summary("numpy.ndarray", text, {"shape": shape, "dtype": str(dtype)})
    return known


def describe_scalar(value: numpy.generic, look: Look) -> Summary:
    """One number, and the plain one that it is equal to; a number that Python has none for by its type alone."""
    import numpy

    cls, plain = type(value), numpy.generic.item(value)
    if type(plain) not in ATOMS:
        return look.plain(cls)
    text = f"{name_of(cls)}({shortened(plain)})"
    return look.shared((cls, text), (("", plain),), lambda: Summary(full_name(cls), text, {"value": plain}))
