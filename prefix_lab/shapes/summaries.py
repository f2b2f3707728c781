"""How tensors, modules, caches, configs and a tokenizer's output look in a recording.

The debugger asks for this by the entry point `prefix_lab.summaries`. Classes are named by text, so that torch is not
imported for it. What costs time or moves data (statistics, numbers) is taken only where the recording asks.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from prefix_lab.debugger.summary import (
    PARTS_LIMIT,
    Look,
    Summary,
    composed,
    describe_fields,
    describe_mapping,
    full_name,
    name_of,
    register,
)

if TYPE_CHECKING:
    from torch import Tensor, nn

SMALL = 64  # numbers of a tensor that `keep="small"` keeps
FEW, PATIENCE = 8, 30  # parameters that are counted each time; for more, how many items on the tape for each
PLAIN = (int, float, str, bool, type(None))


def register_all() -> None:
    """Tell the debugger about everything in this file."""
    register("torch.Tensor", describe_tensor)
    register("numpy.ndarray", describe_array)
    register("torch.nn.modules.module.Module", describe_module, touched=False)
    register("transformers.cache_utils.Cache", describe_cache)
    register("transformers.cache_utils.CacheLayerMixin", describe_fields)
    register("transformers.configuration_utils.PreTrainedConfig", describe_config)
    register("transformers.configuration_utils.PretrainedConfig", describe_config)
    register("transformers.tokenization_utils_base.BatchEncoding", describe_encoding)
    for name in ("torch.dtype", "torch.device", "torch.Size"):
        register(name, describe_by_repr)


def describe_tensor(tensor: Tensor, look: Look) -> Summary:
    """Shape, dtype, device, whether it asks for a gradient, is a view, and how often it was changed in place."""
    number = look.number(tensor)
    shape, dtype, device, trains = tensor.shape, tensor.dtype, tensor.device, tensor.requires_grad
    try:
        version = tensor._version
    except RuntimeError:  # made in inference mode, where changes are not counted
        version = None
    if look.keep != "shapes":
        return with_numbers(tensor, described(tensor, version), number, look)
    key = (number, shape, dtype, device, trains, version)
    known = look.memo.get(key)
    if known is None:
        kind = (type(tensor), shape, dtype, device, trains, version, tensor._is_view())
        alike = look.memo.get(kind)  # another tensor of which the same is to be said
        if alike is None:
            alike = look.memo[kind] = described(tensor, version)
        known = look.memo[key] = Summary(alike.type, alike.text, alike.facts, number=number)
    return known


def described(tensor: Tensor, version: int | None) -> Summary:
    cls, dtype = type(tensor), str(tensor.dtype).removeprefix("torch.")
    facts = {
        "shape": tuple(tensor.shape),
        "dtype": dtype,
        "device": str(tensor.device),
        "requires_grad": tensor.requires_grad,
        "is_view": tensor._is_view(),
        "version": version,
    }
    if str(tensor.layout) != "torch.strided":
        facts["layout"] = str(tensor.layout).removeprefix("torch.")
    return Summary(full_name(cls), f"{name_of(cls)} {written(tensor.shape)} {dtype}", facts)


def with_numbers(tensor: Tensor, plain: Summary, number: int | None, look: Look) -> Summary:
    """The summary with statistics, and with the numbers themselves where they are few and asked for."""
    try:
        facts = plain.facts | statistics(tensor)
    except RuntimeError:  # inside vmap and the like, a tensor's numbers cannot be asked for
        facts = dict(plain.facts)
    if look.keep == "small" and tensor.numel() <= SMALL and "nan" in facts:
        facts["numbers"] = nested(tensor.detach().tolist())
    key = (number, plain.text, tuple((name, repr(fact)) for name, fact in facts.items()))
    known = look.memo.get(key)
    if known is None:
        known = look.memo[key] = Summary(plain.type, plain.text, facts, number=number)
    return known


def written(shape: Any) -> str:
    return f"({', '.join(map(str, shape))})"


def nested(numbers: Any) -> Any:
    return tuple(map(nested, numbers)) if isinstance(numbers, list) else numbers


def statistics(tensor: Tensor) -> dict[str, Any]:
    """Least, greatest and mean value, whether there are NaN or infinite ones, and a digest of the very bits, which two
    tensors share when they are equal bit for bit; empty where there are no numbers."""
    import torch

    if tensor.device.type == "meta" or tensor.layout != torch.strided or not tensor.numel() or tensor.is_quantized:
        return {}
    if type(tensor) not in (torch.Tensor, torch.nn.Parameter):
        return {}  # a subclass may do anything when it is asked
    with torch.no_grad(), torch._C.DisableTorchFunctionSubclass():
        numbers = tensor.detach()
        found: dict[str, Any] = {"digest": digest(numbers)}
        if numbers.is_complex():
            numbers = torch.view_as_real(numbers.resolve_conj())
        numbers = numbers.to(torch.float64)
        finite = numbers[torch.isfinite(numbers)]
        found |= {"nan": bool(torch.isnan(numbers).any()), "inf": bool(torch.isinf(numbers).any())}
        if finite.numel():
            found |= {"min": finite.min().item(), "max": finite.max().item(), "mean": finite.mean().item()}
    return found


def digest(tensor: Tensor) -> str:
    """Sixteen signs that stand for a tensor's bits, in the order of its axes."""
    import torch

    own = tensor.cpu().flatten().clone(memory_format=torch.contiguous_format)  # an expanded one has strides of 0
    bits = own.resolve_conj().resolve_neg().view(torch.uint8).numpy()
    return hashlib.blake2b(bits.data, digest_size=8).hexdigest()


