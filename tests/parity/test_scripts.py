"""What scripts written for PEFT say beside the method: keywords, names, and what they read and set on the model."""

import inspect
import warnings
from pathlib import Path

import peft
import pytest
import torch
from transformers import GenerationConfig
from transformers.utils import hub

import prefix_lab
from prefix_lab.beside.hub_and_trainer import HUB, IDLE, ONLY
from prefix_lab.beside.wrapping import NAMES
from tests.parity.pair import TASKS, assert_same, both, in_both, run
from tests.tiny_models import refuses, tiny_bart, tiny_bert, tiny_classifier, tiny_gpt2, tiny_llama, tiny_t5, two_texts

LORA_LAYERS = {tiny_llama: ["q_proj"], tiny_t5: ["q"], tiny_bert: ["query"]}
TASK_CLASSES = [name for name in peft.__all__ if name.startswith("PeftModelFor")]


def parameters(function):
    return inspect.signature(function).parameters


def lora(library):
    return library.get_peft_model(tiny_llama(), library.LoraConfig("CAUSAL_LM", target_modules=["q_proj"]))


def texts():
    return {name: two_texts()[name] for name in ("input_ids", "attention_mask")}


def saved(folder):
    model = both(tiny_gpt2).ours
    model.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("name", TASK_CLASSES)
def test_a_forward_takes_the_same_arguments_in_the_same_places(name):
    ours, theirs = in_both(lambda library: list(parameters(getattr(library, name).forward)))
    theirs.remove("task_ids")  # of multitask prompt tuning and Poly
    assert ours == theirs


@pytest.mark.parametrize("make_model", [tiny_gpt2, tiny_t5, tiny_bert])
def test_outputs_asked_for_by_place_are_the_same(make_model):
    ids = two_texts()["input_ids"]
    given = {tiny_gpt2: [ids], tiny_t5: [ids, None, None, ids], tiny_bert: []}[make_model]
    places = [ids, torch.ones_like(ids), None, *given, True, True, False]
    assert_same(*run(both(make_model), lambda model: model(*places)))


@pytest.mark.parametrize("places", [(), (None,), (None, None, "labels"), (None, None, "labels", True, True)])
def test_a_lora_takes_its_arguments_in_the_same_places(places):
    texts = two_texts()["input_ids"]
    places = [texts if place == "labels" else place for place in places]
    ours, theirs = run(in_both(lora), lambda model: model(texts, *places))
    assert list(ours) == list(theirs)
    torch.testing.assert_close(ours.logits, theirs.logits)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (prefix_lab.PeftModel.save_pretrained, peft.PeftModel.save_pretrained),
        (prefix_lab.PeftModel.from_pretrained, peft.PeftModel.from_pretrained),
        (prefix_lab.PeftModel.load_adapter, peft.PeftModel.load_adapter),
        (prefix_lab.PeftModel.add_adapter, peft.PeftModel.add_adapter),
        (prefix_lab.PeftModel.__init__, peft.PeftModel.__init__),
        (prefix_lab.PeftConfig.from_pretrained, peft.PeftConfig.from_pretrained),
        (prefix_lab.get_peft_model, peft.get_peft_model),
        (prefix_lab.get_peft_model_state_dict, peft.get_peft_model_state_dict),
        (prefix_lab.set_peft_model_state_dict, peft.set_peft_model_state_dict),
        (prefix_lab.load_peft_weights, peft.load_peft_weights),
        (prefix_lab.initialize_kv_prefix_from_text, peft.initialize_kv_prefix_from_text),
        (prefix_lab.AutoPeftModelForCausalLM.from_pretrained, peft.AutoPeftModelForCausalLM.from_pretrained),
    ],
    ids=lambda function: function.__qualname__,
)
def test_every_argument_of_pefts_has_a_place_or_a_reason(ours, theirs):
    known = set(HUB) | set(IDLE) | set(ONLY) | {"kwargs", "hf_hub_download_kwargs", "import_allowlist"}
    missing = set(parameters(theirs)) - set(parameters(ours)) - known
    assert missing == set()
    common = [name for name in parameters(theirs) if name in parameters(ours)]
    assert [name for name in parameters(ours) if name in common] == common


@pytest.mark.parametrize("name", sorted({*IDLE, "revision", "token", "cache_dir", "local_files_only"}))
def test_a_keyword_that_changes_nothing_is_taken(name, tmp_path):
    model = prefix_lab.PeftModel.from_pretrained(tiny_gpt2(), saved(tmp_path), **{name: None})
    model.load_adapter(tmp_path, "other", **{name: None})
    model.save_pretrained(tmp_path / "again", **{name: None} if name in IDLE else {})
    assert_same(model.get_prompt(1), both(tiny_gpt2).ours.get_prompt(1))


