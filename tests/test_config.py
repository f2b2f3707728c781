"""The configuration: what is accepted, what is refused by name, and how it is kept."""

import pytest

from prefix_lab import PeftConfig, PrefixTuningConfig, PromptLearningConfig, get_peft_config
from tests.tiny_models import refuses

SIZES = (
    "num_virtual_tokens",
    "token_dim",
    "num_transformer_submodules",
    "num_attention_heads",
    "num_layers",
    "encoder_hidden_size",
)


def test_a_bare_config_is_allowed_and_leaves_every_size_open():
    config = PrefixTuningConfig()
    assert all(getattr(config, name) is None for name in SIZES)
    assert config.peft_type == "PREFIX_TUNING"


@pytest.mark.parametrize("name", SIZES)
@pytest.mark.parametrize("value", [0, -20, 20.0, "20", True, [20], float("nan")])
def test_a_size_that_is_no_int_of_at_least_one_is_refused(plain, name, value):
    wrong_type = type(value) is not int
    said = f"{name}={value!r} is a {type(value).__name__}" if wrong_type else f"{name}={value}"
    with refuses(TypeError if wrong_type else ValueError, said, "expected an int of at least 1", f"Set {name}=20"):
        plain.PrefixTuningConfig(**{name: value})


def test_more_than_two_submodules_are_refused():
    with refuses(ValueError, "num_transformer_submodules=3", "expected 1", "or 2", "Leave it out"):
        PrefixTuningConfig(num_transformer_submodules=3)


@pytest.mark.parametrize(
    ("error", "name", "value", "words"),
    [
        *(
            (ValueError, "task_type", one, "does not exist. Set one of SEQ_CLS")
            for one in ("SEQ2SEQ", "", 7, ["CAUSAL_LM"])
        ),
        *((TypeError, "prefix_projection", one, "expected True or False") for one in (1, "yes", None)),
        (TypeError, "inference_mode", 0, "expected True or False"),
        *((ValueError, "init_weights", one, "expected None or 'zero'") for one in ("foo", "Zero", 0, True)),
    ],
)
def test_a_value_that_makes_no_sense_is_refused(plain, error, name, value, words):
    with refuses(error, f"{name}={value!r}", words):
        plain.PrefixTuningConfig(**{name: value})


@pytest.mark.parametrize("config_class", [PeftConfig, PromptLearningConfig])
def test_a_peft_type_that_does_not_exist_is_refused(config_class):
    with refuses(ValueError, "peft_type='PREFIX'", "Set one of PREFIX_TUNING"):
        config_class(peft_type="PREFIX")


def test_a_field_spoilt_afterwards_is_found_by_check():
    config = PrefixTuningConfig(num_virtual_tokens=20)
    config.num_virtual_tokens = "20"
    with refuses(TypeError, "num_virtual_tokens='20'"):
        config.check()


def test_a_config_that_cannot_be_written_leaves_the_old_file(tmp_path):
    PrefixTuningConfig(num_virtual_tokens=20).save_pretrained(tmp_path)
    before = (tmp_path / "adapter_config.json").read_bytes()
    with pytest.raises(TypeError):
        PrefixTuningConfig(auto_mapping={"model": object()}).save_pretrained(tmp_path)
    assert (tmp_path / "adapter_config.json").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["adapter_config.json"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", ["is not JSON", "Save the adapter again"]),
        ("[1, 2]", ["holds a list", "expected a JSON object"]),
        ("{}", ["peft_type=None", "Set one of PREFIX_TUNING"]),
        ('{"peft_type": "IA3", "num_layers": 2}', ["peft_type='IA3'", "Set one of PREFIX_TUNING"]),
        ('{"peft_type": "PREFIX_TUNING", "num_layers": 0}', ["num_layers=0", "expected an int of at least 1"]),
    ],
)
def test_a_damaged_or_foreign_file_is_refused(text, words, tmp_path):
    (tmp_path / "adapter_config.json").write_text(text)
    with refuses(ValueError, *words):
        PeftConfig.from_pretrained(tmp_path)


@pytest.mark.parametrize("peft_type", ["prefix_tuning", "IA3", 3, None])
def test_a_dict_with_a_method_that_does_not_exist_is_refused(peft_type):
    with refuses(ValueError, f"peft_type={peft_type!r}", "Set one of PREFIX_TUNING"):
        get_peft_config({"peft_type": peft_type})
