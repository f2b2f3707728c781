"""`shapes()` and `explain()` name the axes where a walk has proven them, and say what to do where none has."""

import sys

import pytest
import torch
from transformers.cache_utils import DynamicCache

import prefix_lab
from prefix_lab.breakpoints import explain, shapes
from prefix_lab.breakpoints.seen import names_for
from prefix_lab.shapes import cache, name_axes
from prefix_lab.shapes.walks import STANDARD_RUNS
from tests.tiny_models import refuses, tiny_t5


def walk(axes):
    return double(torch.zeros(axes["batch"], axes["prefix_len"]))


def double(rows):
    twice = rows.repeat(1, 2)
    looked = shapes() if twice is not None else None
    return looked


def plain(axes):
    rows = torch.zeros(axes["batch"], axes["prefix_len"])
    return rows


SIZES = {"batch": 3, "prefix_len": 5}


def model():
    config = prefix_lab.PrefixTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=5, prefix_projection=True)
    return prefix_lab.get_peft_model(tiny_t5(), config)


def test_each_tensor_of_the_frame_has_a_line_with_its_sizes():
    said = walk(SIZES).text
    assert said.startswith("double, test_seen.py, line ")
    assert "rows   (3, 5)  float32" in said
    assert "twice  (3, 10)  float32" in said


def test_tensors_in_lists_dicts_caches_and_encodings_are_told_as_one_would_write_them():
    key = torch.zeros(1, 2, 3, 4)
    held = {"a": [key, {"b": key[0]}], "past": DynamicCache([(key, key)]), "text": "no tensor"}
    frame = frame_with(held)
    labels = [label for label, _ in shapes(frame).rows]
    past = "held['past'].layers[0]"
    assert labels == ["held['a'][0]", f"{past}.keys", f"{past}.values"]  # what lies deeper is not looked into
    frame = frame_of_cache(held["past"])
    assert [label for label, _ in shapes(frame).rows] == ["past.layers[0].keys", "past.layers[0].values"]


def frame_with(held):
    return sys._getframe()


def frame_of_cache(past):
    return sys._getframe()


def test_names_that_are_given_are_shown():
    names = name_axes(lambda axes: double_named(torch.zeros(axes["batch"], axes["prefix_len"])), include=double_named)
    frame = double_named(torch.zeros(*SIZES.values()))
    assert "(batch, prefix_len) = (3, 5)" in shapes(frame, names=names).text


def frame_of_filled_cache(axes):
    past = DynamicCache([(torch.zeros(axes["batch"], axes["heads"], axes["prefix_len"], 2),) * 2])
    return sys._getframe() if past is not None else None


def test_tensors_in_a_cache_have_their_names():
    frame = frame_of_filled_cache({"batch": 3, "heads": 4, "prefix_len": 5})
    said = shapes(frame, names=name_axes(frame_of_filled_cache)).text
    assert "past.layers[0].keys    (batch, heads, prefix_len, 2) = (3, 4, 5, 2)" in said


def double_named(rows):
    twice = rows.repeat(1, 2)
    return sys._getframe() if twice is not None else None


def test_a_text_typed_into_a_debugger_is_about_the_frame_that_it_stands_in():
    rows = torch.zeros(2, 3)
    said = eval("shapes()", {"shapes": shapes, **globals()}, {"rows": rows})
    assert "(2, 3)" in said.text


def test_a_frame_without_tensors_says_so():
    assert "no tensors" in shapes(frame_with("text")).text


def test_names_that_were_never_found_are_told_with_the_way_to_find_them(monkeypatch):
    monkeypatch.setenv("PREFIX_LAB_CACHE", "")
    names, note = names_for([frame_with(model())])
    assert names is None
    assert "name_axes('T5')" in note


def test_names_that_were_kept_are_read_for_the_kind_of_model_that_the_frames_hold(monkeypatch, tmp_path):
    monkeypatch.setenv("PREFIX_LAB_CACHE", str(tmp_path))
    small = name_axes(plain)
    assert cache.save(small, "T5, projected", STANDARD_RUNS)
    names, note = names_for([frame_with(model())])
    assert note == ""
    assert names.places.keys() == small.places.keys()


def test_explain_says_the_line_its_operands_the_stage_and_the_counterpart(monkeypatch):
    monkeypatch.setenv("PREFIX_LAB_CACHE", "")
    broken = model()
    encoder = broken.prompt_encoder["default"]
    encoder.transform[0] = torch.nn.Linear(7, 5)
    with pytest.raises(RuntimeError) as raised:
        broken(input_ids=torch.tensor([[3, 4]]), labels=torch.tensor([[3, 4]]))
    said = explain(raised.value)
    assert said.stage.name == "encode"
    assert "self.transform(prefix_tokens)" in said.text
    assert "prefix_tokens: (1, 5, " in said.text
    assert "Stage 'encode', in our code" in said.text
    assert "PEFT does this in peft/tuners/prefix_tuning/model.py, line " in said.text
    assert 'break_at("encode", where="peft")' in said.text
    assert "name_axes('T5')" in said.text
    assert "<details>" in said._repr_html_()


def test_explain_names_the_axes_where_names_are_given():
    names = name_axes(lambda axes: good(torch.zeros(axes["batch"], axes["prefix_len"])), include=good)
    with pytest.raises(RuntimeError) as raised:
        good(torch.zeros(3, 5), torch.zeros(7, 3))
    said = explain(raised.value, names=names).text
    assert "again: (batch, prefix_len) = (3, 5)" in said
    assert "None of the frames is in a stage" in said


def good(rows, other=None):
    again = rows + 0
    return again if other is None else again @ other


def test_what_is_no_frame_is_refused():
    with pytest.raises(TypeError, match="frame is a Tensor, expected a frame"):
        shapes(torch.zeros(2))


def test_explain_without_an_error_is_refused(monkeypatch):
    for name in ("last_exc", "last_value"):
        monkeypatch.delattr(sys, name, raising=False)
    with refuses(ValueError, "No error was shown yet"):
        explain()
    with refuses(ValueError, "failed=3"):
        explain(3)
