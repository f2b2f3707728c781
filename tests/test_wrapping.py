"""`get_peft_model` and what it returns: the class that a task chooses, and what is refused with nothing changed."""

import copy
import warnings

import peft
import pytest
import torch
from torch import nn
from transformers import AlbertConfig, AlbertModel, DynamicCache, T5Config, T5EncoderModel, T5ForConditionalGeneration

from prefix_lab import (
    PeftModel,
    PeftModelForCausalLM,
    PeftModelForFeatureExtraction,
    PeftModelForSeq2SeqLM,
    PrefixTuningConfig,
    TaskType,
    get_peft_model,
)
from prefix_lab.beside.adapters import find_word_embeddings
from prefix_lab.beside.wrapping import choose_task_class
from tests.tiny_models import one_text, random_ids, refuses, tiny_bert, tiny_gpt2, tiny_llama, tiny_t5, two_texts


def prefix(task_type="SEQ_2_SEQ_LM", **fields):
    return PrefixTuningConfig(**{"task_type": task_type, "num_virtual_tokens": 3, **fields})


def spoilt(**fields):
    """A config that was changed after it was made."""
    config = prefix()
    vars(config).update(fields)
    return config


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
    assert choose_task_class(prefix(task_type)) is chosen


def with_config(config):
    model = nn.Linear(2, 2)
    model.config = config
    return model


def encoder_alone():
    with torch.random.fork_rng(devices=[]):
        return T5EncoderModel(T5Config(d_model=12, num_heads=3, d_kv=4, num_layers=2, d_ff=7, vocab_size=37))


def without_cache():
    with torch.random.fork_rng(devices=[]):
        return AlbertModel(AlbertConfig(embedding_size=8, hidden_size=12, num_attention_heads=3, vocab_size=37))


def checkpointing():
    model = tiny_t5()
    model.activation_checkpointing_enable()
    return model


FEATURES = "FEATURE_EXTRACTION"
REFUSED = {
    "no number of virtual tokens": (
        *(tiny_t5, prefix(num_virtual_tokens=None), ValueError),
        *("num_virtual_tokens=None", "expected an int", "Set num_virtual_tokens=20"),
    ),
    "a bare config": (tiny_t5, PrefixTuningConfig(), ValueError, "task_type=None chooses no class", "SEQ_2_SEQ_LM"),
    **{
        f"task_type={task!r}": (tiny_t5, spoilt(task_type=task), ValueError, f"task_type={task!r}", "Set task_type to")
        for task in ("SEQ2SEQ", "", 7)
    },
    **{
        f"peft_type={method!r}": (tiny_t5, spoilt(peft_type=method), ValueError, f"peft_type={method!r}", "Set one of")
        for method in ("IA3", 3)
    },
    **{
        f"{name}={size}": (tiny_t5, spoilt(**{name: size}), ValueError, f"{name}={size}", "an int of at least 1")
        for name, size in (("num_virtual_tokens", 0), ("token_dim", -12), ("num_layers", 0))
    },
    "a model without a config": (
        lambda: nn.Linear(2, 2),
        prefix(),
        AttributeError,
        "Linear and has no attribute 'config'",
    ),
    **{
        f"model.config={wrong!r}": (
            *(lambda wrong=wrong: with_config(wrong), prefix(FEATURES), TypeError),
            *(f"model_config={wrong!r}", "expected a transformers config or a dict"),
        )
        for wrong in (None, "t5-base")
    },
    "a model that cannot generate": (encoder_alone, prefix(), AttributeError, "prepare_inputs_for_generation"),
    "a model that takes no cache": (without_cache, prefix(FEATURES), ValueError, "AlbertModel takes no past_key_val"),
    "gradient checkpointing": (checkpointing, prefix(), ValueError, "gradient checkpointing", "checkpointing_disable"),
    "a language model as encoder-decoder": (
        *(tiny_llama, prefix(), ValueError, "an encoder and a decoder", "task_type='CAUSAL_LM'"),
    ),
    "the paper's layout for one stack": (
        *(tiny_gpt2, prefix("CAUSAL_LM", layout="paper"), ValueError),
        "layout='paper' knows the attention layers of T5 and BART",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_wrapped_is_refused_and_left_as_it_was(case):
    make_model, config, error, *words = REFUSED[case]
    model = make_model()
    with refuses(error, *words, leaving=(model, config)):
        get_peft_model(model, config)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        *(({"adapter_name": name}, f"adapter_name={name!r}") for name in ("", "a.b", "keys", "training")),
        ({"mixed": True}, "mixed=True"),
    ],
)
def test_what_cannot_be_asked_for_is_refused_and_nothing_is_changed(options, words):
    model, config = tiny_t5(), prefix()
    with refuses(ValueError, words, leaving=(model, config)):
        get_peft_model(model, config, **options)


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


