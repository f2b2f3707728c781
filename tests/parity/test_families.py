"""Every model family with every task that PEFT can run for it: wrapped, run, trained, generated with, saved, loaded."""

import copy
import functools
import inspect
import warnings

import peft
import pytest
import torch
from transformers import Gemma4ForCausalLM, Gemma4TextConfig

import prefix_lab
from tests import tiny_models
from tests.parity.pair import Both, assert_close_gradients, assert_same, both, in_both, made, run, warnings_of
from tests.parity.pair import without_pefts_deprecation as quietly
from tests.tiny_models import ENCODER_DECODERS, FAMILIES, HEADS_OF_TWO, RUNNING, batch_for, mask_of, refuses, tiny

every_task = pytest.mark.parametrize(("family", "task"), RUNNING)
NO_POOLER = [("RoBERTa", "SEQ_CLS"), ("Electra", "SEQ_CLS")]
"""PEFT takes the hidden states, when they are asked for, for the pooled vector that these do not have, and fails."""
LANGUAGE = [pair for pair in RUNNING if pair[1] in ("SEQ_2_SEQ_LM", "CAUSAL_LM")]
TOKENS = 7


@functools.cache
def wrapped(family: str, task: str, **fields) -> Both:
    return both(lambda: tiny(family, task), task_type=task, **fields)


def takes(family: str, task: str, argument: str) -> bool:
    """Whether the base model has a name for it, so that it is not lost on the way."""
    return argument in inspect.signature(wrapped(family, task).ours.get_base_model().forward).parameters


def batches(family: str, task: str) -> dict[str, dict]:
    """Every way to call a model that this family knows."""
    masked = not (family in ENCODER_DECODERS and task == "FEATURE_EXTRACTION")  # a mask would be the encoder's
    padding = "right" if masked else None
    plain = batch_for(family, task, padding=padding)
    found = {
        "no mask": batch_for(family, task, padding=None),
        "a mask that hides nothing": batch_for(family, task, padding="right", batch=1),
        "labels": batch_for(family, task, padding=padding, labels=True) if task != "FEATURE_EXTRACTION" else plain,
        "a tuple": {**plain, "return_dict": False},
        "hidden states": {**plain, "output_hidden_states": True},
        "one token": batch_for(family, task, padding=padding, batch=1, tokens=1, target=1),
    }
    if family == "LED" and not masked:
        del found["a mask that hides nothing"]  # its own encoder counts the mask's length
    if (family, task) in NO_POOLER:
        del found["hidden states"]
    if masked:
        found["padded on the right"] = plain
        found["padded on the left"] = batch_for(family, task, padding="left", batch=3)
    if family != "LED":  # LED pads input_ids to its window, and does not take vectors that are not
        table = wrapped(family, task).ours.get_base_model().get_input_embeddings()
        rest = {name: value for name, value in plain.items() if name != "input_ids"}
        with torch.no_grad():
            found["embeddings"] = {**rest, "inputs_embeds": table(plain["input_ids"])}
    if takes(family, task, "position_ids"):
        found["positions"] = {**plain, "position_ids": torch.arange(TOKENS).repeat(2, 1)}
    if takes(family, task, "token_type_ids"):
        types = (torch.arange(TOKENS) > 3).long().repeat(2, 1)
        found["token types"] = {**plain, "token_type_ids": types % (2 if family != "RoBERTa" else 1)}
    if family in ENCODER_DECODERS:
        found["a mask for the decoder"] = {**plain, "decoder_attention_mask": mask_of(2, 5)}
    return found


@every_task
def test_a_wrapped_model_has_the_same_parameters_of_which_the_same_train(family, task):
    assert_same(*run(wrapped(family, task), made), "made")


@pytest.mark.filterwarnings("ignore:Token type ids are not supported")  # test_warnings has it
@every_task
def test_every_way_to_call_a_model_gives_the_same_outputs(family, task):
    models = wrapped(family, task)
    for name, batch in batches(family, task).items():
        with torch.no_grad():
            found = run(models, lambda model, batch=batch: model(**batch))
        assert_same(*found, name)
    model, batch = models.ours, batch_for(family, task, padding=None, tokens=2)
    with torch.no_grad(), model.disable_adapter():
        without_prefix = model(**batch, return_dict=False)[0]
    with torch.no_grad():
        assert not torch.equal(model(**batch, return_dict=False)[0], without_prefix)


