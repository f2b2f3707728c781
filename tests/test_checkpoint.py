"""What is kept: the computed prefix and its config, whole or not at all."""

import pytest
import torch
from safetensors.torch import load_file

from prefix_lab import PeftConfig, PrefixTuningConfig, get_peft_model, get_peft_model_state_dict
from tests.tiny_models import refuses, tiny_t5


def wrapped(adapter_name="default", **fields):
    config = PrefixTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=3, **fields)
    return get_peft_model(tiny_t5(), config, adapter_name)


@pytest.mark.parametrize("fields", [{}, {"prefix_projection": True}, {"inference_mode": True}])
def test_the_computed_prefix_is_kept_and_not_what_made_it(fields):
    model = wrapped(**fields)
    kept = get_peft_model_state_dict(model)
    assert {name: tuple(tensor.shape) for name, tensor in kept.items()} == {"prompt_embeddings": (3, 2 * 2 * 12)}
    rows = kept["prompt_embeddings"].view(3, 4, 3, 4)  # (prefix_len, 2·layers, heads, head_dim)
    keys = model.get_prompt(1).self_attention_cache.layers[0].keys  # (1, heads, prefix_len, head_dim)
    assert torch.equal(keys[0], rows[:, 0].transpose(0, 1))
    assert not kept["prompt_embeddings"].requires_grad


def test_the_file_holds_the_prefix_and_the_config_says_inference(tmp_path):
    model = wrapped(prefix_projection=True)
    model.save_pretrained(tmp_path / "made" / "if need be")
    folder = tmp_path / "made" / "if need be"
    assert sorted(path.name for path in folder.iterdir()) == [
        "README.md",
        "adapter_config.json",
        "adapter_model.safetensors",
    ]
    kept = load_file(folder / "adapter_model.safetensors")
    assert torch.equal(kept["prompt_embeddings"], get_peft_model_state_dict(model)["prompt_embeddings"])
    assert PeftConfig.from_pretrained(folder).inference_mode
    assert not model.active_peft_config.inference_mode


def test_an_adapter_with_a_name_has_a_folder_of_that_name(tmp_path):
    model = wrapped("german")
    model.add_adapter("default", PrefixTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=2))
    model.save_pretrained(tmp_path)
    assert load_file(tmp_path / "german" / "adapter_model.safetensors")["prompt_embeddings"].shape[0] == 3
    assert load_file(tmp_path / "adapter_model.safetensors")["prompt_embeddings"].shape[0] == 2


def test_an_adapter_that_the_model_does_not_have_is_refused():
    with refuses(ValueError, "Adapter german not found", "The model's adapters are: default"):
        get_peft_model_state_dict(wrapped(), adapter_name="german")


def test_a_folder_that_is_a_file_is_refused(tmp_path):
    file = tmp_path / "file"
    file.write_text("mine")
    with refuses(ValueError, f"save_directory={str(file)!r} should be a directory, not a file", "Give a folder"):
        wrapped().save_pretrained(file)
    assert file.read_text() == "mine"


def test_saving_again_replaces_the_old_files(tmp_path):
    model = wrapped()
    model.save_pretrained(tmp_path)
    with torch.no_grad():
        model.prompt_encoder["default"].embedding.weight.add_(1)
    model.save_pretrained(tmp_path)
    kept = load_file(tmp_path / "adapter_model.safetensors")["prompt_embeddings"]
    assert torch.equal(kept, model.prompt_encoder["default"].embedding.weight)
    assert len(list(tmp_path.iterdir())) == 3
