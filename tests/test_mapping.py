"""`get_peft_model`: the class that a task chooses, and what is refused before anything is changed."""

import copy
import warnings

import peft
import pytest
import torch
from torch import nn
from transformers import AlbertConfig, AlbertModel, T5Config, T5EncoderModel

from prefix_lab import (
    PeftModelForCausalLM,
    PeftModelForFeatureExtraction,
    PeftModelForSeq2SeqLM,
    PrefixTuningConfig,
    TaskType,
    get_peft_model,
)
from prefix_lab.beside.wrapping import choose_task_class
from tests.tiny_models import random_ids, refuses, tiny_gpt2, tiny_t5, two_texts


def prefix(**fields):
    return PrefixTuningConfig(**{"task_type": "SEQ_2_SEQ_LM", "num_virtual_tokens": 3, **fields})


@pytest.mark.parametrize(
    ("task_type", "chosen"),
    [
        ("SEQ_2_SEQ_LM", PeftModelForSeq2SeqLM),
        (TaskType.SEQ_2_SEQ_LM, PeftModelForSeq2SeqLM),
        ("CAUSAL_LM", PeftModelForCausalLM),
        ("FEATURE_EXTRACTION", PeftModelForFeatureExtraction),
    ],
)
def test_the_task_type_chooses_the_class(task_type, chosen):
    assert choose_task_class(prefix(task_type=task_type)) is chosen


def test_wrapping_without_a_number_of_virtual_tokens_is_refused():
    model, config = tiny_t5(), prefix(num_virtual_tokens=None)
    with refuses(
        ValueError, "num_virtual_tokens=None", "expected an int", "Set num_virtual_tokens=20", leaving=(model, config)
    ):
        get_peft_model(model, config)


def test_a_bare_config_is_refused_for_its_missing_task():
    model, config = tiny_t5(), PrefixTuningConfig()
    with refuses(ValueError, "task_type=None chooses no class", "SEQ_2_SEQ_LM", leaving=(model, config)):
        get_peft_model(model, config)


@pytest.mark.parametrize("task_type", ["SEQ2SEQ", "", 7])
def test_a_task_type_spoilt_after_the_config_was_made_is_refused(task_type):
    model, config = tiny_t5(), prefix()
    config.task_type = task_type
    with refuses(
        ValueError, f"task_type={task_type!r}", "Set task_type to one of SEQ_CLS, SEQ_2_SEQ_LM", leaving=(model, config)
    ):
        get_peft_model(model, config)


@pytest.mark.parametrize("peft_type", ["IA3", 3])
def test_a_method_that_does_not_exist_is_refused(peft_type):
    model, config = tiny_t5(), prefix()
    config.peft_type = peft_type
    with refuses(ValueError, f"peft_type={peft_type!r}", "Set one of PREFIX_TUNING", leaving=(model, config)):
        get_peft_model(model, config)


@pytest.mark.parametrize(
    ("make_config", "kind"),
    [
        (
            lambda ours: ours.PeftConfig(task_type="SEQ_2_SEQ_LM", peft_type="PREFIX_TUNING"),
            "prefix_lab.beside.configs.PeftConfig",
        ),
        (lambda ours: peft.PrefixTuningConfig(), "peft.tuners.prefix_tuning.config.PrefixTuningConfig"),
        (lambda ours: {"peft_type": "PREFIX_TUNING"}, "builtins.dict"),
        (lambda ours: None, "builtins.NoneType"),
    ],
)
def test_an_object_that_is_not_our_config_is_refused(plain, make_config, kind):
    model, config = tiny_t5(), make_config(plain)
    with refuses(TypeError, f"peft_config is a {kind}", "expected a PrefixTuningConfig of prefix_lab"):
        plain.get_peft_model(model, config)
    assert all(parameter.requires_grad for parameter in model.parameters())


@pytest.mark.parametrize(("field", "value"), [("num_virtual_tokens", 0), ("token_dim", -12), ("num_layers", 0)])
def test_a_size_spoilt_after_the_config_was_made_is_refused(field, value):
    model, config = tiny_t5(), prefix()
    setattr(config, field, value)
    with refuses(ValueError, f"{field}={value}", "expected an int of at least 1", leaving=(model, config)):
        get_peft_model(model, config)


def test_a_model_without_a_config_is_refused():
    model, config = nn.Linear(2, 2), prefix(task_type="FEATURE_EXTRACTION")
    with refuses(AttributeError, "'Linear' object has no attribute 'config'", leaving=(model, config)):  # as PEFT
        get_peft_model(model, config)


@pytest.mark.parametrize("wrong", [None, "t5-base", 3])
def test_a_model_whose_config_is_none_is_refused(wrong):
    model, config = nn.Linear(2, 2), prefix(task_type="FEATURE_EXTRACTION")
    model.config = wrong
    with refuses(
        TypeError, f"model_config={wrong!r}", "expected a transformers config or a dict", leaving=(model, config)
    ):
        get_peft_model(model, config)