@pytest.mark.parametrize(("family", "task"), NO_POOLER)
@pytest.mark.parametrize("asked", ["output_hidden_states", "output_attentions"])
def test_more_outputs_of_a_model_without_a_pooler_leave_its_answer_as_it_is(family, task, asked):
    ours, theirs = (copy.deepcopy(model) for model in wrapped(family, task))
    ours.get_base_model().set_attn_implementation("eager")
    batch = batch_for(family, task)
    with torch.no_grad():
        with pytest.raises(TypeError):
            theirs(**batch, **{asked: True})
        answer = ours(**batch, **{asked: True})
        assert_same(answer.logits, ours(**batch).logits, "logits")
    assert answer.hidden_states or answer.attentions


@pytest.mark.parametrize(("family", "task"), [pair for pair in RUNNING if pair not in NO_POOLER])
def test_attentions_are_the_same_and_reach_over_the_prefix(family, task):
    models = Both(*(copy.deepcopy(model) for model in wrapped(family, task)))
    batch = {**batch_for(family, task, padding=None), "output_attentions": True}
    for model in models:
        model.get_base_model().set_attn_implementation("eager")
    found = run(models, lambda model: model(**batch))
    assert_same(*found, "output")
    attentions = found.ours.get("decoder_attentions", found.ours.get("attentions"))
    assert attentions[-1].shape[-1] >= 3 + attentions[-1].shape[-2]  # prefix_len+tokens are read by tokens


@every_task
def test_loss_and_gradients_are_the_same(family, task):
    models = wrapped(family, task)
    padding = None if (family in ENCODER_DECODERS and task == "FEATURE_EXTRACTION") else "right"
    batch = batch_for(family, task, padding=padding, labels=task != "FEATURE_EXTRACTION")

    def loss(model):
        model.zero_grad()
        first = model(**batch, return_dict=False)[0]
        number = first if first.dim() == 0 else first.float().square().mean()
        number.backward()
        return number.detach()

    assert_same(*run(models, loss), "loss")
    assert_close_gradients(*models)
    assert any(parameter.grad is not None and parameter.grad.any() for parameter in models.ours.parameters())


WAYS = {
    "greedy": {"do_sample": False},
    "beams": {"num_beams": 2, "do_sample": False},
    "sampled": {"do_sample": True, "top_k": 9, "temperature": 1.7},
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("family", "task"), LANGUAGE)
def test_the_same_tokens_are_generated(family, task, way):
    texts = batch_for(family, task, padding="right" if task == "SEQ_2_SEQ_LM" else "left")
    options = {name: texts[name] for name in ("input_ids", "attention_mask")} | WAYS[way]
    options |= {"min_new_tokens": 4, "max_new_tokens": 4}
    assert_same(*run(wrapped(family, task), lambda model: model.generate(**options)), "tokens")


@every_task
def test_what_one_library_saves_the_other_loads(family, task, tmp_path):
    models = wrapped(family, task)
    batch = batch_for(family, task, padding=None)
    for name, model in models._asdict().items():
        model.save_pretrained(tmp_path / name)

    def loaded(library, name):
        with quietly():
            return library.PeftModel.from_pretrained(tiny(family, task), str(tmp_path / name))

    with torch.no_grad():
        for reader, name in ((prefix_lab, "theirs"), (peft, "ours")):
            assert_same(loaded(reader, name)(**batch), getattr(models, name)(**batch), f"{name} read by the other")


@every_task
def test_a_projected_prefix_in_bfloat16_gives_the_same_outputs(family, task):
    def make():
        return tiny(family, task).bfloat16()

    models = both(make, task_type=task, prefix_projection=True, encoder_hidden_size=5)
    batch = batch_for(family, task, padding=None, tokens=4)
    with torch.no_grad():
        assert_same(*run(models, lambda model: model(**batch)), "output")


@pytest.mark.parametrize(("family", "task"), HEADS_OF_TWO)
def test_the_head_of_an_encoder_decoder_is_refused_where_peft_fails_later(family, task):
    def later():
        config = peft.PrefixTuningConfig(task_type=task, num_virtual_tokens=3)
        return peft.get_peft_model(tiny(family, task), config)(**batch_for(family, task, labels=True))

    with quietly(), pytest.raises(Exception):  # noqa: B017, PT011 - ours is the clear one
        later()
    model, config = tiny(family, task), prefix_lab.PrefixTuningConfig(task_type=task, num_virtual_tokens=3)
    if not model.config.is_encoder_decoder:  # only T5's encoder, and PEFT's own refusal is clear
        with pytest.raises(ValueError, match="Model does not support past key values"):
            prefix_lab.get_peft_model(model, config)(**batch_for(family, task, labels=True))
        return
    with refuses(ValueError, f"task_type='{task}'", "one stack of layers", "SEQ_2_SEQ_LM", leaving=(model, config)):
        prefix_lab.get_peft_model(model, config)