def describe_array(value: Any, look: Look) -> Summary:
    """A NumPy array's shape and dtype; which array it is, is not followed."""
    shape, dtype = value.shape, value.dtype
    known = look.memo.get((shape, dtype))
    if known is None:
        facts = {"shape": tuple(map(int, shape)), "dtype": str(dtype)}
        known = Summary("numpy.ndarray", f"ndarray {written(shape)} {dtype}", facts)
        look.memo[(shape, dtype)] = known
    return known


def describe_module(module: nn.Module, look: Look) -> Summary:
    """The class, how many parameters it has, and how many of them train.

    A large module that was counted a moment ago is not counted again: that would cost more than the lines it is in.
    """
    number = look.number(module)
    if number is not None and look.clock() < look.memo.get(("count again at", number), 0):
        return look.last[number]
    parameters = parameters_of(module)
    total, trainable = counted(parameters)
    key = (type(module), number, total, trainable)
    known = look.memo.get(key)
    if known is None:
        facts = {"parameters": total, "trainable": trainable}
        known = Summary(full_name(type(module)), said_of(module, total, trainable), facts, inner(module), number)
        look.memo[key] = known
    if number is not None:
        look.last[number] = known
        if len(parameters) > FEW:
            look.memo[("count again at", number)] = look.clock() + PATIENCE * len(parameters)
    return known


def said_of(module: nn.Module, total: int, trainable: int) -> str:
    name = name_of(type(module))
    return f"{name} with {total:,} parameters, {trainable:,} trainable" if total else name


def counted(parameters: list[Tensor]) -> tuple[int, int]:
    """How many numbers there are, and how many of them train."""
    return (
        sum(parameter.numel() for parameter in parameters),
        sum(parameter.numel() for parameter in parameters if parameter.requires_grad),
    )


