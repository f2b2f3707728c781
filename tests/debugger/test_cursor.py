"""Walking a recording: forwards and backwards lead to the same places; breakpoints, history, search."""

from __future__ import annotations

import asyncio
import random

import pytest
from hypothesis import given, note
from hypothesis import strategies as st

from prefix_lab.debugger import Breakpoint, Recording, record
from prefix_lab.debugger.steps import NONE
from tests.debugger.programs import programs
from tests.debugger.recorded import drawn, every_hook, recorded, refuses
from tests.debugger.test_against_interpreter import functions, loaded, outcome


def leaf(x):
    y = x + 1
    return y


def middle(x):
    first = leaf(x) + leaf(x + 10)
    second = first * 2
    return second


def top(n):
    total = 0
    for i in range(n):
        total += middle(i)
    return total


@pytest.fixture(scope="module")
def recording():
    return recorded(lambda: top(5), [leaf, middle, top])


def recording_of(source):
    main = loaded(source)
    with record([main.__code__, *functions(main)]) as recording:
        outcome(main)
    return recording


@drawn(40)
@given(source=programs(), seed=st.integers(0, 1000))
def test_forwards_then_backwards_comes_back_from_any_place(source, seed):
    note(source)
    recording = recording_of(source)
    places = random.Random(seed).sample(range(len(recording)), min(60, len(recording)))
    for place in places:
        cursor = recording.cursor(place)
        if cursor.step_in():
            assert cursor.index == place + 1
            assert cursor.step_in(backwards=True)
            assert cursor.index == place
        frame = cursor.step.frame
        if cursor.step_over() and cursor.step.frame == frame:
            assert cursor.step_over(backwards=True)
            assert cursor.index == place


@drawn(40)
@given(source=programs(), seed=st.integers(0, 1000))
def test_over_never_shows_the_inside_of_a_call_and_out_lands_where_the_call_was(source, seed):
    note(source)
    recording = recording_of(source)
    places = random.Random(seed).sample(range(len(recording)), min(60, len(recording)))
    for place in places:
        for backwards in (False, True):
            cursor = recording.cursor(place)
            before = cursor.step
            if cursor.step_over(backwards):
                after = cursor.step
                assert (after.index < place) == backwards
                # What is thrown into a coroutine reaches the innermost one directly, which goes on less deep then.
                assert after.depth <= before.depth or after.frame == before.frame
            cursor = recording.cursor(place)
            callers = cursor.stack[1:]
            if callers and cursor.step_out(backwards):
                if backwards:
                    assert cursor.index == callers[0].index
                    continue
                # A caller that an exception leaves at the end of a `finally` has no step after the call.
                after = [recording.columns.step_after[caller.index] for caller in callers]
                goes_on = next((step for step in after if step != NONE), None)
                assert cursor.index == goes_on if goes_on else cursor.step.depth <= callers[-1].depth


def add(x):
    y = x + 1
    return y


async def pauses(n):
    await asyncio.sleep(0)
    return n


async def waits(n):
    got = await asyncio.create_task(pauses(n))
    return got


def ends_by_error():
    try:
        raise ValueError("thrown")
    finally:
        add(asyncio.run(waits(3)))


def swallows():
    try:
        ends_by_error()
    except ValueError:
        return 4


@every_hook
def test_out_leads_past_a_caller_that_an_exception_leaves_after_its_finally(hooks):
    recording = recorded(swallows, [swallows, ends_by_error, add, waits, pauses], hooks=hooks)
    inside = [step for step in recording.steps if step.function in ("add", "waits", "pauses")]
    assert {step.event for step in inside} == {"call", "line", "return", "yield", "resume"}
    for step in inside:
        cursor = recording.cursor(step)
        assert cursor.step_out()
        assert (cursor.step.function, cursor.step.event) == ("swallows", "exception")
        assert cursor.step_over(backwards=True)
        assert cursor.step.text == "ends_by_error()"


