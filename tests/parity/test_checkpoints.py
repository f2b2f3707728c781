"""Adapters as files, both ways: what PEFT wrote we load, what we wrote PEFT loads, and the files are the same bytes."""

import peft
import pytest
import torch

import prefix_lab
from tests.parity.pair import ENCODERS, assert_same, both, run, warnings_of, without_pefts_deprecation
from tests.parity.test_adapters import CASES, answers, two_adapters
from tests.tiny_models import refuses, tiny_t5, two_texts

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


def texts_in_all(folder):
    """Folder → its files, for the folder itself and those inside that have some; PEFT's model card aside."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != "README.md":
            found.setdefault(path.parent.relative_to(folder).name, {})[path.name] = path.read_bytes()
    return found


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("encoder", ENCODERS)
def test_a_saved_adapter_is_the_same_bytes_and_either_library_answers_with_it(encoder, dtype, tmp_path):
    models = both(tiny_t5, dtype=dtype, **ENCODERS[encoder])
    ours, theirs = saved(models, tmp_path)
    assert texts_in_all(ours) == texts_in_all(theirs)
    assert sorted(texts_in_all(ours)[""]) == ["adapter_config.json", "adapter_model.safetensors"]
    assert_same(*run(models, lambda model: repr(model.peft_config)), "config after saving")
    batch = two_texts(batch=1)  # saved from one row: with more, a projection's sums may round another way
    with torch.no_grad():
        for model in (load(library, tiny_t5().to(dtype), ours) for library in LIBRARIES):
            assert_same(model(**batch).logits, models.ours(**batch).logits, "logits")


@every_case
@pytest.mark.parametrize("second", [{}, {"prefix_projection": True}])
def test_every_adapter_is_saved_in_the_same_bytes(case, second, tmp_path):
    ours, theirs = saved(two_adapters(case, **second), tmp_path)
    assert texts_in_all(ours) == texts_in_all(theirs)
    assert sorted(texts_in_all(ours)) == ["", "german"]


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


@pytest.mark.parametrize("selected", [["german"], ["nobody"], ["default", "nobody"]])
def test_selected_adapters_alone_are_saved_if_all_are_there(selected, tmp_path):
    models = two_adapters("T5")
    if "nobody" not in selected:
        ours, theirs = saved(models, tmp_path, selected_adapters=selected)
        assert texts_in_all(ours) == texts_in_all(theirs)
        assert sorted(texts_in_all(ours)) == selected
        return
    for model in models:
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


def test_a_loaded_prefix_cannot_be_trained_on_in_either_library(tmp_path):
    folder = saved(two_adapters("T5"), tmp_path)[0]
    for library in LIBRARIES:
        with pytest.raises(ValueError, match="Cannot set a prompt learning adapter to trainable"):
            load(library, tiny_t5(), folder, is_trainable=True)


def test_saved_numbers_cannot_go_behind_a_projection(tmp_path):
    folder = saved(two_adapters("T5"), tmp_path)[0]
    ours, theirs = two_adapters("T5", prefix_projection=True)
    state = prefix_lab.get_peft_model_state_dict(ours, adapter_name="german")
    with pytest.raises(RuntimeError, match="size mismatch"):
        peft.set_peft_model_state_dict(theirs, dict(state), adapter_name="german")
    words = ("still trains its projection", "PeftModel.from_pretrained(base, folder)", "prefix_projection=False")
    with refuses(ValueError, *words, leaving=(ours, ours.peft_config["german"])):
        prefix_lab.set_peft_model_state_dict(ours, state, adapter_name="german")
    with refuses(ValueError, *words, leaving=(ours, ours.peft_config["german"])):
        ours.load_adapter(folder / "german", "german")


@pytest.mark.parametrize("bad", [float("nan"), float("-inf"), None])
def test_a_state_dict_that_lacks_a_part_or_has_numbers_that_are_none_is_refused(bad):
    model = two_adapters("BERT with a head").ours
    state = prefix_lab.get_peft_model_state_dict(model)
    for name in state:
        spoilt = {**state, name: torch.full_like(state[name], bad or 0)}
        if bad is None:
            del spoilt[name]
        words = f"missing ['{name}']" if bad is None else f"numbers of {name} are NaN"
        with refuses(ValueError, words, leaving=(model, model.active_peft_config)):
            prefix_lab.set_peft_model_state_dict(model, spoilt)


CONFIGS = {
    "bare": {},
    "usual": {"task_type": "SEQ_2_SEQ_LM", "num_virtual_tokens": 20},
    "everything": {
        **{"task_type": "CAUSAL_LM", "peft_type": "PREFIX_TUNING", "auto_mapping": {"base_model_class": "T5"}},
        **{"peft_version": "0.4.0", "base_model_name_or_path": "tiny", "revision": "main", "inference_mode": True},
        **{"num_virtual_tokens": 5, "token_dim": 12, "num_transformer_submodules": 2, "num_attention_heads": 3},
        **{"num_layers": 2, "modules_to_save": ["lm_head"], "init_weights": "zero", "encoder_hidden_size": 9},
        "prefix_projection": True,
    },
}


@pytest.mark.parametrize("as_enum", [False, True])
@pytest.mark.parametrize("name", CONFIGS)
def test_a_config_prints_the_same_is_the_same_bytes_and_comes_back_from_either_file(name, as_enum, tmp_path):
    configs = []
    for library in LIBRARIES:
        task = {"task_type": library.TaskType.TOKEN_CLS} if as_enum else {}
        configs.append(library.PrefixTuningConfig(**CONFIGS[name] | task))
        configs[-1].save_pretrained(tmp_path / library.__name__)
    for what in (repr, lambda config: str(config.to_dict()), lambda config: config.is_prompt_learning):
        assert_same(*map(what, configs), "config")
    assert texts_in_all(tmp_path / "prefix_lab") == texts_in_all(tmp_path / "peft")
    again = prefix_lab.PrefixTuningConfig.from_pretrained(tmp_path / "peft")
    assert type(again) is prefix_lab.PrefixTuningConfig
    assert_same(repr(again), repr(peft.PeftConfig.from_pretrained(tmp_path / "prefix_lab")), "read again")


def test_fields_of_a_newer_peft_are_left_out_with_a_warning(tmp_path):
    (tmp_path / "adapter_config.json").write_text('{"peft_type": "PREFIX_TUNING", "num_layers": 2, "newer": 1}')
    configs, seen = [], []
    for library in LIBRARIES:
        config, warned = warnings_of(lambda library=library: library.PeftConfig.from_pretrained(tmp_path))
        configs.append(repr(config))
        seen.append([(kind, "newer" in text) for kind, text in warned])
    assert_same(*configs, "config")
    assert_same(*seen, "warnings")