def inner(module: nn.Module, levels: int = 2) -> tuple[tuple[str, Summary], ...]:
    """A module's own parameters and the modules in it, each in a line of text: what it is built of, not what it holds
    at this moment."""
    own = object.__getattribute__(module, "__dict__")
    if levels == 0 or "_parameters" not in own:
        return ()
    found = []
    for name, weight in own["_parameters"].items():
        if weight is not None:
            trains = "trains" if weight.requires_grad else "frozen"
            text = f"{written(weight.shape)} {str(weight.dtype).removeprefix('torch.')}, {trains}"
            found.append((str(name), Summary(full_name(type(weight)), text)))
    for name, child in own["_modules"].items():
        if child is not None:
            text = said_of(child, *counted(parameters_of(child)))
            found.append((str(name), Summary(full_name(type(child)), text, parts=inner(child, levels - 1))))
    return tuple(found[:PARTS_LIMIT])


def parameters_of(module: nn.Module) -> list[Tensor]:
    """Each parameter once, read from the modules' own dicts: `parameters()` may be overridden."""
    seen: dict[int, Tensor] = {}
    modules, found = [module], set()
    while modules:
        one = modules.pop()
        own = object.__getattribute__(one, "__dict__")
        if id(one) in found or "_parameters" not in own:
            continue
        found.add(id(one))
        seen.update((id(p), p) for p in own["_parameters"].values() if p is not None)
        modules += [child for child in own["_modules"].values() if child is not None]
    return list(seen.values())


def describe_cache(cache: Any, look: Look) -> Summary:
    """How many layers, and the keys and values of the first ones."""
    own = object.__getattribute__(cache, "__dict__")
    cls, number = type(cache), look.number(cache)
    layers = own.get("layers")
    if type(layers) is not list:  # an encoder-decoder's: two caches in one
        parts = look.inside(((str(name), item) for name, item in list(own.items())), len(own))
        return look.shared((cls, number), parts, lambda: composed(full_name(cls), name_of(cls), parts, number))
    held = [(index, object.__getattribute__(layer, "__dict__")) for index, layer in enumerate(layers)]
    pairs = [(f"{index}.{name}", own[name]) for index, own in held for name in ("keys", "values") if name in own]
    pairs = [(label, tensor) for label, tensor in pairs if tensor is not None]
    state = [(id(tensor), tensor.shape, tensor._version) for _, tensor in pairs]
    known = look.memo.get(("cache", number))
    if known is not None and known[0] == state:  # as when it was looked at last
        return known[1]
    parts = look.inside(iter(pairs), len(pairs))

    def make() -> Summary:
        first = next((part for _, part in parts if isinstance(part, Summary) and "shape" in part.facts), None)
        said = f", each {written(first.facts['shape'])}" if first else ""
        text = f"{name_of(cls)} of {len(layers)} layers{said}"
        return Summary(full_name(cls), text, {"length": len(layers)}, parts, number)

    summary = look.shared((cls, number, len(layers)), parts, make)
    look.memo[("cache", number)] = (state, summary)
    return summary


def describe_config(config: Any, look: Look) -> Summary:
    """A model's configuration: the fields that are plain values."""
    own = object.__getattribute__(config, "__dict__")
    fields = [(str(name), value) for name, value in own.items() if type(value) in PLAIN and value is not None]
    parts = look.inside(((name, value) for name, value in fields if not name.startswith("_")), len(fields))
    cls, number = type(config), look.number(config)
    return look.shared((cls, number), parts, lambda: composed(full_name(cls), name_of(cls), parts, number))


def describe_encoding(encoding: Any, look: Look) -> Summary:
    """What a tokenizer gives: its tensors by name."""
    data = object.__getattribute__(encoding, "__dict__").get("data")
    if type(data) is not dict:
        return look.plain(type(encoding))
    inner = describe_mapping(data, look)
    cls = type(encoding)
    return look.shared(
        (cls, inner.text), inner.parts, lambda: Summary(full_name(cls), f"{name_of(cls)} {inner.text}", {}, inner.parts)
    )


def describe_by_repr(value: Any, look: Look) -> Summary:
    """A dtype, device or size of torch's own, whose text is known to be short and plain."""
    text = str(tuple(value)) if isinstance(value, tuple) else str(value)
    return look.shared((type(value), text), (), lambda: Summary(full_name(type(value)), text))
