"""Files of adapters: written whole or not at all, and read only when every number can be trusted."""

import itertools
import json
import os
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from prefix_lab import PeftConfig, PeftModel, PrefixTuningConfig, get_peft_model, get_peft_model_state_dict
from tests.tiny_models import everything_about, refuses, tiny_t5, two_texts

WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"


def wrapped(**fields):
    return get_peft_model(tiny_t5(), PrefixTuningConfig("SEQ_2_SEQ_LM", num_virtual_tokens=3, **fields))


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def changed(model):
    with torch.no_grad():
        for parameter in model.prompt_encoder.parameters():
            parameter.add_(1)
    return model


def failing(real, number):
    """Stands in for a call of the system: the call of that number fails."""
    calls = itertools.count(1)

    def call(*args, **kwargs):
        if next(calls) == number:
            raise OSError("disk full")
        return real(*args, **kwargs)

    return call


@pytest.mark.parametrize(("owner", "step"), [(Path, "write_bytes"), (os, "replace")])
@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_crash_while_saving_leaves_whole_files_and_the_next_save_clears_up(
    owner, step, number, tmp_path, monkeypatch
):
    model = wrapped()
    model.save_pretrained(tmp_path)
    before = contents(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(owner, step, failing(getattr(owner, step), number))
        with pytest.raises(OSError, match="disk full"):
            changed(model).save_pretrained(tmp_path)
    there = contents(tmp_path)
    assert [name for name in before if there[name] != before[name]] == [WEIGHTS][: number - 1]
    model.save_pretrained(tmp_path)
    assert contents(tmp_path).keys() == before.keys()


def test_links_stay_links_and_are_written_through(tmp_path):
    model = wrapped()
    model.save_pretrained(tmp_path / "real")
    (tmp_path / "linked").mkdir()
    for name in (WEIGHTS, CONFIG, "README.md"):
        (tmp_path / "linked" / name).symlink_to(tmp_path / "real" / name)
    (tmp_path / "folder").symlink_to(tmp_path / "linked")
    changed(model).save_pretrained(tmp_path / "folder")
    assert all(path.is_symlink() for path in (tmp_path / "linked").iterdir())
    kept = load_file(tmp_path / "real" / WEIGHTS)["prompt_embeddings"]
    assert torch.equal(kept, model.prompt_encoder["default"].embedding.weight)
    assert len(contents(tmp_path / "real")) == 3


def saved_with(folder, weights=None, **fields):
    """A saved adapter whose weights are replaced by these."""
    wrapped(**fields).save_pretrained(folder)
    if weights is not None:
        save_file(weights, folder / WEIGHTS)
    return folder


def refused_unchanged(folder, *words):
    """Neither a fresh model nor a wrapped one takes it, and both stay as they were."""
    fresh, config = tiny_t5(), None
    with refuses(ValueError, *words, leaving=(fresh, PrefixTuningConfig())):
        PeftModel.from_pretrained(fresh, folder)
    model = wrapped()
    config = model.active_peft_config
    before = everything_about(model, config)
    with refuses(ValueError, *words):
        model.load_adapter(folder, "other")
    with refuses(ValueError):
        model.load_adapter(folder, "default")
    assert everything_about(model, config) == before
    assert list(model.peft_config) == ["default"]


class Hostile:
    """What a pickle can do that is not data."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("write", [torch.save, lambda held, path: path.write_bytes(pickle.dumps(held))])
def test_a_hostile_pickle_is_refused_and_never_run(write, tmp_path):
    trap, folder = tmp_path / "trap", saved_with(tmp_path / "saved")
    (folder / WEIGHTS).unlink()
    write(Hostile(trap), folder / "adapter_model.bin")
    refused_unchanged(folder, "adapter_model.bin is damaged, or holds something else", "code in a pickle is never run")
    assert not trap.exists()


def test_a_pickle_of_tensors_is_written_and_read(tmp_path):
    model = wrapped()
    model.save_pretrained(tmp_path, safe_serialization=False)
    assert set(contents(tmp_path)) == {CONFIG, "README.md", "adapter_model.bin"}
    again = PeftModel.from_pretrained(tiny_t5(), tmp_path).prompt_encoder["default"].embedding.weight
    assert torch.equal(again, model.prompt_encoder["default"].embedding.weight)


@pytest.mark.parametrize("held", [[torch.zeros(2)], {"prompt_embeddings": 3}])
def test_a_pickle_of_something_else_is_refused(held, tmp_path):
    folder = saved_with(tmp_path)
    (folder / WEIGHTS).unlink()
    torch.save(held, folder / "adapter_model.bin")
    refused_unchanged(folder, "something else than tensors")


@pytest.mark.parametrize("kept", [0, 7, 100, -1])
def test_a_truncated_file_is_refused(kept, tmp_path):
    folder = saved_with(tmp_path)
    (folder / WEIGHTS).write_bytes((folder / WEIGHTS).read_bytes()[:kept])
    refused_unchanged(folder, "is damaged, or holds something else", "Save the adapter again")


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        (
            {"base_model.lora_A": torch.zeros(2, 2)},
            ["missing ['prompt_embeddings']", "not expected ['base_model.lora_A']"],
        ),
        ({"prompt_embeddings": torch.zeros(3, 47)}, ["prompt_embeddings has shape (3, 47), expected (3, 48)"]),
        *(
            ({"prompt_embeddings": torch.full((3, 48), bad)}, ["144 numbers of prompt_embeddings are NaN or infinite"])
            for bad in (float("nan"), float("inf"))
        ),
    ],
)
def test_weights_that_do_not_fit_are_refused(weights, words, tmp_path):
    refused_unchanged(saved_with(tmp_path, weights), *words)


def test_a_config_without_weights_is_refused(tmp_path):
    folder = saved_with(tmp_path)
    (folder / WEIGHTS).unlink()
    refused_unchanged(folder, f"has no {WEIGHTS}", "Give a folder")


@pytest.mark.parametrize("given", ["weights alone", "another method", "another model", "a name on a hub"])
def test_what_cannot_be_loaded_leaves_the_model_as_it_was(given, tmp_path):
    folder, model = saved_with(tmp_path), tiny_t5(layers=3 if given == "another model" else 2)
    words = [f"Can't find {CONFIG!r}", "Give a folder"]
    if given == "weights alone":
        (folder / CONFIG).unlink()
    elif given == "another method":
        config = json.loads((folder / CONFIG).read_text()) | {"peft_type": "IA3"}
        (folder / CONFIG).write_text(json.dumps(config))
        words = ["peft_type='IA3'"]
    elif given == "another model":
        words = ["num_layers=2, but 3 layers"]
    else:
        folder, words = "someone/prefix", [*words, "'someone/prefix'", "no folder here"]
    with refuses(ValueError, *words, leaving=(model, PrefixTuningConfig())):
        PeftModel.from_pretrained(model, folder)


def test_what_is_loaded_again_gives_the_same_answers(tmp_path):
    model = changed(wrapped(prefix_projection=True))
    model.save_pretrained(tmp_path)
    again = PeftModel.from_pretrained(tiny_t5(), tmp_path)
    batch = two_texts(batch=1)
    assert torch.equal(model(**batch).logits, again(**batch).logits)
    assert not again.training


@pytest.mark.parametrize("fields", [{}, {"prefix_projection": True}, {"inference_mode": True}])
def test_the_computed_prefix_is_kept_and_not_what_made_it(fields, tmp_path):
    model = wrapped(**fields)
    kept = get_peft_model_state_dict(model)
    assert {name: tuple(tensor.shape) for name, tensor in kept.items()} == {"prompt_embeddings": (3, 2 * 2 * 12)}
    rows = kept["prompt_embeddings"].view(3, 4, 3, 4)  # (prefix_len, 2·layers, heads, head_dim)
    keys = model.get_prompt(1).self_attention_cache.layers[0].keys  # (1, heads, prefix_len, head_dim)
    assert torch.equal(keys[0], rows[:, 0].transpose(0, 1))
    assert not kept["prompt_embeddings"].requires_grad
    folder = tmp_path / "made" / "if need be"
    model.save_pretrained(folder)
    assert set(contents(folder)) == {CONFIG, "README.md", WEIGHTS}
    assert torch.equal(load_file(folder / WEIGHTS)["prompt_embeddings"], kept["prompt_embeddings"])
    assert PeftConfig.from_pretrained(folder).inference_mode
    assert model.active_peft_config.inference_mode == bool(fields.get("inference_mode"))


def test_an_adapter_with_a_name_has_a_folder_of_that_name(tmp_path):
    model = wrapped()
    model.add_adapter("german", PrefixTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=2))
    model.save_pretrained(tmp_path)
    assert load_file(tmp_path / "german" / WEIGHTS)["prompt_embeddings"].shape[0] == 2
    assert load_file(tmp_path / WEIGHTS)["prompt_embeddings"].shape[0] == 3
    with refuses(ValueError, "Adapter french not found", "The model's adapters are: default, german"):
        get_peft_model_state_dict(model, adapter_name="french")


def test_what_is_no_folder_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "file"
    file.write_text("mine")
    with refuses(ValueError, "save_directory='' names no folder"):
        wrapped().save_pretrained("")
    with refuses(ValueError, f"save_directory={str(file)!r} should be a directory, not a file", "Give a folder"):
        wrapped().save_pretrained(file)
    with refuses(ValueError, f"save_directory={str(file)!r} is a file", "Give a folder"):
        PrefixTuningConfig().save_pretrained(file)
    assert contents(tmp_path) == {"file": b"mine"}
