"""The task classes: what they refuse, and what they leave to the base model."""

import pytest
import torch
from transformers import DynamicCache, GenerationConfig

from prefix_lab import PrefixTuningConfig, get_peft_model
from prefix_lab.tasks import get_batch_size
from tests.tiny_models import one_text, random_ids, refuses, tiny_bert, tiny_gpt2, tiny_t5, two_texts

TASKS = {tiny_t5: "SEQ_2_SEQ_LM", tiny_gpt2: "CAUSAL_LM", tiny_bert: "FEATURE_EXTRACTION"}


def wrapped(make_model):
    return get_peft_model(make_model(), PrefixTuningConfig(task_type=TASKS[make_model], num_virtual_tokens=3))


@pytest.mark.parametrize("make_model", TASKS)
def test_a_text_is_needed(make_model):
    with refuses(ValueError, "input_ids or inputs_embeds"):
        wrapped(make_model)(attention_mask=torch.ones(2, 7))


def test_the_batch_size_is_that_of_the_ids_or_else_of_the_embeddings():
    assert get_batch_size(random_ids(4, 7), None) == 4
    assert get_batch_size(None, torch.zeros(5, 7, 12)) == 5


@pytest.mark.parametrize("make_model", TASKS)
def test_the_prefix_changes_the_output(make_model):
    batch = two_texts() if make_model is tiny_t5 else one_text()
    assert not torch.equal(wrapped(make_model)(**batch)[0], make_model()(**batch)[0])


def test_the_cache_comes_back_longer_by_the_prefix():
    out = wrapped(tiny_t5)(**two_texts(source=7, target=5))
    assert out.past_key_values.self_attention_cache.get_seq_length() == 3 + 5
    assert out.past_key_values.cross_attention_cache.get_seq_length() == 7


def test_a_cache_of_the_callers_is_replaced_and_left_alone():
    mine = DynamicCache()
    model = wrapped(tiny_gpt2)
    out = model(**one_text(), past_key_values=mine)
    assert out.past_key_values is not mine
    assert mine.get_seq_length() == 0


def test_every_forward_pass_starts_from_a_fresh_prefix():
    model = wrapped(tiny_t5)
    assert torch.equal(model(**two_texts()).logits, model(**two_texts()).logits)


def test_generating_without_a_cache_is_refused_where_the_prefix_would_be_lost():
    model, ids = wrapped(tiny_t5), random_ids(2, 7)
    with refuses(ValueError, "use_cache=False", "the prefix lives in the cache", "use_cache=True"):
        model.generate(input_ids=ids, use_cache=False)
    with refuses(ValueError, "use_cache=False"):
        model.generate(input_ids=ids, generation_config=GenerationConfig(use_cache=False))
    model.generation_config.use_cache = False
    with refuses(ValueError, "use_cache=False"):
        model.generate(input_ids=ids)
    assert model.generate(input_ids=ids, use_cache=True, max_new_tokens=2).shape[0] == 2


def test_text_to_text_generation_needs_input_ids():
    with refuses(ValueError, "input_ids must be provided", "generate(input_ids=...)"):
        wrapped(tiny_t5).generate(inputs_embeds=torch.zeros(2, 7, 12))
