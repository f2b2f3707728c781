"""What differs between two things that should be the same, and by how much."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache, EncoderDecoderCache

from prefix_lab.walk.results import Check, Difference

BIT_FOR_BIT, SHAPES = "bit for bit", "in shape and type"


def compare_tensors(name: str, ours: Tensor, theirs: Tensor, tolerance: float = 0.0) -> Difference | None:
    """What differs, and by how much at most; None when nothing does. `tolerance` is relative to PEFT's largest."""
    if ours.shape != theirs.shape:
        return Difference(name, f"has shape {tuple(ours.shape)}, PEFT's {tuple(theirs.shape)}")
    if ours.dtype != theirs.dtype:
        return Difference(name, f"is {ours.dtype}, PEFT's {theirs.dtype}".replace("torch.", ""))
    if ours.is_meta or theirs.is_meta or torch.equal(ours, theirs):
        return None
    if torch.allclose(ours, theirs, rtol=0, atol=0, equal_nan=True):
        return None  # not a number in both, at the same places
    apart = (ours.double() - theirs.double()).abs()
    largest = apart.max().item()
    if largest <= tolerance * theirs.double().abs().max().item():
        return None
    count = int((apart != 0).sum())
    return Difference(name, f"differs in {count:,} of {apart.numel():,} numbers, by up to {largest:.3g}", largest)


def compare_values(name: str, ours: Any, theirs: Any) -> Difference | None:
    """As `compare_tensors`, for two things of which one at least is no tensor."""
    one_tensor = isinstance(ours, Tensor) or isinstance(theirs, Tensor)
    if not one_tensor and ours == theirs:
        return None
    return Difference(name, f"is {in_short(ours)}, PEFT's is {in_short(theirs)}")


def in_short(value: Any) -> str:
    """An enum's own text, a tensor's shape, and anything else as it prints."""
    if isinstance(value, Tensor):
        return f"a tensor {tuple(value.shape)}"
    return str(getattr(value, "value", value))


def check(
    what: str,
    ours: Mapping[str, Any],
    theirs: Mapping[str, Any],
    tolerance: float = 0.0,
    exactness: str | None = None,
) -> Check:
    """Compare two mappings name by name; a name that only one side has is a difference too."""
    differences = [Difference(name, "is not in PEFT's") for name in ours if name not in theirs]
    differences += [Difference(name, "is missing, PEFT has it") for name in theirs if name not in ours]
    for name in [name for name in ours if name in theirs]:
        both = ours[name], theirs[name]
        if all(isinstance(one, Tensor) for one in both):
            found = compare_tensors(name, *both, tolerance)
        else:
            found = compare_values(name, *both)
        differences += [found] if found else []
    tensors = [one for one in ours.values() if isinstance(one, Tensor)]
    if exactness is None:
        exactness = BIT_FOR_BIT if tensors else ""
    if any(one.is_meta for one in tensors):
        exactness = SHAPES
    return Check(what, len(ours), tuple(differences), exactness)


def tensors_in(value: Any, name: str = "") -> dict[str, Tensor]:
    """All tensors in a model's output, caches included, by a readable name."""
    if isinstance(value, Tensor):
        return {name: value}
    if isinstance(value, EncoderDecoderCache):
        parts = {"self-attention": value.self_attention_cache, "cross-attention": value.cross_attention_cache}
    elif isinstance(value, Cache):
        parts = {}
        for number, layer in enumerate(value.layers):
            parts |= {f"layer {number} key": layer.keys, f"layer {number} value": layer.values}
    elif isinstance(value, Mapping):
        parts = value
    elif isinstance(value, tuple | list):
        parts = {str(number): part for number, part in enumerate(value)}
    else:
        return {}
    found = {}
    for part, inner in parts.items():
        found |= tensors_in(inner, f"{name} {part}".strip())
    return found
