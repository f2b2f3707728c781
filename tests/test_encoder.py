"""The prefix encoder by itself: its parameters, its output, its start, and what it refuses."""

import pytest
import torch
from torch import nn

from prefix_lab import PrefixEncoder, PrefixTuningConfig
from tests.tiny_models import refuses

SIZES = {"num_virtual_tokens": 5, "token_dim": 12, "num_layers": 2, "num_attention_heads": 3, "encoder_hidden_size": 9}
TOKENS = torch.arange(5).expand(4, 5)  # (batch, prefix_len)


def encoder(**fields):
    return PrefixEncoder(PrefixTuningConfig(**{**SIZES, **fields}))


def test_without_projection_the_table_is_the_prefix_and_can_be_loaded():
    direct, given = encoder(), torch.randn(5, 48)
    assert [tuple(parameter.shape) for parameter in direct.parameters()] == [(5, 48)]
    direct.load_prompt_embeddings(given)
    assert torch.equal(direct(TOKENS), given.expand(4, 5, 2 * 2 * 12))
    assert direct.embedding.weight.requires_grad


def test_with_projection_a_small_table_goes_through_two_layers_and_a_tanh():
    projected = encoder(prefix_projection=True)
    assert [type(layer) for layer in projected.transform] == [nn.Linear, nn.Tanh, nn.Linear]
    shapes = [tuple(parameter.shape) for parameter in projected.parameters()]
    assert shapes == [(5, 12), (9, 12), (9,), (48, 9), (48,)]
    assert projected(TOKENS).shape == (4, 5, 2 * 2 * 12)


@pytest.mark.parametrize("projection", [False, True])
def test_zero_init_gives_zero_keys_and_values_that_still_learn(projection):
    zero = encoder(prefix_projection=projection, init_weights="zero")
    prefix = zero(TOKENS)
    assert not prefix.any()
    prefix.sum().backward()
    last = zero.transform[-1].weight if projection else zero.embedding.weight
    assert last.grad.any()


def test_inference_mode_holds_the_computed_prefix_and_no_projection():
    flat = encoder(prefix_projection=True, inference_mode=True)
    assert tuple(flat.embedding.weight.shape) == (5, 48)
    with pytest.raises(AttributeError, match="transform"):  # as in PEFT; get_prompt reads the table
        flat(TOKENS)


def test_a_prefix_of_another_shape_or_behind_a_projection_is_not_loaded():
    direct = encoder()
    before = direct.embedding.weight.clone()
    with refuses(ValueError, "shape (5, 24)", "a table of (5, 48)", "Give (prefix_len, 2·layers·hidden)"):
        direct.load_prompt_embeddings(torch.randn(5, 24))
    assert torch.equal(direct.embedding.weight, before)
    with refuses(ValueError, "prefix_projection=True", "without projection"):
        encoder(prefix_projection=True).load_prompt_embeddings(torch.randn(5, 48))
