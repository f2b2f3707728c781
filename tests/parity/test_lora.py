"""LoRA, the contrast: the other branch of `get_peft_model`, equal to PEFT's in the plain case."""

import copy
import json
from contextlib import nullcontext

import peft
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import T5Config, T5ForConditionalGeneration

import prefix_lab
from tests.parity.pair import assert_close_gradients, assert_same, in_both, run, without_pefts_deprecation
from tests.tiny_models import one_text, random_ids, refuses, tiny_bert, tiny_classifier, tiny_llama, tiny_t5, two_texts

WELL_KNOWN = {
    "peft_type": "LORA",
    "task_type": "SEQ_2_SEQ_LM",
    **{"inference_mode": False, "r": 8, "target_modules": ["q", "v"], "lora_alpha": 32, "lora_dropout": 0.1},
}

CASES = {
    "T5": (tiny_t5, {}, two_texts),
    "T5 without a task": (tiny_t5, {"task_type": None}, two_texts),
    "T5, every linear layer of attention": (tiny_t5, {"target_modules": ["q", "k", "v", "o"], "r": 3}, two_texts),
    "T5, one layer by its whole name": (
        tiny_t5,
        {"target_modules": ["decoder.block.1.layer.0.SelfAttention.q"], "lora_dropout": 0.0},
        two_texts,
    ),
    "T5 for inference": (tiny_t5, {"inference_mode": True}, two_texts),
    "T5 in bfloat16": (lambda: tiny_t5().to(torch.bfloat16), {}, two_texts),
    "Llama": (tiny_llama, {"task_type": "CAUSAL_LM", "target_modules": ["q_proj", "v_proj"]}, one_text),
    "BERT": (tiny_bert, {"task_type": "FEATURE_EXTRACTION", "target_modules": ["query"]}, one_text),
    "BERT with a head": (tiny_classifier, {"task_type": "SEQ_CLS", "target_modules": ["query", "value"]}, one_text),
    "a head named by hand": (
        tiny_llama,
        {"task_type": "CAUSAL_LM", "target_modules": ["q_proj"], "modules_to_save": ["lm_head"]},
        one_text,
    ),
}
every_case = pytest.mark.parametrize("case", CASES)


