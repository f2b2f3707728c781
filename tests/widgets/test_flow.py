"""ShapeFlow: every shape and count is what a real run of PEFT shows, and the controls keep to what is possible."""

import itertools
import re
import warnings
from functools import cache
from math import prod

import peft
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.overrides import TorchFunctionMode

from prefix_lab.shapes.walks import MODELS
from prefix_lab.walk.model import load_base
from prefix_lab.widgets.flow import ShapeFlow, moved
from prefix_lab.widgets.flow.drawing import boxes_of
from prefix_lab.widgets.flow.journey import Setting, cost, journey
from prefix_lab.widgets.parameters.counting import base_parameters
from prefix_lab.widgets.sizes import OWN, shipped, sizes_of
from tests import tiny_models
from tests.tiny_models import refuses, tiny_t5, two_texts

OPERATIONS = {"embedding": "lookup", "view": "view", "cat": "cat", "permute": "permute", "split": "split"}
PRODUCT = "hidden|kv_heads·head_dim|heads·head_dim"


class Operations(TorchFunctionMode):
    """What torch is asked to do inside the block, by the keys of our steps: the results of each."""

    def __init__(self):
        super().__init__()
        self.seen, self.linears = {}, 0

    def __torch_function__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        name = getattr(function, "__name__", "")
        key = OPERATIONS.get(name)
        if name == "linear":
            key, self.linears = ("linear in", "linear out")[self.linears], self.linears + 1
        elif name == "tanh":
            key = "tanh"
        elif name == "to" and result.dtype == torch.bfloat16:
            key = "to"
        if key is not None and not (key == "cat" and "view" not in self.seen) and "split" not in self.seen:
            self.seen[key] = list(result) if isinstance(result, tuple | list) else [result]
        return result


