"""`get_prompt`: the cache that attention reads, its kind, its types and every number in it."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.parity.pair import ENCODERS, TASKS, assert_same, both, kept, run
from tests.tiny_models import tiny_bart, tiny_t5, two_texts


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("make_model", TASKS)
def test_the_cache_is_the_same(make_model, encoder):
    models = kept(make_model, encoder)
    for batch in (1, 2, 5):
        assert_same(*run(models, lambda model, batch=batch: model.get_prompt(batch)), "cache")


@pytest.mark.parametrize("layers", [1, 2, 3, 4])
@pytest.mark.parametrize("make_model", TASKS)
def test_the_cache_is_the_same_for_odd_and_even_layers(make_model, layers):
    models = both(lambda: make_model(layers), task_type=TASKS[make_model])
    assert_same(*run(models, lambda model: model.get_prompt(2)), "cache")


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("make_model", TASKS)
def test_a_prefix_trained_in_float32_is_read_in_the_precision_of_the_base_model(make_model, encoder):
    models = kept(make_model, encoder, torch.bfloat16)
    assert {p.dtype for p in models.ours.prompt_encoder.parameters()} == {torch.float32}
    assert_same(*run(models, lambda model: dict(model.state_dict())), "state_dict")
    assert_same(*run(models, lambda model: model.get_prompt(2)), "cache")


def test_the_cache_starts_with_its_cross_attention_empty_and_still_to_be_filled():
    cache = kept(tiny_t5).ours.get_prompt(2)
    assert len(cache.cross_attention_cache.layers) == 0
    assert cache.is_updated == {0: False, 1: False}


@pytest.mark.parametrize("make_model", [lambda: tiny_t5(num_decoder_layers=3), lambda: tiny_bart(decoder_layers=3)])
def test_a_decoder_deeper_than_its_encoder_works_with_the_layers_set(make_model):
    models = both(make_model, num_layers=3)
    assert_same(*run(models, lambda model: model.get_prompt(2)), "cache")
    assert_same(*run(models, lambda model: model(**two_texts())), "output")


def test_heads_of_another_width_work_with_token_dim_set():
    models = both(lambda: tiny_t5(d_kv=6), token_dim=18)
    assert_same(*run(models, lambda model: model(**two_texts())), "output")


@pytest.mark.filterwarnings("ignore:num_layers=4, but only 2 layers")
@pytest.mark.parametrize("make_model", TASKS)
def test_more_layers_than_the_model_has_give_the_numbers_that_peft_gives(make_model):
    models = both(make_model, num_layers=4)
    assert_same(*run(models, lambda model: dict(model.state_dict())), "state_dict")
    assert_same(*run(models, lambda model: model.get_prompt(2)), "cache")
    if make_model is tiny_t5:
        assert_same(*run(models, lambda model: model(**two_texts())), "output")


@given(
    layers=st.integers(1, 4),
    heads=st.integers(1, 4),
    head_dim=st.sampled_from([2, 3, 5]),
    prefix_len=st.integers(1, 6),
    batch=st.integers(1, 4),
    encoder=st.sampled_from(sorted(ENCODERS)),
    dtype=st.sampled_from([torch.float32, torch.bfloat16]),
)
def test_any_sizes_give_the_same_cache_and_loss(layers, heads, head_dim, prefix_len, batch, encoder, dtype):
    sizes = {"d_model": heads * head_dim, "num_heads": heads, "d_kv": head_dim, "d_ff": 7}
    models = both(
        lambda: tiny_t5(layers, **sizes),
        dtype=dtype,
        prefix_len=prefix_len,
        task_type="SEQ_2_SEQ_LM",
        **ENCODERS[encoder],
    )
    assert_same(*run(models, lambda model: model.get_prompt(batch)), "cache")
    assert_same(*run(models, lambda model: model(**two_texts(batch)).loss), "loss")
