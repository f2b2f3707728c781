"""Preparation: where each size comes from, and which sizes cannot work on this model."""

import pytest
from transformers import Gemma3Config, LlamaConfig, T5Config

from prefix_lab import PrefixTuningConfig, get_peft_model, prepare_prompt_learning_config
from prefix_lab.prepare import explain_preparation, text_config
from prefix_lab.sizes import cache_sizes
from tests.tiny_models import refuses, tiny_bart, tiny_bert, tiny_gpt2, tiny_llama, tiny_t5

TASKS = {tiny_t5: "SEQ_2_SEQ_LM", tiny_bart: "SEQ_2_SEQ_LM", tiny_gpt2: "CAUSAL_LM", tiny_bert: "FEATURE_EXTRACTION"}


def prefix(make_model=tiny_t5, **fields):
    return PrefixTuningConfig(task_type=TASKS.get(make_model, "CAUSAL_LM"), num_virtual_tokens=3, **fields)


def test_each_number_says_which_name_in_the_models_config_it_came_from():
    rows = explain_preparation(PrefixTuningConfig(), T5Config())
    assert rows == {
        "num_layers": (6, "num_hidden_layers"),
        "token_dim": (512, "d_model"),
        "num_attention_heads": (8, "num_heads"),
        "encoder_hidden_size": (512, "token_dim"),
    }


def test_grouped_query_attention_says_how_its_width_was_found():
    rows = explain_preparation(PrefixTuningConfig(), tiny_llama().config)
    assert rows["token_dim"] == (8, "num_key_value_heads · head_dim")
    assert rows["num_attention_heads"] == (2, "num_key_value_heads")


def test_what_the_user_set_is_not_explained_and_nothing_is_changed():
    config = PrefixTuningConfig(num_layers=6, token_dim=512, num_attention_heads=8)
    before = config.to_dict()
    assert explain_preparation(config, T5Config()) == {"encoder_hidden_size": (512, "token_dim")}
    assert config.to_dict() == before


def test_the_config_is_filled_in_place_and_given_back_and_twice_is_as_once():
    config = prefix(tiny_llama)
    assert prepare_prompt_learning_config(config, tiny_llama().config) is config
    once = config.to_dict()
    assert prepare_prompt_learning_config(config, tiny_llama().config).to_dict() == once


def test_a_model_that_also_sees_has_its_sizes_one_level_down():
    assert text_config(Gemma3Config())["hidden_size"] == Gemma3Config().text_config.hidden_size


def test_the_cache_is_the_decoders():
    sizes = cache_sizes(T5Config(num_layers=2, num_decoder_layers=3, d_model=512, num_heads=6, d_kv=64))
    assert sizes == (3, 6, 64)
    llama = LlamaConfig(num_attention_heads=8, num_key_value_heads=2, hidden_size=64, head_dim=None)
    assert cache_sizes(llama)[1:] == (2, 8)


@pytest.mark.parametrize(
    ("known", "field", "names"),
    [
        ({"d_model": 8, "num_heads": 2}, "num_layers", "num_hidden_layers, num_layers, n_layer"),
        ({"num_layers": 2, "num_heads": 2}, "token_dim", "hidden_size, n_embd, d_model"),
        ({"num_layers": 2, "d_model": 8}, "num_attention_heads", "num_attention_heads, n_head, num_heads"),
        ({}, "num_layers", "num_hidden_layers"),
        ({"num_layers": None, "d_model": 8, "num_heads": 2}, "num_layers", "num_hidden_layers"),
    ],
)
def test_a_size_that_the_model_does_not_say_is_asked_for(known, field, names):
    config = prefix()
    with refuses(ValueError, f"{field} cannot be found", names, f"Set {field} in the PrefixTuningConfig"):
        prepare_prompt_learning_config(config, known)
    assert config == prefix()


DEEPER = ["num_layers=2, but 3 layers of this model read a prefix", "Set num_layers=3"]
HEADS = ["but this model caches 3 heads", "set num_attention_heads=3"]
SHALLOW = ["num_layers=1, but 2 layers", "Set num_layers=2"]
MISFITS = {
    "a width that its heads do not divide": (
        *(tiny_t5, {"token_dim": 14}),
        ["token_dim=14 over 3 heads gives head_dim 4.66667", "heads are 4 wide", "Set token_dim=12"],
    ),
    "d_kv that is not d_model / heads, with projection": (
        *(lambda: tiny_t5(d_kv=8), {"prefix_projection": True}),
        ["token_dim=12 over 3 heads gives head_dim 4", "heads are 8 wide", "Set token_dim=24"],
    ),
    "fewer layers": (tiny_t5, {"num_layers": 1}, SHALLOW),
    "fewer layers of GPT-2": (tiny_gpt2, {"num_layers": 1}, SHALLOW),
    "fewer heads": (tiny_t5, {"num_attention_heads": 2}, ["num_attention_heads=2", *HEADS]),
    "more heads": (tiny_t5, {"num_attention_heads": 4}, ["num_attention_heads=4", *HEADS]),
    "more heads of BERT": (tiny_bert, {"num_attention_heads": 6}, ["num_attention_heads=6", *HEADS]),
    "a decoder deeper than its encoder": (lambda: tiny_t5(num_decoder_layers=3), {}, DEEPER),
    "a deeper decoder of BART": (lambda: tiny_bart(decoder_layers=3), {}, DEEPER),
}


@pytest.mark.parametrize("case", MISFITS)
def test_what_does_not_fit_the_model_is_refused(case):
    make_model, fields, words = MISFITS[case]
    model, config = make_model(), prefix(make_model, **fields)
    config.task_type = "SEQ_2_SEQ_LM" if model.config.is_encoder_decoder else config.task_type
    with refuses(ValueError, *words, leaving=(model, config)):
        get_peft_model(model, config)


def test_the_width_of_grouped_query_heads_is_asked_for_as_the_user_gives_it():
    sizes = {"num_hidden_layers": 2, "hidden_size": 24, "num_attention_heads": 6, "num_key_value_heads": 2}
    with refuses(ValueError, "token_dim=30 over 6 heads gives head_dim 5", "heads are 4 wide", "Set token_dim=24"):
        prepare_prompt_learning_config(prefix(token_dim=30), sizes)
    assert prepare_prompt_learning_config(prefix(token_dim=24), sizes).token_dim == 8


def test_flan_t5_small_is_told_the_width_that_works():
    sizes = T5Config(d_model=512, num_heads=6, d_kv=64, num_layers=8)
    with refuses(ValueError, "token_dim=512 over 6 heads", "heads are 64 wide", "Set token_dim=384"):
        prepare_prompt_learning_config(prefix(), sizes)
    assert prepare_prompt_learning_config(prefix(token_dim=384), sizes).encoder_hidden_size == 384


@pytest.mark.parametrize("make_model", [tiny_t5, tiny_gpt2])
def test_more_layers_than_the_model_has_are_accepted_with_a_warning_that_names_the_unused(make_model):
    with pytest.warns(UserWarning, match=r"num_layers=5, but only 2 layers .* layers 2 to 4 are not used") as caught:
        get_peft_model(make_model(), prefix(make_model, num_layers=5))
    assert len(caught) == 1


def test_a_decoder_shallower_than_its_encoder_is_accepted_with_a_warning():
    with pytest.warns(UserWarning, match="num_layers=2, but only 1 layers of this model read a prefix"):
        get_peft_model(tiny_t5(num_decoder_layers=1), prefix())
