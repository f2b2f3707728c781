"""The sizes that ship are those of the well-known models, and a walk with them needs no weights."""

import pytest

from prefix_lab.walk.model import load_base
from prefix_lab.widgets.sizes import shipped
from tests.walk.walking import walked

PARAMETERS = {
    "bart-base": 139_420_416,
    "bert-base": 109_482_240,
    "flan-t5-small": 76_961_152,
    "gpt2": 124_439_808,
    "gpt2-large": 774_030_080,
    "gpt2-medium": 354_823_168,
    "gpt2-xl": 1_557_611_200,
    "llama-3-8b": 8_030_261_248,
    "t5-11b": 11_307_321_344,
    "t5-3b": 2_851_598_336,
    "t5-base": 222_903_552,
    "t5-large": 737_668_096,
    "t5-small": 60_506_624,
}
HEADS_WIDER_THAN_THE_MODEL = {"flan-t5-small": 384, "t5-3b": 4096, "t5-11b": 16384}


def test_all_sizes_ship():
    assert set(shipped()) == set(PARAMETERS)


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_size_has_the_well_known_number_of_parameters(name):
    model = load_base(name, config_only=True).model
    assert sum(weight.numel() for weight in model.parameters()) == PARAMETERS[name]
    assert all(weight.is_meta for weight in model.parameters())


@pytest.mark.parametrize("name", ["bart-base", "gpt2", "llama-3-8b"])
def test_every_stage_of_a_size_is_equal_to_pefts(name):
    results = walked(load_base(name, config_only=True).model, prefix_len=20, projection=True)
    assert [result.equal for result in results.values()] == [True] * 8


@pytest.mark.parametrize(("name", "token_dim"), HEADS_WIDER_THAN_THE_MODEL.items())
def test_where_heads_are_wider_than_the_model_a_token_dim_is_asked_for(name, token_dim):
    results = walked(load_base(name, config_only=True).model, beside_peft=False)
    assert results["prepare"].stop.way_out == {"token_dim": token_dim}
