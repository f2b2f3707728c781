"""PEFT beside ours: at each stage, what both made is held against each other, number by number.

On the meta device there are no numbers; names, shapes, types and counts are compared there, and the check says so.
"""

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn
from transformers.cache_utils import Cache, EncoderDecoderCache

from prefix_lab.walk.difference import check, tensors_in
from prefix_lab.walk.results import Check
from prefix_lab.walk.sides import Attended, Encoded, Kept, Learned

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
