"""A condition over a recording: it holds at exactly the steps whose names make it true, however they are looked for."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, note
from hypothesis import strategies as st

from prefix_lab.debugger import Breakpoint, Recording, truth
from prefix_lab.debugger.conditions import Condition, most_alike
from prefix_lab.debugger.placing import PlacedBreakpoint, at_function
from prefix_lab.debugger.truth import Truth
from tests.debugger.programs import programs
from tests.debugger.recorded import drawn, recorded, refuses
from tests.debugger.test_cursor import recording_of

CONDITIONS = ["a == 1", "b > c", "0 < a", "a + b * 2 < c or not a", "a > 0 and b is not None and a != c", "i != x"]
CONDITIONS += ["len(items) > 1", "items[0] == -1", "nothing == 1", "a == 1 and nothing == 1", "value", "'a' < a"]


@drawn(30)
@given(source=programs(), seed=st.integers(0, 1000), patience=st.sampled_from([1, 3, 20_000]))
def test_a_condition_holds_where_the_names_of_the_step_make_it_true(source, seed, patience):
    note(source)
    recording = recording_of(source)
    draw = random.Random(seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(truth, "PATIENCE", patience)
        for text in draw.sample(CONDITIONS, 4):
            condition = Condition(text)
            expected = [
                step.index
                for step in recording.steps
                if set(step.locals) >= condition.names and condition.is_true_of(step.locals)
            ]
            truth.truth_of.cache_clear()
            after = draw.randrange(len(recording))
            for backwards in (False, True):
                found = list(Breakpoint(condition=text).steps(recording, after, backwards))
                beyond = [step for step in expected if (step < after if backwards else step > after)]
                assert found == sorted(beyond, reverse=backwards), text


def loops(n: int) -> int:
    total = 0
    for i in range(n):
        last = total
        total += i
    return total, last


@pytest.fixture(scope="module")
def recording() -> Recording:
    return recorded(lambda: loops(3_000), [loops])


@pytest.mark.parametrize("text", ["total == -1", "i > 5 and last == 'no'", "0 > i", "nowhere == 1", "last.shape == 2"])
def test_a_condition_that_no_value_of_a_name_makes_true_is_given_up_without_a_look_at_the_steps(recording, text):
    found = Truth(recording, Condition(text))
    assert list(found.holding(iter(()))) == []
    assert not found.may_hold
    assert not any(found.known)


def test_what_never_stands_together_is_given_up_after_a_while(recording):
    found = Truth(recording, Condition("total < last"))
    assert found.may_hold
    assert not found.ever_holds
    assert Truth(recording, Condition("total > last + 2900")).ever_holds


def test_where_a_condition_has_no_answer_it_is_said_what_was_asked_and_what_is_known(recording):
    for text, told in {
        "nonsense == 3": "condition: nonsense was not recorded there. Known there: ",
        "toatl > 3": "Known there: total, ",
        "total.shape[0] > 3": "condition: shape was not recorded there. Known there: none",
        "total + 'a' > 3": "condition: total + 'a' > 3 has no answer there: arithmetic is for numbers.",
    }.items():
        with refuses(ValueError, told):
            PlacedBreakpoint(recording, "", range(len(recording)), text)
    assert at_function(recording, "loops", "n > 5").truth is not None


def test_the_names_that_are_most_alike_come_first():
    assert most_alike("layer_idx", ["config", "layer", "index", "layer_id"]) == ["layer_id", "layer", "index", "config"]