def test_a_model_that_cannot_generate_is_refused_for_a_language_task():
    with torch.random.fork_rng(devices=[]):
        model = T5EncoderModel(T5Config(d_model=12, num_heads=3, d_kv=4, num_layers=2, d_ff=7, vocab_size=37))
    config = prefix()
    with refuses(AttributeError, "prepare_inputs_for_generation", leaving=(model, config)):  # as PEFT
        get_peft_model(model, config)


def test_an_encoder_that_would_ignore_the_prefix_is_refused():
    with torch.random.fork_rng(devices=[]):
        model = T5EncoderModel(T5Config(d_model=12, num_heads=3, d_kv=4, num_layers=2, d_ff=7, vocab_size=37))
    wrapped = get_peft_model(model, prefix(task_type="FEATURE_EXTRACTION"))
    with refuses(ValueError, "T5EncoderModel did not read the prefix"):  # its layers take a cache, and get none
        wrapped(input_ids=random_ids(2, 7))


def test_a_model_that_takes_no_cache_is_refused():
    with torch.random.fork_rng(devices=[]):
        model = AlbertModel(AlbertConfig(embedding_size=8, hidden_size=12, num_attention_heads=3, vocab_size=37))
    config = prefix(task_type="FEATURE_EXTRACTION")
    with refuses(ValueError, "AlbertModel takes no past_key_values", leaving=(model, config)):
        get_peft_model(model, config)


@pytest.mark.parametrize("name", ["", "a.b", "keys", "training"])
def test_an_adapter_name_that_torch_cannot_keep_is_refused_before_anything_is_changed(name):
    model, config = tiny_t5(), prefix()
    with refuses(ValueError, f"adapter_name={name!r}", "Choose another", leaving=(model, config)):
        get_peft_model(model, config, adapter_name=name)
    wrapped = get_peft_model(model, config)
    with refuses(ValueError, f"adapter_name={name!r}", leaving=(wrapped, config)):
        wrapped.add_adapter(name, prefix())


def test_mixing_methods_is_refused():
    model, config = tiny_t5(), prefix()
    with refuses(ValueError, "mixed=True", "Leave it out", leaving=(model, config)):
        get_peft_model(model, config, mixed=True)


def test_gradient_checkpointing_is_refused_before_anything_is_frozen():
    model, config = tiny_t5(), prefix()
    model.activation_checkpointing_enable()
    with refuses(ValueError, "gradient checkpointing", "gradient_checkpointing_disable()", leaving=(model, config)):
        get_peft_model(model, config)


@pytest.mark.filterwarnings("ignore:The PEFT config's `base_model_name_or_path` was renamed")
@pytest.mark.filterwarnings("ignore:peft config has already set base model revision")
def test_a_refused_call_gives_the_config_its_name_and_revision_back():
    model = tiny_t5()
    config = prefix(base_model_name_or_path="t5-base", revision="main", token_dim=15)
    with refuses(ValueError, "token_dim=15", leaving=(model, config)):
        get_peft_model(model, config, revision="v2")


def test_any_module_with_a_dict_of_sizes_can_be_wrapped():
    model = nn.Sequential(nn.Linear(12, 12))
    model.config = {"num_layers": 2, "d_model": 12, "num_heads": 3}
    wrapped = get_peft_model(model, prefix(task_type="FEATURE_EXTRACTION"))
    assert wrapped.get_nb_trainable_parameters() == (3 * 2 * 2 * 12, 3 * 2 * 2 * 12 + 12 * 12 + 12)
    assert wrapped.get_prompt(2).layers[0].keys.shape == (2, 3, 3, 4)


def test_one_config_serves_two_models_of_the_same_sizes():
    config = prefix()
    first = get_peft_model(tiny_t5(), config)
    filled = copy.deepcopy(config)
    second = get_peft_model(tiny_t5(d_ff=30), config)
    assert config == filled
    for model in (first, second):
        assert model(**two_texts()).loss.isfinite()


@pytest.mark.parametrize("projection", [False, True])
@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"layers": 3}, ["num_layers=2, but 3 layers"]),
        ({"num_heads": 2, "d_model": 8}, ["num_attention_heads=3, but this model caches 2 heads"]),
        ({"d_model": 15, "d_kv": 5}, ["token_dim=12 over 3 heads gives head_dim 4", "heads are 5 wide"]),
    ],
)
def test_a_config_filled_for_another_model_is_refused(other, words, projection):
    config = prefix(prefix_projection=projection)
    get_peft_model(tiny_t5(), config)
    model = tiny_t5(**other)
    with refuses(
        ValueError, *words, "filled for another model: make a new PrefixTuningConfig", leaving=(model, config)
    ):
        get_peft_model(model, config)


def test_a_config_filled_for_a_deeper_model_is_warned_of():
    config = prefix()
    get_peft_model(tiny_t5(), config)
    with pytest.warns(UserWarning, match="but only 1 layers .* filled for another model: make a new PrefixTuningConf"):
        get_peft_model(tiny_t5(1), config)


def test_a_quiet_call_warns_of_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        get_peft_model(tiny_t5(), prefix())
        get_peft_model(tiny_gpt2(), prefix(task_type="CAUSAL_LM"), adapter_name="german", revision="main")
