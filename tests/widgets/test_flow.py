"""ShapeFlow: every shape and count is what a real run of PEFT shows, and the page's own JavaScript says the same."""

import itertools
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
from prefix_lab.widgets.flow import ShapeFlow, chosen_of, for_page, moved
from prefix_lab.widgets.flow.journey import Setting, cost, facts, journey, rows_said
from prefix_lab.widgets.parameters.counting import base_parameters
from prefix_lab.widgets.sizes import OWN, own_sizes, shipped, sizes_of
from tests import tiny_models
from tests.tiny_models import refuses, tiny_t5, two_texts
from tests.widgets.stepper.javascript import javascript

OPERATIONS = {"embedding": "lookup", "view": "view", "cat": "cat", "permute": "permute", "split": "split"}


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


@cache
def page():
    """What the page computes with, of the sizes that ship."""
    return for_page({})


def in_page(setting):
    return javascript("flow", page(), chosen_of(setting))


settings_of_a_page = st.builds(
    Setting,
    sizes=st.sampled_from([*map(sizes_of, shipped())])
    | st.builds(
        lambda two, layers, kv, group, head_dim: own_sizes(two, layers, kv * group, head_dim, None if two else kv),
        st.booleans(),
        *[st.integers(1, 9)] * 4,
    ),
    prefix_len=st.integers(1, 300),
    projection=st.booleans(),
    batch=st.integers(1, 70),
    encoder_hidden=st.none() | st.integers(1, 5000),
    tokens=st.integers(1, 300),
    dtype=st.sampled_from(["float32", "bfloat16"]),
)


@given(settings_of_a_page)
def test_the_page_computes_and_says_what_python_does(setting):
    said, costs = in_page(setting), cost(setting)
    for mine, step in zip(said["steps"], journey(setting), strict=True):
        assert mine == {
            "key": step.key,
            "shown": step.shown,
            "sentence": step.sentence,
            "axes": list(step.axes),
            "shape": list(step.shape),
            "countAxis": step.count_axis,
            "count": step.count,
            "dtype": step.dtype,
            "copies": step.copies,
            "bytes": step.bytes,
        }
    assert [tuple(row) for row in said["facts"]] == facts(setting, costs)
    assert said["rows"] == rows_said(setting, costs)
    assert said["cost"]["dead"] == list(costs.dead_rows)


@pytest.mark.parametrize("name", ["t5-base", "llama-3-8b"])
def test_no_box_lies_on_another_and_a_view_only_draws_borders(name):
    lines = javascript("boxes", page(), chosen_of(Setting(sizes_of(name), projection=True)))
    for boxes in lines.values():
        for one, two in itertools.pairwise(boxes):
            assert one["left"] + one["width"] < two["left"]
    long, cut = lines["linear out"][-1], lines["view"][2:]
    assert long["left"] == cut[0]["left"]
    assert long["left"] + long["width"] == pytest.approx(cut[-1]["left"] + cut[-1]["width"], abs=10)


def test_a_moved_size_of_the_model_makes_it_own_sizes_whose_share_is_not_known():
    flow = ShapeFlow("t5-base")
    flow.change(layers=5)
    assert flow.chosen["model"] == OWN[True]
    assert flow.setting.sizes.encoder_decoder
    assert cost(flow.setting).total is None
    assert "choose a real model" in flow.text
    flow.change(model="llama-3-8b")
    assert (flow.setting.sizes.layers, flow.setting.sizes.kv_heads) == (32, 8)


def test_what_is_moved_in_the_page_is_what_python_says_next():
    flow = ShapeFlow("gpt2")
    for name, value in (("prefix_len", 30), ("batch", 3), ("heads", 6)):
        flow.chosen = {name: one for name, one in last_move(flow, name, value).items() if name != "hidden"}
    assert flow.steps[1].shape == (3, 30, 2 * 12 * 6 * 64)
    assert flow.setting.sizes.name == OWN[False]


def last_move(flow, *move):
    return javascript("moved", flow.data, flow.chosen, [move])[-1]


MOVES = st.one_of(
    st.tuples(st.sampled_from(["layers", "heads", "head_dim"]), st.integers(1, 64)),
    st.tuples(st.just("model"), st.sampled_from([*shipped(), *OWN.values()])),
    st.tuples(st.just("prefix_len"), st.integers(1, 200)),
    st.tuples(st.just("encoder_hidden"), st.integers(1, 900)),
)


@given(st.lists(MOVES, min_size=1, max_size=5), st.sampled_from(shipped()))
def test_however_the_controls_are_moved_page_and_python_have_the_same_sizes_and_they_fit(moves, name):
    setting = Setting(sizes_of(name))
    for move, seen in zip(moves, javascript("moved", page(), chosen_of(setting), moves), strict=True):
        setting = moved(setting, *move)
        sizes = setting.sizes
        assert seen == chosen_of(setting) | {"hidden": sizes.hidden}
        assert sizes.heads % sizes.kv_heads == 0
        assert all(step.count * prod(step.shape) > 0 for step in journey(setting))


def test_encoder_hidden_is_pefts_choice_until_it_is_moved():
    flow = ShapeFlow("t5-base", projection=True)
    assert flow.steps[2].shape[-1] == 768
    flow.change(head_dim=32)
    assert flow.steps[2].shape[-1] == 384
    flow.change(encoder_hidden=100)
    flow.change(prefix_len=5)
    assert flow.steps[2].shape[-1] == 100


def test_sizes_may_be_given_at_once_and_a_config_of_ones_own_stays_in_the_menu():
    assert ShapeFlow("gpt2", heads=12, kv_heads=4).steps[-2].axes[1] == "kv_heads"
    flow = ShapeFlow(tiny_models.tiny_gpt2().config)
    assert flow.setting.sizes.name == "your gpt2"
    flow.change(model="gpt2")
    flow.change(model="your gpt2")
    assert flow.setting.sizes.layers == 2
    assert flow.data["models"]["your gpt2"]["layers"] == 2


def test_the_text_of_t5_base_has_the_well_known_numbers():
    text = ShapeFlow().text
    for said in ("(batch, prefix_len, 2·layers·hidden) = (2, 20, 18432)", "2, 3, 6, 7, 10, 11", "184,320"):
        assert said in text
    assert "Trainable parameters: 368,640\nShare of the whole: 0.1651 % of 223,272,192" in text


def test_what_comes_from_data_is_shown_as_text():
    flow = ShapeFlow({"model_type": "<b>$x$</b>", "hidden_size": 8, "num_attention_heads": 2, "num_hidden_layers": 2})
    assert "your <b>$x$</b>" in flow.text
    assert "your <b>$x$" not in flow.still
    assert "your &lt;b&gt;$x$" in flow.still


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
