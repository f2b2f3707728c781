"""A stage becomes a file and a line of what is installed, and a condition is checked against what is known there."""

import functools
import linecache
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefix_lab.breakpoints.breaking import condition_for
from prefix_lab.breakpoints.places import place_of, places_of
from prefix_lab.stages import STAGES, Stage, stage
from tests.tiny_models import refuses


@pytest.mark.parametrize("where", ["ours", "peft"])
@pytest.mark.parametrize("row", STAGES, ids=lambda row: row.name)
def test_every_stage_has_a_first_line_that_runs_inside_its_function(row, where):
    for place in places_of(row, where):
        assert place.code.co_firstlineno < place.line
        text = linecache.getline(place.code.co_filename, place.line).strip()
        assert text
        assert not text.startswith(("#", '"', "def ", "@"))
        assert place.file.startswith(("prefix_lab/", "peft/", "torch/"))


@pytest.mark.parametrize(("where", "count"), [("ours", 6), ("peft", 6)])
def test_attend_stops_in_whichever_task_runs(where, count):
    assert len({place.code for place in places_of(stage("attend"), where)}) == count


def test_attend_in_transformers_is_where_attention_puts_keys_into_the_cache():
    places = places_of(stage("attend"), "transformers")
    assert "T5Attention.forward" in {place.code.co_qualname for place in places}
    t5 = next(place for place in places if place.code.co_qualname == "T5Attention.forward")
    assert t5.counts({"past_key_values": object(), "key_value_states": None})
    assert not t5.counts({"past_key_values": None})  # an encoder: no prefix there
    assert not t5.counts({"past_key_values": object(), "key_value_states": object()})  # cross-attention


def test_other_stages_do_not_pass_through_transformers():
    with refuses(ValueError, "where='transformers' with stage 'encode'", "break_at('attend', where='transformers')"):
        places_of(stage("encode"), "transformers")


def test_a_stage_that_is_gone_says_so():
    gone = Stage("made up", "prefix_lab.mapping.gone", "peft.peft_model.gone", (), (), "It is not there.")
    with refuses(LookupError, "Stage 'made up'", "peft.peft_model.gone", "pip install -c constraints.txt"):
        places_of(gone, "peft")


def test_a_function_without_lines_of_python_is_refused():
    with refuses(LookupError, "builtins.len", "no lines of Python"):
        place_of(len, "builtins.len")


def test_decorators_are_looked_through():
    def inner(x):
        """Doc."""

        y = x
        return y

    @functools.wraps(inner)
    def outer(*args):
        return inner(*args)

    assert place_of(outer, "outer").code is inner.__code__
    assert place_of(outer, "outer").line == inner.__code__.co_firstlineno + 3
    assert place_of(outer, "outer").known == {"x"}


ENCODE = places_of(stage("encode"), "ours")


@pytest.mark.parametrize(
    "text",
    [
        "prefix.shape[0] == 4",
        "self.prefix_projection and len(prefix) > 1",
        "any(x.sum() > prefix.shape[0] for x in prefix)",
        "(lambda n: n > 2)(prefix.ndim)",
        "torch.is_tensor(prefix)",
    ],
)
def test_a_condition_may_use_arguments_the_modules_names_and_its_own(text):
    assert condition_for(text, ENCODE).text == text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("prefix.shape[", "is not an expression"),
        ("prefix = 3", "is not an expression"),
        ("(yield)", "is not an expression"),
        ("(n := 3)", "is not an expression"),
        ("", "is not an expression"),
        (7, "is not an expression"),
        ("prefix_tokens.shape[0] == 2", "asks for prefix_tokens, which has no value yet"),
        ("rows > 3", "There are: prefix, self"),
    ],
)
def test_a_condition_that_could_never_be_asked_is_refused_in_a_sentence(text, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        condition_for(text, ENCODE)


@given(st.integers(0, 9), st.integers(0, 9))
def test_a_condition_sees_the_locals_also_inside_a_comprehension(a, b):
    def begins(a, b):
        return a, b

    condition = condition_for("all(n < b for n in range(a))", [place_of(begins, "begins")])
    assert condition.holds({"a": a, "b": b}, {}) == (a <= b)
