"""`generate`: the same tokens, whichever way they are chosen."""

import pytest
import torch
from transformers import GenerationConfig

from tests.parity.pair import ENCODERS, assert_same, both, kept, run
from tests.tiny_models import one_text, random_ids, tiny_bart, tiny_gpt2, tiny_llama, tiny_t5, two_texts

LENGTH = {"min_new_tokens": 6, "max_new_tokens": 6}
WAYS = {
    "greedy": {"do_sample": False},
    "beams": {"num_beams": 3, "num_return_sequences": 2, "do_sample": False},
    "sampled": {"do_sample": True, "top_k": 9, "temperature": 1.7},
    "several samples": {"do_sample": True, "top_k": 0, "num_return_sequences": 3},
    "scores": {"do_sample": False, "return_dict_in_generate": True, "output_scores": True},
}


def prompts(make_model, batch=2):
    if make_model in (tiny_t5, tiny_bart):
        texts = two_texts(batch)
        return {name: texts[name] for name in ("input_ids", "attention_mask")}
    return one_text(batch, left=True)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("make_model", [tiny_t5, tiny_bart, tiny_gpt2, tiny_llama])
def test_the_same_tokens_are_generated(make_model, way):
    models = kept(make_model)
    assert_same(*run(models, lambda model: model.generate(**prompts(make_model), **LENGTH, **WAYS[way])), "generated")


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize(
    ("make_model", "dtype"), [(tiny_t5, torch.float32), (tiny_llama, torch.float32), (tiny_t5, torch.bfloat16)]
)
def test_the_same_tokens_are_generated_with_any_encoder_and_precision(make_model, dtype, encoder):
    models = kept(make_model, encoder, dtype)
    for batch in (1, 3):
        assert_same(*run(models, lambda model, n=batch: model.generate(**prompts(make_model, n), **LENGTH)), "tokens")


@pytest.mark.parametrize("make_model", [tiny_t5, tiny_bart, tiny_gpt2, tiny_llama])
def test_the_prefix_changes_what_is_generated(make_model):
    tokens = kept(make_model).ours.generate(**prompts(make_model), **LENGTH, do_sample=False)
    plain = make_model().generate(**prompts(make_model), **LENGTH, do_sample=False)
    assert not torch.equal(tokens, plain)


def test_greedy_tokens_are_those_of_a_loop_over_forward():
    model = kept(tiny_t5).ours
    inputs = prompts(tiny_t5)
    loop = torch.zeros(2, 1, dtype=torch.long)  # decoder_start_token_id
    for _ in range(6):
        logits = model(**inputs, decoder_input_ids=loop).logits[:, -1]
        logits[:, 1] = float("-inf")  # min_new_tokens forbids the end
        loop = torch.cat([loop, logits.argmax(-1, keepdim=True)], dim=1)
    assert torch.equal(model.generate(**inputs, **LENGTH, do_sample=False), loop)


def test_a_language_model_takes_its_ids_by_position_and_without_a_mask():
    for make_model in (tiny_gpt2, tiny_llama):
        ids = random_ids(2, 7)
        assert_same(*run(kept(make_model), lambda model, ids=ids: model.generate(ids, **LENGTH)), "tokens")


def test_a_generation_config_is_followed():
    how = GenerationConfig(**LENGTH, num_beams=2, decoder_start_token_id=0, pad_token_id=0, eos_token_id=1)
    models = kept(tiny_t5)
    assert_same(*run(models, lambda model: model.generate(**prompts(tiny_t5), generation_config=how)), "tokens")


@pytest.mark.parametrize("make_model", [tiny_t5, tiny_gpt2])
def test_the_base_model_generates_without_the_prefix_again_afterwards(make_model):
    for model in kept(make_model):
        model.generate(**prompts(make_model), **LENGTH)
        tokens = model.get_base_model().generate(**prompts(make_model), **LENGTH, do_sample=False)
        assert torch.equal(tokens, make_model().generate(**prompts(make_model), **LENGTH, do_sample=False))


def test_the_base_model_generates_without_the_prefix_again_after_an_error():
    for model in kept(tiny_t5):
        with pytest.raises(ValueError, match="no_such_option"):
            model.generate(**prompts(tiny_t5), no_such_option=1)
        tokens = model.get_base_model().generate(**prompts(tiny_t5), **LENGTH, do_sample=False)
        assert torch.equal(tokens, tiny_t5().generate(**prompts(tiny_t5), **LENGTH, do_sample=False))


@pytest.mark.parametrize("how", ["argument", "config"])
def test_without_a_cache_a_decoder_reads_the_prefix_anew_for_each_token(how):
    models = both(tiny_gpt2)
    asked = {"use_cache": False} if how == "argument" else {}
    for model in models:
        model.base_model.generation_config.use_cache = how != "config"
    found = run(models, lambda model: model.generate(**prompts(tiny_gpt2), **LENGTH, **asked, do_sample=False))
    assert_same(*found, "tokens")
    cached = kept(tiny_gpt2).ours.generate(**prompts(tiny_gpt2), **LENGTH, do_sample=False)
    assert torch.equal(found.ours, cached)


def test_without_a_cache_llama_is_refused_where_peft_fails_inside_torch(plain):
    theirs = kept(tiny_llama).theirs
    with pytest.raises(RuntimeError, match="size of tensor"):
        theirs.generate(**prompts(tiny_llama), **LENGTH, use_cache=False)
    model = plain.get_peft_model(tiny_llama(), plain.PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=3))
    with pytest.raises(ValueError, match="use_cache=False, but the prefix lives in the cache"):
        model.generate(**prompts(tiny_llama), **LENGTH, use_cache=False)
