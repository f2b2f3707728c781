"""What PEFT warns of, ours warns of, in the same words and as often; what it refuses cleanly, ours refuses alike."""

import pytest
import torch

from tests.parity.pair import assert_same, both, in_both, run, warnings_of
from tests.tiny_models import one_text, random_ids, tiny_bert, tiny_gpt2, tiny_llama, tiny_t5, two_texts

SEQ2SEQ = {"task_type": "SEQ_2_SEQ_LM", "num_virtual_tokens": 3}


def wrapping_warns(name_or_path="", fields=None, **arguments):
    def wrap(library):
        model = tiny_t5()
        model.name_or_path = name_or_path
        config = library.PrefixTuningConfig(**SEQ2SEQ, **(fields or {}))
        _, seen = warnings_of(lambda: library.get_peft_model(model, config, **arguments))
        return seen, config.base_model_name_or_path, config.revision

    return in_both(wrap)


@pytest.mark.parametrize(("old", "new"), [("t5-small", ""), ("t5-small", "t5-base")])
def test_another_base_model_than_the_configs_is_warned_of(old, new):
    found = wrapping_warns(new, {"base_model_name_or_path": old})
    assert_same(*found, "warnings")
    assert len(found.ours[0]) == 1
    assert f"renamed from '{old}' to '{new or None}'" in found.ours[0][0][1]


def test_another_revision_than_the_configs_is_warned_of():
    found = wrapping_warns(fields={"revision": "main"}, revision="v2")
    assert_same(*found, "warnings")
    assert "revision to main, overwriting with revision v2" in found.ours[0][0][1]


@pytest.mark.parametrize("adapter_name", ["prefix", "tuning_"])
def test_an_adapter_name_inside_the_methods_prefix_is_warned_of(adapter_name):
    found = wrapping_warns(adapter_name=adapter_name)
    assert_same(*found, "warnings")
    assert len(found.ours[0]) == 2  # PEFT says it when wrapping, and again when the adapter is added
    assert f"'{adapter_name}' should not be contained in the prefix 'prefix_tuning_'" in found.ours[0][0][1]


@pytest.mark.parametrize(
    "quiet",
    [
        {},
        {"name_or_path": "tiny", "fields": {"base_model_name_or_path": "tiny"}},
        {"revision": "main"},
        {"fields": {"revision": "main"}, "revision": "main"},
        {"fields": {"revision": "main"}},
        {"adapter_name": "other"},
        {"autocast_adapter_dtype": False},
    ],
)
def test_nothing_is_warned_of_where_nothing_is_lost(quiet):
    found = wrapping_warns(**quiet)
    assert_same(*found, "warnings")
    assert found.ours[0] == []


@pytest.mark.parametrize("make_model", [tiny_gpt2, tiny_bert])
def test_token_types_are_dropped_with_a_warning(make_model):
    batch = {**one_text(), "token_type_ids": random_ids(2, 7) % 2}
    models = both(make_model)
    found = run(models, lambda model: warnings_of(lambda: model(**batch)))
    assert_same(*found, "outputs and warnings")
    assert "Ignoring token type ids" in found.ours[1][0][1]


@pytest.mark.parametrize("second", ["lora", "prefix"])
@pytest.mark.parametrize("around", ["the wrapper", "its base"])
def test_a_model_that_lora_has_changed_is_warned_of_when_it_is_wrapped_again(second, around):
    def wrap(library):
        def config(kind):
            if kind == "lora":
                return library.LoraConfig(task_type="CAUSAL_LM", r=2, target_modules=["q_proj"])
            return library.PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=3)

        model = library.get_peft_model(tiny_llama(), config("lora"))
        inside = model if around == "the wrapper" else model.get_base_model()
        return warnings_of(lambda: library.get_peft_model(inside, config(second)))[1]

    found = in_both(wrap)
    assert "with PEFT for a second time" in found.ours[0][1]
    if around == "the wrapper" or second == "prefix":  # PEFT leaves its config on the base model, which ours does not
        assert_same(*found, "warnings")


def wrap(library, model=None, **fields):
    return library.get_peft_model(model or tiny_t5(), library.PrefixTuningConfig(**SEQ2SEQ | fields))


def changed(do):
    model = tiny_t5()
    do(model)
    return model


def load(library, columns, **fields):
    wrap(library, **fields).prompt_encoder["default"].load_prompt_embeddings(torch.zeros(3, columns))


REFUSED = {
    "a task type that does not exist": lambda library, file: library.PrefixTuningConfig(task_type="SEQ2SEQ"),
    "a field that does not exist": lambda library, file: library.PrefixTuningConfig(virtual_tokens=3),
    "a folder without a config": lambda library, file: library.PeftConfig.from_pretrained("no/such/folder"),
    "gradient checkpointing": lambda library, file: wrap(
        library, changed(lambda model: model.activation_checkpointing_enable())
    ),
    "an adapter name twice": lambda library, file: wrap(library).add_adapter(
        "default", library.PrefixTuningConfig(**SEQ2SEQ)
    ),
    "no text": lambda library, file: wrap(library)(attention_mask=torch.ones(2, 7)),
    "no text for GPT-2": lambda library, file: wrap(library, tiny_gpt2(), task_type="CAUSAL_LM")(labels=None),
    "generate without ids": lambda library, file: wrap(library).generate(inputs_embeds=torch.zeros(2, 7, 12)),
    "a model whose sizes have other names": lambda library, file: wrap(
        library, changed(lambda model: setattr(model, "config", {"depth": 2}))
    ),
    "a model without a config": lambda library, file: wrap(
        library, torch.nn.Linear(2, 2), task_type="FEATURE_EXTRACTION"
    ),
    "a model that cannot generate": lambda library, file: wrap(library, tiny_t5().encoder),
    "a prefix of another shape": lambda library, file: load(library, 5),
    "a prefix behind a projection": lambda library, file: load(library, 48, prefix_projection=True),
    "an option that generate does not have": lambda library, file: wrap(library).generate(
        input_ids=two_texts()["input_ids"], no_such_option=1
    ),
    "an attribute that neither has": lambda library, file: wrap(library).no_such_attribute,
    "a file in the place of the folder": lambda library, file: wrap(library).save_pretrained(file),
}


@pytest.mark.parametrize("case", REFUSED)
def test_the_same_type_of_error_is_raised_for(case, tmp_path):
    (tmp_path / "file").touch()

    def refusal(library):
        with pytest.raises(Exception) as caught:  # noqa: PT011 - which one is the question
            REFUSED[case](library, tmp_path / "file")
        return caught.type

    ours, theirs = in_both(refusal)
    assert ours is theirs
