"""Where to stop, as it is typed and found; stops.json, and questions to both, hold a page's JavaScript to the same."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest

from prefix_lab.debugger import Breakpoint, Recording, stops
from prefix_lab.debugger.placing import nearest, times_of
from prefix_lab.debugger.stages import Band, stage_stops
from prefix_lab.debugger.steps import Step
from tests.debugger.recorded import recorded, refuses

TABLE: dict[str, Any] = json.loads(Path(__file__).with_name("stops.json").read_text(encoding="utf-8"))
HERE = TABLE["here"]
VALUES = {"n": 3, "s": "a b", "t": (1, "b"), "none": None}


def holds(n, s, t, none):
    return n


class Weight:
    def add_(self, number):
        pass

    mul_ = add_


def changing(weight):
    count = 0
    for i in range(4):
        count = i // 2
        weight.add_(i)
        weight.mul_(1)
    return count


def failing(text):
    try:
        int(text)
    except ValueError:
        raise KeyError(text) from None


@pytest.mark.parametrize(("text", "stop", "written"), TABLE["read"])
def test_what_is_typed_is_read_and_written_again(text, stop, written):
    found = stops.read(text, HERE["file"], HERE["function"], HERE["names"])
    assert found == stop
    if stop is not None:
        assert stops.written(found) == written


@pytest.mark.parametrize(("text", "times"), TABLE["counts"])
def test_a_count_says_which_times_it_means(text, times):
    if times is None and text:
        with refuses(ValueError, "hitCondition"):
            times_of(text)
    else:
        counts = times_of(text)
        assert (counts and [one for one in range(1, 6) if counts(one)]) == times


@pytest.mark.parametrize(("says", "text"), TABLE["says"])
def test_a_log_point_says_its_text_with_the_values_in_braces(says, text):
    recording = recorded(lambda: holds(**VALUES), [holds])
    assert stops.said_at(recording.steps[1], says) == text


def places(recording: Recording, stop: stops.Stop) -> list[Step]:
    """Where a stop stops, going forwards from the first step; backwards it is the same."""
    placed, last = stops.placed(recording, stop), len(recording)
    forwards, backwards = [], []
    for found, back, at in ((forwards, False, -1), (backwards, True, last)):
        while there := nearest([placed], at, back):
            at = there[0]
            found.append(at)
    assert forwards == backwards[::-1]
    return [recording.steps[one] for one in forwards]


def test_a_name_stops_where_its_value_changes():
    recording = recorded(lambda: changing(Weight()), [changing])
    values = [step.changed["count"].value for step in places(recording, {"name": "count", "function": "changing"})]
    assert values == [0, 1]
    third = places(recording, {"name": "count", "function": "changing", "condition": "i > 2"})
    assert third == []
    with refuses(ValueError, "never had a value"):
        stops.placed(recording, {"name": "nothing", "function": "changing"})


def test_an_exception_stops_where_it_is_raised_and_any_step_where_a_condition_holds():
    def run():
        for text in ("1", "x", "y"):
            with contextlib.suppress(KeyError):
                failing(text)

    recording = recorded(run, [failing])
    assert len(places(recording, {"raises": ""})) == 4
    assert [step.text for step in places(recording, {"raises": "KeyError"})] == ["raise KeyError(text) from None"] * 2
    assert [step.locals["text"].value for step in places(recording, {"raises": "KeyError", "hits": "2"})] == ["y"]
    assert {step.locals["text"].value for step in places(recording, {"condition": "text == 'x'"})} == {"x"}


def test_log_points_are_passed_and_say_their_lines_in_the_order_of_the_steps():
    recording = recorded(lambda: changing(Weight()), [changing])
    line = changing.__code__.co_firstlineno + 3
    here = {"file": changing.__code__.co_filename, "line": line}
    first = stops.placed(recording, here | {"log": "i is {i}", "hits": "% 2"})
    second = stops.placed(recording, {"function": "changing", "log": "begins"})
    assert [text for _, text in stops.said(recording, [first, second])] == ["begins", "i is 1", "i is 3"]
    with refuses(ValueError, "condition="):
        stops.placed(recording, here | {"log": "{i +}"})


def test_the_ends_of_a_call_are_one_move_away():
    recording = recorded(lambda: failing("1"), [failing])
    cursor = recording.cursor()
    cursor.run_to(Breakpoint("failing"))
    first = cursor.index
    assert cursor.step_end()
    assert cursor.step.event == "return"
    assert not cursor.step_end()
    assert cursor.step_end(backwards=True)
    assert cursor.index == first


def test_stages_are_visited_where_they_begin_and_where_they_go_on():
    runs = [Band(10, 50), Band(20, 30), Band(25, 30), Band(31, 33), Band(60, 70)]
    assert stage_stops(runs) == [10, 20, 25, 31, 34, 60]
    assert stage_stops([]) == []
