"""The language of conditions: the table's answers, Python's own, and a sentence for what it has not."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefix_lab.debugger.conditions import HAS, Condition, Unknown
from prefix_lab.debugger.look import Look
from prefix_lab.debugger.summary import as_summary
from tests.debugger.recorded import refuses
from tests.debugger.table_of_conditions import ANSWERS, REFUSED, VALUES, nested

NAMES = {name: as_summary(value) for name, value in VALUES.items()}


def answer(text: str, names: dict[str, Any] = NAMES) -> str | None:
    try:
        return repr(Condition(text).worth(names))
    except Unknown:
        return None


@pytest.mark.parametrize(("text", "expected"), ANSWERS)
def test_a_condition_has_the_answer_of_the_table(text, expected):
    assert answer(text) == expected
    assert Condition(text).is_true_of(NAMES) == (expected not in (None, "None", "False", "0", "()", "''", "0.0"))


@pytest.mark.parametrize(("text", "said"), REFUSED)
def test_what_the_language_has_not_is_refused_in_a_sentence_that_says_what_it_has(text, said):
    with refuses(ValueError, f"condition={text!r}", said, HAS):
        Condition(text)


def test_a_condition_that_is_too_long_or_too_deep_is_refused_and_others_have_an_answer():
    for text in nested(25):
        assert Condition(text)
    for text in nested(40):
        with refuses(ValueError, "nested too deeply"):
            Condition(text)
    with refuses(ValueError, "nested"):
        Condition("(" * 900)
    with refuses(ValueError, "longer than 1,000 signs"):
        Condition("i+" * 501 + "1")
    assert answer("i" + "+1" * 450) == "455"
    assert answer("x" + ".shape" * 160) is None


def test_its_names_are_those_that_it_uses():
    assert Condition("i < j.shape[k] and len(x) > 2 or not (a[b.d],)").names == set("ijkxab")


plain = {"i": 5, "j": -3, "half": 0.5, "word": "prefix", "yes": True, "nothing": None, "pair": (1, 2)}
atoms = st.sampled_from([*plain, "0", "1", "2", "-1", "0.5", "1e3", "'pre'", "''", "()", "None", "False"])


def larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    compared = st.sampled_from(["==", "!=", "<", "<=", ">", ">=", "in", "not in"])
    joined = st.sampled_from(["and", "or", "+", "-", "*", "//", "/", "%"])
    return st.one_of(
        st.builds("({} {} {})".format, inner, st.one_of(compared, joined), inner),
        st.builds("({} {} {} {} {})".format, inner, compared, inner, compared, inner),
        st.builds("{} {} {}".format, inner, joined, inner),
        st.builds("(not {})".format, inner),
        st.builds("(-{})".format, inner),
        st.builds("len({})".format, inner),
        st.builds("({})[{}]".format, inner, st.sampled_from(["0", "-1", "i", "1", "'a'"])),
        st.builds("({}, {})".format, inner, inner),
        st.builds("({} is {})".format, inner, st.sampled_from(["None", "True", "not None"])),
    )


expressions = st.recursive(atoms, larger, max_leaves=8)


@pytest.mark.filterwarnings("ignore:.*is:SyntaxWarning")  # with a literal
@given(st.lists(expressions, min_size=20, max_size=40))
def test_drawn_conditions_have_pythons_answer_or_none(texts):
    names = {name: as_summary(Look()(value)) for name, value in plain.items()}
    for text in texts:
        said = answer(text, names)
        if said is not None:
            assert said == repr(eval(text, {}, plain)), text