@every_hook
def test_out_of_all_that_an_exception_left_leads_to_what_is_called_next_from_outside(hooks):
    recording = recorded(lambda: (swallows(), swallows()), [ends_by_error, add, waits, pauses], hooks=hooks)
    again = max(step.index for step in recording.steps if (step.function, step.event) == ("ends_by_error", "call"))
    for step in recording.steps:
        if step.function != "ends_by_error":
            cursor = recording.cursor(step)
            assert cursor.step_out() == (step.index < again)
            assert cursor.index == (again if step.index < again else step.index)


def test_steps_in_over_and_out(recording):
    cursor = recording.cursor()
    assert cursor.step.event == "call"
    cursor.run_to(Breakpoint("middle"))
    cursor.step_over()
    assert cursor.step.text == "first = leaf(x) + leaf(x + 10)"
    cursor.step_in()
    assert (cursor.step.event, cursor.step.function) == ("call", "leaf")
    assert [step.function for step in cursor.stack] == ["leaf", "middle", "top"]
    cursor.step_out()
    assert cursor.step.text == "second = first * 2"
    cursor.step_over(backwards=True)
    assert cursor.step.text == "first = leaf(x) + leaf(x + 10)"
    cursor.step_out(backwards=True)
    assert cursor.step.text == "total += middle(i)"
    assert cursor.locals["i"].value == 0
    assert cursor.changed["total"].value == 24


def test_a_call_is_walked_over_in_one_step_even_when_it_has_many(recording):
    cursor = recording.cursor()
    seen = [cursor.step.function]
    while cursor.step_over():
        seen.append(cursor.step.function)
    assert set(seen) == {"top"}
    assert cursor.step.event == "return"


def test_steps_go_past_what_is_to_be_skipped_and_into_what_that_calls(recording):
    cursor = recording.cursor()
    cursor.skip = ("middle",)
    seen = []
    while cursor.step_in():
        seen.append(cursor.step.function)
    assert set(seen) == {"top", "leaf"}
    assert seen[:4] == ["top", "top", "top", "leaf"]
    while cursor.step.function != "leaf":
        assert cursor.step_in(backwards=True)
    assert cursor.step_out()
    assert cursor.step.function == "top"
    assert cursor.step_in(backwards=True)
    assert cursor.step.function == "leaf"
    assert cursor.step_out(backwards=True)
    assert cursor.step.text == "total += middle(i)"
    assert cursor.run_to(Breakpoint("middle"))


@pytest.mark.parametrize("skip", ["leaf", "test_cursor.py", "debugger/test_cursor.py", "tests/", "nowhere"])
def test_a_function_a_file_or_a_folder_can_be_skipped(recording, skip):
    cursor = recording.cursor(1)
    cursor.skip = [skip]
    while cursor.step_in():
        assert cursor.step.function != "leaf" or skip == "nowhere"
    assert (cursor.index > 1) == (skip in ("leaf", "nowhere"))
    with refuses(TypeError, "skip=[3]", "expected names"):
        cursor.skip = [3]
    with refuses(TypeError, "skip=3", "expected names"):
        cursor.skip = 3


def test_at_either_end_a_cursor_stays(recording):
    cursor = recording.cursor()
    assert not cursor.step_in(backwards=True)
    assert not cursor.step_over(backwards=True)
    assert not cursor.step_out(backwards=True)
    assert cursor.index == 0
    assert cursor.goto(len(recording) - 1)
    assert not cursor.step_in()
    assert not cursor.step_over()
    assert not cursor.step_out()
    assert cursor.index == len(recording) - 1


@pytest.mark.parametrize("place", [-1, 10**9, "3", None])
def test_a_place_that_is_not_there_is_refused(recording, place):
    with refuses(IndexError, f"step {place!r}", "has"):
        recording.cursor().goto(place)
    with refuses(IndexError, "has"):
        recording.cursor(place)


def test_an_empty_recording_can_be_opened_and_walked_nowhere():
    empty = recorded(lambda: None, [leaf])
    cursor = empty.cursor()
    assert not any(move() for move in (cursor.step_in, cursor.step_over, cursor.step_out))
    assert not cursor.run_to(Breakpoint("leaf"))
    assert "0 steps" in repr(empty)
    with refuses(IndexError, "0 steps"):
        cursor.goto(0)


