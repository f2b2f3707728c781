"""Configs and checkpoints on disk: PEFT reads what we write, and we read what PEFT writes."""

from pathlib import Path

import peft
import pytest
import torch
from safetensors.torch import load_file

import prefix_lab
from tests.parity.pair import ENCODERS, assert_same, both, in_both, run, warnings_of, without_pefts_deprecation
from tests.tiny_models import tiny_llama, tiny_t5, two_texts

CONFIGS = {
    "bare": {},
    "usual": {"task_type": "SEQ_2_SEQ_LM", "num_virtual_tokens": 20},
    "task type as an enum": {"task_type": "enum"},
    "everything": {
        "task_type": "CAUSAL_LM",
        "peft_type": "PREFIX_TUNING",
        "auto_mapping": {"base_model_class": "T5"},
        "peft_version": "0.4.0",
        "base_model_name_or_path": "tiny",
        "revision": "main",
        "inference_mode": True,
        "num_virtual_tokens": 5,
        "token_dim": 12,
        "num_transformer_submodules": 2,
        "num_attention_heads": 3,
        "num_layers": 2,
        "modules_to_save": ["lm_head"],
        "init_weights": "zero",
        "encoder_hidden_size": 9,
        "prefix_projection": True,
    },
}


def configured(library, name):
    fields = dict(CONFIGS[name])
    if fields.get("task_type") == "enum":
        fields["task_type"] = library.TaskType.TOKEN_CLS
    return library.PrefixTuningConfig(**fields)


def texts_in(folder):
    return {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir()) if path.suffix != ".md"}


@pytest.mark.parametrize("name", CONFIGS)
def test_a_config_prints_and_converts_the_same(name):
    assert_same(*in_both(lambda library: repr(configured(library, name))), "repr")
    assert_same(*in_both(lambda library: str(configured(library, name).to_dict())), "to_dict")
    assert_same(*in_both(lambda library: configured(library, name).is_prompt_learning), "is_prompt_learning")


@pytest.mark.parametrize("name", CONFIGS)
def test_a_config_is_written_in_the_same_bytes(name, tmp_path):
    for library in (prefix_lab, peft):
        configured(library, name).save_pretrained(tmp_path / library.__name__)
    assert texts_in(tmp_path / "prefix_lab") == texts_in(tmp_path / "peft")


@pytest.mark.parametrize("name", CONFIGS)
def test_a_config_comes_back_from_the_other_librarys_file(name, tmp_path):
    for library in (prefix_lab, peft):
        configured(library, name).save_pretrained(tmp_path / library.__name__)
    ours = prefix_lab.PeftConfig.from_pretrained(tmp_path / "peft")
    theirs = peft.PeftConfig.from_pretrained(tmp_path / "prefix_lab")
    assert_same(repr(ours), repr(theirs), "repr")
    again = prefix_lab.PrefixTuningConfig.from_pretrained(tmp_path / "peft")
    assert type(again) is prefix_lab.PrefixTuningConfig
    assert again == ours


def test_a_dict_chooses_the_config_class_by_its_peft_type():
    given = {"peft_type": "PREFIX_TUNING", "task_type": "SEQ_2_SEQ_LM", "num_virtual_tokens": 20}
    assert_same(*in_both(lambda library: repr(library.get_peft_config(dict(given)))), "config")


def test_fields_of_a_newer_peft_are_left_out_with_a_warning(tmp_path):
    (tmp_path / "adapter_config.json").write_text('{"peft_type": "PREFIX_TUNING", "num_layers": 2, "newer": 1}')
    configs, seen = [], []
    for library in (prefix_lab, peft):
        config, warned = warnings_of(lambda library=library: library.PeftConfig.from_pretrained(tmp_path))
        configs.append(repr(config))
        seen.append([(kind, "newer" in text) for kind, text in warned])
    assert_same(*configs, "config")
    assert_same(*seen, "warnings")


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("encoder", ENCODERS)
def test_a_saved_adapter_is_the_same_bytes(encoder, dtype, tmp_path):
    models = both(tiny_t5, dtype=dtype, **ENCODERS[encoder])
    for model, library in zip(models, ("ours", "theirs"), strict=True):
        model.save_pretrained(tmp_path / library)
    assert texts_in(tmp_path / "ours") == texts_in(tmp_path / "theirs")
    assert sorted(texts_in(tmp_path / "ours")) == ["adapter_config.json", "adapter_model.safetensors"]
    assert_same(*run(models, lambda model: repr(model.peft_config)), "config after saving")


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("make_model", [tiny_t5, tiny_llama])
def test_peft_loads_what_we_saved_and_gives_our_outputs(make_model, encoder, tmp_path):
    ours = both(make_model, **ENCODERS[encoder]).ours
    ours.save_pretrained(tmp_path)
    with without_pefts_deprecation():
        loaded = peft.PeftModel.from_pretrained(make_model(), tmp_path)
    batch = two_texts(batch=1)  # saved from one row: with more, a projection's sums may round another way
    if make_model is tiny_llama:
        del batch["labels"]
    with torch.no_grad():
        mine, other = ours(**batch), loaded(**batch)
    assert_same(mine.logits, other.logits, "logits")
    kept = load_file(tmp_path / "adapter_model.safetensors")
    assert_same(kept["prompt_embeddings"], loaded.prompt_encoder["default"].embedding.weight.data, "weights")


def test_a_state_dict_of_one_library_loads_into_the_other():
    for fields in ENCODERS.values():
        ours, theirs = both(tiny_t5, **fields)[0], both(lambda: tiny_t5(), task_type="SEQ_2_SEQ_LM", **fields)[1]
        with torch.no_grad():
            for parameter in ours.prompt_encoder.parameters():
                parameter.add_(1)
        theirs.load_state_dict(ours.state_dict())
        assert_same(ours(**two_texts()).logits, theirs(**two_texts()).logits, "logits")
