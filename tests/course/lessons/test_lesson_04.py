"""Lesson 4's checks: sizes read, a token_dim that fits, a config reopened; each mistake is told its cause."""

import copy
from dataclasses import replace

import peft
import pytest
from peft.utils.other import _prepare_prompt_learning_config

from prefix_lab import PrefixTuningConfig
from prefix_lab.course.lessons.lesson_04 import (
    FIELDS,
    check_read_sizes,
    check_reopened,
    check_rescue,
    config_of,
    draw_widths,
    empty_model,
    readings,
    show_sizes,
)
from prefix_lab.widgets.sizes import shipped, sizes_of

LAYERS = ("num_hidden_layers", "num_layers", "n_layer")
WIDTH = ("hidden_size", "n_embd", "d_model")
HEADS = ("num_attention_heads", "n_head", "num_heads", "encoder_attention_heads")


def first(known, names):
    return next(known[name] for name in names if name in known)


def plain(known):
    return first(known, LAYERS), first(known, WIDTH), first(known, HEADS)


def read_sizes(known):
    layers, width, heads = plain(known)
    if "num_key_value_heads" in known:
        head_dim = known.get("head_dim", width // heads)
        heads = known["num_key_value_heads"]
        width = heads * head_dim
    return layers, width, heads


def from_cache(known):
    layers, width, heads = read_sizes(known)
    return layers, known["d_kv"] * heads if "d_kv" in known else width, heads


def all_heads(known):
    layers, width, _ = read_sizes(known)
    return layers, width, first(known, HEADS)


def whole_width(known):
    layers, _, heads = read_sizes(known)
    return layers, plain(known)[1], heads


def own_head_dim(known):
    return read_sizes({name: value for name, value in known.items() if name != "head_dim"})


def asked_wrongly(known):
    layers, width, heads = plain(known)
    if "num_key_value_heads" in known:
        heads = known["num_key_value_heads"]
        width = heads * known.get("head_dim", width // heads)
    return layers, width, heads


READ_MISTAKES = {
    "PEFT does not look at d_kv": from_cache,
    "Only num_key_value_heads heads": plain,
    "Only num_key_value_heads": all_heads,
    "the width of the heads that are cached": whole_width,
    "do not compute it": own_head_dim,
    "as wide as one that asks": asked_wrongly,
    "The number of layers is wrong": lambda known: (1, *read_sizes(known)[1:]),
    "The number of heads is wrong": lambda known: (*read_sizes(known)[:2], 1),
    "token_dim is the width of the model": lambda known: (read_sizes(known)[0], 1, read_sizes(known)[2]),
    "Which one does this family use": lambda known: next(known[name] for name in ("n_layer",) if name in known),
    "expected three numbers": lambda known: read_sizes(known)[0],
    "put your answer": lambda known: (first(known, LAYERS), ..., ...),
    "T5: your function raised KeyError": lambda known: (known["n_layer"], 1, 1),
}
RESCUE_MISTAKES = {
    "what PEFT reads by itself": lambda d_model, num_heads, d_kv: d_model,
    "width of one head": lambda d_model, num_heads, d_kv: d_kv,
    "factor 2": lambda d_model, num_heads, d_kv: 2 * num_heads * d_kv,
    "how wide is a key": lambda d_model, num_heads, d_kv: 384,
    "how wide": lambda d_model, num_heads, d_kv: [num_heads, d_kv],
}


def reopened(config):
    return replace(
        config,
        num_layers=None,
        token_dim=None,
        num_attention_heads=None,
        num_transformer_submodules=None,
        encoder_hidden_size=None,
    )


def in_place(config):
    for name in ("num_layers", "token_dim", "num_attention_heads", "num_transformer_submodules"):
        setattr(config, name, None)
    return config


def changes_both(config):
    result = reopened(config)
    config.num_layers = None
    return result


REOPEN_MISTAKES = {
    "make a new one": in_place,
    "make a new": changes_both,
    "num_layers is still": copy.copy,
    "token_dim is still": lambda config: replace(config, num_layers=None),
    "may have one stack": lambda config: replace(reopened(config), num_transformer_submodules=2),
    "the old width stays": lambda config: replace(reopened(config), encoder_hidden_size=config.encoder_hidden_size),
    "prefix_projection=False": lambda config: PrefixTuningConfig(
        "SEQ_2_SEQ_LM", num_virtual_tokens=config.num_virtual_tokens
    ),
    "num_virtual_tokens=None": lambda config: replace(reopened(config), num_virtual_tokens=None),
    "task_type=None": lambda config: replace(reopened(config), task_type=None),
    "expected a PrefixTuningConfig": lambda config: {},
}
MISTAKES = {
    check_read_sizes: READ_MISTAKES,
    check_rescue: RESCUE_MISTAKES,
    check_reopened: REOPEN_MISTAKES,
}


def test_rounding_down_to_a_multiple_of_the_heads_is_not_enough():
    assert not check_rescue(lambda d_model, num_heads, d_kv: d_model // num_heads * num_heads + num_heads).passed


@pytest.mark.parametrize("name", shipped())
def test_the_table_says_what_peft_reads(name):
    row = next(row for row in readings() if row.name == name)
    config = peft.PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=20)
    _prepare_prompt_learning_config(config, config_of(name))
    assert {field: row.found[field][0] for field in FIELDS} == {field: getattr(config, field) for field in FIELDS}
    assert row.fits == (sizes_of(name).trouble is None)


def test_the_table_and_the_picture_tell_which_models_fall_apart():
    assert "flan-t5-small" in repr(show_sizes())
    assert "✗ 384" in show_sizes()._repr_html_()
    assert "✗ flan-t5-small: 512 read, 384 cached" in repr(draw_widths())


@pytest.mark.parametrize("name", ["t5-11b", "gpt2", "bert-base"])
def test_an_empty_model_has_shapes_and_no_numbers(name):
    assert all(parameter.is_meta for parameter in empty_model(name).parameters())
