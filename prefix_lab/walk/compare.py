"""PEFT beside ours: at each stage, what both made is held against each other, number by number.

On the meta device there are no numbers; names, shapes, types and counts are compared there, and the check says so.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from transformers.cache_utils import Cache, EncoderDecoderCache

from prefix_lab.walk.steps import Attended, Encoded, Kept, Learned

BIT_FOR_BIT, SHAPES = "bit for bit", "in shape and type"


class Difference(NamedTuple):
    """One thing that is not as in PEFT, and by how much; `largest` is the largest difference of two numbers."""

    name: str
    text: str
    largest: float | None = None


class Check(NamedTuple):
    """One comparison with PEFT: what was compared, how many things, how exactly, and which of them differ."""

    what: str
    compared: int
    differences: tuple[Difference, ...] = ()
    exactness: str = ""

    @property
    def equal(self) -> bool:
        return not self.differences


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


TOLERANCE = 1e-5
"""For gradients, relative to the largest: their sums may be taken in another order."""


def compare_choice(ours: type, theirs: type) -> tuple[Check, ...]:
    return (check("class name", {"class": ours.__name__}, {"class": theirs.__name__}),)


def compare_configs(ours: Any, theirs: Any) -> tuple[Check, ...]:
    return (check("config fields", ours.to_dict(), theirs.to_dict()),)


def compare_models(ours: nn.Module, theirs: nn.Module) -> tuple[Check, ...]:
    def trains(model: nn.Module) -> dict[str, bool]:
        return {name: weight.requires_grad for name, weight in model.named_parameters()}

    def counts(model: Any) -> dict[str, Any]:
        trainable, total = model.get_nb_trainable_parameters()
        return {"class": type(model).__name__, "trainable numbers": trainable, "all numbers": total}

    return (
        check("state dict", ours.state_dict(), theirs.state_dict()),
        check("requires_grad", trains(ours), trains(theirs)),
        check("class and counts", counts(ours), counts(theirs)),
        check("prompt_tokens", ours.prompt_tokens, theirs.prompt_tokens),
    )


def compare_encoded(ours: Encoded, theirs: Encoded) -> tuple[Check, ...]:
    return (check("input and output", ours._asdict(), theirs._asdict()),)


def compare_caches(ours: Cache, theirs: Cache) -> tuple[Check, ...]:
    def kind(cache: Cache) -> dict[str, Any]:
        if not isinstance(cache, EncoderDecoderCache):
            return {"type": type(cache).__name__}
        return {
            "type": type(cache).__name__,
            "self-attention": type(cache.self_attention_cache).__name__,
            "cross-attention": type(cache.cross_attention_cache).__name__,
            "is_updated": dict(cache.is_updated),
        }

    return (
        check("keys and values", tensors_in(ours), tensors_in(theirs)),
        check("cache type", kind(ours), kind(theirs)),
    )


def compare_outputs(ours: Attended, theirs: Attended) -> tuple[Check, ...]:
    def inputs(attended: Attended) -> dict[str, Any]:
        # What is None was not given; PEFT passes its own Nones. The cache has been filled further since.
        return {name: value for name, value in attended.seen.items() if isinstance(value, Tensor)}

    return (
        check("inputs of the base model", inputs(ours), inputs(theirs)),
        check("outputs", tensors_in(ours.outputs), tensors_in(theirs.outputs)),
    )


def compare_gradients(ours: Learned, theirs: Learned) -> tuple[Check, ...]:
    same = check("gradients", ours.gradients, theirs.gradients)
    if same.differences:
        same = check("gradients", ours.gradients, theirs.gradients, TOLERANCE, f"to {TOLERANCE:.0e}, relative")
    base = [{"base parameters reached": learned.reached_base} for learned in (ours, theirs)]
    return same, check("base parameters reached", *base)


def compare_files(ours: Kept, theirs: Kept) -> tuple[Check, ...]:
    return (
        check("saved tensors", ours.tensors, theirs.tensors),
        check("adapter_config.json", ours.config, theirs.config),
    )


COMPARISONS: dict[str, Callable[[Any, Any], tuple[Check, ...]]] = {
    "choose": compare_choice,
    "prepare": compare_configs,
    "wrap": compare_models,
    "encode": compare_encoded,
    "split": compare_caches,
    "attend": compare_outputs,
    "learn": compare_gradients,
    "keep": compare_files,
}
"""By stage: from what ours and PEFT's step made to the checks."""
