"""A prefix that fits its model: sizes that its layers read, windows that they keep, devices that they run on.

Around `peft.utils.other._prepare_prompt_learning_config`, and the branch for Gemma in
`peft.peft_model.PeftModel.get_prompt`.
"""

import copy
import warnings
from collections.abc import Mapping
from typing import Any

from transformers.cache_utils import Cache, DynamicCache, EncoderDecoderCache

from prefix_lab import prepare
from prefix_lab.beside.configs import check_values
from prefix_lab.config import PromptLearningConfig, TaskType
from prefix_lab.prepare import NUM_LAYERS, SIZES, first_known, text_config
from prefix_lab.sizes import cache_sizes, heads_of


def prepare_prompt_learning_config(peft_config: PromptLearningConfig, model_config: Any) -> PromptLearningConfig:
    """As `prepare.prepare_prompt_learning_config`, with our own choices, and only if the prefix will fit the model.

    Raises `ValueError` when a size cannot be found or does not fit; the config is then unchanged.
    """
    check_sizes(peft_config, model_config)
    return fill(peft_config, model_config)


def fill(peft_config: PromptLearningConfig, model_config: Any) -> PromptLearningConfig:
    """Set what `sizes="model"` and the paper's layout ask for, then what PEFT does; return the config.

    Layers that the model does not have are accepted, as PEFT does, with a warning.
    """
    reuse, expected = perhaps_reused(peft_config), cache_sizes(model_config).layers
    choose_sizes(peft_config, model_config)
    layers = prepare.prepare_prompt_learning_config(peft_config, widest(model_config)).num_layers
    if expected is not None and layers > expected:
        warnings.warn(
            f"num_layers={layers}, but only {expected} layers of this model read a prefix: the prefixes of layers "
            f"{expected} to {layers - 1} are not used.{reuse} Set num_layers={expected}.",
            stacklevel=4,
        )
    return peft_config


def choose_sizes(peft_config: PromptLearningConfig, model_config: Any) -> PromptLearningConfig:
    """Set what `sizes="model"` and the paper's layout ask for, before PEFT's own preparation; return the config."""
    if getattr(peft_config, "sizes", "peft") == "model":
        expected = cache_sizes(model_config)
        if None in expected:
            raise ValueError("sizes='model', but the model's config does not say layers, heads and head_dim. Set them.")
        layers, heads, head_dim = expected
        found = {"num_layers": layers, "num_attention_heads": heads, "token_dim": heads * head_dim}
        for name, value in found.items():
            if getattr(peft_config, name) is None:
                setattr(peft_config, name, value)
    if getattr(peft_config, "layout", "peft") == "paper" and peft_config.encoder_layers is None:
        names = ("encoder_layers", *NUM_LAYERS)
        peft_config.encoder_layers = first_known("encoder_layers", names, text_config(model_config)).value
    return peft_config


def widest(model_config: Any) -> Any:
    """The same config; for a model whose layers differ (Gemma 4) its sizes by name, with those of its widest heads.

    The prefix is made for them, and narrower layers will read a part of it: see `sliding_cache`.
    """
    known = text_config(model_config)
    layers = [known, *(known.get("per_layer_config") or {}).values()]
    if known.get("global_head_dim") is not None:
        heads = known.get("num_global_key_value_heads") or known["num_key_value_heads"]
        return {**known, "num_key_value_heads": heads, "head_dim": known["global_head_dim"]}
    if len(layers) > 1 and known.get("num_key_value_heads") is not None:
        layer = max(layers, key=lambda layer: layer.get("head_dim") or 0)
        heads = layer.get("num_key_value_heads", known["num_key_value_heads"])
        return {**known, "num_key_value_heads": heads, "head_dim": layer.get("head_dim")}
    return model_config


def check_sizes(peft_config: PromptLearningConfig, model_config: Any) -> None:
    """Raise for sizes that no model has, or that do not fit this one; PEFT finds out inside torch.

    `TypeError` for what is neither a transformers config nor a dict, and for a size that is no int; `ValueError` else.
    """
    check_values(peft_config)
    if not hasattr(model_config, "to_dict") and not isinstance(model_config, Mapping):
        raise TypeError(
            f"model_config={model_config!r} is a {type(model_config).__name__}, expected a transformers config or a "
            "dict of sizes. Set model.config to one."
        )
    if peft_config.num_virtual_tokens is None:
        raise ValueError("num_virtual_tokens=None, expected an int of at least 1. Set num_virtual_tokens=20, say.")
    chosen = choose_sizes(copy.copy(peft_config), model_config)
    for field, filled in prepare.explain_preparation(chosen, widest(model_config)).items():
        setattr(chosen, field, filled.value)  # not by what fills a config: a recording has that stage once
    if misfit := other_sizes(peft_config, chosen, model_config) or other_submodules(peft_config, model_config):
        problem, way_out = misfit
        raise ValueError(f"{problem}.{perhaps_reused(peft_config)} {way_out}.")


