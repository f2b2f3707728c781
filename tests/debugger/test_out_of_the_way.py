"""A recording changes nothing: results, lives of objects, tracers; and survives what programs may hold."""

from __future__ import annotations

import collections
import functools
import gc
import itertools
import signal
import sys
import threading
import types
import weakref
from typing import ClassVar

import pytest

from prefix_lab.debugger import record
from tests.debugger.recorded import every_hook, lines_of, recorded, reference, threads_that_take_turns_often

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
def test_what_threads_add_to_shared_names_is_not_lost(hooks):
    """Python 3.11's `frame.f_locals`, once read, would write back what another thread has counted meanwhile."""

    def counts():
        total, steps, lock = 0, 0, threading.Lock()

        def gives():
            nonlocal total
            for _ in range(500):
                with lock:
                    total += 1
                yield total

        def drains():
            nonlocal steps
            for _ in gives():
                with lock:
                    steps += 1

        workers = [threading.Thread(target=drains) for _ in range(3)]
        for worker in workers:
            worker.start()
        while any(worker.is_alive() for worker in workers):
            seen = total
        return total, steps, seen <= total

    with threads_that_take_turns_often(), record([counts], hooks=hooks) as recording:
        assert counts() == (1500, 1500, True)
    assert not recording.notes


@every_hook
def test_what_locals_gave_the_program_stays_as_it_was(hooks):
    def looks():
        early = locals()
        late = 1
        early["late"] = 2
        more = late + 1
        return dict(early), more

    plain = looks()
    with record([looks], hooks=hooks, watch="late") as recording:
        assert looks() == plain
    assert recording.steps[-1].locals["more"].value == 2


@every_hook
def test_an_object_dies_within_the_line_that_lets_go_of_it_and_its_last_lines_are_recorded(hooks):
    died = []

    class Thing:
        def __del__(self):
            here = "dying"
            died.append(here)

    def lets_go():
        thing = Thing()
        others = [sys.getrefcount(thing)]
        seen = [len(died), thing := None, len(died)]
        return seen, others

    with reference(__file__, with_names=False) as lines:
        plain = lets_go()
    died.clear()
    recording = recorded(lambda: died.append(lets_go()), [lets_go, Thing], hooks=hooks)
    assert died[-1] == plain == ([0, None, 1], plain[1])
    assert lines_of(recording) == [(one.function, one.line) for one in lines if one.event == "line"]


class Spied(dict):
    """A namespace that tells what it is asked, and makes up a name."""

    asked: ClassVar[list[str]] = []

    def get(self, *arguments):
        Spied.asked.append("get")

    keys = items = copy = __iter__ = __contains__ = __delitem__ = get

    def __missing__(self, name):
        if name == "given":
            return 5
        raise KeyError(name)


class Chained(collections.UserDict):
    """A namespace that is no dict, and is not read."""


@every_hook
@pytest.mark.parametrize("namespace", [Spied, Chained])
def test_code_in_mappings_of_its_own_runs_as_without_a_recording(namespace, hooks, tmp_path):
    file = tmp_path / "code.py"
    file.write_text("x = given + 1\ny = x * 2\ndel x\n")
    space = namespace(given=5)
    run = functools.partial(exec, compile(file.read_text(), str(file), "exec"), Spied(given=5), space)

    def asked_by(run):
        Spied.asked.clear()
        run()
        return list(Spied.asked)

    plain, recordings = asked_by(run), []
    assert asked_by(lambda: recordings.append(recorded(run, [file], hooks=hooks, watch="y"))) == plain
    lines = [step.text for step in recordings[0].steps if step.event == "line"]
    assert lines == ["x = given + 1", "y = x * 2", "del x"]
    assert space["y"] == 12
    assert recordings[0].notes == []


@every_hook
def test_a_watch_leaves_the_globals_of_a_function_as_they_are(hooks):
    def plain(x):
        y = x + 1
        return y

    around = {"__name__": "nowhere"}
    function = types.FunctionType(plain.__code__, around)
    recording = recorded(lambda: function(1), [plain], hooks=hooks, watch="x * 2")
    assert around == {"__name__": "nowhere"}
    assert recording.steps[-1].watches["x * 2"].value == 2


