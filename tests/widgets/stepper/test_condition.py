"""A page reads conditions and watches as the debugger does: one table of cases holds both."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefix_lab.debugger.conditions import HAS
from prefix_lab.debugger.look import Look
from prefix_lab.debugger.summary import Summary, as_summary
from tests.debugger.recorded import PHASES
from tests.debugger.table_of_conditions import ANSWERS, REFUSED, VALUES, nested
from tests.debugger.test_conditions import answer, expressions, plain
from tests.debugger.test_stops import TABLE as STOPS
from tests.debugger.test_stops import VALUES as STOPPED_WITH
from tests.widgets.stepper.javascript import as_seen, javascript


def answers(texts: list[str], values: dict[str, Any]) -> list[str | None]:
    return javascript("conditions", texts, as_seen(values))


def test_every_condition_of_the_table_has_its_answer():
    texts, expected = zip(*ANSWERS, strict=True)
    assert dict(zip(texts, answers(list(texts), VALUES), strict=True)) == dict(zip(texts, expected, strict=True))


def test_what_the_language_has_not_is_refused_in_a_sentence_that_says_what_it_has():
    texts, words = zip(*REFUSED, strict=True)
    for text, said, found in zip(texts, words, javascript("wrong", texts), strict=True):
        assert found.startswith("This "), text
        assert said in found, text
        assert found.endswith(HAS), text


def test_where_to_stop_is_read_counted_and_said_as_the_debugger_does():
    texts, expected, _ = zip(*STOPS["read"], strict=True)
    assert javascript("typed", texts, STOPS["here"]) == list(expected)
    texts, times = zip(*STOPS["counts"], strict=True)
    assert javascript("counted", texts) == list(times)
    texts, said = zip(*STOPS["says"], strict=True)
    values = {name: Look()(value) for name, value in STOPPED_WITH.items()}
    assert javascript("said", texts, as_seen(values)) == list(said)


def test_a_condition_that_is_too_long_or_too_deep_is_refused_and_others_have_an_answer():
    assert javascript("wrong", nested(25)) == [""] * len(nested(25))
    said = javascript("wrong", [*nested(40), "(" * 900, "i+" * 501 + "1"])
    assert ["nested too deeply" in one for one in said] == [True] * (len(said) - 1) + [False]
    assert "longer than 1,000 signs" in said[-1]
    assert answers(["i" + "+1" * 450, "x" + ".shape" * 160], VALUES) == ["455", None]


@settings(phases=PHASES)
@given(st.lists(expressions, min_size=30, max_size=60))
def test_drawn_conditions_have_the_debuggers_answers(texts):
    seen = {name: Look()(value) for name, value in plain.items()}
    expected = [answer(text, {name: as_summary(value) for name, value in seen.items()}) for text in texts]
    assert dict(zip(texts, answers(texts, seen), strict=True)) == dict(zip(texts, expected, strict=True))


@given(st.text(st.characters(), max_size=40))
def test_a_text_is_read_back_from_what_python_writes(text):
    assert javascript("read", [repr(text)]) == [text]


@given(st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.integers(-(2**70), 2**70)))
def test_a_number_is_read_back_exactly(value):
    texts = [f"{name} == {value!r}" for name in ("plainly", "member")]
    assert answers(texts, {"plainly": value, "member": member(value)}) == ["True", "True"]


def member(value: Any) -> Summary:
    """As the recorder sums up an enum's member."""
    return Summary("Kind", "Kind.one", {"value": value})


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan, None, True, False, -0.0, 1e22])
def test_numbers_without_digits_are_read_back(value):
    for seen in (value, member(value)):
        texts = ["value > 1e308", "value < -1e308", "value != value", "value is None", "value is True", "not value"]
        assert answers(texts, {"value": seen}) == [answer(text, {"value": as_summary(seen)}) for text in texts]
