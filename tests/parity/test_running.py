"""`forward`, `generate` and training where a usual call of a family says nothing: see test_families for those."""

import pytest
import torch
from transformers import DynamicCache, GenerationConfig

from tests.parity.pair import ENCODERS, TASKS, Both, assert_close_gradients, assert_same, both, kept, run
from tests.tiny_models import mask_of, one_text, random_ids, tiny_bart, tiny_gpt2, tiny_llama, tiny_t5, two_texts

EMBEDS = torch.randn(2, 7, 12, generator=torch.Generator().manual_seed(3))
DECODER_EMBEDS = torch.randn(2, 5, 12, generator=torch.Generator().manual_seed(4))
DECODER_MASK = {"decoder_attention_mask": mask_of(2, 5)}
TEXT_TO_TEXT = {
    "labels": {"input_ids": random_ids(2, 7), "labels": random_ids(2, 5)},
    "input shorter than the prefix": two_texts(batch=2, source=2, target=2),
    "input as long as the prefix": two_texts(batch=2, source=3, target=3),
    "labels beside decoder_input_ids": {**two_texts(), "decoder_input_ids": random_ids(2, 5, seed=2)},
    "decoder mask": {**two_texts(), **DECODER_MASK},
    "decoder mask of another length than the input": {**two_texts(target=9), "decoder_attention_mask": mask_of(2, 9)},
    "decoder mask of floats": {**two_texts(), "decoder_attention_mask": mask_of(2, 5).float()},
    "masks of booleans": {
        **two_texts(),
        "attention_mask": mask_of(2, 7).bool(),
        "decoder_attention_mask": mask_of(2, 5).bool(),
    },
    "embeddings for both": {"inputs_embeds": EMBEDS, "decoder_inputs_embeds": DECODER_EMBEDS},
    "without a cache": {**two_texts(), "use_cache": False},
    "a cache of the caller's": {**two_texts(), "past_key_values": DynamicCache()},
}
LENGTH = {"min_new_tokens": 6, "max_new_tokens": 6}
GENERATE = (tiny_t5, tiny_bart, tiny_gpt2, tiny_llama)


def usual(make_model):
    return {**two_texts(), **DECODER_MASK} if TASKS[make_model] == "SEQ_2_SEQ_LM" else one_text()


@pytest.mark.parametrize("make_model", [tiny_t5, tiny_bart])
@pytest.mark.parametrize("batch", TEXT_TO_TEXT)
def test_text_to_text_gives_the_same_outputs_and_leaves_its_inputs_as_they_are(batch, make_model):
    before = {name: getattr(value, "clone", lambda v=value: v)() for name, value in TEXT_TO_TEXT[batch].items()}
    for encoder in ("direct", "inference after projection"):
        models = kept(make_model, encoder)
        assert_same(*run(models, lambda model: model(**TEXT_TO_TEXT[batch])), "output")
    assert_same(TEXT_TO_TEXT[batch], before, "batch")


@pytest.mark.parametrize("make_model", TASKS)
def test_dropout_in_training_mode_draws_the_same_numbers(make_model):
    models = both(make_model)
    for training in (True, False, True):
        run(models, lambda model, training=training: model.train(training))
        assert_same(*run(models, lambda model: model(**usual(make_model))), f"output with training={training}")


def arguments_of(model, batch):
    """What the base model is called with, but for what is None."""
    seen = []
    base = model.get_base_model()
    with base.register_forward_pre_hook(lambda _, args, kwargs: seen.append(kwargs), with_kwargs=True):
        model(**batch)
    return {name: value for name, value in sorted(seen[0].items()) if value is not None}


@pytest.mark.parametrize("make_model", TASKS)
def test_the_base_model_is_called_with_the_same_arguments(make_model):
    found = run(kept(make_model), lambda model: arguments_of(model, usual(make_model)))
    cache = found.ours.pop("past_key_values"), found.theirs.pop("past_key_values")
    assert_same(*run(Both(*cache), type), "cache")  # its contents have grown in the pass
    assert_same(*found, "arguments")


def prompts(make_model):
    texts = two_texts() if make_model in (tiny_t5, tiny_bart) else one_text(left=True)
    return {name: texts[name] for name in ("input_ids", "attention_mask")}


@pytest.mark.parametrize(
    "options",
    [
        {"num_beams": 3, "num_return_sequences": 2},
        {"do_sample": True, "top_k": 0, "num_return_sequences": 3},
        {"return_dict_in_generate": True, "output_scores": True},
        {"generation_config": GenerationConfig(num_beams=2, decoder_start_token_id=0, pad_token_id=0, eos_token_id=1)},
    ],
    ids=str,
)
@pytest.mark.parametrize("make_model", GENERATE)
def test_the_same_is_generated_with(make_model, options):
    models = kept(make_model)
    assert_same(*run(models, lambda model: model.generate(**prompts(make_model), **LENGTH, **options)), "generated")


