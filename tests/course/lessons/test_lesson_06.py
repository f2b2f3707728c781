"""Lesson 6's checks: stub, solution, plausible mistakes told by their cause, and answers that mean harm."""

import inspect
import re

import peft
import pytest
import torch
from peft.tuners.cartridge import utils

from prefix_lab.course.lessons.lesson_06 import check_address, check_table_of, check_viewed
from prefix_lab.course.recordings import record_prompt
from prefix_lab.widgets.stepper.predict import Score, predict


def address(layer, is_value, head, heads, head_dim):
    return ((2 * layer + is_value) * heads + head) * head_dim


def pieces(cache, prefix_len):
    return [one[0, :, :prefix_len] for layer in cache.layers for one in (layer.keys, layer.values)]


def table_of(cache, prefix_len):
    return torch.stack(pieces(cache, prefix_len)).permute(2, 0, 1, 3).flatten(1)


ADDRESS_MISTAKES = {
    "each layer takes two pieces": lambda n, v, h, heads, d: ((n + v) * heads + h) * d,
    "one whole piece": lambda n, v, h, heads, d: (2 * n * heads + h) * d + v,
    "the heads before this one": lambda n, v, h, heads, d: (2 * n + v) * heads * d,
    "counted in heads": lambda n, v, h, heads, d: (2 * n + v) * heads + h,
    "side by side": lambda n, v, h, heads, d: (2 * n + v) * heads * d + h * heads,
    "count the pieces": lambda n, v, h, heads, d: -1,
    "expected a number": lambda *given: "80",
}


def by_view_alone(cache, prefix_len):
    return torch.stack(pieces(cache, prefix_len)).reshape(prefix_len, -1)


def mixed_in_a_layer(cache, prefix_len):
    rows = torch.stack(pieces(cache, prefix_len))
    return rows.flatten(1).view(len(rows), prefix_len, -1).transpose(0, 1).flatten(1)


def keys_first(cache, prefix_len):
    layers = cache.layers
    rows = [one.keys for one in layers] + [one.values for one in layers]
    return torch.stack([one[0, :, :prefix_len] for one in rows]).permute(2, 0, 1, 3).flatten(1)


def values_first(cache, prefix_len):
    rows = [one[0, :, :prefix_len] for layer in cache.layers for one in (layer.values, layer.keys)]
    return torch.stack(rows).permute(2, 0, 1, 3).flatten(1)


def last_tokens(cache, prefix_len):
    rows = [one[0, :, -prefix_len:] for layer in cache.layers for one in (layer.keys, layer.values)]
    return torch.stack(rows).permute(2, 0, 1, 3).flatten(1)


def keys_alone(cache, prefix_len):
    return torch.stack([layer.keys[0, :, :prefix_len] for layer in cache.layers]).permute(2, 0, 1, 3).flatten(1)


TABLE_MISTAKES = {
    "made by view or reshape alone": by_view_alone,
    "mixed within each layer": mixed_in_a_layer,
    "all keys come first": keys_first,
    "values come before the keys": values_first,
    "the last tokens": last_tokens,
    "heads come before head_dim": lambda c, p: torch.stack(pieces(c, p)).permute(2, 0, 3, 1).flatten(1),
    "take keys and values": keys_alone,
    "tokens of the text": lambda cache, prefix_len: table_of(cache, cache.get_seq_length()),
    "a batch axis left": lambda *given: table_of(*given)[None],
    "every number is there": lambda cache, prefix_len: torch.stack(pieces(cache, prefix_len)),
    "a row for each token": lambda *given: table_of(*given)[:1],
    "other numbers": lambda *given: table_of(*given) + 1,
    "expected a tensor": pieces,
}
MISTAKES = {
    check_address: ADDRESS_MISTAKES,
    check_table_of: TABLE_MISTAKES,
}


def test_pefts_own_function_passes():
    def theirs(cache, prefix_len):
        pairs = [(layer.keys, layer.values) for layer in cache.layers]
        return utils.prompt_embeddings_from_past_key_values(pairs, num_virtual_tokens=prefix_len)

    assert check_table_of(theirs).passed


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated")  # PEFT asks for it
@pytest.mark.parametrize("answer", ["(batch, prefix_len, 2·layers, heads, head_dim)", "2, 5, 6, 4, 8"])
def test_the_shape_after_view_is_asked_of_pefts_line(answer):
    recording = record_prompt("peft")
    before = next(step for step in recording.steps if ".view(" in step.text)
    question = predict(recording, before, "past_key_values", score=Score())
    assert "put your answer" in check_viewed(question, ...).text
    assert "5" in check_viewed(question, "(batch, prefix_len, hidden)").text
    assert not check_viewed(question, "(batch, 2·layers, prefix_len, heads, head_dim)").passed
    assert check_viewed(question, answer).passed


def test_recording_leaves_the_learners_random_numbers_alone():
    torch.manual_seed(0)
    first = torch.rand(3)
    torch.manual_seed(0)
    record_prompt("prefix_lab")
    check_table_of(table_of)
    assert torch.equal(torch.rand(3), first)


def test_pefts_source_says_what_the_lesson_points_at():
    source = inspect.getsource(peft.PeftModel.get_prompt)
    assert re.search(r"# Transpose: 2 x \[num_layers", source)
    assert "prompt_embeddings_from_past_key_values" in dir(utils)