def disturbed(model):
    """B starts at zero, so that nothing would show: every number that LoRA and the heads add is moved."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if ".lora_" in name or ".modules_to_save." in name:
                parameter.add_(torch.randn_like(parameter) * 0.3)
    return model


def wrapped(case, fresh=False):
    make_model, changes, _ = CASES[case]

    def build(library):
        model = library.get_peft_model(make_model(), library.get_peft_config({**WELL_KNOWN, **changes}))
        return model if fresh else disturbed(model)

    return in_both(build)


def weights_and_what_trains(model):
    return dict(model.state_dict()), {name: parameter.requires_grad for name, parameter in model.named_parameters()}


def answers(model, case):
    with torch.no_grad():
        return model(**CASES[case][2]())[0]


def plain_answers(case):
    return answers(CASES[case][0](), case)


def test_the_well_known_example_counts_884736_of_223788288(capsys):
    with torch.device("meta"):
        base = T5ForConditionalGeneration(T5Config(d_model=768, d_ff=3072, num_layers=12, num_heads=12, d_kv=64))
    model = prefix_lab.get_peft_model(base, prefix_lab.get_peft_config(WELL_KNOWN))
    assert model.get_nb_trainable_parameters() == (884_736, 223_788_288)
    model.print_trainable_parameters()
    assert capsys.readouterr().out == "trainable params: 884,736 || all params: 223,788,288 || trainable%: 0.3953\n"
    assert {parameter.device.type for parameter in model.parameters()} == {"meta"}


@every_case
def test_a_fresh_lora_has_the_same_names_and_values_and_changes_nothing(case):
    models = wrapped(case, fresh=True)
    assert_same(*run(models, weights_and_what_trains), "state_dict, trains")
    assert_same(*run(models, lambda model: model.get_nb_trainable_parameters()), "counts")
    assert_same(*run(models, lambda model: (type(model).__name__, model.peft_type.value)), "class, method")
    assert torch.equal(answers(models.ours.eval(), case), plain_answers(case))


@every_case
def test_the_outputs_and_gradients_are_the_same_and_the_base_has_none(case):
    models = wrapped(case)
    for training in (False, True):
        assert_same(*run(models, lambda model, mode=training: answers(model.train(mode), case)), "outputs")
    assert torch.equal(answers(copy.deepcopy(models.ours).eval(), case), answers(models.ours.eval(), case))
    if not any(parameter.requires_grad for parameter in models.theirs.parameters()):
        assert not any(parameter.requires_grad for parameter in models.ours.parameters())
        return
    run(models, lambda model: model.train()(**CASES[case][2]())[0].float().pow(2).sum().backward())
    assert_close_gradients(*models)
    assert {n for n, p in models.ours.named_parameters() if p.grad is not None} == {
        n for n, p in models.ours.named_parameters() if ".lora_" in n or ".modules_to_save.default." in n
    }


@pytest.mark.parametrize("case", ["T5", "T5 without a task", "Llama"])
def test_the_same_tokens_are_generated(case):
    models = wrapped(case)
    assert_same(*run(models, lambda model: model.eval().generate(input_ids=random_ids(2, 6), max_new_tokens=7)))


@every_case
def test_a_disabled_lora_answers_as_the_base_model_and_comes_back(case):
    def around(model):
        before = answers(model.eval(), case)
        with model.disable_adapter():
            return before, answers(model, case)

    models = wrapped(case)
    found = run(models, around)
    assert_same(*found, "before, disabled")
    assert_same(answers(models.ours, case), found.ours[0], "after")
    assert_same(plain_answers(case), found.ours[1], "disabled")
    assert not torch.equal(*found.ours)


@every_case
def test_a_merged_model_is_the_base_models_class_with_the_same_answers(case):
    models = wrapped(case)
    before = answers(models.ours.eval(), case)
    merged = run(models, lambda model: model.eval().merge_and_unload())
    assert_same(*run(merged, lambda model: dict(model.state_dict())), "merged weights")
    assert type(merged.ours) is type(CASES[case][0]())
    assert not any("lora" in name for name, _ in merged.ours.named_modules())
    close = {"atol": 0.3, "rtol": 0.1} if "bfloat16" in case else {"atol": 1e-4, "rtol": 1e-4}
    assert torch.allclose(answers(merged.ours, case), before, **close)


def test_a_second_adapter_is_chosen_and_trained_alone():
    models = wrapped("T5")
    for model, library in zip(models, (prefix_lab, peft), strict=True):
        torch.manual_seed(3)
        model.add_adapter("other", library.LoraConfig("SEQ_2_SEQ_LM", target_modules=["q"], r=2, lora_alpha=5))
        disturbed(model.eval())
    for name in ("other", "default", "other"):
        run(models, lambda model, name=name: model.set_adapter(name))
        assert_same(*run(models, weights_and_what_trains), name)
        assert_same(*run(models, lambda model: answers(model, "T5")), name)


@every_case
def test_saved_tensors_and_configs_are_the_same_and_each_library_loads_the_others(case, tmp_path):
    models = wrapped(case)
    said = []
    for model, library in zip(models, (prefix_lab, peft), strict=True):
        model.save_pretrained(tmp_path / library.__name__)
        fields = json.loads((tmp_path / library.__name__ / "adapter_config.json").read_text())
        lists = {field: sorted(fields[field]) for field in ("target_modules", "modules_to_save") if fields[field]}
        said.append(fields | lists | {"auto_mapping": None})  # PEFT keeps the class of a model without a task there
        said[-1]["state"] = list(library.get_peft_model_state_dict(model))
    assert_same(*said, "adapter_config.json, names")
    weights = [tmp_path / name / "adapter_model.safetensors" for name in ("prefix_lab", "peft")]
    assert weights[0].read_bytes() == weights[1].read_bytes()
    expected = answers(models.ours.eval(), case)
    for library, folder in ((peft, "prefix_lab"), (prefix_lab, "peft")):
        with without_pefts_deprecation():
            loaded = library.PeftModel.from_pretrained(CASES[case][0](), tmp_path / folder)
        assert_same(answers(loaded, case), expected, "outputs")
        assert not any(parameter.requires_grad for name, parameter in loaded.named_parameters() if ".lora_" in name)
    again = prefix_lab.PeftModel.from_pretrained(CASES[case][0](), tmp_path / "prefix_lab", is_trainable=True)
    if "inference" not in case:
        assert again.get_nb_trainable_parameters() == models.ours.get_nb_trainable_parameters()


def test_an_adapter_may_have_the_name_of_a_layer(tmp_path):
    first = prefix_lab.get_peft_model(tiny_t5(), prefix_lab.get_peft_config(WELL_KNOWN), adapter_name="q").eval()
    disturbed(first).save_pretrained(tmp_path)
    again = prefix_lab.PeftModel.from_pretrained(tiny_t5(), tmp_path / "q", adapter_name="v")
    again.add_adapter("k", prefix_lab.get_peft_config(WELL_KNOWN))
    assert_same(answers(again, "T5"), answers(first, "T5"), "outputs")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda name, tensor: (name, tensor * float("nan")), "are NaN or infinite"),
        (lambda name, tensor: (name, tensor[:1]), "has shape"),
        (lambda name, tensor: (name + "x", tensor), "missing"),
    ],
)
def test_a_spoilt_file_is_refused_and_the_model_is_left_as_it_was(spoil, words, tmp_path):
    wrapped("T5").ours.save_pretrained(tmp_path)
    path = tmp_path / "adapter_model.safetensors"
    save_file(dict(spoil(name, tensor) for name, tensor in load_file(path).items()), path)
    model = tiny_t5()
    with refuses(ValueError, words, leaving=(model, prefix_lab.LoraConfig())):
        prefix_lab.PeftModel.from_pretrained(model, tmp_path)


@pytest.mark.parametrize(
    ("targets", "words"),
    [
        (None, "target_modules=None, expected a list"),
        ([], "expected a list"),
        (["nowhere"], "['nowhere'] fit no layer. The linear layers here are k, lm_head, o, q, v"),
        (["shared"], "they fit layers of type ['Embedding'], expected Linear"),
    ],
)
def test_layers_that_are_not_there_are_refused_with_the_names_that_are(targets, words):
    model, config = tiny_t5(), prefix_lab.LoraConfig("SEQ_2_SEQ_LM", target_modules=targets)
    with refuses(ValueError, words, leaving=(model, config)):
        prefix_lab.get_peft_model(model, config)


@pytest.mark.parametrize("fields", [{"lora_dropout": 1.5}, {"r": 0}])
def test_impossible_numbers_are_refused(fields):
    with refuses(ValueError, next(iter(fields))):
        prefix_lab.LoraConfig("SEQ_2_SEQ_LM", target_modules=["q"], **fields)


ON = {
    **{"use_rslora": True, "use_dora": True, "bias": "all", "fan_in_fan_out": True, "init_lora_weights": "pissa"},
    **{"rank_pattern": {"q": 2}, "alpha_pattern": {"q": 2}, "layers_to_transform": [0], "exclude_modules": ["v"]},
}


@pytest.mark.parametrize("name", ON)
def test_a_kind_of_lora_that_gives_other_numbers_is_refused_by_name_and_the_plain_value_is_taken(name):
    for make in (prefix_lab.get_peft_config, lambda fields: prefix_lab.LoraConfig(**fields)):
        with refuses(ValueError, f"{name}={ON[name]!r}", "the plain case", "use peft for this adapter"):
            make({**WELL_KNOWN, name: ON[name]})
        assert make({**WELL_KNOWN, name: peft.LoraConfig().to_dict()[name]}) == make(WELL_KNOWN)


@pytest.mark.parametrize("name", ["use_rslora", "rank_pattern"])
def test_a_saved_lora_that_gives_other_numbers_is_refused_and_not_read_wrongly(name, tmp_path):
    with without_pefts_deprecation():
        theirs = peft.get_peft_model(tiny_t5(), peft.get_peft_config({**WELL_KNOWN, name: ON[name]}))
    theirs.save_pretrained(tmp_path)
    model = tiny_t5()
    with refuses(ValueError, f"{name}={ON[name]!r}", leaving=(model, prefix_lab.LoraConfig())):
        prefix_lab.PeftModel.from_pretrained(model, tmp_path)


@pytest.mark.parametrize("autocast", [True, False])
def test_a_half_precision_base_trains_lora_in_the_precision_that_was_asked_for(autocast):
    def build(library):
        base, config = tiny_t5().to(torch.bfloat16), library.get_peft_config(WELL_KNOWN)
        model = library.get_peft_model(base, config, autocast_adapter_dtype=autocast)
        model.add_adapter("other", library.get_peft_config(WELL_KNOWN), autocast_adapter_dtype=autocast)
        return disturbed(model).eval()

    models = in_both(build)
    assert_same(*run(models, lambda model: dict(model.state_dict())), "state_dict")
    assert_same(*run(models, lambda model: answers(model, "T5")), "outputs")
    kept = {p.dtype for n, p in models.ours.named_parameters() if ".lora_" in n}
    assert kept == {torch.float32 if autocast else torch.bfloat16}


@pytest.mark.parametrize("deleted", [["first"], ["second"], ["third", "first"], ["second", "third"]])
def test_deleting_an_adapter_leaves_the_same_one_in_use(deleted):
    def build(library):
        first, *others = (library.get_peft_config({**WELL_KNOWN, "target_modules": list(names)}) for names in LAYERS)
        model = library.get_peft_model(tiny_t5(), first, adapter_name="first")
        for name, config in zip(("second", "third"), others, strict=True):
            model.add_adapter(name, config)
        return disturbed(model).eval()

    models = in_both(build)
    for name in deleted:
        active = name == models.ours.active_adapter
        for model in models:
            warned = pytest.warns(UserWarning, match="was active which is now deleted") if active else nullcontext()
            with warned:
                model.delete_adapter(name)
        assert_same(*run(models, weights_and_what_trains), "state_dict, trains")
        assert_same(*run(models, lambda model: (model.active_adapter, list(model.peft_config))), "adapters")
        assert_same(*run(models, lambda model: answers(model, "T5")), "outputs")


LAYERS = ("qv", "qk", "kvo")


def test_deleting_the_only_adapter_gives_the_base_models_answers():
    model = wrapped("T5").ours.eval()
    model.delete_adapter("default")
    assert torch.equal(answers(model, "T5"), plain_answers("T5"))
    assert model.active_adapters == []


def test_a_prefix_cannot_be_merged_and_the_error_says_why():
    model = prefix_lab.get_peft_model(tiny_t5(), prefix_lab.PrefixTuningConfig("SEQ_2_SEQ_LM", num_virtual_tokens=3))
    with refuses(ValueError, "a prefix is a past", "no weight stands for it", "save_pretrained"):
        model.merge_and_unload()


def test_any_model_with_linear_layers_can_be_wrapped():
    model = nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 2))
    lora = prefix_lab.get_peft_model(model, prefix_lab.LoraConfig(target_modules=["0"], r=2))
    assert lora.get_nb_trainable_parameters() == (2 * 3 + 5 * 2, 2 * 3 + 5 * 2 + 3 * 5 + 5 + 5 * 2 + 2)
    assert lora(torch.ones(4, 3)).shape == (4, 2)
