"""The regrouping: which number of the long vector becomes which number of the cache."""

import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers.cache_utils import DynamicCache, EncoderDecoderCache

from prefix_lab.past import past_key_values, split_layers

sizes = {name: st.integers(1, 4) for name in ("batch", "prefix_len", "layers", "heads", "head_dim")}


def numbered(batch, prefix_len, width):
    """Every number is its own place, so that equal means "the same one"."""
    return torch.arange(float(batch * prefix_len * width)).view(batch, prefix_len, width)


@given(**sizes)
def test_one_stack_reads_its_rows_in_order(batch, prefix_len, layers, heads, head_dim):
    prefix = numbered(batch, prefix_len, 2 * layers * heads * head_dim)
    cache = past_key_values(prefix, layers, heads, 1)
    assert type(cache) is DynamicCache
    assert len(cache.layers) == layers
    rows = prefix.view(batch, prefix_len, 2 * layers, heads, head_dim)
    for index, layer in enumerate(cache.layers):
        assert torch.equal(layer.keys, rows[:, :, 2 * index].transpose(1, 2))
        assert torch.equal(layer.values, rows[:, :, 2 * index + 1].transpose(1, 2))


@given(**sizes)
def test_decoder_layer_i_reads_rows_4i_and_4i_plus_1_of_the_doubled_rows(batch, prefix_len, layers, heads, head_dim):
    prefix = numbered(batch, prefix_len, 2 * layers * heads * head_dim)
    cache = past_key_values(prefix, layers, heads, 2)
    assert type(cache) is EncoderDecoderCache
    rows = prefix.view(batch, prefix_len, 2 * layers, heads, head_dim)
    assert len(cache.self_attention_cache.layers) == layers
    for index, layer in enumerate(cache.self_attention_cache.layers):
        assert torch.equal(layer.keys, rows[:, :, 4 * index % (2 * layers)].transpose(1, 2))
        assert torch.equal(layer.values, rows[:, :, (4 * index + 1) % (2 * layers)].transpose(1, 2))


@given(**sizes)
def test_cross_attention_starts_empty_and_is_filled_from_the_input(batch, prefix_len, layers, heads, head_dim):
    prefix = numbered(batch, prefix_len, 2 * layers * heads * head_dim)
    cache = past_key_values(prefix, layers, heads, 2)
    assert cache.cross_attention_cache.layers == []
    assert cache.is_updated == dict.fromkeys(range(layers), False)
    assert cache.get_seq_length() == prefix_len


@given(submodules=st.sampled_from([1, 2]), **sizes)
def test_there_is_one_block_a_layer(submodules, batch, prefix_len, layers, heads, head_dim):
    prefix = numbered(batch, prefix_len, 2 * layers * heads * head_dim)
    blocks = split_layers(prefix, layers, heads, submodules)
    assert [tuple(block.shape) for block in blocks] == [(2 * submodules, batch, heads, prefix_len, head_dim)] * layers


def test_nothing_is_computed_so_the_type_and_the_gradient_pass_through():
    prefix = torch.randn(2, 3, 24, dtype=torch.bfloat16, requires_grad=True)
    cache = past_key_values(prefix, 2, 3, 1)
    assert cache.layers[0].keys.dtype == torch.bfloat16
    cache.layers[1].values.sum().backward()
    assert torch.equal(prefix.grad, (torch.arange(24) >= 18).expand(2, 3, 24).to(torch.bfloat16))
