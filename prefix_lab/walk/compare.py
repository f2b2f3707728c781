"""PEFT beside ours: at each stage, what both made is held against each other, number by number.

On the meta device there are no numbers; names, shapes, types and counts are compared there, and the check says so.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor
from transformers.cache_utils import Cache, EncoderDecoderCache

from prefix_lab.locale import N_, _
from prefix_lab.walk.steps import Attended, Learned

BIT_FOR_BIT, SHAPES = N_("bit for bit"), N_("in shape and type")


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


def difference(name: str, ours: Any, theirs: Any, tolerance: float = 0.0) -> Difference | None:
    """What differs, and by how much at most; None when nothing does. `tolerance` is relative to PEFT's largest."""
    if not (isinstance(ours, Tensor) and isinstance(theirs, Tensor)):
        one_tensor = isinstance(ours, Tensor) or isinstance(theirs, Tensor)
        if not one_tensor and ours == theirs:
            return None
        text = _("is {ours}, PEFT's is {theirs}").format(ours=in_short(ours), theirs=in_short(theirs))
        return Difference(name, text)
    if ours.shape != theirs.shape:
        text = _("has shape {ours}, PEFT's {theirs}").format(ours=tuple(ours.shape), theirs=tuple(theirs.shape))
        return Difference(name, text)
    if ours.dtype != theirs.dtype:
        text = _("is {ours}, PEFT's {theirs}").format(ours=ours.dtype, theirs=theirs.dtype)
        return Difference(name, text.replace("torch.", ""))
    if ours.is_meta or theirs.is_meta or torch.allclose(ours, theirs, rtol=0, atol=0, equal_nan=True):
        return None
    apart = (ours.double() - theirs.double()).abs()
    largest = apart.max().item()
    if largest <= tolerance * theirs.double().abs().max().item():
        return None
    count = int((apart != 0).sum())
    text = _("differs in {count} of {all} numbers, by up to {largest:.3g}")
    return Difference(name, text.format(count=f"{count:,}", all=f"{apart.numel():,}", largest=largest), largest)


def in_short(value: Any) -> str:
    """An enum's own text, a tensor's shape, and anything else as it prints."""
    if isinstance(value, Tensor):
        return _("a tensor {shape}").format(shape=tuple(value.shape))
    return str(getattr(value, "value", value))


def check(what: str, ours: Mapping[str, Any], theirs: Mapping[str, Any], tolerance: float = 0.0) -> Check:
    """Compare two mappings name by name; a name that only one side has is a difference too."""
    differences = [Difference(name, _("is not in PEFT's")) for name in ours if name not in theirs]
    differences += [Difference(name, _("is missing, PEFT has it")) for name in theirs if name not in ours]
    shared = [name for name in ours if name in theirs]
    differences += filter(None, [difference(name, ours[name], theirs[name], tolerance) for name in shared])
    tensors = [one for one in ours.values() if isinstance(one, Tensor)]
    exactly = BIT_FOR_BIT if tensors else ""
    if tolerance:
        exactly = _("to {tolerance:.0e}, relative").format(tolerance=tolerance)
    return Check(what, len(ours), tuple(differences), SHAPES if any(one.is_meta for one in tensors) else exactly)


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


def compare(stage: str, ours: Any, theirs: Any) -> tuple[Check, ...]:
    """What ours and PEFT's step made at this stage, held against each other."""
    told, expected = MADE[stage](ours), MADE[stage](theirs)
    checks = [check(what, told[what], expected[what]) for what in told]
    if stage == "learn" and not checks[0].equal:
        checks[0] = check(checks[0].what, told[checks[0].what], expected[checks[0].what], TOLERANCE)
    return tuple(checks)


Compared = dict[str, Mapping[str, Any]]
"""What is compared → the things in it, by name."""


def of_model(model: Any) -> Compared:
    trainable, total = model.get_nb_trainable_parameters()
    return {
        N_("state dict"): model.state_dict(),
        "requires_grad": {name: weight.requires_grad for name, weight in model.named_parameters()},
        N_("class and counts"): {"class": type(model).__name__, "trainable numbers": trainable, "all numbers": total},
        "prompt_tokens": model.prompt_tokens,
    }


def of_cache(cache: Cache) -> Compared:
    kinds: dict[str, Any] = {"type": type(cache).__name__}
    if isinstance(cache, EncoderDecoderCache):
        kinds["self-attention"] = type(cache.self_attention_cache).__name__
        kinds["cross-attention"] = type(cache.cross_attention_cache).__name__
        kinds["is_updated"] = dict(cache.is_updated)
    return {N_("keys and values"): tensors_in(cache), N_("cache type"): kinds}


def of_outputs(attended: Attended) -> Compared:
    # What is None was not given; PEFT passes its own Nones. The cache has been filled further since.
    inputs = {name: value for name, value in attended.seen.items() if isinstance(value, Tensor)}
    return {N_("inputs of the base model"): inputs, N_("outputs"): tensors_in(attended.outputs)}


def of_gradients(learned: Learned) -> Compared:
    reached = N_("base parameters reached")
    return {N_("gradients"): learned.gradients, reached: {reached: learned.reached_base}}


MADE: dict[str, Callable[[Any], Compared]] = {
    "choose": lambda task_class: {N_("class name"): {"class": task_class.__name__}},
    "prepare": lambda config: {N_("config fields"): config.to_dict()},
    "wrap": of_model,
    "encode": lambda encoded: {N_("input and output"): encoded._asdict()},
    "split": of_cache,
    "attend": of_outputs,
    "learn": of_gradients,
    "keep": lambda kept: {N_("saved tensors"): kept.tensors, "adapter_config.json": kept.config},
}
"""By stage: from what a step made to what is compared."""