@pytest.mark.parametrize("name", ONLY)
def test_a_keyword_that_would_change_something_is_refused_with_the_reason(name, tmp_path):
    model, allowed = both(tiny_gpt2).ours, ONLY[name][0]
    with refuses(ValueError, f"{name}={'x'!r}", f"only {allowed!r} is taken", ONLY[name][1]):
        model.save_pretrained(tmp_path / "none", **{name: "x"})
    assert not (tmp_path / "none").exists()
    model.save_pretrained(tmp_path, **{name: allowed})
    if name not in parameters(model.load_adapter):
        with refuses(ValueError, f"load_adapter({name}={'x'!r})"):
            model.load_adapter(tmp_path, "other", **{name: "x"})


def test_a_keyword_that_nobody_knows_is_refused(tmp_path):
    with refuses(TypeError, "unexpected keyword argument 'revison'"):
        prefix_lab.PeftModel.from_pretrained(tiny_gpt2(), saved(tmp_path), revison="main")


@pytest.mark.parametrize(
    "options", [{"save_embedding_layers": True}, {"state_dict": True}, {"adapter_name": "default"}]
)
@pytest.mark.parametrize("make_model", [tiny_gpt2, tiny_t5, tiny_bart])
def test_a_state_dict_is_taken_with_the_same_options(make_model, options):
    def do(model):
        library = peft if isinstance(model, peft.PeftModel) else prefix_lab
        given = {name: model.state_dict() if name == "state_dict" else value for name, value in options.items()}
        return library.get_peft_model_state_dict(model, **given)

    assert_same(*run(both(make_model), do))


def test_heads_are_taken_from_the_state_dict_that_is_given_and_mismatched_ones_are_left_when_asked():
    model = prefix_lab.get_peft_model(tiny_classifier(), prefix_lab.PrefixTuningConfig("SEQ_CLS", num_virtual_tokens=3))
    ones = {name: torch.ones_like(tensor) for name, tensor in model.state_dict().items()}
    state = prefix_lab.get_peft_model_state_dict(model, ones)
    assert all((state[name] == 1).all() for name in state if "classifier" in name)
    with refuses(ValueError, "state_dict has no base_model.classifier.modules_to_save.default"):
        prefix_lab.get_peft_model_state_dict(model, {})
    state["base_model.classifier.bias"] = torch.zeros(9)
    with refuses(ValueError, "base_model.classifier.bias has shape (9,), expected (4,)"):
        prefix_lab.set_peft_model_state_dict(model, peft_model_state_dict=state)
    with pytest.warns(UserWarning, match="Left as they are.*classifier.bias"):
        prefix_lab.set_peft_model_state_dict(model, state, ignore_mismatched_sizes=True)


@pytest.mark.parametrize("make_model", [tiny_gpt2, tiny_classifier])
def test_loading_says_the_same_of_the_keys(make_model, tmp_path):
    def do(library):
        task = TASKS.get(make_model, "SEQ_CLS")
        model = library.get_peft_model(make_model(), library.PrefixTuningConfig(task_type=task, num_virtual_tokens=3))
        model.save_pretrained(tmp_path / library.__name__)
        keys = library.set_peft_model_state_dict(model, library.get_peft_model_state_dict(model))
        loaded = model.load_adapter(tmp_path / library.__name__, "other")
        return [list(keys.missing_keys), keys.unexpected_keys, loaded.missing_keys, loaded.unexpected_keys]

    ours, theirs = in_both(do)
    assert [sorted(keys) for keys in ours] == [sorted(keys) for keys in theirs]


def test_rows_added_to_the_word_embeddings_are_saved_and_loaded_as_pefts_are(tmp_path):
    tiny_gpt2().save_pretrained(tmp_path / "base")

    def resized():
        model = type(tiny_gpt2()).from_pretrained(tmp_path / "base")
        model.resize_token_embeddings(40, mean_resizing=False)
        return model

    def do(library):
        model = library.get_peft_model(resized(), library.PrefixTuningConfig("CAUSAL_LM", num_virtual_tokens=3))
        with pytest.warns(UserWarning, match="has been resized during finetuning"):
            model.save_pretrained(tmp_path / library.__name__)
        return (tmp_path / library.__name__ / "adapter_model.safetensors").read_bytes(), model.state_dict()

    ours, theirs = in_both(do)
    assert ours[0] == theirs[0]
    again = prefix_lab.PeftModel.from_pretrained(resized(), tmp_path / "peft")
    assert_same(again.base_model.transformer.wte.weight.data, theirs[1]["base_model.transformer.wte.weight"])