@pytest.mark.filterwarnings("ignore:The PEFT config's `base_model_name_or_path` was renamed")
@pytest.mark.filterwarnings("ignore:peft config has already set base model revision")
def test_a_refused_call_gives_the_config_its_name_and_revision_back():
    model = tiny_t5()
    config = prefix(base_model_name_or_path="t5-base", revision="main", token_dim=15)
    with refuses(ValueError, "token_dim=15", leaving=(model, config)):
        get_peft_model(model, config, revision="v2")


def test_an_encoder_that_would_ignore_the_prefix_is_refused():
    wrapped = get_peft_model(encoder_alone(), prefix(FEATURES))
    with refuses(ValueError, "T5EncoderModel did not read the prefix"):  # its layers take a cache, and get none
        wrapped(input_ids=random_ids(2, 7))


def test_any_module_with_a_dict_of_sizes_can_be_wrapped():
    model = nn.Sequential(nn.Linear(12, 12))
    model.config = {"num_layers": 2, "d_model": 12, "num_heads": 3}
    wrapped = get_peft_model(model, prefix(FEATURES))
    assert wrapped.get_nb_trainable_parameters() == (3 * 2 * 2 * 12, 3 * 2 * 2 * 12 + 12 * 12 + 12)
    assert wrapped.get_prompt(2).layers[0].keys.shape == (2, 3, 3, 4)


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
    words.append("filled for another model: make a new PrefixTuningConfig")
    with refuses(ValueError, *words, leaving=(model, config)):
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
        get_peft_model(tiny_gpt2(), prefix("CAUSAL_LM"), adapter_name="german", revision="main")


def test_the_counts_at_t5_base_sizes_are_those_of_the_paper_trail():
    with torch.device("meta"):
        base = T5ForConditionalGeneration(T5Config(d_model=768, d_ff=3072, num_layers=12, num_heads=12))
    model = get_peft_model(base, prefix(num_virtual_tokens=20))
    assert model.get_nb_trainable_parameters() == (368_640, 223_272_192)
    assert next(model.prompt_encoder.parameters()).device.type == "meta"


def test_what_the_wrapper_does_not_have_the_base_model_may():
    model = get_peft_model(tiny_t5(), prefix())
    assert model.config is model.get_base_model().config
    assert model.encoder is model.get_base_model().encoder
    with pytest.raises(AttributeError, match="nowhere"):
        _ = model.nowhere


def test_a_wrapped_model_can_be_copied():
    model = PeftModelForSeq2SeqLM(tiny_t5(), prefix())  # the class itself does what get_peft_model does
    other = copy.deepcopy(model)
    assert isinstance(other, PeftModel)
    assert torch.equal(other(**two_texts()).logits, model(**two_texts()).logits)
    assert next(other.prompt_encoder.parameters()) is not next(model.prompt_encoder.parameters())


@pytest.mark.parametrize(
    ("make_model", "name"),
    [
        (tiny_t5, "encoder.embed_tokens"),
        (tiny_gpt2, "transformer.wte"),
        (tiny_llama, "model.embed_tokens"),
        (tiny_bert, "embeddings.word_embeddings"),
    ],
)
def test_the_word_embeddings_are_found_by_name_or_as_the_first_as_long_as_the_vocabulary(make_model, name):
    model = make_model()
    assert find_word_embeddings(model) is model.get_submodule(name)
    assert find_word_embeddings(with_config({"num_layers": 1})) is None


def test_a_simulation_of_tensor_parallelism_is_switched_off():
    base = tiny_llama()
    base.config.pretraining_tp = 2
    get_peft_model(base, prefix("CAUSAL_LM"))
    assert base.config.pretraining_tp == 1


def test_the_cache_comes_back_longer_by_the_prefix_and_the_callers_is_replaced_and_left_alone():
    out = get_peft_model(tiny_t5(), prefix())(**two_texts(source=7, target=5))
    assert out.past_key_values.self_attention_cache.get_seq_length() == 3 + 5
    assert out.past_key_values.cross_attention_cache.get_seq_length() == 7
    mine = DynamicCache()
    out = get_peft_model(tiny_gpt2(), prefix("CAUSAL_LM"))(**one_text(), past_key_values=mine)
    assert out.past_key_values is not mine
    assert mine.get_seq_length() == 0
