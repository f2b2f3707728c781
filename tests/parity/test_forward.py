"""`forward`: outputs, loss, the cache that comes back, and what is done with masks, labels and positions."""

import pytest
import torch
from transformers import AutoModelForCausalLM, DynamicCache, LlamaConfig

from tests.parity.pair import ENCODERS, TASKS, Both, assert_same, both, kept, run
from tests.tiny_models import (
    mask_of,
    one_text,
    random_ids,
    random_weights,
    tiny_bart,
    tiny_bert,
    tiny_gpt2,
    tiny_llama,
    tiny_t5,
    two_texts,
)

EMBEDS = torch.randn(2, 7, 12, generator=torch.Generator().manual_seed(3))
DECODER_EMBEDS = torch.randn(2, 5, 12, generator=torch.Generator().manual_seed(4))
DECODER_IDS = {"input_ids": random_ids(2, 7), "decoder_input_ids": random_ids(2, 5, seed=2)}

TEXT_TO_TEXT = {
    "labels": {"input_ids": random_ids(2, 7), "labels": random_ids(2, 5)},
    "one text": two_texts(batch=1),
    "five padded texts": two_texts(batch=5, source=13, target=11),
    "input shorter than the prefix": two_texts(batch=2, source=2, target=2),
    "input as long as the prefix": two_texts(batch=2, source=3, target=3),
    "no labels": DECODER_IDS,
    "labels beside decoder_input_ids": {**DECODER_IDS, "labels": random_ids(2, 5)},
    "decoder mask": {**two_texts(), "decoder_attention_mask": mask_of(2, 5)},
    "decoder mask of another length than the input": {**two_texts(target=9), "decoder_attention_mask": mask_of(2, 9)},
    "decoder mask of floats": {**two_texts(), "decoder_attention_mask": mask_of(2, 5).float()},
    "masks of booleans": {
        **two_texts(),
        "attention_mask": mask_of(2, 7).bool(),
        "decoder_attention_mask": mask_of(2, 5).bool(),
    },
    "embeddings": {"inputs_embeds": EMBEDS, "attention_mask": mask_of(2, 7), "labels": random_ids(2, 5)},
    "embeddings for both": {"inputs_embeds": EMBEDS, "decoder_inputs_embeds": DECODER_EMBEDS},
    "a tuple": {**two_texts(), "return_dict": False},
    "hidden states": {**two_texts(), "output_hidden_states": True},
    "without a cache": {**two_texts(), "use_cache": False},
    "a cache of the caller's": {**two_texts(), "past_key_values": DynamicCache()},
}

ONE_TEXT = {
    "padded": one_text(),
    "padded on the left": one_text(left=True),
    "no mask": {"input_ids": random_ids(2, 7)},
    "one text": one_text(batch=1),
    "mask of booleans": {"input_ids": random_ids(2, 7), "attention_mask": mask_of(2, 7).bool()},
    "a tuple": {**one_text(), "return_dict": False},
    "hidden states": {**one_text(), "output_hidden_states": True},
    "positions": {**one_text(), "position_ids": torch.arange(7).repeat(2, 1)},
}


def outputs(models, batch):
    return run(models, lambda model: model(**batch))


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("batch", TEXT_TO_TEXT)
def test_t5_gives_the_same_outputs_for(batch, encoder):
    with torch.no_grad():
        assert_same(*outputs(kept(tiny_t5, encoder), TEXT_TO_TEXT[batch]), "output")


@pytest.mark.parametrize("layers", [1, 2, 3, 4])
def test_t5_gives_the_same_outputs_for_odd_and_even_layers(layers):
    assert_same(*outputs(both(lambda: tiny_t5(layers)), two_texts()), "output")


@pytest.mark.parametrize("batch", ["labels", "five padded texts", "decoder mask", "embeddings"])
def test_t5_in_bfloat16_gives_the_same_outputs(batch):
    inputs = dict(TEXT_TO_TEXT[batch])
    if "inputs_embeds" in inputs:
        inputs["inputs_embeds"] = inputs["inputs_embeds"].to(torch.bfloat16)
    for encoder in ENCODERS:
        assert_same(*outputs(kept(tiny_t5, encoder, torch.bfloat16), inputs), "output")


