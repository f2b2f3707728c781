"""A recording changes nothing: results, lives of objects, tracers; and survives what programs may hold."""

from __future__ import annotations

import gc
import random
import signal
import sys
import threading
import weakref

import pytest

from prefix_lab.debugger import record
from tests.debugger.recorded import every_hook, recorded

CALLED: list[str] = []


class Hostile:
    """Everything that could be asked of it is a trap."""

    def trap(self, *arguments):
        CALLED.append("trapped")
        raise SystemExit("trapped")

    __repr__ = __str__ = __len__ = __eq__ = __hash__ = __bool__ = __iter__ = __getitem__ = __format__ = trap
    __class__ = property(trap)
    __dict__ = property(trap)
    shape = dtype = property(trap)

    def __getattribute__(self, name):
        CALLED.append(name)
        raise SystemExit(name)


class HostileType(type):
    def __getattribute__(cls, name):
        if name in ("__name__", "__qualname__", "__module__", "__mro__"):
            CALLED.append(name)
            raise SystemExit(name)
        return super().__getattribute__(name)


class Traps:
    """Subclasses of plain types whose own methods are traps."""

    class List(list):
        __len__ = __iter__ = __repr__ = Hostile.trap

    class Dict(dict):
        __len__ = __iter__ = __repr__ = items = keys = Hostile.trap

    class Text(str):
        __len__ = __repr__ = __str__ = Hostile.trap

    class Number(int):
        __repr__ = __str__ = __pos__ = __hash__ = __eq__ = Hostile.trap

    class Error(ValueError):
        __str__ = __repr__ = Hostile.trap
        args = property(Hostile.trap)


def things():
    meta = HostileType("Meta", (), {})
    return [
        Hostile(),
        meta(),
        meta,
        Traps.List([1]),
        Traps.Dict(a=1),
        Traps.Text("t"),
        Traps.Number(4),
        Traps.Error("e"),
    ]


@every_hook
@pytest.mark.parametrize("index", range(8))
def test_hostile_values_are_survived_and_none_of_their_code_runs(index, hooks):
    def holds(thing):
        here = thing
        pair = (here, [here], {"a": here})
        return pair

    thing = things()[index]
    CALLED.clear()
    with record([holds], hooks=hooks, watch=["pair"]) as recording:
        holds(thing)
    assert CALLED == []
    assert recording.steps[-1].value.type == "tuple"
    assert len(recording.steps[0].locals["thing"].text) > 0
    assert recording.notes == []


@every_hook
def test_no_object_frame_or_class_is_kept_alive(hooks):
    class Thing:
        pass

    def uses():
        thing = Thing()
        refs.append(weakref.ref(thing))
        held = [thing, {"a": thing}, (thing,)]
        raise ValueError(held)

    refs = []
    try:
        with record([uses], hooks=hooks) as recording:
            uses()
    except ValueError:
        pass
    gc.collect()
    assert refs[0]() is None
    kind = weakref.ref(Thing)
    del Thing, uses
    gc.collect()
    assert kind() is None
    assert recording.steps[1].changed["thing"].type.endswith("Thing")
    gc.collect()
    held = [one for one in gc.get_objects() if type(one).__name__ == "frame" and "uses" in one.f_code.co_name]
    assert held == []


@every_hook
def test_objects_die_when_they_would_without_a_recording(hooks):
    died = []

    class Thing:
        def __init__(self, name):
            self.name = name

        def __del__(self):
            died.append(self.name)

    def uses():
        thing = Thing("first")
        thing = Thing("second")
        del thing
        return list(died)

    with record([uses], hooks=hooks):
        assert uses() == ["first", "second"]


@every_hook
def test_random_numbers_and_results_are_as_without(hooks):
    def draws():
        return [random.random() for _ in range(5)], random.gauss(0, 1)

    random.seed(4)
    plain = draws()
    random.seed(4)
    with record([draws, "random"], hooks=hooks):
        assert draws() == plain


@every_hook
def test_a_tracer_that_was_there_is_put_back_and_told_of(hooks):
    heard = []

    def tracer(frame, event, argument):
        heard.append(frame.f_code.co_name)
        return tracer

    def inside():
        return 1

    before = sys.gettrace()
    sys.settrace(tracer)
    try:
        if hooks == "settrace":
            with pytest.warns(UserWarning, match="A tracer was there .*test_out_of_the_way"):
                recording = recorded(inside, [inside], hooks=hooks)
            assert "It is off while this recording is made" in recording.notes[0]
        else:
            recording = recorded(inside, [inside], hooks=hooks)
            assert recording.notes == []
            assert "inside" in heard  # both at once
        assert sys.gettrace() is tracer
    finally:
        sys.settrace(before)
    assert [step.event for step in recording.steps] == ["call", "line", "return"]


@every_hook
def test_nothing_is_left_behind(hooks):
    def inside():
        return 1

    before, of_threads = sys.gettrace(), threading.gettrace()
    recorded(inside, [inside], hooks=hooks)
    with pytest.raises(ZeroDivisionError), record([inside], hooks=hooks):
        1 / 0  # noqa: B018
    assert sys.gettrace() is before
    assert threading.gettrace() is of_threads
    if hooks == "monitoring":
        assert [sys.monitoring.get_tool(number) for number in (2, 3, 4, 5)] == [None] * 4


@every_hook
def test_a_program_that_changes_the_tracer_is_told_of(hooks):
    def inside():
        sys.settrace(None)
        return 1

    recording = recorded(inside, [inside], hooks=hooks)
    assert sys.gettrace() is None
    if hooks == "settrace":
        assert any("The tracer was changed" in note for note in recording.notes)


@every_hook
def test_an_interrupt_while_recording_reaches_the_program(hooks):
    import _thread

    def loops():
        for i in range(100_000):
            if i == 5000:
                _thread.interrupt_main()
        return "never"

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
    try:
        with pytest.raises(KeyboardInterrupt), record([loops], hooks=hooks) as recording:
            loops()
    finally:
        signal.signal(signal.SIGINT, before)
    assert recording.steps[-1].event == "exception"
    assert recording.exception.type == "KeyboardInterrupt"
    assert len(recording) > 10_000


@every_hook
def test_a_program_that_recurses_to_the_limit_is_survived(hooks):
    def down(n):
        return down(n + 1)

    with pytest.raises(RecursionError):
        recorded_without_catching(down, hooks)
    assert sys.gettrace() is None


def recorded_without_catching(down, hooks):
    with record([down], hooks=hooks):
        down(0)


@every_hook
def test_a_thread_that_outlives_the_recording_goes_on(hooks):
    go, results = threading.Event(), []

    def works():
        total = 0
        for i in range(50):
            total += i
        go.wait(10)
        for i in range(50_000):
            total += i % 2
        results.append(total)

    with record([works], hooks=hooks) as recording:
        thread = threading.Thread(target=works)
        thread.start()
        while len([None for _ in range(3)]) and not thread.ident:
            pass
    count = len(recording)
    go.set()
    thread.join()
    assert results == [sum(range(50)) + 25_000]
    assert len(recording) == count


def test_huge_numbers_and_texts_are_cut():
    def holds():
        number = 7**20000
        text = "a" * 10**6
        data = b"b" * 10**6
        many = list(range(10**5))
        return number, text, data, many

    recording = recorded(holds, [holds])
    held = recording.steps[-1].locals
    assert held["number"].text == "int of 56148 bits"
    assert held["text"].length == 10**6
    assert len(held["text"].text) < 250
    assert held["many"].length == 10**5
    assert len(held["many"].parts) < 50
