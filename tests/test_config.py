"""The configuration: what is accepted, what is refused by name, and how it is kept."""

import copy
import json

import pytest

from prefix_lab import PeftConfig, PrefixTuningConfig, PromptLearningConfig, get_peft_config
from prefix_lab.beside.configs import check_size
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
@pytest.mark.parametrize("value", [0, -1, -20])
def test_a_size_below_one_is_refused(name, value):
    with refuses(ValueError, f"{name}={value}", "expected an int of at least 1", f"Set {name}=20"):
        PrefixTuningConfig(**{name: value})


@pytest.mark.parametrize("name", SIZES)
@pytest.mark.parametrize("value", [20.0, 1.5, "20", "twenty", True, [20], float("nan")])
def test_a_size_that_is_not_an_int_is_refused(plain, name, value):
    kind = type(value).__name__
    with refuses(TypeError, f"{name}={value!r} is a {kind}", "expected an int of at least 1", f"Set {name}=20"):
        plain.PrefixTuningConfig(**{name: value})


def test_more_than_two_submodules_are_refused():
    with refuses(ValueError, "num_transformer_submodules=3", "expected 1", "or 2", "Leave it out"):
        PrefixTuningConfig(num_transformer_submodules=3)


@pytest.mark.parametrize("task_type", ["SEQ2SEQ", "seq_2_seq_lm", "", 7, ["CAUSAL_LM"]])
def test_a_task_type_that_does_not_exist_is_refused(plain, task_type):
    with refuses(ValueError, f"task_type={task_type!r} does not exist", "Set one of SEQ_CLS, SEQ_2_SEQ_LM, CAUSAL_LM"):
        plain.PrefixTuningConfig(task_type=task_type)


@pytest.mark.parametrize("config_class", [PeftConfig, PromptLearningConfig])
def test_a_peft_type_that_does_not_exist_is_refused(config_class):
    with refuses(ValueError, "peft_type='PREFIX'", "Set one of PREFIX_TUNING"):
        config_class(peft_type="PREFIX")


@pytest.mark.parametrize("name", ["prefix_projection", "inference_mode"])
@pytest.mark.parametrize("value", [1, 0, "yes", None])
def test_a_switch_that_is_neither_true_nor_false_is_refused(plain, name, value):
    with refuses(TypeError, f"{name}={value!r}", "expected True or False"):
        plain.PrefixTuningConfig(**{name: value})


@pytest.mark.parametrize("value", ["foo", "Zero", 0, True])
def test_a_way_to_start_that_does_not_exist_is_refused(plain, value):
    with refuses(ValueError, f"init_weights={value!r}", "expected None or 'zero'"):
        plain.PrefixTuningConfig(init_weights=value)


def test_a_field_that_does_not_exist_is_refused_by_its_name():
    with refuses(TypeError, "num_virtual_token"):
        PrefixTuningConfig(num_virtual_token=20)


@pytest.mark.parametrize("value", [1, 20, None])
def test_check_size_lets_a_size_pass(value):
    check_size("num_virtual_tokens", value)


def test_a_field_spoilt_afterwards_is_found_by_check():
    config = PrefixTuningConfig(num_virtual_tokens=20)
    config.num_virtual_tokens = "20"
    with refuses(TypeError, "num_virtual_tokens='20'"):
        config.check()


def test_a_folder_that_is_a_file_is_refused(tmp_path):
    file = tmp_path / "file"
    file.write_text("mine")
    with refuses(ValueError, f"save_directory={str(file)!r} is a file", "Give a folder"):
        PrefixTuningConfig().save_pretrained(file)
    assert file.read_text() == "mine"


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


def test_a_folder_without_a_config_is_refused(tmp_path):
    with refuses(ValueError, "Can't find 'adapter_config.json'", str(tmp_path), "Give a folder"):
        PeftConfig.from_pretrained(tmp_path)


@pytest.mark.parametrize("peft_type", ["prefix_tuning", "IA3", 3, None])
def test_a_dict_with_a_method_that_does_not_exist_is_refused(peft_type):
    with refuses(ValueError, f"peft_type={peft_type!r}", "Set one of PREFIX_TUNING"):
        get_peft_config({"peft_type": peft_type})


def test_a_copy_is_equal_and_independent():
    config = PrefixTuningConfig(num_virtual_tokens=20, task_type="SEQ_2_SEQ_LM")
    other = copy.deepcopy(config)
    assert other == config
    other.num_virtual_tokens = 5
    assert config.num_virtual_tokens == 20


def test_the_file_is_json_with_sorted_keys(tmp_path):
    PrefixTuningConfig(num_virtual_tokens=20).save_pretrained(tmp_path / "made" / "if need be")
    fields = json.loads((tmp_path / "made" / "if need be" / "adapter_config.json").read_text())
    assert list(fields) == sorted(fields)
    assert fields["num_virtual_tokens"] == 20
