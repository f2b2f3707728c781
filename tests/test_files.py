"""Files of adapters: written whole or not at all, and read only when every number can be trusted."""

import json
import os
import pickle
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from prefix_lab import PeftModel, PrefixTuningConfig, get_peft_model
from prefix_lab.files import write_together
from tests.tiny_models import everything_about, refuses, tiny_t5, two_texts

WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"
STEPS = {"fsync": os, "chmod": os, "copyfile": shutil, "replace": os}


def wrapped(**fields):
    return get_peft_model(tiny_t5(), PrefixTuningConfig("SEQ_2_SEQ_LM", num_virtual_tokens=3, **fields))


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def changed(model):
    with torch.no_grad():
        for parameter in model.prompt_encoder.parameters():
            parameter.add_(1)
    return model


class Crash:
    """Stands in for one call of the system: the call of that number fails, before or after it was carried out."""

    def __init__(self, real, number, error, after):
        self.real, self.left, self.error, self.after = real, number, error, after

    def __call__(self, *args, **kwargs):
        self.left -= 1
        if self.left == 0 and not self.after:
            raise self.error
        result = self.real(*args, **kwargs)
        if self.left == 0:
            raise self.error
        return result


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
@pytest.mark.parametrize("number", [1, 2, 3, 4])
@pytest.mark.parametrize("step", STEPS)
def test_a_crash_at_any_step_leaves_the_old_checkpoint_and_nothing_else(
    step, number, error, after, tmp_path, monkeypatch
):
    model = wrapped()
    model.add_adapter("german", PrefixTuningConfig("SEQ_2_SEQ_LM", num_virtual_tokens=2))
    model.save_pretrained(tmp_path)
    before = contents(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(STEPS[step], step, Crash(getattr(STEPS[step], step), number, error, after))
        with pytest.raises(type(error)):
            changed(model).save_pretrained(tmp_path)
    assert contents(tmp_path) == before
    PeftModel.from_pretrained(tiny_t5(), tmp_path)
    model.save_pretrained(tmp_path)
    assert contents(tmp_path).keys() == before.keys()
    assert contents(tmp_path) != before


@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize("number", [1, 2])
def test_a_crash_in_a_new_folder_leaves_no_file(step, number, tmp_path, monkeypatch):
    monkeypatch.setattr(os, step, Crash(getattr(os, step), number, OSError("disk full"), after=False))
    with pytest.raises(OSError, match="disk full"):
        wrapped().save_pretrained(tmp_path / "new")
    assert contents(tmp_path) == {}


def test_an_interrupt_between_two_files_leaves_both_as_they_were(tmp_path, monkeypatch):
    first, second = tmp_path / "first", tmp_path / "second"
    write_together({first: b"old", second: b"old"})
    monkeypatch.setattr(os, "replace", Crash(os.replace, 2, KeyboardInterrupt(), after=False))
    with pytest.raises(KeyboardInterrupt):
        write_together({first: b"new", second: b"new"})
    assert contents(tmp_path) == {"first": b"old", "second": b"old"}


def test_files_get_the_rights_that_any_new_file_gets(tmp_path):
    (tmp_path / "plain").touch()
    write_together({tmp_path / "ours": b""})
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "plain").stat().st_mode


