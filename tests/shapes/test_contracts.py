"""The core's shape annotations say what the walk shows: each is held against the proven names of its arguments."""

import inspect
import pkgutil
import re

import pytest

import prefix_lab
from prefix_lab.debugger import record
from prefix_lab.shapes import name_axes
from prefix_lab.shapes.walks import WALKS, standard_runs

ROW = {"2·layers·hidden", "2·layers·kv_heads·head_dim"}  # grouped-query attention keeps fewer heads
# What an annotation, whose words must be Python names, may say of an axis as the walk writes it.
SAYS = {
    "prefix_width": ROW,
    "heads": {"heads", "kv_heads"},
    "key_value": {"2", "4"},  # key and value; an encoder-decoder's block has two more rows
    "prefix_len_and_tokens": {"prefix_len+source", "prefix_len+target"},
    "rows": {"batch"},
    "virtual_tokens": {"prefix_len"},
    "tokens": {"source", "target", "1"},
    "target": {"target", "1"},  # one token at a time, as `generate` goes on
}
FAMILIES = ("T5, projected", "T5, direct", "GPT-2, direct", "Llama, direct", "BERT, direct")


def annotation_of(function, name):
    """The axes that a function's annotation names, or None."""
    said = inspect.signature(inspect.unwrap(function)).parameters[name].annotation
    found = getattr(said, "dim_str", None) or next(
        (one.dim_str for one in getattr(said, "__args__", ()) if hasattr(one, "dim_str")), None
    )
    return found.split() if found else None


def calls(family):
    """Every call of an annotated function of the core in a walk: function, argument, annotation, proven names."""
    names = name_axes(family)
    with record(["prefix_lab"]) as recording:
        WALKS[family](standard_runs()[1])
    for step in recording.with_names(names).find(event="call"):
        module = re.search(r"prefix_lab/(\w+)\.py$", step.file)
        if module is None or "<" in step.function:
            continue
        function = pkgutil.resolve_name(f"prefix_lab.{module[1]}:{step.function}")
        if isinstance(function, property):
            continue
        for name, value in step.locals.items():
            if "axes" in value.facts and name in inspect.signature(inspect.unwrap(function)).parameters:
                said = annotation_of(function, name)
                if said is not None:
                    yield step.function, name, said, value.axes


def agree(said, axes):
    return len(said) == len(axes) and all(axis in SAYS.get(word, {word}) for word, axis in zip(said, axes, strict=True))


@pytest.mark.parametrize("family", FAMILIES)
def test_annotations_say_what_the_walk_shows(family):
    found = list(calls(family))
    wrong = [one for one in found if not agree(one[2], one[3])]
    assert wrong == []
    assert {("PrefixEncoder.forward", "prefix")} <= {(function, name) for function, name, _, _ in found}


def test_the_annotation_of_the_prefix_encoder():
    said = inspect.signature(inspect.unwrap(prefix_lab.PrefixEncoder.forward))
    assert said.parameters["prefix"].annotation.dim_str == "batch prefix_len"
    assert said.return_annotation.dim_str == "batch prefix_len prefix_width"
    names = name_axes("T5, projected")
    with record(["prefix_lab"]) as recording:
        WALKS["T5, projected"](standard_runs()[1])
    named = recording.with_names(names)
    [value] = {step.value.axes for step in named.find(function="PrefixEncoder.forward", event="return")}
    assert value == ("batch", "prefix_len", "2·layers·hidden")


def test_a_wrong_annotation_would_be_found():
    assert agree(["batch", "prefix_len"], ("batch", "prefix_len"))
    assert not agree(["batch", "prefix_len"], ("prefix_len", "batch"))
    assert not agree(["batch", "tokens"], ("batch", "prefix_len"))
    assert not agree(["batch"], ("batch", "prefix_len"))
