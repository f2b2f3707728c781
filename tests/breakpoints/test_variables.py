"""Variables panes: shapes first, children that help, and never a wait for a large tensor."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import BatchEncoding, T5Config
from transformers.cache_utils import DynamicCache, EncoderDecoderCache

from prefix_lab.breakpoints.variables import children_of, sample, text_of

KEY = torch.zeros(2, 4, 5, 8)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (torch.zeros(4, 20, 128), "Tensor (4, 20, 128) float32"),
        (torch.tensor(3), "Tensor () int64"),
        (torch.nn.Parameter(torch.zeros(2)), "Parameter (2) float32"),
        (torch.zeros(2, device="meta"), "Tensor (2) float32"),
        (torch.nn.Linear(3, 2), "Linear with 8 parameters, 8 trainable"),
        (DynamicCache([(KEY, KEY)] * 3), "DynamicCache of 3 layers, each (2, 4, 5, 8)"),
        (BatchEncoding({"input_ids": torch.zeros(2, 7)}), "BatchEncoding {input_ids: Tensor (2, 7) float32}"),
        ([torch.zeros(2), 3], "[Tensor (2) float32, 3]"),
        ({"a": torch.zeros(2)}, "{a: Tensor (2) float32}"),
        ((torch.zeros(2),), "(Tensor (2) float32)"),
    ],
)
def test_a_value_is_told_by_its_shape(value, text):
    assert text_of(value) == text


def test_a_config_is_told_by_its_fields():
    assert text_of(T5Config()).startswith("T5Config(")


@pytest.mark.parametrize("value", [1, "text", None, [1, 2], {"a": 1}, (), object(), True, torch, torch.Tensor])
def test_other_values_keep_the_debuggers_own_text(value):
    assert text_of(value) is None


HUGE = [
    torch.zeros(1).expand(10_000, 10_000),
    torch.zeros(1).expand(100_000_000),
    torch.zeros(1, 1).expand(20_000, 20_000).t(),
    torch.empty(100_000, 100_000, device="meta"),
    torch.zeros(5_000_000, dtype=torch.int8),
]


@pytest.mark.parametrize("tensor", HUGE, ids=lambda tensor: f"{tuple(tensor.shape)} {tensor.device}")
def test_a_huge_tensor_is_told_and_unfolded(tensor):
    assert text_of(tensor).startswith("Tensor (")
    found = {name: value for name, value, _ in children_of(tensor)}
    assert found["shape"] == f"({', '.join(map(str, tensor.shape))})"
    assert children_of(found["statistics"])
    assert children_of(found["items"])


def test_statistics_of_what_expand_made_are_those_of_the_numbers_in_memory():
    wide = torch.tensor([[1.0], [2.0]]).expand(2, 50_000_000)
    statistics = {name: value for name, value, _ in children_of(dict_of(wide)["statistics"])}
    assert (statistics["min"], statistics["max"], statistics["mean"]) == (1.0, 2.0, 1.5)
    assert "of" not in statistics


def test_statistics_of_a_large_tensor_say_what_they_are_made_from():
    told = {name: value for name, value, _ in children_of(dict_of(torch.ones(3_000_000))["statistics"])}
    assert told["mean"] == 1.0
    assert told["of"].endswith("evenly spread over 3,000,000")


def dict_of(tensor):
    return {name: value for name, value, _ in children_of(tensor)}


@given(st.lists(st.integers(1, 6), max_size=4), st.randoms())
def test_a_small_tensor_is_sampled_whole_whatever_its_strides(shape, random):
    tensor = torch.arange(torch.Size(shape).numel(), dtype=torch.float32).reshape(shape)
    axes = list(range(len(shape)))
    random.shuffle(axes)
    plain, count = sample(tensor.permute(axes))
    assert count == tensor.numel()
    assert sorted(plain.flatten().tolist()) == sorted(tensor.flatten().tolist())


def test_children_of_a_module_are_its_parts_and_parameters():
    names = [name for name, _, _ in children_of(torch.nn.Linear(3, 2))]
    assert {"weight", "bias", "training"} <= set(names)


def test_children_of_caches_are_keys_and_values():
    cache = EncoderDecoderCache(DynamicCache([(KEY, KEY)]), DynamicCache())
    inside = {name: value for name, value, _ in children_of(cache)}
    assert [name for name, _, _ in children_of(inside["self_attention_cache"])] == [
        "layers[0].keys",
        "layers[0].values",
    ]


def test_looking_changes_no_random_number_and_no_gradient():
    tensor = torch.randn(3, 3, requires_grad=True)
    state = torch.get_rng_state()
    for name, value, _ in children_of(tensor * 2):
        if name in ("statistics", "items"):
            children_of(value)
    assert torch.equal(torch.get_rng_state(), state)
    assert tensor.grad is None
