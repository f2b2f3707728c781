"""Checkpoints both ways: what PEFT wrote we load, what we wrote PEFT loads, and the files are the same bytes."""

import peft
import pytest
import torch

import prefix_lab
from tests.parity.pair import assert_same, run, without_pefts_deprecation
from tests.parity.test_adapters import CASES, answers, two_adapters
from tests.tiny_models import refuses, tiny_t5

every_case = pytest.mark.parametrize("case", CASES)
LIBRARIES = (prefix_lab, peft)


def saved(models, tmp_path, **options):
    folders = tmp_path / "ours", tmp_path / "theirs"
    for model, folder in zip(models, folders, strict=True):
        model.save_pretrained(folder, **options)
    return folders


def load(library, base, folder, **options):
    with without_pefts_deprecation():
        return library.PeftModel.from_pretrained(base, folder, **options)


@every_case
@pytest.mark.parametrize("second", [{}, {"prefix_projection": True}])
def test_every_adapter_is_saved_in_the_same_bytes(case, second, tmp_path):
    ours, theirs = saved(two_adapters(case, **second), tmp_path)
    assert texts_in_all(ours) == texts_in_all(theirs)
    assert sorted(texts_in_all(ours)) == ["", "german"]


def texts_in_all(folder):
    """Folder → its files, for the folder itself and those inside that have some; PEFT's model card aside."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != "README.md":
            found.setdefault(path.parent.relative_to(folder).name, {})[path.name] = path.read_bytes()
    return found


@every_case
@pytest.mark.parametrize("adapter", ["default", "german"])
@pytest.mark.parametrize("writer", [0, 1])
def test_each_library_loads_what_the_other_wrote(case, adapter, writer, tmp_path):
    models = two_adapters(case)
    folder = saved(models, tmp_path)[writer]
    subfolder = {} if adapter == "default" else {"subfolder": "german"}
    loaded = [load(library, CASES[case][0](), folder, **subfolder) for library in LIBRARIES]
    models.ours.set_adapter(adapter)
    expected = answers(models.ours, case)
    for model in loaded:
        assert_same(answers(model, case), expected, "outputs")
    assert_same(*(dict(model.state_dict()) for model in loaded), "state_dict")
    assert_same(*(repr(model.peft_config) for model in loaded), "configs")
    assert_same(*({n: p.requires_grad for n, p in model.named_parameters()} for model in loaded), "trains")
    assert_same(*([module.training for module in model.modules()] for model in loaded), "training")


@every_case
@pytest.mark.parametrize("replaced", [False, True])
def test_an_adapter_is_loaded_into_a_wrapped_model_and_not_switched_to(case, replaced, tmp_path):
    folder = saved(two_adapters(case), tmp_path)[1] / "german"
    models = two_adapters(case)
    name = "german" if replaced else "third"
    for model in models:
        model.load_adapter(folder, adapter_name=name)
    assert models.ours.active_adapter == "default"
    assert_same(*run(models, lambda model: dict(model.state_dict())), "state_dict")
    for one in (name, "default"):
        run(models, lambda model, one=one: model.set_adapter(one))
        assert_same(*run(models, lambda model: answers(model, case)), one)


def test_selected_adapters_alone_are_saved(tmp_path):
    ours, theirs = saved(two_adapters("T5"), tmp_path, selected_adapters=["german"])
    assert texts_in_all(ours) == texts_in_all(theirs)
    assert sorted(texts_in_all(ours)) == ["german"]


@pytest.mark.parametrize("selected", [["nobody"], ["default", "nobody"]])
def test_a_selected_adapter_that_is_not_there_is_refused_and_nothing_is_written(selected, tmp_path):
    for model in two_adapters("T5"):
        with pytest.raises(ValueError, match="current supported adapter names are"):
            model.save_pretrained(tmp_path / "folder", selected_adapters=selected)
    assert not (tmp_path / "folder").exists()


@every_case
@pytest.mark.parametrize("adapter", ["default", "german"])
def test_the_state_dict_of_an_adapter_is_the_same_and_goes_into_either_library(case, adapter):
    models = two_adapters(case)
    states = [one.get_peft_model_state_dict(m, adapter_name=adapter) for one, m in zip(LIBRARIES, models, strict=True)]
    assert_same(*(dict(state) for state in states), "state")
    moved = {name: tensor + 1 for name, tensor in states[0].items()}
    for library, model in zip(LIBRARIES, models, strict=True):
        library.set_peft_model_state_dict(model, dict(moved), adapter_name=adapter)
        again = library.get_peft_model_state_dict(model, adapter_name=adapter)
        assert_same(dict(again), moved, "state after setting it")
    assert_same(*run(models, lambda model: dict(model.state_dict())), "whole state")


def test_in_bfloat16_the_prefix_stays_float32_and_comes_back(tmp_path):
    def in_bfloat16():
        return tiny_t5().to(torch.bfloat16)

    def build(library):
        torch.manual_seed(0)
        config = library.PrefixTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=3)
        with without_pefts_deprecation():
            return library.get_peft_model(in_bfloat16(), config)

    models = [build(library) for library in LIBRARIES]
    ours, theirs = saved(models, tmp_path)
    assert texts_in_all(ours) == texts_in_all(theirs)
    loaded = [load(library, in_bfloat16(), ours) for library in LIBRARIES]
    assert_same(*(dict(model.state_dict()) for model in loaded), "state_dict")
    assert_same(*(answers(model, "T5") for model in loaded), "outputs")


def test_a_loaded_prefix_cannot_be_trained_on_in_either_library(tmp_path):
    folder = saved(two_adapters("T5"), tmp_path)[0]
    for library in LIBRARIES:
        with pytest.raises(ValueError, match="Cannot set a prompt learning adapter to trainable"):
            load(library, tiny_t5(), folder, is_trainable=True)


def test_saved_numbers_cannot_go_behind_a_projection(tmp_path):
    folder = saved(two_adapters("T5"), tmp_path)[0]
    models = two_adapters("T5", prefix_projection=True)
    state = prefix_lab.get_peft_model_state_dict(models.ours, adapter_name="german")
    with pytest.raises(RuntimeError, match="size mismatch"):
        peft.set_peft_model_state_dict(models.theirs, dict(state), adapter_name="german")
    config = models.ours.peft_config["german"]
    with refuses(
        ValueError,
        "still trains its projection",
        "PeftModel.from_pretrained(base, folder)",
        leaving=(models.ours, config),
    ):
        prefix_lab.set_peft_model_state_dict(models.ours, state, adapter_name="german")
    with refuses(ValueError, "prefix_projection=False", leaving=(models.ours, config)):
        models.ours.load_adapter(folder / "german", "german")


@pytest.mark.parametrize("bad", [float("nan"), float("-inf")])
def test_a_state_dict_with_numbers_that_are_none_is_refused(bad):
    model = two_adapters("BERT with a head").ours
    state = prefix_lab.get_peft_model_state_dict(model)
    for name in state:
        spoilt = {**state, name: torch.full_like(state[name], bad)}
        with refuses(ValueError, f"numbers of {name} are NaN", leaving=(model, model.active_peft_config)):
            prefix_lab.set_peft_model_state_dict(model, spoilt)


def test_a_state_dict_that_lacks_the_head_is_refused():
    model = two_adapters("BERT with a head").ours
    state = prefix_lab.get_peft_model_state_dict(model)
    for name in state:
        less = {other: tensor for other, tensor in state.items() if other != name}
        with refuses(ValueError, f"missing ['{name}']", leaving=(model, model.active_peft_config)):
            prefix_lab.set_peft_model_state_dict(model, less)
