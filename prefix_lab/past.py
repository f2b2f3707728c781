"""From one long vector per virtual token to the key/value cache that every attention layer reads.

Mirrors the middle of `peft.peft_model.PeftModel.get_prompt`. Nothing is computed here: the numbers that the encoder
made are regrouped by layer, key or value, and head. Li & Liang 2021, section 4.2: the prefix is a past that the
model never read.
"""

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
    """For Gemma 2 and 3, some of whose layers remember only a window: a cache that knows which.

    Source: `peft.peft_model.PeftModel.get_prompt`, the branch for Gemma.
    """
    cache = DynamicCache(config=text_config)
    for number, (key, value) in enumerate(blocks):
        cache.update(key, value, number)
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
