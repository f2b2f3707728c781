"""Half of an encoder-decoder prefix is dead, in PEFT and so in ours.

The encoder's output has 2·layers rows for each virtual token. `get_prompt` doubles them and cuts them in fours, one
four for each decoder layer: two rows for self-attention, and two for cross-attention that are thrown away.
"""

import pytest
import torch

from tests.parity.pair import both
from tests.tiny_models import tiny_bart, tiny_gpt2, tiny_t5, two_texts


def rows_that_learn(model):
    """The rows of the last axis, 2·layers of them, in which any number gets a gradient."""
    model(**two_texts()).loss.backward()
    gradient = model.prompt_encoder["default"].embedding.weight.grad  # (prefix_len, 2·layers·hidden)
    rows = gradient.view(3, 2 * model.active_peft_config.num_layers, -1)  # (prefix_len, 2·layers, hidden)
    return [row for row in range(rows.shape[1]) if rows[:, row].abs().sum() > 0]


@pytest.mark.parametrize("make_model", [tiny_t5, tiny_bart])
@pytest.mark.parametrize(
    ("layers", "alive"),
    [(1, [0, 1]), (2, [0, 1]), (3, [0, 1, 2, 3, 4, 5]), (4, [0, 1, 4, 5]), (6, [0, 1, 4, 5, 8, 9])],
)
def test_rows_two_and_three_of_every_four_are_dead_for_an_even_number_of_layers(make_model, layers, alive):
    for model in both(lambda: make_model(layers)):
        assert rows_that_learn(model) == alive


@pytest.mark.parametrize("layers", [2, 4, 6])
def test_layers_in_both_halves_of_an_even_stack_share_one_prefix(layers):
    for model in both(lambda: tiny_t5(layers)):
        decoder = model.get_prompt(1).self_attention_cache.layers
        for low, high in zip(decoder[: layers // 2], decoder[layers // 2 :], strict=True):
            assert torch.equal(low.keys, high.keys)
            assert torch.equal(low.values, high.values)


@pytest.mark.parametrize("layers", [3, 5])
def test_no_two_layers_share_a_prefix_in_an_odd_stack(layers):
    for model in both(lambda: tiny_t5(layers)):
        decoder = model.get_prompt(1).self_attention_cache.layers
        assert len({layer.keys.sum().item() for layer in decoder}) == layers


def test_every_row_learns_where_there_is_no_encoder():
    for model in both(lambda: tiny_gpt2(4), task_type="CAUSAL_LM"):
        ids = two_texts()["input_ids"]
        model(input_ids=ids, labels=ids).loss.backward()
        rows = model.prompt_encoder["default"].embedding.weight.grad.view(3, 8, -1)  # (prefix_len, 2·layers, hidden)
        assert (rows.abs().sum(dim=(0, 2)) > 0).all()


@torch.no_grad()
def test_the_encoder_never_sees_the_prefix():
    expected = tiny_t5()(**two_texts()).encoder_last_hidden_state
    for model in both(tiny_t5):
        assert torch.equal(model(**two_texts()).encoder_last_hidden_state, expected)
