"""ParameterBars: every count is the one that PEFT gives for a real model, and a module's own parts add up."""

import re
import warnings

import peft
import pytest
import torch
from torch import nn

from prefix_lab.walk.model import load_base
from prefix_lab.widgets.parameters import ParameterBars
from prefix_lab.widgets.parameters.counting import LORA_LAYERS, parts_of, ways_to_train
from prefix_lab.widgets.sizes import sizes_of
from tests.tiny_models import refuses, tiny_bart, tiny_bert, tiny_gpt2, tiny_llama, tiny_t5


def with_adapter(model, config):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return peft.get_peft_model(model, config)


def counted(name, config):
    """What PEFT counts for a real size: trainable, all."""
    with torch.device("meta"):
        return with_adapter(load_base(name, config_only=True).model, config).get_nb_trainable_parameters()


def task_of(name):
    if name == "bert-base":
        return "FEATURE_EXTRACTION"
    return "SEQ_2_SEQ_LM" if sizes_of(name).encoder_decoder else "CAUSAL_LM"


def bars(name, **choices):
    chosen = {"prefix_len": 20, "r": 8} | choices
    return {
        bar.label.split(",")[0] + (" projected" if "projected" in bar.label else ""): bar
        for bar in ways_to_train(sizes_of(name), **chosen)
    }


SMALL = ["t5-small", "flan-t5-small", "bart-base", "gpt2", "llama-3-8b", "bert-base"]
"""One of each family, and one whose heads are not as wide as the model."""


@pytest.mark.parametrize("name", SMALL)
def test_lora_and_prompt_tuning_are_what_peft_counts(name):
    found, task = bars(name, prefix_len=7, r=3), task_of(name)
    lora = peft.LoraConfig(task_type=task, r=3, fan_in_fan_out=name.startswith("gpt2"))
    prompt = peft.PromptTuningConfig(task_type=task, num_virtual_tokens=7)
    assert (found["LoRA"].count, found["LoRA"].total) == counted(name, lora)
    assert (found["prompt tuning"].count, found["prompt tuning"].total) == counted(name, prompt)
    assert found["LoRA"].label.endswith(LORA_LAYERS[sizes_of(name).config["model_type"]])


@pytest.mark.parametrize("projection", [False, True])
def test_the_prefix_bars_are_what_peft_counts_with_the_chosen_width(projection):
    config = peft.PrefixTuningConfig(
        task_type="CAUSAL_LM", num_virtual_tokens=9, prefix_projection=projection, encoder_hidden_size=33
    )
    found = bars("llama-3-8b", prefix_len=9, encoder_hidden=33)["prefix projected" if projection else "prefix"]
    assert (found.count, found.total) == counted("llama-3-8b", config)


CONFIGS = {
    "prefix": lambda task: peft.PrefixTuningConfig(task_type=task, num_virtual_tokens=3),
    "projected": lambda task: peft.PrefixTuningConfig(task_type=task, num_virtual_tokens=3, prefix_projection=True),
    "prompt": lambda task: peft.PromptTuningConfig(task_type=task, num_virtual_tokens=3),
    "LoRA": lambda task: peft.LoraConfig(task_type=task, fan_in_fan_out=False),
}
MODELS = [
    (tiny_t5, "SEQ_2_SEQ_LM"),
    (tiny_bart, "SEQ_2_SEQ_LM"),
    (tiny_gpt2, "CAUSAL_LM"),
    (tiny_llama, "CAUSAL_LM"),
    (tiny_bert, "FEATURE_EXTRACTION"),
]


@pytest.mark.parametrize("method", CONFIGS)
@pytest.mark.parametrize(("make", "task"), MODELS)
def test_the_parts_of_a_wrapped_model_add_up_to_what_peft_counts(make, task, method):
    model = with_adapter(make(), CONFIGS[method](task))
    parts = parts_of(model)
    trains = [part for part in parts if part.trains]
    counts = [sum(part.count for part in some) for some in (trains, parts)]
    assert tuple(counts) == model.get_nb_trainable_parameters()
    assert len(trains) == 1
    assert trains[0].label.startswith({"projected": "prefix"}.get(method, method))
    assert trains[0].prefix == (method in ("prefix", "projected"))