def wrapped(model, task, setting, **fields):
    """The model with a prefix, by PEFT."""
    config = peft.PrefixTuningConfig(
        task_type=task,
        num_virtual_tokens=setting.prefix_len,
        prefix_projection=setting.projection,
        encoder_hidden_size=setting.encoder_hidden,
        **fields,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return peft.get_peft_model(model, config)


def run(model, setting, device="cpu"):
    """The tensors of each step in a real run of PEFT: in `get_prompt`, in the model's cache, and the model's mask.

    Without masks on the meta device, where transformers cannot look into one.
    """
    ids = torch.ones(setting.batch, setting.tokens, dtype=torch.long, device=device)
    with Operations() as operations:
        made = model.get_prompt(setting.batch)
    seen = dict(operations.seen)
    seen["ids"] = [model.prompt_tokens["default"].expand(setting.batch, -1)[:, : setting.prefix_len]]
    seen["cache"] = tensors(made)
    inputs = {"input_ids": ids} | ({"decoder_input_ids": ids} if setting.sizes.encoder_decoder else {})
    mask = "decoder_attention_mask" if setting.sizes.encoder_decoder else "attention_mask"
    if device != "meta":
        inputs |= {"attention_mask": torch.ones_like(ids), mask: torch.ones_like(ids)}
    given = {}
    hook = model.get_base_model().register_forward_pre_hook(
        lambda _, args, kwargs: given.update(kwargs), with_kwargs=True
    )
    with torch.no_grad():
        model(**inputs)
    hook.remove()
    seen["join"] = tensors(given["past_key_values"])
    return seen | ({} if device == "meta" else {"mask": [given[mask]]})


def tensors(cache):
    layers = getattr(cache, "self_attention_cache", cache).layers
    return [tensor for layer in layers for tensor in (layer.keys, layer.values)]


def assert_equal(setting, seen):
    """Our journey is what was seen: the same steps, and in each the same shapes, number of tensors and type."""
    steps = {step.key: step for step in journey(setting) if step.key != "mask" or "mask" in seen}
    assert set(steps) == set(seen)
    for key, step in steps.items():
        shown = {(tuple(tensor.shape), str(tensor.dtype).removeprefix("torch.")) for tensor in seen[key]}
        assert shown == {(step.shape, step.dtype)}, key
        assert len(seen[key]) == step.count, key


def axes_of_model(layers, kv_heads, group, head_dim):
    heads = kv_heads * group
    sizes = {"layers": layers, "kv_heads": kv_heads, "heads": heads, "head_dim": head_dim, "hidden": heads * head_dim}
    return sizes | {"vocab": 7, "ff": 6}


@pytest.mark.parametrize("projection", [False, True])
@pytest.mark.parametrize("family", MODELS)
@settings(max_examples=8)
@given(
    layers=st.integers(1, 4),
    kv_heads=st.integers(1, 3),
    group=st.integers(1, 3),
    half=st.integers(1, 4),
    batch=st.integers(1, 3),
    prefix_len=st.integers(1, 6),
    tokens=st.integers(1, 6),
    hidden=st.none() | st.integers(1, 9),
)
def test_every_shape_is_the_one_that_peft_shows(
    family, projection, layers, kv_heads, group, half, batch, prefix_len, tokens, hidden
):
    make, task = MODELS[family].make, MODELS[family].task
    model = make(axes_of_model(layers, kv_heads, group, 2 * half)).eval()
    setting = Setting(sizes_of(model), prefix_len, projection, batch, hidden, tokens)
    if family == "Llama":
        assert (setting.sizes.kv_heads, setting.sizes.heads) == (kv_heads, kv_heads * group)
    assert_equal(setting, run(wrapped(model, task, setting), setting))


@pytest.mark.parametrize("family", MODELS)
@pytest.mark.parametrize("projection", [False, True])
def test_a_step_copies_exactly_where_torch_takes_new_memory(family, projection):
    make, task = MODELS[family].make, MODELS[family].task
    model = make(axes_of_model(2, 2, 2, 4)).eval()
    setting = Setting(sizes_of(model), 5, projection)
    seen, steps = run(wrapped(model, task, setting), setting), journey(setting)
    known = {tensor.untyped_storage().data_ptr() for tensor in seen["ids"]}
    for step in steps[1:]:
        held = {tensor.untyped_storage().data_ptr() for tensor in seen[step.key]}
        assert step.copies == held.isdisjoint(known), step.key
        known |= held


@pytest.mark.parametrize("name", ["gpt2", "llama-3-8b", "bart-base", "bert-base", "t5-small"])
def test_the_shapes_of_a_real_size_are_pefts(name):
    setting = Setting(sizes_of(name), projection=True, encoder_hidden=512)
    task = {"bert-base": "FEATURE_EXTRACTION"}.get(
        name, "SEQ_2_SEQ_LM" if setting.sizes.encoder_decoder else "CAUSAL_LM"
    )
    with torch.device("meta"):
        assert_equal(setting, run(wrapped(meta(name), task, setting), setting, "meta"))


def meta(name):
    return load_base(name, config_only=True).model


WORDS = {"view": "is invalid for input of size", "join": "Sizes of tensors must match"}


@pytest.mark.parametrize("name", ["flan-t5-small", "t5-3b", "t5-11b"])
def test_where_peft_fails_the_step_the_words_and_the_way_out_are_real(name):
    setting = Setting(sizes_of(name), 3)
    trouble = setting.sizes.trouble
    base = meta(name)
    with torch.device("meta"):
        with pytest.raises(RuntimeError, match=WORDS[trouble.step]) as caught:
            run(wrapped(base, "SEQ_2_SEQ_LM", setting), setting, "meta")
        assert any(entry.name == "get_prompt" for entry in caught.traceback) == (trouble.step == "view")
        assert WORDS[trouble.step] in trouble.reason
        assert_equal(setting, run(wrapped(base, "SEQ_2_SEQ_LM", setting, **trouble.rescue), setting, "meta"))


def test_a_decoder_deeper_than_its_encoder_is_shown_with_the_reason_and_the_rescue():
    setting = Setting(sizes_of(tiny_t5(2, num_decoder_layers=3)), 5)
    trouble = setting.sizes.trouble
    with pytest.raises(IndexError, match="list index out of range"):
        run(wrapped(tiny_t5(2, num_decoder_layers=3), "SEQ_2_SEQ_LM", setting), setting)
    assert "list index out of range" in trouble.reason
    assert trouble.way_out == "num_layers=3"
    rescued = wrapped(tiny_t5(2, num_decoder_layers=3), "SEQ_2_SEQ_LM", setting, num_layers=3)
    assert_equal(setting, run(rescued, setting))
    assert "num_layers=3" in ShapeFlow(tiny_t5(2, num_decoder_layers=3)).text


@cache
def counted(name):
    """PEFT's own counts: the base model, and the prefix encoder without and with projection."""
    setting = Setting(sizes_of(name))
    rescue = setting.sizes.trouble.rescue if setting.sizes.trouble else {}
    task = "SEQ_2_SEQ_LM" if setting.sizes.encoder_decoder else "CAUSAL_LM"
    with torch.device("meta"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        base = meta(name)
        found = [sum(weight.numel() for weight in base.parameters())]
        for projection in (False, True):
            one = Setting(setting.sizes, projection=projection)
            model = wrapped(base, "FEATURE_EXTRACTION" if name == "bert-base" else task, one, **rescue)
            found.append(model.get_nb_trainable_parameters())
            base = model.get_base_model()
    return found


@pytest.mark.parametrize("name", shipped())
def test_parameters_and_their_share_are_those_that_peft_counts(name):
    base, direct, projected = counted(name)
    assert base_parameters(sizes_of(name).config) == base
    for projection, (trainable, total) in ((False, direct), (True, projected)):
        costs = cost(Setting(sizes_of(name), projection=projection))
        assert (costs.trainable, costs.total) == (trainable, total)
        assert costs.share == pytest.approx(100 * trainable / total)


@pytest.mark.parametrize("projection", [False, True])
@pytest.mark.parametrize(
    ("layers", "readers"), [(1, 1), (2, 2), (3, 3), (4, 4), (5, 5), (6, 6), (4, 2), (3, 2), (5, 1)]
)
def test_dead_rows_and_parameters_are_those_without_a_gradient(layers, readers, projection):
    model = tiny_t5(layers, num_decoder_layers=readers)
    setting = Setting(sizes_of(model), 3, projection, encoder_hidden=7)
    model = wrapped(model, "SEQ_2_SEQ_LM", setting)
    model(**two_texts()).loss.backward()
    encoder = model.prompt_encoder["default"]
    last = list(encoder.transform[-1].parameters()) if projection else [encoder.embedding.weight.T]
    gradients = torch.cat([one.grad if projection else encoder.embedding.weight.grad.T for one in last[:1]])
    rows = gradients.view(2 * layers, -1).abs().sum(1)
    dead = [row for row in range(2 * layers) if not rows[row]]
    costs = cost(setting)
    assert list(costs.dead_rows) == dead
    assert costs.dead_parameters == sum(one.numel() // (2 * layers) for one in last) * len(dead)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("family", MODELS)
def test_the_cache_has_the_models_type_and_the_bytes_that_its_tensors_take(family, dtype):
    make, task = MODELS[family].make, MODELS[family].task
    model = make(axes_of_model(3, 2, 2, 4)).eval().to(getattr(torch, dtype))
    setting = Setting(sizes_of(model), 5, True, 3, 7, dtype=dtype)
    model = wrapped(model, task, setting)
    assert_equal(setting, run(model, setting))
    held = tensors(model.get_prompt(3))
    assert cost(setting).cache_bytes == sum(tensor.untyped_storage().nbytes() for tensor in held)


@pytest.mark.parametrize("projection", [False, True])
@pytest.mark.parametrize("name", ["t5-base", "t5-3b", "llama-3-8b", "bert-base"])
def test_the_picture_has_every_name_and_number_and_the_text_has_them_too(name, projection):
    flow = ShapeFlow(name, projection=projection)
    picture = re.sub(r"<desc>.*?</desc>", "", flow.children[2].value, flags=re.DOTALL)
    drawn = re.findall(r"<text[^>]*>([^<]*)</text>", picture)
    for step in flow.steps:
        assert set(step.axes) - {"2", "4"} <= set(drawn)
        assert set(map(str, step.shape)) <= set(drawn)
        assert f"{step.names} = {step.numbers}" in flow.text
    assert picture.startswith('<svg role="img"') or 'role="img"' in picture[:900]


@pytest.mark.parametrize("name", ["t5-base", "llama-3-8b"])
def test_no_box_lies_on_another_and_a_view_only_draws_borders(name):
    lines = {step.key: boxes_of(step) for step in journey(Setting(sizes_of(name), projection=True))}
    for boxes in lines.values():
        for one, two in itertools.pairwise(boxes):
            assert one.left + one.width < two.left
    long, cut = lines["linear out"][-1], lines["view"][2:]
    assert long.left == pytest.approx(cut[0].left)
    assert long.left + long.width == pytest.approx(cut[-1].left + cut[-1].width, abs=0.1)


def slider(flow, name):
    return flow._controls.all[name]


def test_a_moved_slider_of_the_prefix_keeps_the_model_and_every_number_follows():
    flow = ShapeFlow("gpt2")
    slider(flow, "prefix_len").value = 30
    slider(flow, "batch").value = 3
    assert flow.setting.sizes.name == "gpt2"
    assert flow.steps[1].shape == (3, 30, 2 * 12 * 768)
    assert f"{30 * 24 * 768:,}" in flow.children[1].value
    assert ">18432<" in flow.children[2].value
    assert ">30<" in flow.children[2].value


def test_a_moved_slider_of_the_model_makes_it_own_sizes_whose_share_is_not_known():
    flow = ShapeFlow("t5-base")
    slider(flow, "layers").value = 5
    assert slider(flow, "model").value == OWN[True]
    assert flow.setting.sizes.encoder_decoder
    assert cost(flow.setting).total is None
    assert "choose a real model" in flow.text
    slider(flow, "model").value = "llama-3-8b"
    assert (slider(flow, "layers").value, slider(flow, "kv_heads").value) == (32, 8)
    assert not slider(flow, "kv_heads").disabled


@pytest.mark.parametrize("name", shipped())
def test_every_real_size_can_be_chosen_and_the_sliders_jump_to_it(name):
    flow = ShapeFlow("t5-small", prefix_len=7)
    slider(flow, "model").value = name
    sizes = flow.setting.sizes
    shown = [slider(flow, one).value for one in ("layers", "heads", "kv_heads", "head_dim", "encoder_hidden")]
    assert shown == [sizes.layers, sizes.heads, sizes.kv_heads, sizes.head_dim, sizes.token_dim]
    assert flow.setting.prefix_len == 7
    assert (sizes.trouble is not None) == ("✗" in flow.children[1].value)


@given(st.lists(st.tuples(st.sampled_from(["layers", "heads", "head_dim"]), st.integers(1, 64)), max_size=4), st.data())
def test_however_the_sliders_are_moved_the_sizes_fit_together(moves, data):
    setting = Setting(sizes_of(data.draw(st.sampled_from(shipped()))))
    for name, value in moves:
        setting = moved(setting, name, value)
        sizes = setting.sizes
        assert getattr(sizes, name) == value
        assert sizes.heads % sizes.kv_heads == 0
        assert sizes.hidden == sizes.heads * sizes.head_dim
        assert all(step.count * prod(step.shape) > 0 for step in journey(setting))


def test_encoder_hidden_is_pefts_choice_until_it_is_moved():
    flow = ShapeFlow("t5-base", projection=True)
    assert flow.steps[2].shape[-1] == 768
    slider(flow, "head_dim").value = 32
    assert slider(flow, "encoder_hidden").value == flow.steps[2].shape[-1] == 384
    slider(flow, "encoder_hidden").value = 100
    slider(flow, "prefix_len").value = 5
    assert flow.steps[2].shape[-1] == 100


def test_sizes_may_be_given_at_once_and_a_config_of_ones_own_stays_in_the_menu():
    assert ShapeFlow("gpt2", heads=12, kv_heads=4).steps[-2].axes[1] == "kv_heads"
    flow = ShapeFlow(tiny_models.tiny_gpt2().config)
    assert flow.setting.sizes.name == "your gpt2"
    flow.change(model="gpt2")
    slider(flow, "model").value = "your gpt2"
    assert flow.setting.sizes.layers == 2


def test_the_text_of_t5_base_has_the_well_known_numbers():
    text = ShapeFlow().text
    for said in ("(batch, prefix_len, 2·layers·hidden) = (2, 20, 18432)", "2, 3, 6, 7, 10, 11", "184,320"):
        assert said in text
    assert "Trainable parameters: 368,640\nShare of the whole: 0.1651 % of 223,272,192" in text


def test_what_comes_from_data_is_shown_as_text():
    flow = ShapeFlow({"model_type": "<b>$x$</b>", "hidden_size": 8, "num_attention_heads": 2, "num_hidden_layers": 2})
    assert "<b>" not in flow.children[1].value + flow.children[2].value
    assert "your <b>$x$</b>" in flow.text


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        ({"model": "t5-bse"}, ["model='t5-bse'", "t5-base", "llama-3-8b"]),
        ({"model": 3}, ["model='3'", "int", "model='t5-base'"]),
        ({"model": {"d_model": 8}}, ["num_layers"]),
        ({"model": {"d_model": 8, "num_layers": 2, "num_heads": -1}}, ["num_heads=-1"]),
        ({"model": {"n_embd": 8, "n_layer": 2, "n_head": 2, "multi_query": True}}, ["multi_query", "llama-3-8b"]),
        ({"prefix_len": 0}, ["prefix_len=0", "at least 1"]),
        ({"prefix_len": None}, ["prefix_len=None", "whole number"]),
        ({"prefix_len": 2.5}, ["prefix_len=2.5", "whole number"]),
        ({"batch": True}, ["batch=True", "whole number"]),
        ({"tokens": "ten"}, ["tokens='ten'"]),
        ({"encoder_hidden": -3}, ["encoder_hidden=-3"]),
        ({"layers": 0}, ["layers=0"]),
        ({"heads": "many"}, ["heads='many'"]),
        ({"model": "gpt2", "heads": 12, "kv_heads": 5}, ["kv_heads=5", "heads=12", "multiple", "kv_heads=4"]),
        ({"kv_heads": 4}, ["kv_heads=4", "encoder-decoder", "llama-3-8b"]),
        ({"projection": 1}, ["projection=1", "True or False"]),
        ({"dtype": "int8"}, ["dtype='int8'", "float32, bfloat16"]),
        ({"prefix_length": 5}, ["prefix_length=5", "prefix_len"]),
    ],
)
def test_bad_input_is_refused_in_a_sentence_and_the_widget_stays(choices, words):
    flow = ShapeFlow()
    before = flow.text
    with refuses(ValueError, *words):
        ShapeFlow(**choices)
    with refuses(ValueError, *words):
        flow.change(**choices)
    assert flow.text == before
