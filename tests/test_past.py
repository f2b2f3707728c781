"""The regrouping: which number of the long vector becomes which number of the cache."""

import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers.cache_utils import DynamicCache, EncoderDecoderCache

from prefix_lab.past import past_key_values, split_layers

sizes = {name: st.integers(1, 4) for name in ("batch", "prefix_len", "layers", "heads", "head_dim")}


@given(submodules=st.sampled_from([1, 2]), **sizes)
def test_layer_i_reads_its_rows_in_order_or_rows_4i_and_4i_plus_1_of_the_doubled_rows(
    submodules, batch, prefix_len, layers, heads, head_dim
):
    width = 2 * layers * heads * head_dim
    # Every number is its own place, so that equal means "the same one".
    prefix = torch.arange(float(batch * prefix_len * width)).view(batch, prefix_len, width)
    blocks = split_layers(prefix, layers, heads, submodules)
    assert [tuple(block.shape) for block in blocks] == [(2 * submodules, batch, heads, prefix_len, head_dim)] * layers
    cache = past_key_values(prefix, layers, heads, submodules)
    assert type(cache) is (DynamicCache if submodules == 1 else EncoderDecoderCache)
    assert cache.get_seq_length() == prefix_len
    own = cache
    if submodules == 2:  # cross-attention is filled from the input
        assert cache.cross_attention_cache.layers == []
        assert cache.is_updated == dict.fromkeys(range(layers), False)
        own = cache.self_attention_cache
    rows = prefix.view(batch, prefix_len, 2 * layers, heads, head_dim)
    assert len(own.layers) == layers
    for index, layer in enumerate(own.layers):
        first = 2 * submodules * index % (2 * layers)
        assert torch.equal(layer.keys, rows[:, :, first].transpose(1, 2))
        assert torch.equal(layer.values, rows[:, :, first + 1].transpose(1, 2))


def test_nothing_is_computed_so_the_type_and_the_gradient_pass_through():
    prefix = torch.randn(2, 3, 24, dtype=torch.bfloat16, requires_grad=True)
    cache = past_key_values(prefix, 2, 3, 1)
    assert cache.layers[0].keys.dtype == torch.bfloat16
    cache.layers[1].values.sum().backward()
    assert torch.equal(prefix.grad, (torch.arange(24) >= 18).expand(2, 3, 24).to(torch.bfloat16))