@pytest.mark.parametrize("family", ENCODER_DECODERS)
def test_padding_for_the_features_of_an_encoder_decoder_is_refused_where_peft_fails_inside_torch(family):
    models, batch = wrapped(family, "FEATURE_EXTRACTION"), batch_for(family, "FEATURE_EXTRACTION")
    with pytest.raises((RuntimeError, AssertionError)):
        models.theirs(**batch)
    with pytest.raises(ValueError, match=r"attention_mask .* without padding"):
        models.ours(**batch)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_kind_of_cache_that_the_family_does_not_read_is_refused(family):
    two = family in ENCODER_DECODERS
    task = "SEQ_2_SEQ_LM" if two else "FEATURE_EXTRACTION"
    wrong = 1 if two else 2

    def outcome(library):
        config = library.PrefixTuningConfig(task_type=task, num_virtual_tokens=3, num_transformer_submodules=wrong)
        try:
            return library.get_peft_model(tiny(family, task), config)(**batch_for(family, task))
        except Exception as error:
            return error

    ours, theirs = in_both(outcome)
    assert isinstance(ours, Exception) == isinstance(theirs, Exception), (ours, theirs)
    if isinstance(ours, Exception):
        assert isinstance(ours, ValueError)
        assert f"num_transformer_submodules={wrong}" in str(ours)
    else:
        assert_same(ours, theirs, "output")


@pytest.mark.parametrize("padding", [None, "left"])
def test_gemmas_first_layers_alone_may_have_a_prefix(padding):
    models = both(lambda: tiny("Gemma 2", "CAUSAL_LM"), task_type="CAUSAL_LM", num_layers=1)
    batch = batch_for("Gemma 2", "CAUSAL_LM", padding=padding)
    assert_same(*run(models, lambda model: model.get_prompt(2)), "cache")
    assert_same(*run(models, lambda model: outcome(lambda: model(**batch))), "output")


GEMMA_4 = {
    **{"vocab_size": 37, "hidden_size": 24, "intermediate_size": 20, "num_hidden_layers": 4},
    **{"num_attention_heads": 6, "num_key_value_heads": 2, "head_dim": 8, "global_head_dim": 16, "sliding_window": 6},
    **{"layer_types": ["sliding_attention", "full_attention"] * 2, "max_position_embeddings": 48},
    **{"hidden_size_per_layer_input": 4, "vocab_size_per_layer_input": 37, "num_kv_shared_layers": 0},
}


def gemma_4(**changes):
    config = Gemma4TextConfig(**{**GEMMA_4, **tiny_models.SPECIAL, **changes})
    return tiny_models.random_weights(lambda: Gemma4ForCausalLM(config))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"num_kv_shared_layers": 2},
        {"global_head_dim": 4},
        {"attention_k_eq_v": True, "num_global_key_value_heads": 1},
        {"attention_k_eq_v": True, "num_global_key_value_heads": 3},
    ],
)
def test_layers_of_two_sizes_read_what_fits_of_one_prefix(changes):
    models = both(lambda: gemma_4(**changes), task_type="CAUSAL_LM")
    assert_same(*run(models, lambda model: repr(model.peft_config)), "config")
    found = run(models, lambda model: warnings_of(lambda: model.get_prompt(2)))
    assert_same(*found, "cache and warnings")
    batch = batch_for("Llama", "CAUSAL_LM", padding="left")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Prefix tuning injected into layers")
        assert_same(*run(models, lambda model: outcome(lambda: model(**batch))), "output")


def test_a_prefix_that_fits_no_layer_is_refused():
    narrow = {"attention_k_eq_v": True, "num_global_key_value_heads": 1}
    models = both(lambda: gemma_4(**narrow), task_type="CAUSAL_LM", num_layers=1)
    for model in models:
        with pytest.raises(ValueError, match=r"(fits no layer of this model|skipped every layer)"):
            model(**batch_for("Llama", "CAUSAL_LM"))


def outcome(do):
    """What it gives, or the name of its error."""
    try:
        return do()
    except Exception as error:
        return type(error).__name__