@every_hook
def test_what_a_signals_handler_raises_reaches_the_program(hooks):
    def late(number, frame):
        raise TimeoutError("enough")

    def works():
        signal.setitimer(signal.ITIMER_REAL, 0.002)
        try:
            for i in range(300_000):
                held = [i]
        except TimeoutError:
            return "stopped"
        return held

    before = signal.signal(signal.SIGALRM, late)
    gc.disable()  # what is raised in a callback of the collector's, as hypothesis has one, reaches nobody
    try:
        for _ in range(20):  # most of the time it is the recorder that runs
            with record([works], hooks=hooks) as recording:
                assert works() == "stopped"
            assert not any("errors of the recorder" in note for note in recording.notes)
    finally:
        gc.enable()
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@every_hook
def test_what_runs_after_a_recording_is_not_in_it(hooks):
    go, done = threading.Event(), []

    def works():
        for i in range(20):
            if i == 10:
                started.set()
                go.wait(10)
        for i in range(1000):
            done.append(i)

    def gives():
        given = 0
        while given < 5:
            yield given
            given += 1

    started = threading.Event()
    with record([works, gives], hooks=hooks) as recording:
        thread = threading.Thread(target=works)
        thread.start()
        started.wait(10)
        given = gives()
        next(given)
    go.set()
    thread.join()
    sys.settrace(lambda *event: None)  # with a tracer, frames that go on are traced again, by what they had
    try:
        assert list(given) == [1, 2, 3, 4]
    finally:
        sys.settrace(None)
    assert len(done) == 1000
    assert len([step for step in recording.steps if step.function.endswith("gives")]) == 5
    assert (
        max(step.line for step in recording.steps if step.function.endswith("works"))
        < works.__code__.co_firstlineno + 5
    )


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

    def around():
        frame = sys._getframe()
        frame.f_trace = tracer = lambda *event: None
        with record([around], hooks=hooks):
            inside()
        assert frame.f_trace is tracer

    before, of_threads = sys.gettrace(), threading.gettrace()
    recorded(inside, [inside], hooks=hooks)
    around()
    with pytest.raises(ZeroDivisionError), record([inside], hooks=hooks):
        1 / 0  # noqa: B018
    assert sys.gettrace() is before
    assert threading.gettrace() is of_threads
    if hooks == "monitoring":
        assert [sys.monitoring.get_tool(number) for number in (2, 3, 4, 5)] == [None] * 4


@every_hook
@pytest.mark.filterwarnings("ignore:A tracer was there:UserWarning")
@pytest.mark.parametrize("tracer", [None, lambda *event: None])
@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_recordings_that_end_in_any_order_leave_what_was_there_and_have_all_until_their_end(hooks, tracer, order):
    def inside():
        return 1

    def around():
        frame = sys._getframe()
        frame.f_trace = before = lambda *event: None
        includes = [inside, around], [inside], [inside, around]
        recorders = [record(include, hooks=hooks) for include in includes]
        for recorder in recorders:
            recorder.arm()
            inside()
        for number in order:
            recorders[number].__exit__(None, None, None)
            inside()
        assert frame.f_trace is before
        return [recorder.recording for recorder in recorders]

    before, of_threads = sys.gettrace(), threading.gettrace()
    sys.settrace(tracer)
    try:
        recordings = around()
        assert sys.gettrace() is tracer
        assert threading.gettrace() is of_threads
    finally:
        sys.settrace(before)
    for number, recording in enumerate(recordings):
        calls = recording.find(function="inside", event="call")
        assert len(calls) == 3 - number + order.index(number)
        assert {recording.caller(step.index) is None for step in calls} == {number == 1}
        assert not any("The tracer was changed" in note for note in recording.notes)
        ends = [step for step in recording.steps if step.text.startswith("recorders[number]")]
        assert len(ends) == (order.index(number) + 1 if number != 1 else 0)


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
def test_an_interrupt_while_a_recording_is_closed_comes_when_it_is_whole(hooks):
    import _thread

    class Loader:
        def get_source(self, name):  # asked when the recording is closed
            _thread.interrupt_main()
            return text

    text = "def counts():\n    return 1"
    space = {"__name__": "interrupted", "__loader__": Loader()}
    exec(compile(text, "<interrupted>", "exec"), space)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt), record([space["counts"]], hooks=hooks) as recording:
            space["counts"]()
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
    assert recording.exception is None
    assert [step.text for step in recording.steps if step.event == "line"] == ["return 1"]


@every_hook
def test_a_program_that_recurses_to_the_limit_is_survived(hooks):
    def down(n):
        return down(n + 1)

    with pytest.raises(RecursionError), record([down], hooks=hooks):
        down(0)
    assert sys.gettrace() is None


@every_hook
def test_what_exec_ran_in_dies_with_the_program_and_not_with_the_recording(hooks, tmp_path):
    class Held:
        pass

    file = tmp_path / "code.py"
    file.write_text("held = Held()\nsee(held)\n")
    seen: list[weakref.ref] = []
    with record([file], hooks=hooks) as recording:
        exec(
            compile(file.read_text(), str(file), "exec"),
            {"Held": Held, "see": lambda one: seen.append(weakref.ref(one))},
        )
        gc.collect()
        assert seen[0]() is None
    assert [step.text for step in recording.steps if step.event == "line"] == ["held = Held()", "see(held)"]
