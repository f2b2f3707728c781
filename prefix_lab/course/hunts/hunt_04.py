"""The stage `split` again, up to the cache. Compare `peft.peft_model.PeftModel.get_prompt`."""

from torch import Tensor
from transformers.cache_utils import DynamicCache


def past_key_values(prefix: Tensor, layers: int, heads: int) -> DynamicCache:
    """(batch, prefix_len, 2·layers·hidden) → a cache with a key and a value for each layer."""
    batch, prefix_len, width = prefix.shape
    head_dim = width // (2 * layers * heads)
    rows = prefix.view(batch, prefix_len, 2 * layers, heads, head_dim).permute(2, 0, 3, 1, 4)
    pairs = []
    for number in range(layers):
        key, value = rows[number::layers]
        pairs.append((key, value))
    return DynamicCache(pairs)
