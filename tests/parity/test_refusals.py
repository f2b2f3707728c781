"""Where PEFT refuses with a clean error of its own, ours is of the same type."""

import pytest
import torch
from torch import nn

from tests.parity.pair import in_both
from tests.tiny_models import tiny_gpt2, tiny_t5, two_texts


def wrap(library, model=None, **fields):
    config = library.PrefixTuningConfig(**{"task_type": "SEQ_2_SEQ_LM", "num_virtual_tokens": 3, **fields})
    return library.get_peft_model(tiny_t5() if model is None else model, config)


def with_checkpointing(model):
    model.activation_checkpointing_enable()
    return model


def with_config(sizes):
    model = tiny_t5()
    model.config = sizes
    return model


REFUSED = {
    "a task type that does not exist": lambda library: library.PrefixTuningConfig(task_type="SEQ2SEQ"),
    "a field that does not exist": lambda library: library.PrefixTuningConfig(virtual_tokens=3),
    "a folder without a config": lambda library: library.PeftConfig.from_pretrained("no/such/folder"),
    "gradient checkpointing": lambda library: wrap(library, with_checkpointing(tiny_t5())),
    "an adapter name twice": lambda library: wrap(library).add_adapter(
        "default", library.PrefixTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=3)
    ),
    "no text": lambda library: wrap(library)(attention_mask=torch.ones(2, 7)),
    "no text for GPT-2": lambda library: wrap(library, tiny_gpt2(), task_type="CAUSAL_LM")(labels=None),
    "generate without ids": lambda library: wrap(library).generate(inputs_embeds=torch.zeros(2, 7, 12)),
    "a model whose sizes have other names": lambda library: wrap(library, with_config({"depth": 2})),
    "a model that cannot generate": lambda library: wrap(library, tiny_t5().encoder),
    "a prefix of another shape": lambda library: (
        wrap(library).prompt_encoder["default"].load_prompt_embeddings(torch.zeros(3, 5))
    ),
    "a prefix behind a projection": lambda library: (
        wrap(library, prefix_projection=True).prompt_encoder["default"].load_prompt_embeddings(torch.zeros(3, 48))
    ),
    "an option that generate does not have": lambda library: wrap(library).generate(
        input_ids=two_texts()["input_ids"], no_such_option=1
    ),
    "an attribute that neither has": lambda library: wrap(library).no_such_attribute,
}


def refusal(library, case):
    with pytest.raises(Exception) as caught:  # noqa: PT011 - which one is the question
        REFUSED[case](library)
    return caught.type


@pytest.mark.parametrize("case", REFUSED)
def test_the_same_type_of_error_is_raised_for(case):
    ours, theirs = in_both(lambda library: refusal(library, case))
    assert ours is theirs


def test_a_file_in_the_place_of_the_folder_is_the_same_error(tmp_path):
    file = tmp_path / "file"
    file.touch()

    def saved(library):
        model = wrap(library)
        with pytest.raises(Exception) as caught:  # noqa: PT011 - which one is the question
            model.save_pretrained(file)
        return caught.type

    ours, theirs = in_both(saved)
    assert ours is theirs


def test_a_module_without_a_config_is_refused_by_both():
    for kind in in_both(lambda library: refused_module(library)):
        assert issubclass(kind, (AttributeError, ValueError))


def refused_module(library):
    with pytest.raises((AttributeError, ValueError)) as caught:
        wrap(library, nn.Linear(2, 2), task_type="FEATURE_EXTRACTION")
    return caught.type
