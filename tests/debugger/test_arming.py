"""`arm()` and `disarm()` record a stretch in the middle of a program; and lines look at what can change, alone."""

# ruff: noqa: F841 - what is bound is what is looked at

from __future__ import annotations

import pytest

from prefix_lab.debugger import record
from tests.debugger.recorded import every_hook, in_thread, recorded, refuses


def doubled(x):
    return 2 * x


def begins(recorder, x):
    y = doubled(x)
    recorder.arm()
    z = doubled(y)
    return z


def works(recorder):
    before = [1]
    got = begins(recorder, 3)
    before.append(got)
    recording = ends(recorder)
    after = doubled(got)
    return recording


def ends(recorder):
    got = recorder.disarm()
    return got


def armed(hooks):
    recorder = record([doubled, begins, works, ends], hooks=hooks)
    return recorder, works(recorder)


@every_hook
def test_what_runs_between_arm_and_disarm_is_recorded_and_nothing_else(hooks):
    recorder, recording = armed(hooks)
    assert recording is recorder.recording
    said = [(step.event, step.function, step.text) for step in recording.steps if step.event in ("line", "call")]
    assert said == [
        ("line", "begins", "z = doubled(y)"),
        ("call", "doubled", "def doubled(x):"),
        ("line", "doubled", "return 2 * x"),
        ("line", "begins", "return z"),
        ("line", "works", "before.append(got)"),
        ("line", "works", "recording = ends(recorder)"),
        ("call", "ends", "def ends(recorder):"),
        ("line", "ends", "got = recorder.disarm()"),
    ]


@every_hook
def test_frames_that_ran_when_it_was_armed_have_the_names_that_they_had(hooks):
    _, recording = armed(hooks)
    first, append = recording.steps[0], recording.find(text="before.append(got)")[0]
    assert (str(first.locals["x"]), str(first.locals["y"])) == ("3", "6")
    assert str(append.locals["before"]) == "[1]"
    assert append.in_place == {"before"}
    assert str(append.changed["before"]) == "[1, 12]"


@every_hook
def test_arm_and_disarm_refuse_what_they_cannot_do(hooks):
    recorder = record([doubled], hooks=hooks)
    with refuses(RuntimeError, "disarm()", "arm() first"):
        recorder.disarm()
    recorder.arm()
    found = []

    def elsewhere():
        with pytest.raises(RuntimeError) as raised:
            recorder.disarm()
        found.append(str(raised.value))

    in_thread(elsewhere)
    doubled(1)
    assert len(recorder.disarm().find(event="call")) == 1
    assert "another thread" in found[0]
    with refuses(RuntimeError, "record(...) again"):
        recorder.arm()


def unlike(values):
    for one in values:
        held = one
        size = len(str(held))
        extended = getattr(held, "append", abs)(5)
    return held


@every_hook
@pytest.mark.parametrize("values", [[1, [2], 3, [4]], [[1], 2, [3]]])
def test_a_name_that_was_a_number_is_looked_at_once_it_is_a_list(hooks, values):
    recording = recorded(lambda: unlike(values), [unlike], hooks=hooks)
    changed = [step.changed["held"] for step in recording.find(event="line") if "held" in step.in_place]
    assert [str(one) for one in changed] == [str(one) for one in values if type(one) is list]


def appends(n, found):
    if n:
        appends(n - 1, [n])
    also = (found, 1)[n == 0]
    more = str(also) and found.append(n)
    return found


@every_hook
def test_lines_that_ran_before_a_name_was_known_to_change_keep_their_values(hooks):
    for include in ([appends], [appends, recorded]):
        recording = recorded(lambda: appends(3, [9]), include, hooks=hooks)
        told = [str(step.changed["found"]) for step in recording.find(event="line") if "found" in step.in_place]
        assert told == ["[1, 0]", "[2, 1]", "[3, 2]", "[9, 3]"]


@every_hook
def test_two_that_are_armed_end_from_the_inner_one_outwards(hooks):
    outer, inner = record([doubled], hooks=hooks), record([doubled], hooks=hooks)
    outer.arm()
    inner.arm()
    with refuses(RuntimeError, "disarm(): a recording that began after this one is still open"):
        outer.disarm()
    doubled(1)
    inner.disarm()
    doubled(2)
    outer.disarm()
    assert [recorder.recording.find(event="call")[-1].locals["x"].value for recorder in (inner, outer)] == [1, 2]
