"""Beside PEFT's: `encode="once"` computes one row for the whole batch; `sizes="model"` reads the cache's true sizes."""

import peft
import pytest
import torch
from transformers import FalconConfig, FalconForCausalLM

from prefix_lab import PeftModel, PrefixTuningConfig, get_peft_model
from tests.parity.pair import ENCODERS, TASKS, without_pefts_deprecation
from tests.tiny_models import (
    SPECIAL,
    VOCAB,
    one_text,
    random_weights,
    tiny_bart,
    tiny_classifier,
    tiny_gpt2,
    tiny_llama,
    tiny_t5,
    two_texts,
)

EVERY_TASK = {**TASKS, tiny_classifier: "SEQ_CLS"}


def batch_for(task_type, batch=4):
    return two_texts(batch) if task_type == "SEQ_2_SEQ_LM" else one_text(batch, left=task_type == "CAUSAL_LM")


def wrapped(make_model, task_type, **fields):
    torch.manual_seed(0)
    return get_peft_model(make_model(), PrefixTuningConfig(task_type, num_virtual_tokens=3, **fields))


def passed(model, batch):
    """The outputs and the gradients of one pass."""
    outputs = model(**batch)
    (outputs.loss if "labels" in batch else outputs[0].float().pow(2).mean()).backward()
    return outputs[0], {name: p.grad for name, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("make_model", EVERY_TASK)
def test_encoded_once_the_outputs_are_within_a_millionth_and_the_gradients_within_ten(make_model, encoder):
    task_type = EVERY_TASK[make_model]
    each, once = (wrapped(make_model, task_type, encode=how, **ENCODERS[encoder]) for how in ("each", "once"))
    (expected, wanted), (found, got) = (passed(model, batch_for(task_type)) for model in (each, once))
    assert (found - expected).abs().max() <= 1e-6 * expected.abs().max()
    assert got.keys() == wanted.keys()
    for name, gradient in wanted.items():
        assert (got[name] - gradient).norm() <= 1e-5 * gradient.norm(), name


@pytest.mark.parametrize("make_model", [tiny_t5, tiny_bart, tiny_gpt2, tiny_llama])
def test_encoded_once_the_same_tokens_are_generated(make_model):
    task_type = EVERY_TASK[make_model]
    batch = batch_for(task_type)
    batch.pop("labels", None)
    for options in ({}, {"num_beams": 2}):
        each, once = (wrapped(make_model, task_type, encode=how).eval() for how in ("each", "once"))
        found = [model.generate(**batch, max_new_tokens=6, **options) for model in (each, once)]
        assert torch.equal(*found)


def test_encoded_once_the_encoder_sees_one_row_and_generating_does_not_write_into_it():
    model, seen = wrapped(tiny_gpt2, "CAUSAL_LM", encode="once").eval(), []
    encoder, batch = model.prompt_encoder["default"], one_text(4, left=True)
    before = encoder.embedding.weight.clone()
    with encoder.register_forward_hook(lambda module, args, output: seen.append(len(output))):
        model(**batch)
    assert seen == [1]
    first, second = (model.generate(**batch, max_new_tokens=5) for _ in range(2))
    assert torch.equal(first, second)
    assert torch.equal(encoder.embedding.weight, before)


def falcon(**changes):
    sizes = {"num_hidden_layers": 2, "hidden_size": 24, "num_attention_heads": 6, "vocab_size": VOCAB}
    return random_weights(lambda: FalconForCausalLM(FalconConfig(**{**sizes, **SPECIAL, **changes})))


MISREAD = {
    "flan-t5: d_kv is not d_model / heads": (lambda: tiny_t5(d_model=20, d_kv=4, num_heads=3), "SEQ_2_SEQ_LM"),
    "t5-3b: the heads are wider than the model": (lambda: tiny_t5(d_kv=8, num_heads=6), "SEQ_2_SEQ_LM"),
    "T5 with a deeper decoder": (lambda: tiny_t5(layers=1, num_decoder_layers=3), "SEQ_2_SEQ_LM"),
    "BART with a deeper decoder": (lambda: tiny_bart(layers=1, decoder_layers=3), "SEQ_2_SEQ_LM"),
    "Falcon with one head in its cache": (falcon, "CAUSAL_LM"),
}
every_misread = pytest.mark.parametrize("case", MISREAD)


@every_misread
def test_what_peft_misreads_runs_learns_and_is_kept_with_the_models_sizes(case, tmp_path):
    make_model, task_type = MISREAD[case]
    model = wrapped(make_model, task_type, sizes="model").eval()
    batch = batch_for(task_type)
    expected, gradients = passed(model, batch)
    assert gradients["prompt_encoder.default.embedding.weight"].abs().sum() > 0
    batch.pop("labels", None)
    tokens = model.generate(**batch, max_new_tokens=5)
    model.save_pretrained(tmp_path)
    again = PeftModel.from_pretrained(make_model(), tmp_path)
    assert torch.equal(again(**batch_for(task_type))[0], expected)
    assert torch.equal(again.generate(**batch, max_new_tokens=5), tokens)
    with torch.no_grad():
        assert not torch.allclose(make_model()(**batch_for(task_type))[0], expected)
    theirs = peft.PrefixTuningConfig(task_type=task_type, num_virtual_tokens=3)
    with pytest.raises((RuntimeError, IndexError)), without_pefts_deprecation():
        peft.get_peft_model(make_model(), theirs)(**batch_for(task_type))


@every_misread
def test_the_prefix_has_the_sizes_of_the_cache(case):
    make_model, task_type = MISREAD[case]
    cache = wrapped(make_model, task_type, sizes="model").get_prompt(2)
    cache = cache.self_attention_cache if task_type == "SEQ_2_SEQ_LM" else cache
    heads = 1 if task_type == "CAUSAL_LM" else make_model().config.num_attention_heads
    assert {(*layer.keys.shape[:3],) for layer in cache.layers} == {(2, heads, 3)}


def test_where_peft_reads_the_sizes_rightly_both_ways_are_the_same():
    for make_model, task_type in EVERY_TASK.items():
        usual, other = (wrapped(make_model, task_type, sizes=sizes) for sizes in ("peft", "model"))
        assert torch.equal(usual(**batch_for(task_type))[0], other(**batch_for(task_type))[0])


def test_falcon_with_its_newer_decoder_caches_every_head():
    def base():
        return falcon(new_decoder_architecture=True, multi_query=False, num_kv_heads=2)

    model = wrapped(base, "CAUSAL_LM", sizes="model")
    assert model(**one_text(left=True)).logits.isfinite().all()
    assert model.get_prompt(1).layers[0].keys.shape == (1, 6, 3, 4)