def stops(recording, breakpoint):
    cursor, found = recording.cursor(), []
    while cursor.run_to(breakpoint):
        found.append(cursor.index)
    backwards = recording.cursor(len(recording) - 1)
    back = []
    while backwards.run_to(breakpoint, backwards=True):
        back.append(backwards.index)
    assert set(back) - {0} == set(found) - {len(recording) - 1}
    return [recording.steps[index] for index in found]


def test_breakpoints_by_function_line_event_and_file(recording):
    assert len(stops(recording, Breakpoint("leaf"))) == 10
    assert {step.event for step in stops(recording, Breakpoint("leaf"))} == {"call"}
    line = leaf.__code__.co_firstlineno + 2
    assert {step.text for step in stops(recording, Breakpoint(line=line))} == {"return y"}
    assert len(stops(recording, Breakpoint(event="return"))) == 16
    assert len(stops(recording, Breakpoint("leaf", event="return"))) == 10
    assert len(stops(recording, Breakpoint("leaf", file="debugger/test_cursor.py"))) == 10
    assert stops(recording, Breakpoint("leaf", file="cursor.py")) == []


def test_breakpoints_with_conditions_and_hits(recording):
    found = stops(
        recording, Breakpoint("leaf", condition="x > 11", event="line", line=leaf.__code__.co_firstlineno + 1)
    )
    assert [step.locals["x"].value for step in found] == [12, 13, 14]
    cursor = recording.cursor()
    cursor.run_to(Breakpoint("leaf", hits=3))
    assert cursor.locals["x"].value == 1
    cursor.run_to(Breakpoint("leaf", hits=2), backwards=True)
    assert cursor.locals["x"].value == 0
    assert not cursor.run_to(Breakpoint(condition="no_such_name == 1"))
    assert stops(recording, Breakpoint(condition="i == 4 and total > 100"))[0].locals["i"].value == 4


@pytest.mark.parametrize("backwards", [False, True])
def test_a_breakpoint_does_not_stop_again_where_it_stands(recording, backwards):
    cursor = recording.cursor(5)
    assert cursor.step.event == "line"
    assert cursor.run_to(Breakpoint(event="line"), backwards)
    assert (cursor.index < 5) if backwards else (cursor.index > 5)


def test_a_wrong_condition_is_refused_when_it_is_set():
    with refuses(ValueError, "condition="):
        Breakpoint(condition="x +")


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"event": "stop"}, "event='stop'"),
        ({"line": 0}, "line=0"),
        ({"hits": 0}, "hits=0"),
        ({"function": ""}, "function=''"),
        ({"file": 3}, "file=3"),
        ({"condition": 5}, "condition=5"),
    ],
)
def test_a_breakpoint_that_could_never_hold_is_refused(fields, word):
    with refuses(ValueError, word, "expected"):
        Breakpoint(**fields)


def test_the_history_of_a_name_in_its_frame(recording):
    history = recording.cursor().history("total")
    assert [value.value for _, value in history] == [0, 24, 52, 84, 120, 160]
    assert {step.text for step, _ in history} == {"total = 0", "total += middle(i)"}
    with refuses(KeyError, "'nothing' never had a value in top", "Names there"):
        recording.cursor().history("nothing")


def test_what_has_changed_between_two_steps_is_listed_for_each_call_around_the_later(recording):
    cursor = recording.cursor()
    cursor.run_to(Breakpoint("leaf", hits=2))
    first = cursor.index
    cursor.run_to(Breakpoint("leaf"))
    found = [(one.step.function, str(one)) for one in recording.changed(cursor.index, first)]
    assert found == [
        ("leaf", "x = 1"),
        ("middle", "x = 1"),
        ("top", "total: 0 → 24"),
        ("top", "i: 0 → 1"),
    ]
    assert recording.changed(first, first) == []
    with refuses(IndexError, "has"):
        recording.changed(0, 10**6)


def test_a_change_in_place_and_a_name_that_is_gone_are_said_to_be():
    def does(items, other):
        items.append(1)
        del other
        return items

    recording = recorded(lambda: does([], 1), [does])
    said = {str(one) for one in recording.changed(0, len(recording) - 1)}
    assert said == {"items: [] → [1]", "other: deleted"}


