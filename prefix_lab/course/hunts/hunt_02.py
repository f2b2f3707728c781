"""The stage `split`: keys and values out of the long vector. Compare `peft.peft_model.PeftModel.get_prompt`."""

from torch import Tensor


def split_layers(prefix: Tensor, layers: int, heads: int) -> tuple[Tensor, ...]:
    """(batch, prefix_len, 2·layers·hidden) → a block for each layer, its key and its value."""
    batch, prefix_len, width = prefix.shape
    head_dim = width // (2 * layers * heads)
    rows = prefix.view(batch, prefix_len, 2 * layers, heads, head_dim)
    rows = rows.permute(2, 0, 1, 3, 4).reshape(2 * layers, batch, heads, prefix_len, head_dim)
    return rows.split(2)