def test_a_head_that_peft_trains_is_named_and_its_frozen_original_too():
    from transformers import BertForSequenceClassification

    config = peft.PrefixTuningConfig(task_type="SEQ_CLS", num_virtual_tokens=3)
    parts = parts_of(with_adapter(BertForSequenceClassification(tiny_bert().config), config))
    assert {part.label for part in parts if part.trains} == {
        "prefix (prompt_encoder.default)",
        "trained copy of classifier",
    }
    assert any("classifier" in part.label for part in parts if not part.trains)


class Tied(nn.Module):
    """Two layers with one weight, and one that is half frozen."""

    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False)
        self.two.weight = self.one.weight
        self.three = nn.Linear(4, 2)
        self.three.weight.requires_grad_(False)


def test_a_module_of_ones_own_is_counted_by_part_and_tied_weights_once():
    assert [(part.label, part.count, part.trains) for part in parts_of(Tied())] == [
        ("one (Linear)", 16, True),
        ("three (Linear)", 2, True),
        ("three (Linear)", 8, False),
    ]
    assert [part.label for part in parts_of(nn.Linear(2, 2))] == ["the model itself"]
    assert [part.label for part in parts_of(nn.Sequential(nn.Linear(2, 2), nn.Tanh(), nn.Linear(2, 1)))] == [
        "0 (Linear)",
        "2 (Linear)",
    ]


def test_a_module_is_counted_anew_when_asked():
    model = Tied()
    shown = ParameterBars(model)
    assert "18 of 26 parameters train" in shown.text
    model.three.requires_grad_(False)
    shown.refresh()
    assert "16 of 26 parameters train" in shown.text
    assert "frozen" in shown.text


def test_the_controls_move_the_bars():
    shown = ParameterBars()
    assert shown.bars[2].count == 884_736
    shown._controls["r"].value = 16
    assert shown.bars[2].count == 2 * 884_736
    shown._controls["model"].value = "llama-3-8b"
    assert shown._controls["encoder_hidden"].value == 1024
    assert "q_proj, v_proj" in shown.text
    assert "8,030,261,248" in shown.text
    shown._controls["model"].value = "t5-3b"
    assert "token_dim=4096" in shown.text


@pytest.mark.parametrize("name", ["t5-base", "t5-3b", "gpt2"])
def test_the_picture_and_the_text_have_the_same_figures(name):
    shown = ParameterBars(name)
    drawn = re.sub(r"<desc>.*?</desc>", "", shown.children[1].value, flags=re.DOTALL)
    for bar in shown.bars:
        assert bar.figures in drawn
        assert f"{bar.count:,}" in shown.text


def test_a_prefix_longer_than_any_is_drawn():
    shown = ParameterBars("t5-base", prefix_len=10**30, r=10**30)
    assert all(bar.figures in shown.children[1].value for bar in shown.bars)


def test_names_from_a_module_are_shown_as_text():
    model = nn.ModuleDict({"<i>x</i>$a$": nn.Linear(2, 2), "y": nn.Linear(2, 2)})
    model.__class__ = type("<script>", (nn.ModuleDict,), {})
    drawn = ParameterBars(model).children[0].value
    assert "<i>" not in drawn
    assert "<script" not in drawn
    assert "$a$" in drawn


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        ({"model": "t5"}, ["model='t5'", "t5-base"]),
        ({"model": None}, ["model='None'", "NoneType"]),
        ({"prefix_len": 0}, ["prefix_len=0"]),
        ({"r": 0.5}, ["r=0.5", "whole number"]),
        ({"encoder_hidden": 0}, ["encoder_hidden=0"]),
        ({"model": nn.Tanh()}, ["Tanh", "no parameters"]),
        ({"model": nn.LazyLinear(3)}, ["'weight'", "run the model once"]),
        (
            {"model": {"model_type": "opt", "hidden_size": 8, "num_attention_heads": 2, "num_hidden_layers": 2}},
            ["your opt", "t5, bart, gpt2, llama, bert", "the model itself"],
        ),
    ],
)
def test_bad_input_is_refused_in_a_sentence(choices, words):
    with refuses(ValueError, *words):
        ParameterBars(**choices)
