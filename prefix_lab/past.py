"""From one long vector per virtual token to the key/value cache that every attention layer reads.

Mirrors the middle of `peft.peft_model.PeftModel.get_prompt`. Nothing is computed here: the numbers that the encoder
made are regrouped by layer, key or value, and head. Li & Liang 2021, section 4.2: the prefix is a past that the
model never read.
"""

import torch
from jaxtyping import Float
from torch import Tensor
from transformers.cache_utils import Cache, DynamicCache, EncoderDecoderCache

LayerBlock = Float[Tensor, "key_value batch heads prefix_len head_dim"]
"""One layer: [0] is its key, [1] its value; the block of an encoder-decoder has two more rows, for the cross part."""


def past_key_values(
    prefix: Float[Tensor, "batch prefix_len prefix_width"], layers: int, heads: int, submodules: int
) -> Cache:
    """(batch, prefix_len, 2·layers·hidden) → a cache with (batch, heads, prefix_len, head_dim) per layer, twice.

    `submodules` is 1 for one stack of layers and 2 for an encoder-decoder.
    Source: `peft.peft_model.PeftModel.get_prompt`.
    """
    blocks = split_layers(prefix, layers, heads, submodules)
    if submodules == 2:
        return encoder_decoder_cache(blocks)
    return DynamicCache([(block[0], block[1]) for block in blocks])


def split_layers(
    prefix: Float[Tensor, "batch prefix_len prefix_width"], layers: int, heads: int, submodules: int
) -> tuple[LayerBlock, ...]:
    """Cut the last axis into layers, keys and values, and heads: `layers` blocks, each led by its keys and values."""
    batch, prefix_len, width = prefix.shape
    head_dim = width // (2 * layers * heads)
    rows = prefix.view(batch, prefix_len, 2 * layers, heads, head_dim)  # hidden → heads, head_dim
    if submodules == 2:  # see encoder_decoder_cache for what comes of it
        rows = torch.cat([rows, rows], dim=2)  # (batch, prefix_len, 4·layers, heads, head_dim)
    rows = rows.permute(2, 0, 3, 1, 4)  # (2·layers or 4·layers, batch, heads, prefix_len, head_dim)
    return rows.split(2 * submodules)  # layers × (2 or 4, batch, heads, prefix_len, head_dim)


def encoder_decoder_cache(blocks: tuple[LayerBlock, ...]) -> EncoderDecoderCache:
    """The decoder's self-attention gets rows 0 and 1 of each block of four; rows 2 and 3 are thrown away.

    A row is one layer's key or value, one of the 2·layers slices of a virtual token's vector. Rows 2 and 3 were meant
    for cross-attention, whose cache must start empty, so that it is filled from what the model's encoder reads. Since
    the rows were doubled before they were cut in fours, decoder layer i reads rows 4i and 4i+1 (modulo 2·layers).
    With an even number of layers, half of the rows (2, 3, 6, 7, …) are therefore dead: they never get a gradient, and
    layers i and i + layers/2 share one prefix; with an odd number, each row is read once. PEFT does this; so do we.
    """
    own = DynamicCache([(block[0], block[1]) for block in blocks])
    cache = EncoderDecoderCache(own, DynamicCache())
    cache.is_updated = dict.fromkeys(range(len(blocks)), False)  # "cross-attention is still to be filled"
    return cache