@pytest.mark.parametrize("method", ["PrefixTuningConfig", "LoraConfig"])
@pytest.mark.parametrize("make_model", [tiny_llama, tiny_t5, tiny_bert])
@pytest.mark.parametrize("asked", ["output_hidden_states", "output_attentions"])
def test_what_the_base_models_config_asks_for_is_given_where_peft_gives_it(make_model, method, asked):
    own = {"num_virtual_tokens": 3} if method == "PrefixTuningConfig" else {"target_modules": LORA_LAYERS[make_model]}
    given = two_texts() if make_model is tiny_t5 else texts()

    def do(library):
        model = make_model()
        model.set_attn_implementation("eager")
        setattr(model.config, asked, True)
        config = getattr(library, method)(task_type=TASKS[make_model], **own)
        return list(library.get_peft_model(model, config).eval()(**given))

    assert_same(*in_both(do))


def test_an_adapter_without_a_task_type_loads_through_the_class_of_its_task(tmp_path):
    config = prefix_lab.PeftConfig.from_pretrained(saved(tmp_path))
    config.task_type = None
    config.save_pretrained(tmp_path)

    def do(library):
        model = library.PeftModelForCausalLM.from_pretrained(tiny_gpt2(), tmp_path)
        return type(model).__name__, model(**texts()).logits

    assert_same(*in_both(do))
    bare = prefix_lab.PeftModel.from_pretrained(tiny_gpt2(), tmp_path)  # PEFT's answers as without the prefix
    with refuses(ValueError, "would run the base model without its prefix"):
        bare(**texts())


@pytest.mark.parametrize("make_model", [tiny_gpt2, tiny_llama, tiny_t5, tiny_bert])
@pytest.mark.parametrize("text", [None, "---\nlicense: mit\n---\n# Mine\n\n### Framework versions\n\n- X 1\n"])
def test_the_card_beside_an_adapter_is_the_same(make_model, text, tmp_path):
    def do(model):
        folder = tmp_path / type(model).__module__.split(".")[0]
        folder.mkdir()
        if text is not None:
            (folder / "README.md").write_text(text)
        model.save_pretrained(folder)
        model.create_or_update_model_card(folder)
        return (folder / "README.md").read_text()

    assert_same(*run(both(make_model), do))


def test_only_the_adapter_is_pushed_to_a_hub(monkeypatch):
    pushed = {}

    class Hub:
        def create_repo(self, repo_id, **options):
            return type("Repo", (), {"repo_id": repo_id})

        def create_commit(self, operations, **options):
            pushed.update({one.path_in_repo: Path(one.path_or_fileobj).read_bytes() for one in operations})

    monkeypatch.setattr(hub, "hf_api", lambda *given: Hub())
    monkeypatch.setattr(hub, "create_and_tag_model_card", lambda *given, **options: type("Card", (), {"save": print}))

    def do(model):
        pushed.clear()
        model.push_to_hub("me/prefix")
        return dict(pushed)

    ours, theirs = run(both(tiny_gpt2), do)
    assert ours == theirs
    assert set(ours) == {"adapter_config.json", "adapter_model.safetensors", "README.md"}


def attribute_names(model):
    return {name for name in dir(model) if not name.startswith("_")}


NOT_HERE = {
    "get_layer_status": "it is of layers that an adapter changes; PEFT raises TypeError for a prefix",
    "get_model_status": "as get_layer_status",
    "prepare_model_for_gradient_checkpointing": "a prefix is refused together with gradient checkpointing",
    "special_peft_forward_args": "arguments of LoRA with an adapter for each row, which is not here",
}


@pytest.mark.parametrize("make_model", [tiny_gpt2, tiny_t5, tiny_bert, "lora"])
def test_every_public_attribute_of_pefts_wrapper_is_of_the_same_kind_or_has_a_reason(make_model):
    ours, theirs = in_both(lora) if make_model == "lora" else both(make_model)
    names = attribute_names(theirs) | attribute_names(theirs.get_base_model())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of attributes that transformers will drop
        gone = {name for name in names if not hasattr(ours, name) and hasattr(theirs, name)}
        assert gone == set(NOT_HERE)
        for name in names - gone - {"base_model"}:
            if hasattr(theirs, name) and hasattr(ours, name):
                mine, other = getattr(ours, name), getattr(theirs, name)
                assert callable(mine) == callable(other), name
                assert type(mine).__name__ == type(other).__name__, name


@pytest.mark.parametrize("make_model", [tiny_gpt2, tiny_llama, tiny_t5, tiny_bert])
def test_an_attribute_that_is_set_lands_where_pefts_does(make_model):
    def where(model, name):
        before = dict(vars(model.base_model))
        mark = object()
        try:
            setattr(model, name, mark)
        except (AttributeError, TypeError) as error:
            return type(error).__name__
        return vars(model).get(name) is mark, vars(model.base_model) == before

    names = attribute_names(both(make_model).theirs) - {"peft_config", *NOT_HERE}
    names -= {"base_model", *dict(both(make_model).theirs.named_children())}  # modules take modules alone
    models = both(make_model)
    for name in sorted(names):
        assert where(models.ours, name) == where(models.theirs, name), name