def test_greedy_tokens_are_those_of_a_loop_over_forward():
    model, inputs = kept(tiny_t5).ours, prompts(tiny_t5)
    loop = torch.zeros(2, 1, dtype=torch.long)  # decoder_start_token_id
    for _ in range(6):
        logits = model(**inputs, decoder_input_ids=loop).logits[:, -1]
        logits[:, 1] = float("-inf")  # min_new_tokens forbids the end
        loop = torch.cat([loop, logits.argmax(-1, keepdim=True)], dim=1)
    assert torch.equal(model.generate(**inputs, **LENGTH, do_sample=False), loop)


def test_a_language_model_takes_its_ids_by_position_and_without_a_mask():
    for make_model in (tiny_gpt2, tiny_llama):
        assert_same(*run(kept(make_model), lambda model: model.generate(random_ids(2, 7), **LENGTH)), "tokens")


@pytest.mark.parametrize("make_model", [tiny_t5, tiny_gpt2])
def test_the_base_model_generates_without_the_prefix_again_afterwards(make_model):
    plain = make_model().generate(**prompts(make_model), **LENGTH, do_sample=False)
    for model in kept(make_model):
        with_prefix = model.generate(**prompts(make_model), **LENGTH, do_sample=False)
        with pytest.raises(ValueError, match="no_such_option"):
            model.generate(**prompts(make_model), no_such_option=1)
        tokens = model.get_base_model().generate(**prompts(make_model), **LENGTH, do_sample=False)
        assert torch.equal(tokens, plain)
        assert not torch.equal(tokens, with_prefix)


@pytest.mark.parametrize("make_model", [tiny_t5, tiny_bart])
def test_without_a_cache_an_encoder_decoder_gives_pefts_numbers_and_the_prefix_counts_in_each(make_model):
    def logits(model):
        found = model.generate(
            **prompts(make_model), **LENGTH, use_cache=False, output_logits=True, return_dict_in_generate=True
        )
        return found.sequences, torch.stack(found.logits)

    (tokens, read), (theirs, their_read) = run(kept(make_model), logits)
    assert torch.equal(tokens, theirs)
    assert torch.equal(read, their_read)
    plain = make_model().generate(
        **prompts(make_model), **LENGTH, use_cache=False, output_logits=True, return_dict_in_generate=True
    )
    assert (read - torch.stack(plain.logits)).abs().amax((1, 2)).min() > 1e-4


@pytest.mark.parametrize("how", ["argument", "config"])
def test_without_a_cache_a_decoder_reads_the_prefix_anew_for_each_token(how):
    models, asked = both(tiny_gpt2), {"use_cache": False} if how == "argument" else {}
    for model in models:
        model.base_model.generation_config.use_cache = how != "config"
    found = run(models, lambda model: model.generate(**prompts(tiny_gpt2), **LENGTH, **asked, do_sample=False))
    assert_same(*found, "tokens")
    assert torch.equal(found.ours, kept(tiny_gpt2).ours.generate(**prompts(tiny_gpt2), **LENGTH, do_sample=False))


def test_without_a_cache_llama_is_refused_where_peft_fails_inside_torch(plain):
    with pytest.raises(RuntimeError, match="size of tensor"):
        kept(tiny_llama).theirs.generate(**prompts(tiny_llama), **LENGTH, use_cache=False)
    model = plain.get_peft_model(tiny_llama(), plain.PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=3))
    with pytest.raises(ValueError, match="use_cache=False, but the prefix lives in the cache"):
        model.generate(**prompts(tiny_llama), **LENGTH, use_cache=False)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("encoder", [name for name in ENCODERS if "inference" not in name])
def test_three_steps_of_training_lead_to_the_same_prefix_and_leave_the_base(encoder, dtype):
    def train(model):
        optimizer = torch.optim.AdamW((p for p in model.parameters() if p.requires_grad), lr=0.01)
        losses = []
        for _ in range(3):
            optimizer.zero_grad()
            step = model(**two_texts()).loss
            step.backward()
            optimizer.step()
            losses.append(step.item())
        return losses, [p.detach().clone() for p in model.prompt_encoder.parameters()]

    models = both(tiny_t5, dtype=dtype, **ENCODERS[encoder])
    run(models, lambda model: model(**two_texts()).loss.backward())
    assert_close_gradients(*models)
    assert {p.grad.dtype for p in models.ours.prompt_encoder.parameters()} == {torch.float32}
    (our_losses, ours), (their_losses, theirs) = run(models, train)
    assert our_losses == pytest.approx(their_losses, rel=1e-5 if dtype == torch.float32 else 1e-2)
    assert our_losses[-1] < our_losses[0]
    if dtype == torch.float32:
        for mine, other in zip(ours, theirs, strict=True):
            torch.testing.assert_close(mine, other, rtol=1e-4, atol=1e-6)
    assert_same(dict(models.ours.get_base_model().state_dict()), dict(tiny_t5().to(dtype).state_dict()), "base model")
