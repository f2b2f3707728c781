"""From one long vector per virtual token to the key/value cache that every attention layer reads.

Mirrors the middle of `peft.peft_model.PeftModel.get_prompt`. Nothing is computed here: the numbers that the encoder
made are regrouped by layer, key or value, and head. Li & Liang 2021, section 4.2: the prefix is a past that the
model never read.
"""

import warnings
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from transformers.cache_utils import Cache, DynamicCache, EncoderDecoderCache

LayerBlock = Float[Tensor, "key_value rows heads prefix_len head_dim"]
"""One layer: [0] is its key, [1] its value; the block of an encoder-decoder has two more rows, for the cross part."""

Rows = tuple[Float[Tensor, "batch heads prefix_len head_dim"], ...]
"""The rows of a block one by one: key, value, and for an encoder-decoder two more."""


def past_key_values(
    prefix: Float[Tensor, "rows prefix_len two_layers_hidden"],
    layers: int,
    heads: int,
    submodules: int,
    batch: int | None = None,
    sliding_config: Any = None,
) -> Cache:
    """(batch, prefix_len, 2·layers·hidden) → a cache with (batch, heads, prefix_len, head_dim) per layer, twice.

    `prefix` has one row a text, or a single row that all `batch` texts share. `submodules` is 1 for one stack of
    layers and 2 for an encoder-decoder; `sliding_config` is the config of a model with sliding windows.
    Source: `peft.peft_model.PeftModel.get_prompt`.
    """
    batch = batch or prefix.shape[0]
    blocks = [share(block, batch) for block in split_layers(prefix, layers, heads, submodules)]
    if sliding_config is not None:
        return sliding_cache(blocks, sliding_config)
    return encoder_decoder_cache(blocks) if submodules == 2 else DynamicCache(blocks)


def share(block: LayerBlock, batch: int) -> Rows:
    """The rows of a block, each for all texts. Last of all, so that gradients are summed over the texts first."""
    return tuple(row.expand(batch, -1, -1, -1) for row in block)  # each (batch, heads, prefix_len, head_dim)


def split_layers(
    prefix: Float[Tensor, "rows prefix_len two_layers_hidden"], layers: int, heads: int, submodules: int
) -> tuple[LayerBlock, ...]:
    """Cut the last axis into layers, keys and values, and heads: `layers` blocks, each led by its keys and values."""
    batch, prefix_len, width = prefix.shape
    head_dim = width // (2 * layers * heads)
    rows = prefix.view(batch, prefix_len, 2 * layers, heads, head_dim)  # hidden → heads, head_dim
    if submodules == 2:  # see encoder_decoder_cache for what comes of it
        rows = torch.cat([rows, rows], dim=2)  # (batch, prefix_len, 4·layers, heads, head_dim)
    rows = rows.permute(2, 0, 3, 1, 4)  # (2·layers or 4·layers, batch, heads, prefix_len, head_dim)
    return rows.split(2 * submodules)  # layers × (2 or 4, batch, heads, prefix_len, head_dim)


def encoder_decoder_cache(blocks: list[Rows]) -> EncoderDecoderCache:
    """The decoder's self-attention gets rows 0 and 1 of each block of four; rows 2 and 3 are thrown away.

    They were meant for cross-attention, whose cache must start empty, so that it is filled from what the encoder
    reads. Since the rows were doubled before they were cut in fours, decoder layer i reads rows 4i and 4i+1 (modulo
    2·layers) of the encoder's output. For an even number of layers, half of the rows (2, 3, 6, 7, …) are therefore
    dead: they never get a gradient, and layers i and i + layers/2 share one prefix. PEFT does this; so do we.
    """
    own = DynamicCache([(block[0], block[1]) for block in blocks])
    cache = EncoderDecoderCache(own, DynamicCache())
    cache.is_updated = dict.fromkeys(range(len(blocks)), False)  # "cross-attention is still to be filled"
    return cache


def sliding_cache(blocks: list[Rows], text_config: Any) -> DynamicCache:
    """For Gemma 2, 3 and 4, some of whose layers remember only a window: a cache that knows which.

    Gemma 4's layers differ in size. The prefix is made for the widest; a narrower layer reads the first heads and the
    first numbers of each, and a layer that is wider still, or reads another layer's cache, is left without, with
    PEFT's warning. Raises `ValueError` when no layer is left.
    Source: `peft.peft_model.PeftModel.get_prompt`, the branch for Gemma.
    """
    cache = DynamicCache(config=text_config)
    own = len(cache.layers) - getattr(text_config, "num_kv_shared_layers", 0)
    differ = getattr(text_config, "layer_types", None) is not None
    filled, skipped = [], []
    for number, (key, value) in enumerate(blocks):
        _, heads, _, head_dim = key.shape
        if differ and number < own:
            layer = text_config.per_layer_config[number]
            heads, head_dim = layer.num_key_value_heads, layer.head_dim
        if number >= own or heads > key.shape[1] or head_dim > key.shape[3]:
            skipped.append(number)
            continue
        cache.update(key[:, :heads, :, :head_dim], value[:, :heads, :, :head_dim], number)
        filled.append(number)
    if not filled:
        raise ValueError(
            f"The prefix of {len(blocks)} layers, each of {blocks[0][0].shape[1]} heads of {blocks[0][0].shape[3]} "
            "numbers, fits no layer of this model. Leave num_layers out, or set sizes='model'."
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


def uneven_cache(
    prefix: Float[Tensor, "rows prefix_len width"], layer_sizes: list[list[int]], batch: int
) -> DynamicCache:
    """For a model whose layers differ: each takes its own heads and head_dim from the vector, one after the other.

    PEFT gives every layer the largest layer's share, and skips those that it does not fit.
    """
    pairs = []
    for part, (heads, head_dim) in zip(
        prefix.split([2 * h * d for h, d in layer_sizes], dim=2), layer_sizes, strict=True
    ):
        rows = part.view(*part.shape[:2], 2, heads, head_dim)  # (rows, prefix_len, key and value, heads, head_dim)
        pairs.append(share(rows.permute(2, 0, 3, 1, 4), batch))  # key and value, (batch, heads, prefix_len, head_dim)
    return DynamicCache(pairs)
