"""One thing done by prefix_lab and by the real PEFT from the same seed, and the comparison of what comes out."""

import contextlib
import enum
import functools
import warnings
from collections.abc import Callable, Iterator, Mapping
from types import ModuleType
from typing import Any, NamedTuple

import peft
import torch
from torch import Tensor, nn
from transformers.cache_utils import Cache, EncoderDecoderCache

import prefix_lab
from tests.tiny_models import seed, tiny_bart, tiny_bert, tiny_gpt2, tiny_llama, tiny_t5

TASKS = {
    tiny_t5: "SEQ_2_SEQ_LM",
    tiny_bart: "SEQ_2_SEQ_LM",
    tiny_gpt2: "CAUSAL_LM",
    tiny_llama: "CAUSAL_LM",
    tiny_bert: "FEATURE_EXTRACTION",
}

ENCODERS: dict[str, dict[str, Any]] = {
    "direct": {},
    "projection": {"prefix_projection": True},
    "projection of another width": {"prefix_projection": True, "encoder_hidden_size": 9},
    "zero": {"init_weights": "zero"},
    "zero projection": {"init_weights": "zero", "prefix_projection": True},
    "inference": {"inference_mode": True},
    "inference after projection": {"inference_mode": True, "prefix_projection": True},
}
"""The fields that choose what kind of prefix encoder is built."""


class Both(NamedTuple):
    """What prefix_lab and PEFT made of the same thing."""

    ours: Any
    theirs: Any


@contextlib.contextmanager
def without_pefts_deprecation() -> Iterator[None]:
    """PEFT 0.21.2 reads a property that transformers 5 deprecates; only that one warning is not ours to fix."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="`is_gradient_checkpointing` is deprecated", category=FutureWarning)
        yield


def in_both(do: Callable[[ModuleType], Any]) -> Both:
    """`do(prefix_lab)` and `do(peft)`, each from the same random numbers."""
    results = []
    for library in (prefix_lab, peft):
        seed(0)
        with without_pefts_deprecation():
            results.append(do(library))
    return Both(*results)


def both(
    make_model: Callable[[], nn.Module], *, dtype: torch.dtype = torch.float32, prefix_len: int = 3, **fields: Any
) -> Both:
    """The same base model wrapped by each library, its prefix drawn from the same seed."""
    fields = {"task_type": TASKS.get(make_model, "SEQ_2_SEQ_LM"), "num_virtual_tokens": prefix_len, **fields}
    return in_both(lambda library: library.get_peft_model(make_model().to(dtype), library.PrefixTuningConfig(**fields)))


@functools.cache
def kept(make_model: Callable[[], nn.Module], encoder: str = "direct", dtype: torch.dtype = torch.float32) -> Both:
    """As `both`, but made once for all tests that only read it or run it."""
    return both(make_model, dtype=dtype, **ENCODERS[encoder])


def run(models: Both, do: Callable[[Any], Any]) -> Both:
    """`do(model)` for our wrapped model and for theirs, each from the same random numbers."""
    results = []
    for model in models:
        seed(0)
        results.append(do(model))
    return Both(*results)


def made(model: Any) -> dict[str, Any]:
    """Everything that wrapping makes, as it is now: names and numbers, who trains, and the configs that were filled."""
    return {
        "class": type(model).__name__,
        "state_dict": {name: tensor.clone() for name, tensor in model.state_dict().items()},
        "trains": {name: parameter.requires_grad for name, parameter in model.named_parameters()},
        "configs": repr(model.peft_config),
        "prompt_tokens": dict(model.prompt_tokens),
    }


def assert_same(ours: Any, theirs: Any, where: str = "result") -> None:
    """The same types, and every tensor bit for bit, however deep in outputs, caches, tuples and dicts."""
    if isinstance(ours, enum.Enum):  # each library has its own TaskType and PeftType
        ours, theirs = repr(ours), repr(theirs)
    assert type(ours) is type(theirs), f"{where}: {type(ours)} and {type(theirs)}"
    if isinstance(ours, Tensor):
        assert ours.dtype == theirs.dtype, f"{where}: {ours.dtype} and {theirs.dtype}"
        assert ours.shape == theirs.shape, f"{where}: {tuple(ours.shape)} and {tuple(theirs.shape)}"
        assert same_numbers(ours, theirs), f"{where}: the numbers differ by up to {(ours - theirs).abs().max()}"
    elif isinstance(ours, Cache):
        assert_same(contents(ours), contents(theirs), where)
    elif isinstance(ours, Mapping):
        assert list(ours) == list(theirs), where
        for name in ours:
            assert_same(ours[name], theirs[name], f"{where}.{name}")
    elif isinstance(ours, (list, tuple)):
        assert len(ours) == len(theirs), where
        for index, (mine, other) in enumerate(zip(ours, theirs, strict=True)):
            assert_same(mine, other, f"{where}[{index}]")
    else:
        assert ours == theirs, where


def same_numbers(ours: Tensor, theirs: Tensor) -> bool:
    """Bit for bit; the loss of no labels is NaN, which equals nothing, and must be in the same places."""
    if torch.equal(ours, theirs):
        return True
    nan = ours.isnan()
    return torch.equal(nan, theirs.isnan()) and torch.equal(ours.masked_fill(nan, 0), theirs.masked_fill(nan, 0))


def contents(cache: Cache) -> dict[str, Any]:
    """Everything that attention reads from a cache: kinds, keys and values of each layer, and what is yet to fill."""
    if isinstance(cache, EncoderDecoderCache):
        return {
            "self": contents(cache.self_attention_cache),
            "cross": contents(cache.cross_attention_cache),
            "is_updated": dict(cache.is_updated),
        }
    return {
        "kind": type(cache).__name__,
        "layers": [(type(layer).__name__, layer.keys, layer.values) for layer in cache.layers],
    }


def assert_close_gradients(ours: nn.Module, theirs: nn.Module) -> None:
    """The same parameters have a gradient, of the same type, and equal to 1e-5 of its size."""
    expected = {name: parameter.grad for name, parameter in theirs.named_parameters()}
    for name, parameter in ours.named_parameters():
        mine, other = parameter.grad, expected.pop(name)
        assert (mine is None) == (other is None), name
        if mine is not None:
            assert mine.dtype == other.dtype, name
            assert (mine - other).norm() <= 1e-5 * other.norm(), name
    assert not expected


def warnings_of(do: Callable[[], Any]) -> tuple[Any, list[tuple[type, str]]]:
    """The result of `do()`, and each warning that it gave, as often as it gave it."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = do()
    seen = [(warning.category, str(warning.message)) for warning in caught]
    return result, [one for one in seen if "`is_gradient_checkpointing` is deprecated" not in one[1]]
