"""The sizes of real models: their configs ship here, and here is read what their attention layers cache.

Beside `peft.utils.other._prepare_prompt_learning_config`, which takes it from other fields, and misses it for some.
"""

from typing import Any, NamedTuple

from prefix_lab.prepare import NUM_ATTENTION_HEADS, NUM_LAYERS, TOKEN_DIM, first_known, text_config


class CacheSizes(NamedTuple):
    """What the attention layers that read the prefix expect; None where the model's config does not say."""

    layers: int | None
    heads: int | None
    head_dim: int | None


def cache_sizes(model_config: Any) -> CacheSizes:
    """Layers, heads and head_dim of the cache that the model will read: its decoder's, if it has an encoder too.

    PEFT does not ask. A family whose layers differ gives None.
    """
    known = text_config(model_config)
    if known.get("per_layer_config") or known.get("global_head_dim"):
        return CacheSizes(None, None, None)

    def first(*names: str) -> int | None:
        return next((known[name] for name in names if known.get(name) is not None), None)

    asking, width = first("decoder_attention_heads", *NUM_ATTENTION_HEADS), first(*TOKEN_DIM)
    heads = first("num_key_value_heads") or asking
    if known.get("new_decoder_architecture"):
        heads = asking  # Falcon repeats its few heads before it caches them
    elif known.get("multi_query"):
        heads = 1
    head_dim = first("d_kv", "head_dim") or (width // asking if width and asking else None)
    return CacheSizes(first("num_decoder_layers", "decoder_layers", *NUM_LAYERS), heads, head_dim)


def heads_of(model_config: Any) -> int:
    """How many heads ask; with grouped-query attention, more than are cached."""
    return first_known("num_attention_heads", NUM_ATTENTION_HEADS, text_config(model_config)).value