def test_steps_are_found_by_what_they_are(recording):
    assert len(recording.find(function="leaf", event="call")) == 10
    assert {step.text for step in recording.find(text="second =")} == {"second = first * 2"}
    assert len(recording.find(name="second")) == 5
    assert recording.find(text="160")[-1].value.value == 160
    with refuses(ValueError, "something to look for"):
        recording.find()
    with refuses(ValueError, "event='stop'"):
        recording.find(event="stop")


def test_exceptions_changes_in_place_and_nan_are_found():
    def does(items):
        items.append(float("nan"))
        try:
            items[9]
        except LookupError:
            return items

    recording = recorded(lambda: does([1]), [does])
    assert [step.text for step in recording.find(exception=True)] == ["items[9]"]
    assert len(recording.find(exception="LookupError")) == 1
    assert recording.find(exception="ValueError") == []
    assert [step.text for step in recording.find(in_place=True)] == ['items.append(float("nan"))']
    assert recording.find(nan=True)[0].text == 'items.append(float("nan"))'


def test_the_call_tree_counts(recording):
    [root] = recording.calls
    assert (root.function, root.count) == ("top", 1)
    assert [(call.function, call.count) for call in root.calls] == [("middle", 5)]
    assert [(call.function, call.count) for call in root.calls[0].calls] == [("leaf", 10)]
    assert root.steps == len(recording)
    assert root.seconds >= root.calls[0].seconds > 0
    text = repr(recording)
    assert "10×" in text
    assert "leaf" in text
    assert "<script" not in recording._repr_html_()


def test_two_recordings_part_where_a_value_differs(recording):
    assert recording.diff(recorded(lambda: top(5), [leaf, middle, top])) is None
    other = recorded(lambda: top(4), [leaf, middle, top])
    difference = recording.diff(other)
    assert difference.ours.index == 0
    assert "n differs: 5, and 4" in str(difference)

    def once(flag):
        x = 1
        if flag:
            x = 2
        return x

    first, second = (recorded(lambda flag=flag: once(flag), [once]) for flag in (1, 1.0))
    assert "flag differs: 1, and 1.0" in str(first.diff(second))


def test_a_long_recording_moves_by_its_index_and_not_by_its_length(monkeypatch):
    def loops(n):
        total = 0
        for i in range(n):
            total += i
        return total

    recording = recorded(lambda: loops(50_000), [loops, leaf])
    assert len(recording) > 100_000
    cursor, asked, original = recording.cursor(70_000), [], Recording.bindings

    def bindings(self, step):
        asked.append(step)
        return original(self, step)

    monkeypatch.setattr(Recording, "bindings", bindings)
    for move in (cursor.step_in, cursor.step_over, lambda: cursor.goto(99_000), lambda: cursor.step_out(True)):
        move()
        assert cursor.locals is not None
    cursor.goto(80_001)
    assert cursor.locals["total"].value == sum(range(cursor.locals["i"].value))
    assert len(asked) < 1000


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda recording: recording.changed(None, 3), ["first=None is no step", "recording.steps[5]"]),
        (lambda recording: recording.changed(3, "9"), ["last='9' is no step"]),
        (lambda recording: recording.history("x", at="3"), ["at='3' is no step"]),
        (lambda recording: recording.diff("other.recording"), ["other='other.recording' is no recording"]),
        (lambda recording: recording.with_names("T5"), ["names='T5' knows no axes", "name_axes"]),
        (lambda recording: recording.find(text=5), ["text=5, expected a text"]),
        (lambda recording: recording.find(shape=4), ["shape=4, expected a sequence", "(4, None, 32)"]),
        (lambda recording: recording.cursor().run_to("leaf"), ["breakpoint='leaf'", "Breakpoint('forward')"]),
    ],
)
def test_what_is_of_another_type_is_refused_by_its_name(recording, ask, words):
    with refuses(TypeError, *words):
        ask(recording)


def test_a_step_will_do_where_its_number_does(recording):
    first, last = recording.steps[1], recording.steps[5]
    assert list(map(str, recording.changed(first, last))) == list(map(str, recording.changed(1, 5)))
    name = next(iter(last.locals))
    assert list(map(str, recording.history(name, at=last))) == list(map(str, recording.history(name, at=5)))