def other_sizes(asked: PromptLearningConfig, filled: PromptLearningConfig, model_config: Any) -> tuple[str, str] | None:
    """In what a prefix of the `filled` sizes would not fit the model's cache, and the way out; None if it does."""
    layers, token_dim, heads = (getattr(filled, name) for name in SIZES)
    expected = cache_sizes(model_config)
    if expected.heads is not None and heads != expected.heads:
        return (
            f"num_attention_heads={heads}, but this model caches {expected.heads} heads",
            f"Leave it out, or set num_attention_heads={expected.heads}",
        )
    if expected.head_dim is not None and token_dim != heads * expected.head_dim:
        # With grouped-query attention the user's token_dim is that of all heads, not only of those that are cached.
        asking, given_dim = asked.num_attention_heads or heads_of(model_config), asked.token_dim or token_dim
        return (
            f"token_dim={given_dim} over {asking} heads gives head_dim {given_dim / asking:g}, but this model's heads "
            f"are {expected.head_dim} wide",
            f"Set token_dim={asking * expected.head_dim} (heads · head_dim)",
        )
    if token_dim % heads:
        return f"token_dim={token_dim} does not divide by num_attention_heads={heads}", f"Set a multiple of {heads}"
    if expected.layers is None or layers == expected.layers:
        return None
    # A cache with windows has a place for every layer: the last ones may stay empty, and there are no more.
    if (layers > expected.layers) == (sliding_config(model_config) is not None):
        many = "" if layers < expected.layers else "only "
        return (
            f"num_layers={layers}, but {many}{expected.layers} layers of this model read a prefix",
            f"Set num_layers={expected.layers}",
        )
    return None


def other_submodules(peft_config: PromptLearningConfig, model_config: Any) -> tuple[str, str] | None:
    """In what the kind of cache is not the one that the model reads, and the way out; None if it is.

    With 1, an encoder-decoder's cross-attention would read the cache of its self-attention: PEFT mixes the two, and
    fails inside torch once there is a mask. With 2, a stack of layers can read its half only if it could have
    cross-attention, as GPT-2 and BERT could.
    """
    known, given = text_config(model_config), peft_config.num_transformer_submodules
    two, for_two = known.get("is_encoder_decoder"), peft_config.task_type == TaskType.SEQ_2_SEQ_LM
    one_stack = two is False and "add_cross_attention" not in known
    if one_stack and for_two and given != 1:
        problem = "task_type='SEQ_2_SEQ_LM' needs an encoder and a decoder, but this model has one stack of layers"
        return problem, "Use task_type='CAUSAL_LM'"
    if (two and given == 1 and for_two) or (one_stack and given == 2):
        stacks = "an encoder and a decoder" if two else "one stack of layers"
        return f"num_transformer_submodules={given}, but this model has {stacks}", "Leave it out"
    return None


def perhaps_reused(peft_config: PromptLearningConfig) -> str:
    """A sentence for a config whose sizes are all set already, which nobody does by hand."""
    sizes = (*(getattr(peft_config, name) for name in SIZES), peft_config.num_transformer_submodules)
    return "" if None in sizes else " If it was filled for another model: make a new PrefixTuningConfig for each model."


def sliding_config(model_config: Any) -> Any:
    """The config of a Gemma 2, 3 or 4 language model, whose cache has windows; None for every other model."""
    kind = getattr(model_config, "model_type", None) or ""
    if any(name in kind for name in ("gemma2", "gemma3_text", "gemma4")):
        return model_config.get_text_config()
    return None


def sliding_cache(prefix: DynamicCache, text_config: Any) -> DynamicCache:
    """For Gemma 2, 3 and 4, some of whose layers remember only a window: the same prefix in a cache that knows which.

    Gemma 4's layers differ in size. The prefix is made for the widest; a narrower layer reads the first heads and the
    first numbers of each, and a layer that is wider still, or reads another layer's cache, is left without, with
    PEFT's warning. Raises `ValueError` when no layer is left.
    Source: `peft.peft_model.PeftModel.get_prompt`, the branch for Gemma.
    """
    cache = DynamicCache(config=text_config)
    own = len(cache.layers) - getattr(text_config, "num_kv_shared_layers", 0)
    differ = getattr(text_config, "layer_types", None) is not None
    filled, skipped = [], []
    for number, layer in enumerate(prefix.layers):
        _, heads, _, head_dim = layer.keys.shape
        if differ and number < own:
            sizes = text_config.per_layer_config[number]
            heads, head_dim = sizes.num_key_value_heads, sizes.head_dim
        if number >= own or heads > layer.keys.shape[1] or head_dim > layer.keys.shape[3]:
            skipped.append(number)
            continue
        cache.update(layer.keys[:, :heads, :, :head_dim], layer.values[:, :heads, :, :head_dim], number)
        filled.append(number)
    if not filled:
        _, heads, _, head_dim = prefix.layers[0].keys.shape
        raise ValueError(
            f"The prefix of {len(prefix.layers)} layers, each of {heads} heads that are {head_dim} wide, fits no layer "
            "of this model. Leave num_layers out, or set sizes='model'."
        )
    if skipped:
        warnings.warn(
            f"Prefix tuning injected into layers {filled}; skipped {skipped} due to KV shape mismatch or shared-KV "
            "layers.",
            stacklevel=2,
        )
    return cache


def to_devices(cache: Cache, device_map: dict[str, Any] | None) -> Cache:
    """Each layer's keys and values on the device where that layer runs, for a model that is spread over several.

    `device_map` is the model's `hf_device_map`, from the names of modules to devices. What is kept on the CPU or on
    disk runs on the first accelerator. Source: `peft.utils.integrations.map_cache_to_layer_device_map`.
    """
    main = next((device for device in (device_map or {}).values() if device not in ("cpu", "disk")), None)
    if main is None:
        return cache
    layers = (cache.self_attention_cache if isinstance(cache, EncoderDecoderCache) else cache).layers
    for number, layer in enumerate(layers):
        for name, device in device_map.items():
            if layer.keys is not None and (name == "" or f".{number}." in f"{name}."):
                layer.keys, layer.values = (
                    one.to(main if device in ("cpu", "disk") else device) for one in (layer.keys, layer.values)
                )
    return cache
