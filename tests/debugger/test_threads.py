"""Several threads in one recording: each step in the order of time, whatever generators, errors and limits do."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby, pairwise
from typing import Any

import pytest
from hypothesis import given, note
from hypothesis import strategies as st

from prefix_lab.debugger import Recording, record
from prefix_lab.debugger.dap.debuggee import Threads
from prefix_lab.debugger.look import register
from prefix_lab.debugger.summary import Summary
from tests.debugger.recorded import drawn, every_hook, in_thread, in_threads, recorded, threads_that_take_turns_often

NAMES = ("first", "second", "third")


def counting(start):
    got = start
    try:
        while True:
            try:
                got = yield got
            except ValueError:
                got = -1
    finally:
        last = got
    return last


def fails(n):
    below = n - 1
    if below < 0:
        raise LookupError(n)
    fails(below)


def loops(n):
    total = 0
    for i in range(n):
        total += i
    return total


def begun(number):
    """A stretch of the program begins; between this and `ended`, no other thread does anything."""
    return number


def ended(number):
    return number


class Shared:
    """What the actions of all threads work on."""

    def __init__(self):
        self.made = [counting(0)]  # not begun
        self.made.append(counting(1))  # begun before the recording
        next(self.made[1])

    def act(self, kind: str, at: int) -> Any:
        generator = self.made[at % len(self.made)]
        try:
            match kind:
                case "make":
                    self.made.append(counting(len(self.made)))
                case "next":
                    return next(generator)
                case "send":
                    return generator.send(at)
                case "throw":
                    return generator.throw(ValueError())
                case "kill":
                    return generator.throw(LookupError())
                case "close":
                    return generator.close()
                case "close unstarted":
                    return counting(9).close()
                case "fail":
                    return fails(at)
                case "loop":
                    return loops(3 * at)
        except (LookupError, StopIteration, TypeError, ValueError) as error:  # a TypeError: sent before it began
            return type(error).__name__


KINDS = ("make", "next", "next", "send", "throw", "kill", "close", "close unstarted", "fail", "loop")
SCOPE = [counting, fails, loops, begun, ended]
schedules = st.lists(st.tuples(st.integers(0, 3), st.sampled_from(KINDS), st.integers(0, 5)), min_size=1, max_size=12)


def play(schedule: list[tuple[int, str, int]], shared: Shared) -> list[Any]:
    """Do what the schedule says: each action in the thread that it names, one after the other. 3 is this thread."""
    said: list[Any] = []
    boxes = [queue.SimpleQueue() for _ in NAMES]
    done: queue.SimpleQueue = queue.SimpleQueue()

    def perform(number: int, kind: str, at: int) -> None:
        begun(number)
        said.append(shared.act(kind, at))
        ended(number)

    def works(box: queue.SimpleQueue) -> None:
        while (order := box.get()) is not None:
            perform(*order)
            done.put(None)

    threads = [threading.Thread(target=works, args=(box,), name=name) for box, name in zip(boxes, NAMES, strict=True)]
    for thread in threads:
        thread.start()
    for number, (who, kind, at) in enumerate(schedule):
        if who == len(boxes):
            perform(number, kind, at)
        else:
            boxes[who].put((number, kind, at))
            done.get()
    for box, thread in zip(boxes, threads, strict=True):
        box.put(None)
        thread.join()
    return said


def stretches(recording: Recording) -> list[list[Any]]:
    """The steps of each action, from its `begun` to its `ended`; nothing lies between them."""
    found: list[list[Any]] = []
    open_ = False
    for step in recording.steps:
        if (step.event, step.function) == ("call", "begun"):
            assert not open_
            open_ = True
            found.append([])
        assert open_, step
        found[-1].append(step)
        open_ = (step.event, step.function) != ("return", "ended")
    return found


@every_hook
@drawn(60)
@given(schedule=schedules)
def test_actions_that_threads_take_in_turn_stand_in_that_order(schedule, hooks):
    note(schedule)
    plain = play(schedule, Shared())
    shared = Shared()
    with record(SCOPE, hooks=hooks) as recording:
        said = play(schedule, shared)
    assert said == plain
    found = stretches(recording)
    assert [one[0].locals["number"].value for one in found] == list(range(len(schedule)))
    for (who, kind, _), steps in zip(schedule, found, strict=True):
        assert {step.thread for step in steps} == {(*NAMES, "MainThread")[who]}
        inside = {step.function for step in steps} - {"begun", "ended"}
        assert inside <= {{"fail": "fails", "loop": "loops"}.get(kind, "counting")}
    for steps, value in zip(found, said, strict=True):
        yielded = [step.value.value for step in steps if step.event == "yield"]
        assert yielded in ([], [value])
    assert not recording.notes
    walked(recording)


def walked(recording: Recording) -> None:
    """Every step can be stood at, from either side, by every move; and links lead where they should."""
    cursor, steps = recording.cursor(), recording.steps
    forwards = [cursor.index]
    while cursor.step_in():
        forwards.append(cursor.index)
    backwards = [cursor.index]
    while cursor.step_in(backwards=True):
        backwards.append(cursor.index)
    assert forwards == backwards[::-1] == list(range(len(recording)))
    for step in steps:
        assert all(inner > outer for inner, outer in pairwise(recording.stack(step.index)))
        for move in (cursor.step_over, cursor.step_out):
            for back in (False, True):
                cursor.goto(step)
                if move(back):
                    assert (cursor.index < step.index) == back
    of_threads = Threads(recording).steps
    assert sorted(at for one in of_threads for at in one) == list(range(len(recording)))
    for number, one in enumerate(of_threads):
        assert {steps[at].thread for at in one} <= {recording.columns.threads[number]}
        assert list(one) == sorted(one)


def told(recording: Recording) -> list[Any]:
    return [(repr(step), step.thread, step.frame, step.depth, recording.caller(step.index)) for step in recording.steps]


@every_hook
@pytest.mark.parametrize("most", [1, 7, 900, 5000, 12_000, 30_000])
def test_a_limit_keeps_the_first_steps_in_time_of_all_threads(most, hooks):
    schedule = [(number % 4, ("loop", "next")[number % 2], 300 * (1 + number % 3)) for number in range(24)]
    with record(SCOPE, hooks=hooks) as whole:
        play(schedule, Shared())
    with record(SCOPE, hooks=hooks, max_steps=most) as short:
        play(schedule, Shared())
    assert len(short) == min(most, len(whole))
    assert len(short) + short.left_out == len(whole)
    assert told(short) == told(whole)[: len(short)]
    assert any(f"{short.left_out:,} steps came after a limit" in one for one in short.notes) == (most < len(whole))


@every_hook
def test_where_bytes_run_out_in_one_thread_the_recording_ends_for_all(hooks):
    def writes(n):
        for i in range(n):
            text = f"{i} " * 20
        return text

    def starts():
        loops(1000)
        in_thread(writes, 20_000, name="writer")
        return loops(100)

    recording = recorded(starts, [starts, loops, writes], hooks=hooks, max_bytes=500_000)
    assert recording.left_out > 300
    assert recording.steps[-1].thread == "writer"
    assert "return loops(100)" not in {step.text for step in recording.steps}


@every_hook
def test_a_thread_that_begins_when_another_has_ended_is_told_by_its_own_name(hooks):
    def one_after_another():
        for name in ("first", "second", "third"):
            in_thread(loops, 3, name=name)  # a system gives the ident of one that has ended to the next

    recording = recorded(one_after_another, [one_after_another, loops], hooks=hooks)
    told = [step.thread for step in recording.steps if step.function == "loops" and step.event == "call"]
    assert told == ["first", "second", "third"]


@every_hook
def test_a_generator_that_another_thread_goes_on_with_is_one_frame_and_each_step_says_who_took_it(hooks):
    def goes_on(generator, box):
        box.append(generator.send(5))

    def starts():
        generator, box = counting(3), []
        next(generator)
        in_thread(goes_on, generator, box, name="worker")
        box.append(generator.send(7))
        return box

    recording = recorded(starts, [starts, goes_on, counting], hooks=hooks)
    inside = [step for step in recording.steps if step.function == "counting"]
    assert len({step.frame for step in inside}) == 1
    entered = [step for step in inside if step.event in ("call", "resume")][:3]  # then it is thrown away, and closed
    assert [step.thread for step in entered] == ["MainThread", "worker", "MainThread"]
    assert [recording.steps[recording.caller(step.index)].text for step in entered] == [
        "next(generator)",
        "box.append(generator.send(5))",
        "box.append(generator.send(7))",
    ]
    assert [step.changed["got"].value for step in entered[1:]] == [5, 7]


@every_hook
def test_what_a_pool_and_asyncio_hand_over_stands_after_the_asking_and_before_the_answer(hooks):
    async def asks() -> None:
        begun(0)
        await asyncio.to_thread(loops, 4)
        ended(1)

    def program() -> None:
        asyncio.run(asks())
        with ThreadPoolExecutor(2) as pool:
            begun(2)
            pool.submit(loops, 3).result()
            ended(3)

    recording = recorded(program, SCOPE, hooks=hooks)
    assert len(stretches(recording)) == 2
    for steps in stretches(recording):
        between = [step for step in steps if step.function == "loops"]
        assert (between[0].event, between[-1].event, between[0].depth) == ("call", "return", 0)
        assert recording.caller(between[0].index) is None
        assert "MainThread" not in {step.thread for step in between}
    walked(recording)


@every_hook
def test_threads_that_run_at_will_keep_the_order_that_an_event_gives_them(hooks):
    rounds = 40

    def pushes(mine, other, box):
        for number in range(rounds):
            mine.acquire()
            box.append(number)
            other.release()

    def plays():
        one, two, box = threading.Semaphore(1), threading.Semaphore(0), []
        threads = [
            threading.Thread(target=pushes, args=(one, two, box), name="ping"),
            threading.Thread(target=pushes, args=(two, one, box), name="pong"),
            threading.Thread(target=loops, args=(4000,)),
        ]
        in_threads(threads)

    recording = recorded(plays, [plays, pushes, loops], hooks=hooks)
    appended = [step.thread for step in recording.steps if step.text == "box.append(number)"]
    assert appended == ["ping", "pong"] * rounds
    assert len([step for step in recording.steps if step.function == "loops"]) == 2 * 4000 + 5


@every_hook
def test_a_return_a_yield_and_an_error_stand_where_they_came_and_not_with_their_line(hooks):
    asked, answer = queue.SimpleQueue(), queue.SimpleQueue()

    def ask(word):
        asked.put(word)
        return answer.get()

    def returns():
        return ask("return")

    def yields():
        yield ask("yield")

    def raises():
        raise LookupError(ask("error"))

    def asks():
        returns()
        next(yields())
        interrupted(raises)

    thread = threading.Thread(target=asks)
    with record([returns, yields, raises, begun], hooks=hooks) as recording:
        thread.start()
        for number in range(3):
            asked.get()
            answer.put(begun(number))
        thread.join()
    said = [step.function.rpartition(".")[2] for step in recording.steps if step.event not in ("call", "line")]
    assert [name for name, _ in groupby(said)] == ["begun", "returns", "begun", "yields", "begun", "raises"]


@every_hook
def test_an_error_of_the_block_is_the_last_word_whatever_other_threads_did(hooks):
    def program():
        begun(0)
        play([(0, "loop", 1)], Shared())
        raise LookupError("at the end")

    recording = recorded(program, SCOPE, hooks=hooks)
    last = recording.steps[-1]
    assert (last.event, last.thread, last.value.message) == ("exception", "MainThread", "at the end")


@every_hook
def test_a_move_out_of_a_frame_that_nothing_recorded_called_stays_in_its_thread(hooks):
    with record([begun, loops], hooks=hooks) as recording:
        play([(0, "make", 1), (3, "make", 1), (1, "make", 1), (0, "make", 1)], Shared())
    cursor = recording.cursor()
    assert [step.thread for step in recording.steps] == [
        name for name in ("first", "MainThread", "second", "first") for _ in range(3)
    ]
    assert cursor.step_out()
    assert cursor.index == 9
    cursor.goto(11)
    assert cursor.step_out(backwards=True)
    assert cursor.index == 2
    cursor.goto(4)
    assert not cursor.step_out()


class Interrupts:
    """Looking at one raises `KeyboardInterrupt`, as if a person had pressed Ctrl-C right then."""

    left = 0


def describe_interrupts(value: Any, look: Any) -> Summary:
    Interrupts.left -= 1
    if Interrupts.left == 0:
        raise KeyboardInterrupt
    return Summary("Interrupts", "<Interrupts>")


register(f"{__name__}.Interrupts", describe_interrupts)


def takes(first, second, third):
    found = [second]
    found.append(third)
    return found


def takes_again(first, second):
    x = y = first
    z = takes(y, 4, second)
    return x, z


def gives(value):
    got = yield value
    yield got


def interrupted(call: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return call(*arguments)
    except (KeyboardInterrupt, LookupError, StopIteration):
        return None


@every_hook
@drawn(40)
@given(at=st.integers(1, 40), threads=st.booleans())
def test_an_interrupt_while_a_value_is_looked_at_costs_no_more_than_what_it_cut_off(at, threads, hooks):
    def makes():
        value = Interrupts()
        interrupted(takes_again, value, value)
        generator = gives(value)
        interrupted(next, generator)
        interrupted(next, generator)

    def program():
        begun(1)
        Interrupts.left = at
        if threads:
            in_thread(interrupted, makes)
        else:
            interrupted(makes)
        Interrupts.left = 0
        ended(2)

    with record([makes, takes, takes_again, gives, begun, ended], hooks=hooks) as recording:
        program()
    steps = recording.steps
    assert [step.event for step in steps[:3]] == ["call", "line", "return"]
    if threads or hooks == "monitoring" or not recording.notes:  # settrace goes off with the first error of a tracer
        assert [step.event for step in steps if step.function == "ended"] == ["call", "line", "return"]
    for step in steps:
        for name, value in (step.locals | step.changed).items():
            assert (value.type == "int") <= (name in ("number", "second")), (step, name, value)
    calls = list(recording.calls)
    for call in calls:
        calls += call.calls
        assert 0 <= call.seconds < 60
    walked(recording)


def delegates(n):
    got = yield from ends_early(n)
    yield got


def ends_early(n):
    for got in iter([n]):
        got = yield got
    return got


@every_hook
@pytest.mark.parametrize("beside", [True, False])
@pytest.mark.parametrize("made", [delegates, ends_early, counting, gives])
@pytest.mark.parametrize("end", ["send", "throw", "close"])
def test_a_generator_that_began_before_the_recording_can_be_followed_to_its_end(made, end, beside, hooks):
    generator = made(3)
    next(generator)
    with record([made, loops], hooks=hooks) as recording:
        if beside:
            in_thread(loops, 2)
        try:
            ends = {"send": (8,), "throw": (LookupError(),), "close": ()}
            getattr(generator, end)(*ends[end])
        except (LookupError, StopIteration):
            pass
    inside = [step for step in recording.steps if step.function == made.__name__]
    if end == "close" and not inside:
        return  # from 3.13 on, nothing is run to close a generator that catches nothing
    walked(recording)
    assert len({step.frame for step in inside}) == 1
    assert inside[0].locals["value" if made is gives else "start" if made is counting else "n"].value == 3
    if end == "send":
        assert inside[-1].locals["got"].value == 8


@every_hook
def test_what_is_inside_a_value_is_told_whichever_thread_has_its_turn(hooks):
    def works():
        for _ in range(200):
            pair = [[1], [2]]
        return pair

    def main():
        threads = [threading.Thread(target=works) for _ in range(3)]
        in_threads(threads)

    with threads_that_take_turns_often(), record([works, main], hooks=hooks) as recording:
        main()
    told = {step.locals["pair"].text for step in recording.steps if "pair" in step.locals}
    assert told == {"[[1], [2]]"}