class Hostile:
    """What a pickle can do that is not data."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def saved_with(folder, weights=None, pickled=None, **fields):
    """A saved adapter whose weights are replaced by these."""
    wrapped(**fields).save_pretrained(folder)
    tensors = load_file(folder / WEIGHTS)
    if weights is not None:
        save_file(weights(tensors), folder / WEIGHTS)
    if pickled is not None:
        (folder / WEIGHTS).unlink()
        pickled(tensors, folder / "adapter_model.bin")
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


def test_a_hostile_pickle_is_refused_and_never_run(tmp_path):
    trap = tmp_path / "trap"
    folder = saved_with(tmp_path / "a", pickled=lambda tensors, path: path.write_bytes(pickle.dumps(Hostile(trap))))
    refused_unchanged(folder, "code in a pickle is never run", WEIGHTS)
    folder = saved_with(tmp_path / "b", pickled=lambda tensors, path: torch.save({"x": Hostile(trap)}, path))
    refused_unchanged(folder, "code in a pickle is never run")
    assert not trap.exists()


def test_a_pickle_of_tensors_alone_is_read(tmp_path):
    folder = saved_with(tmp_path, pickled=torch.save)
    assert torch.equal(
        PeftModel.from_pretrained(tiny_t5(), folder).prompt_encoder["default"].embedding.weight,
        torch.load(folder / "adapter_model.bin", weights_only=True)["prompt_embeddings"],
    )


@pytest.mark.parametrize("held", [[torch.zeros(2)], {"prompt_embeddings": 3}])
def test_a_pickle_of_something_else_is_refused(held, tmp_path):
    folder = saved_with(tmp_path, pickled=lambda tensors, path: torch.save(held, path))
    refused_unchanged(folder, "something else than tensors by name")


@pytest.mark.parametrize("kept", [0, 7, 100, -1])
def test_a_truncated_file_is_refused(kept, tmp_path):
    folder = saved_with(tmp_path)
    (folder / WEIGHTS).write_bytes((folder / WEIGHTS).read_bytes()[:kept])
    refused_unchanged(folder, "damaged or no safetensors file", "Save the adapter again")


def test_a_truncated_pickle_is_refused(tmp_path):
    folder = saved_with(tmp_path, pickled=torch.save)
    path = folder / "adapter_model.bin"
    path.write_bytes(path.read_bytes()[:-100])
    refused_unchanged(folder, "adapter_model.bin cannot be read")


def test_weights_of_another_kind_are_refused(tmp_path):
    folder = saved_with(tmp_path, weights=lambda tensors: {"base_model.lora_A": torch.zeros(2, 2)})
    refused_unchanged(folder, "missing ['prompt_embeddings']", "not expected ['base_model.lora_A']")


def test_weights_of_another_shape_are_refused(tmp_path):
    folder = saved_with(tmp_path, weights=lambda tensors: {"prompt_embeddings": torch.zeros(3, 47)})
    refused_unchanged(folder, "prompt_embeddings has shape (3, 47), expected (3, 48)")


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_numbers_that_are_none_are_refused(bad, tmp_path):
    def spoil(tensors):
        tensors["prompt_embeddings"][1, 2] = bad
        return tensors

    refused_unchanged(saved_with(tmp_path, weights=spoil), "1 numbers of prompt_embeddings are NaN or infinite")


def test_a_config_without_weights_is_refused(tmp_path):
    folder = saved_with(tmp_path)
    (folder / WEIGHTS).unlink()
    refused_unchanged(folder, f"has no {WEIGHTS}", "Give a folder")


def test_weights_without_a_config_are_refused(tmp_path):
    folder = saved_with(tmp_path)
    (folder / CONFIG).unlink()
    model = tiny_t5()
    with refuses(ValueError, f"No {CONFIG}", leaving=(model, PrefixTuningConfig())):
        PeftModel.from_pretrained(model, folder)


def test_a_config_of_another_method_is_refused(tmp_path):
    folder = saved_with(tmp_path)
    config = json.loads((folder / CONFIG).read_text()) | {"peft_type": "IA3"}
    (folder / CONFIG).write_text(json.dumps(config))
    model = tiny_t5()
    with refuses(ValueError, "peft_type='IA3'", leaving=(model, PrefixTuningConfig())):
        PeftModel.from_pretrained(model, folder)


def test_a_checkpoint_of_another_model_is_refused(tmp_path):
    folder = saved_with(tmp_path)
    model = tiny_t5(layers=3)
    with refuses(ValueError, "num_layers=2, but 3 layers", leaving=(model, PrefixTuningConfig())):
        PeftModel.from_pretrained(model, folder)


def test_a_name_that_is_no_folder_is_refused_without_a_network():
    model = tiny_t5()
    with refuses(ValueError, "model_id='someone/prefix' is no folder here", "Give a folder"):
        PeftModel.from_pretrained(model, "someone/prefix")


def test_what_is_loaded_again_gives_the_same_answers(tmp_path):
    model = changed(wrapped(prefix_projection=True))
    model.save_pretrained(tmp_path)
    again = PeftModel.from_pretrained(tiny_t5(), tmp_path)
    batch = two_texts(batch=1)
    assert torch.equal(model(**batch).logits, again(**batch).logits)
    assert not again.training