@pytest.mark.parametrize("make_model", [tiny_gpt2, tiny_llama, tiny_t5, tiny_bart])
def test_a_generation_config_that_is_set_on_the_wrapper_does_what_it_does_in_peft_or_is_warned_of(make_model):
    def do(model):
        model.generation_config = GenerationConfig(max_new_tokens=3, do_sample=False, pad_token_id=0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the lengths that transformers chooses, and ours where it has no effect
            return model.generate(**texts())

    models = both(make_model)
    assert_same(*run(models, do))
    if make_model is not tiny_gpt2:  # in PEFT it has no effect
        with pytest.warns(UserWarning, match="has no effect, as in PEFT.*model.base_model"):
            models.ours.generate(**texts(), max_new_tokens=2)


def test_every_public_name_of_pefts_is_here_or_stands_for_another_method():
    left = [name for name in peft.__all__ if name not in {*prefix_lab.__all__, *NAMES}]
    tuners = [name for name in left if name.endswith(("Model", "Embedding", "Encoder"))]
    utilities = {  # of other methods, of training without a prefix, and PEFT's own errors
        *("NoMatchingPeftModuleError", "PeftError", "PeftWarning"),
        *("PEFT_TYPE_TO_MIXED_MODEL_MAPPING", "PEFT_TYPE_TO_TUNER_MAPPING"),
        *("TRANSFORMERS_MODELS_TO_PREFIX_TUNING_POSTPROCESS_MAPPING", "bloom_model_postprocess_past_key_value"),
        *("compose_cartridge_adapters", "convert_to_lora", "create_arrow_model", "find_kappa_target_modules"),
        *("get_base_model_state_dict", "set_base_model_state_dict", "get_eva_state_dict"),
        *("initialize_kv_prefix_from_past_key_values", "prompt_embeddings_from_past_key_values"),
        *("initialize_lora_eva_weights", "preprocess_loraga", "replace_lora_weights_loftq", "save_as_lora"),
        "shift_tokens_right",
    }
    assert set(left) - set(tuners) == utilities
    assert all(hasattr(peft, name) for name in NAMES)


@pytest.mark.parametrize("name", ["PromptEncoderConfig", "PromptTuningConfig", "get_model_status"])
def test_another_method_can_be_imported_and_says_at_its_use_that_it_is_not_here(name):
    found = getattr(prefix_lab, name)
    assert not isinstance(prefix_lab.PrefixTuningConfig(), found)
    with refuses(ValueError, f"{name} is PEFT's, and not here", f"from peft import {name}"):
        found(task_type="CAUSAL_LM")
    with refuses(AttributeError, f"{name} is PEFT's, and not here"):
        _ = found.TEXT


def test_a_name_that_peft_does_not_have_is_no_attribute():
    with pytest.raises(ImportError, match="cannot import name 'PrefixTunningConfig'"):
        from prefix_lab import PrefixTunningConfig  # noqa: F401
    assert prefix_lab.__version__


@pytest.mark.parametrize(
    ("make_model", "name"), [(tiny_gpt2, "CausalLM"), (tiny_t5, "Seq2SeqLM"), (tiny_bert, "FeatureExtraction")]
)
def test_an_adapter_alone_leads_to_its_base_model(make_model, name, tmp_path):
    make_model().save_pretrained(tmp_path / "base")
    base = type(make_model()).from_pretrained(tmp_path / "base")
    config = prefix_lab.PrefixTuningConfig(task_type=TASKS[make_model], num_virtual_tokens=3)
    prefix_lab.get_peft_model(base, config).save_pretrained(tmp_path / "adapter")

    def do(library):
        model = getattr(library, f"AutoPeftModelFor{name}").from_pretrained(tmp_path / "adapter")
        return type(model).__name__, model.get_prompt(2), model.training

    assert_same(*in_both(do))
    words = ("AutoPeftModelForTokenClassification cannot load", f"AutoPeftModelFor{name}.from_pretrained")
    with refuses(ValueError, *words):
        prefix_lab.AutoPeftModelForTokenClassification.from_pretrained(tmp_path / "adapter")


@pytest.mark.parametrize("options", [{}, {"revision": "main", "token": None}])
def test_a_config_is_read_with_pefts_keywords(options, tmp_path):
    top = str(saved(tmp_path / "top" / "inner").parent)
    given = {"pretrained_model_name_or_path": top, "subfolder": "inner", **options}
    assert_same(*in_both(lambda library: repr(library.PeftConfig.from_pretrained(**given))))
    file = tmp_path / "top" / "inner" / "adapter_config.json"
    assert_same(*in_both(lambda library: library.PeftConfig.from_json_file(file)))