@pytest.mark.parametrize("make_model", TASKS)
def test_dropout_in_training_mode_draws_the_same_numbers(make_model):
    models = both(make_model)
    for training in (True, False, True):
        run(models, lambda model, training=training: model.train(training))
        batch = two_texts() if TASKS[make_model] == "SEQ_2_SEQ_LM" else one_text()
        assert_same(*outputs(models, batch), f"output with training={training}")


@pytest.mark.parametrize("make_model", TASKS)
def test_attentions_are_the_same_and_reach_over_the_prefix(make_model):
    models = both(lambda: make_model(attn_implementation="eager"), task_type=TASKS[make_model])
    batch = two_texts() if TASKS[make_model] == "SEQ_2_SEQ_LM" else one_text()
    found = outputs(models, {**batch, "output_attentions": True})
    assert_same(*found, "output")
    attentions = found.ours.get("decoder_attentions", found.ours.get("attentions"))
    assert attentions[0].shape[-1] == 3 + attentions[0].shape[-2]  # prefix_len+tokens are read by tokens


@pytest.mark.parametrize("batch", TEXT_TO_TEXT)
def test_bart_gives_the_same_outputs_for(batch):
    assert_same(*outputs(kept(tiny_bart), TEXT_TO_TEXT[batch]), "output")


@pytest.mark.parametrize("batch", ONE_TEXT)
@pytest.mark.parametrize("make_model", [tiny_gpt2, tiny_llama, tiny_bert])
def test_one_stack_of_layers_gives_the_same_outputs_for(make_model, batch):
    for encoder in ("direct", "projection"):
        assert_same(*outputs(kept(make_model, encoder), ONE_TEXT[batch]), "output")


@pytest.mark.parametrize("make_model", [tiny_gpt2, tiny_llama])
def test_labels_of_a_language_model_stay_as_long_as_the_text(make_model):
    batch = {**one_text(), "labels": random_ids(2, 7).masked_fill(mask_of(2, 7) == 0, -100)}
    found = outputs(kept(make_model), batch)
    assert_same(*found, "output")
    assert found.ours.logits.shape[1] == 7


@pytest.mark.parametrize("make_model", [tiny_gpt2, tiny_bert])
def test_embeddings_in_place_of_ids_give_the_same_outputs(make_model):
    batch = {"inputs_embeds": EMBEDS, "attention_mask": mask_of(2, 7)}
    assert_same(*outputs(kept(make_model), batch), "output")


def test_a_head_dim_of_its_own_is_used_for_the_prefix():
    def make_model():
        sizes = {"hidden_size": 12, "head_dim": 8, "num_attention_heads": 4, "num_key_value_heads": 2}
        rest = {"num_hidden_layers": 2, "intermediate_size": 20, "vocab_size": 37}
        return random_weights(lambda: AutoModelForCausalLM.from_config(LlamaConfig(**sizes, **rest)))

    models = both(make_model, task_type="CAUSAL_LM")
    assert_same(*run(models, lambda model: model.active_peft_config.to_dict()), "config")
    assert_same(*outputs(models, one_text()), "output")


def arguments_of(model, batch):
    """What the base model is called with, but for what is None."""
    seen = []
    base = model.get_base_model()
    hook = base.register_forward_pre_hook(lambda _, args, kwargs: seen.append(kwargs), with_kwargs=True)
    with hook:
        model(**batch)
    return {name: value for name, value in sorted(seen[0].items()) if value is not None}


@pytest.mark.parametrize("make_model", TASKS)
def test_the_base_model_is_called_with_the_same_arguments(make_model):
    batch = one_text()
    if TASKS[make_model] == "SEQ_2_SEQ_LM":
        batch = {**two_texts(), "decoder_attention_mask": mask_of(2, 5)}
    found = run(kept(make_model), lambda model: arguments_of(model, batch))
    cache = found.ours.pop("past_key_values"), found.theirs.pop("past_key_values")
    assert_same(*run(Both(*cache), type), "cache")  # its contents have grown in the pass
    assert_same(*found, "arguments")


def test_an_input_is_never_changed_in_place():
    batch = {**two_texts(), "decoder_attention_mask": mask_of(2, 5)}
    before = {name: tensor.clone() for name, tensor in batch.items()}
    kept(tiny_t5).ours(**batch)
    assert_same(batch, before, "batch")
