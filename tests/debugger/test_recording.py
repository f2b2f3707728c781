"""What a recording says of plain programs: events, values, frames, and what of them changed."""

from __future__ import annotations

import asyncio
import copy
import dataclasses
import decimal
import enum
import fractions
import functools
import linecache
import sys
import threading
import types
import typing

import pytest

from prefix_lab.debugger import Recording, record
from prefix_lab.debugger.conditions import Condition
from prefix_lab.debugger.look import register
from tests.debugger.recorded import every_hook, in_thread, in_threads, recorded, refuses


def doubled(x):
    y = x * 2
    return y


def doubled_back(x):
    return x


def works(n):
    first = doubled(n)
    items = [first]
    items.append(n)
    del first
    return items


def broken(n):
    half = n / 2
    return doubled(half) + "text"


def events(recording):
    return [(step.event, step.function, step.line - works.__code__.co_firstlineno) for step in recording.steps]


@every_hook
def test_a_call_is_recorded_line_by_line(hooks):
    recording = recorded(lambda: works(3), [works, doubled], hooks=hooks)
    start = doubled.__code__.co_firstlineno - works.__code__.co_firstlineno
    assert events(recording) == [
        ("call", "works", 0),
        ("line", "works", 1),
        ("call", "doubled", start),
        ("line", "doubled", start + 1),
        ("line", "doubled", start + 2),
        ("return", "doubled", start + 2),
        ("line", "works", 2),
        ("line", "works", 3),
        ("line", "works", 4),
        ("line", "works", 5),
        ("return", "works", 5),
    ]
    steps = recording.steps
    assert [step.index for step in steps] == list(range(11))
    assert [step.depth for step in steps] == [0, 0, 1, 1, 1, 1, 0, 0, 0, 0, 0]
    assert {step.thread for step in steps} == {"MainThread"}
    assert {step.file for step in steps} == {__file__}
    assert steps[1].text == "first = doubled(n)"


@every_hook
def test_a_step_has_the_names_as_it_finds_them_and_what_it_binds(hooks):
    steps = recorded(lambda: works(3), [works, doubled], hooks=hooks).steps
    assert {name: value.value for name, value in steps[0].changed.items()} == {"n": 3}
    assert {name: value.value for name, value in steps[1].locals.items()} == {"n": 3}
    assert steps[1].changed["first"].value == 6
    assert steps[2].locals["x"].value == 3
    assert steps[5].value.value == 6
    assert steps[6].changed["items"].text == "[6]"
    assert steps[7].changed["items"].text == "[6, 3]"
    assert steps[7].in_place == {"items"}
    assert steps[6].in_place == frozenset()
    assert steps[8].changed["first"].text == "(deleted)"
    assert "first" not in steps[9].locals
    assert steps[10].value["1"].value == 3


@every_hook
def test_names_bound_to_what_they_were_are_bound_again_and_a_zero_keeps_its_sign(hooks):
    def binds():
        low, high = 0.0, -0.0
        low, high = 0.0, -0.0
        return low, high

    steps = recorded(binds, [binds], hooks=hooks).steps
    assert {name: value.text for name, value in steps[2].changed.items()} == {"low": "0.0", "high": "-0.0"}


def asks():
    first = yield 1
    second = yield 2
    yield first, second


@every_hook
@pytest.mark.parametrize("begun", [False, True])
def test_what_is_sent_into_a_generator_is_bound_where_it_goes_on(begun, hooks):
    generator = asks()
    if begun:  # before the recording, too
        next(generator)
    steps = recorded(lambda: (begun or next(generator), generator.send("sent")), [asks], hooks=hooks).steps
    assert steps[-1].locals["first"].value == "sent"


@every_hook
def test_what_is_sent_where_nobody_records_leaves_the_next_name_its_own(hooks):
    generator, go, done = asks(), threading.Event(), threading.Event()

    def sends():
        go.wait(10)
        generator.send("unseen")
        done.set()

    thread = threading.Thread(target=sends)
    thread.start()
    with record([asks], hooks=hooks) as recording:
        next(generator)
        go.set()
        done.wait(10)
        generator.send("seen")
    thread.join()
    resumed = [step for step in recording.steps if step.event == "resume"]
    assert {name: value.value for name, value in resumed[-1].changed.items()} == {"second": "seen"}


@every_hook
def test_an_error_thrown_into_a_generator_is_no_pause_of_it(hooks):
    generator = asks()
    steps = recorded(lambda: (next(generator), generator.throw(KeyError)), [asks], hooks=hooks).steps
    assert [step.event for step in steps].count("yield") == 1
    assert steps[-1].event == "exception"


class Unlooked:
    """Nobody can look at it."""


def fails(value, look):
    raise RuntimeError("no look")


register(f"{__name__}.Unlooked", fails)


@every_hook
def test_a_value_that_cannot_be_looked_at_is_shown_by_its_type_and_told_of(hooks):
    def holds():
        thing = Unlooked()
        return thing

    recording = recorded(holds, [holds], hooks=hooks)
    assert recording.steps[2].locals["thing"].text == "<Unlooked>"
    assert "2 values could not be looked at; they are shown by their type." in recording.notes


@every_hook
def test_an_exception_passes_through_and_is_the_last_word(hooks):
    with pytest.raises(TypeError) as raised, record([broken, doubled], hooks=hooks) as recording:
        broken(4)
    assert raised.traceback[-1].name == "broken"
    last = recording.steps[-1]
    assert (last.event, last.function) == ("exception", "broken")
    assert last.value.type == "TypeError"
    assert last.value.message == str(raised.value)
    assert recording.exception.type == "TypeError"
    assert "It ended with TypeError" in repr(recording)


@every_hook
@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3), ZeroDivisionError("no")])
def test_every_kind_of_exception_is_recorded_and_passed_on(error, hooks):
    def raises():
        raise error

    with pytest.raises(type(error)) as raised, record([raises], hooks=hooks) as recording:
        raises()
    assert raised.value is error
    assert recording.steps[-1].event == "exception"
    assert recording.exception.type == type(error).__name__


@every_hook
def test_the_lines_of_the_block_itself_are_recorded_when_its_function_is_in_scope(hooks):
    def block():
        before = 1
        with record([block], hooks=hooks) as recording:
            inside = before + 1
            inside += 5
        return recording

    recording = block()
    lines = [step for step in recording.steps if step.text.startswith("inside")]
    assert [step.text for step in lines] == ["inside = before + 1", "inside += 5"]
    assert lines[0].locals["before"].value == 1
    assert lines[1].changed["inside"].value == 7


@every_hook
def test_without_include_the_module_of_the_caller_is_recorded(hooks):
    with record(hooks=hooks) as recording:
        works(1)
    assert "doubled" in {step.function for step in recording.steps}


@every_hook
def test_recursion_gives_each_call_its_own_frame(hooks):
    def down(n):
        below = 0 if n == 0 else down(n - 1)
        return below + n

    recording = recorded(lambda: down(30), [down], hooks=hooks)
    calls = [step for step in recording.steps if step.event == "call"]
    assert [step.locals["n"].value for step in calls] == list(range(30, -1, -1))
    assert [step.depth for step in calls] == list(range(31))
    assert len({step.frame for step in calls}) == 31


@every_hook
def test_calls_may_lie_as_deep_as_python_lets_them(hooks, request):
    def down(n):
        return down(n - 1) if n else 0

    request.addfinalizer(functools.partial(sys.setrecursionlimit, sys.getrecursionlimit()))
    sys.setrecursionlimit(100_000)
    recording = recorded(lambda: down(66_000), [down], hooks=hooks)
    assert len(recording) == 3 * 66_001
    assert max(recording.columns.step_depth) == 65_535
    assert recording.steps[-1].depth == 0


@every_hook
def test_what_another_package_says_of_its_values_is_kept_whatever_it_is(hooks):
    class Odd:
        pass

    register(f"{__name__}.{Odd.__qualname__}", lambda value, look: ["odd"])
    recording = recorded(lambda: doubled_back(Odd()), [doubled_back], hooks=hooks)
    assert [step.event for step in recording.steps] == ["call", "line", "return"]
    assert "odd" in recording.steps[-1].value.text


@every_hook
def test_generators_and_what_is_sent_to_them(hooks):
    def asks():
        got = yield 1
        again = yield got
        return again

    def talks():
        talk = asks()
        first = next(talk)
        second = talk.send(5)
        try:
            talk.send(7)
        except StopIteration as ended:
            return first, second, ended.value

    recording = recorded(talks, [asks, talks], hooks=hooks)
    inside = [step for step in recording.steps if step.function.endswith("asks")]
    assert [step.event for step in inside if step.event != "line"] == [
        "call",
        "yield",
        "resume",
        "yield",
        "resume",
        "return",
    ]
    assert [step.value.value for step in inside if step.event in ("yield", "return")] == [1, 5, 7]
    assert [step.changed["got"].value for step in inside if "got" in step.changed] == [5]
    assert len({step.frame for step in inside}) == 1
    resumed = next(step for step in inside if step.event == "resume")
    assert recording.steps[recording.caller(resumed.index)].text == "second = talk.send(5)"


@every_hook
def test_coroutines_that_take_turns(hooks):
    async def waits(name, seen):
        for i in range(2):
            seen.append((name, i))
            await asyncio.sleep(0)
        return name

    async def both(seen):
        return await asyncio.gather(waits("a", seen), waits("b", seen))

    seen = []
    recording = recorded(lambda: asyncio.run(both(seen)), [waits, both], hooks=hooks)
    assert seen == [("a", 0), ("b", 0), ("a", 1), ("b", 1)]
    inside = [step for step in recording.steps if "waits" in step.function]
    frames = {step.frame: step.locals["name"].value for step in inside if step.event == "call"}
    assert sorted(frames.values()) == ["a", "b"]
    for step in inside:
        assert step.locals["name"].value == frames[step.frame]
    assert [step.value.value for step in inside if step.event == "return"] == ["a", "b"]


@every_hook
def test_threads_each_have_their_own_steps(hooks):
    def counts(n):
        total = 0
        for i in range(n):
            total += i
        return total

    def starts():
        threads = [threading.Thread(target=counts, args=(n,), name=f"worker {n}") for n in (20, 30, 40)]
        in_threads(threads)
        return counts(10)

    recording = recorded(starts, [counts, starts], hooks=hooks)
    ends = [step for step in recording.steps if step.event == "return" and step.function.endswith("counts")]
    returned = {step.thread: step.value.value for step in ends}
    assert returned == {f"worker {n}": sum(range(n)) for n in (20, 30, 40)} | {"MainThread": sum(range(10))}
    for step in recording.steps:
        if step.function.endswith("counts") and "total" in step.changed and step.text == "total += i":
            held = step.locals
            assert step.changed["total"].value == held["total"].value + held["i"].value
    assert not recording.notes


@every_hook
def test_a_thread_that_was_there_before_is_not_recorded(hooks):
    go, done = threading.Event(), threading.Event()

    def waits():
        go.wait(10)
        inside = doubled(1)
        done.set()
        return inside

    thread = threading.Thread(target=waits, name="old")
    thread.start()
    with record([waits, doubled], hooks=hooks) as recording:
        go.set()
        done.wait(10)
        doubled(2)
    thread.join()
    assert {step.thread for step in recording.steps} == {"MainThread"}


@every_hook
def test_a_function_that_an_old_thread_is_inside_is_recorded_when_this_one_calls_it(hooks):
    go, inside = threading.Event(), threading.Event()

    def waits():
        inside.set()
        done = go.wait(10)
        return done

    thread = threading.Thread(target=waits)
    thread.start()
    inside.wait(10)
    with record([waits], hooks=hooks) as recording:
        go.set()
        waits()
    thread.join()
    assert {step.thread for step in recording.steps} == {"MainThread"}
    assert [step.event for step in recording.steps] == ["call", "line", "line", "line", "return"]
    assert recording.steps[-1].locals["done"].value is True


@every_hook
def test_a_recording_inside_a_recording(hooks):
    with record([works, doubled], hooks=hooks) as outer:
        works(1)
        with record([doubled], hooks=hooks) as inner:
            works(2)
        works(3)
    assert [step.value.value for step in inner.steps if step.event == "return"] == [4]
    returned = [step.value.value for step in outer.steps if step.event == "return" and step.function == "doubled"]
    assert returned == [2, 4, 6]
    assert not outer.notes
    assert not inner.notes


@every_hook
def test_recording_in_two_threads_at_once_is_refused_with_what_to_do(hooks):
    errors = []

    def second():
        try:
            with record([doubled], hooks=hooks):
                pass
        except RuntimeError as error:
            errors.append(str(error))

    with record([works], hooks=hooks) as recording:
        in_thread(second)
        works(1)
    assert "Another thread is recording" in errors[0]
    assert recording.steps[0].function == "works"


def test_an_open_recording_and_one_that_is_used_twice_are_refused():
    recorder = record([works])
    with recorder as recording:
        with refuses(RuntimeError, "leave its `with record(...)` block"):
            recording.steps  # noqa: B018
        assert "open" in repr(recording)
    with refuses(RuntimeError, "used before", "Call record(...) again"), recorder:
        pass


@every_hook
def test_decorated_functions_methods_and_partials_are_found_by_what_they_wrap(hooks):
    def noisy(function):
        @functools.wraps(function)
        def wrapper(*arguments):
            return function(*arguments)

        return wrapper

    class Thing:
        @noisy
        def method(self, x):
            return x + 1

        @staticmethod
        def static(x):
            return x + 2

    part = functools.partial(doubled, 4)
    recording = recorded(
        lambda: (Thing().method(1), Thing.static(1), part()), [Thing.method, Thing.static, part], hooks=hooks
    )
    assert [step.value.value for step in recording.steps if step.event == "return"] == [2, 3, 8]
    whole = recorded(lambda: (Thing().method(1), Thing.static(1)), [Thing], hooks=hooks)
    assert {step.function.rpartition(".")[2] for step in whole.steps} >= {"static"}


@every_hook
def test_the_cells_of_a_notebook_are_recorded_with_their_text(hooks):
    name = "<cell 7>"
    source = "values = [1, 2]\ntotal = 0\nfor value in values:\n    total += value\n"
    linecache.cache[name] = (len(source), None, source.splitlines(True), name)
    namespace = {"__name__": "cell_of_a_notebook"}
    code = compile(source, name, "exec")
    with record([code], hooks=hooks) as recording:
        exec(code, namespace)
    assert [step.text for step in recording.steps if step.event == "line"][:2] == ["values = [1, 2]", "total = 0"]
    assert recording.steps[-1].locals["total"].value == 3
    assert recording.cursor().source == source.rstrip("\n")


@every_hook
def test_the_text_is_that_of_the_time_of_recording(hooks, tmp_path):
    path = tmp_path / "changing.py"
    path.write_text("def old():\n    return 1\n")
    namespace = {"__name__": "changing"}
    exec(compile(path.read_text(), str(path), "exec"), namespace)
    recording = recorded(namespace["old"], [path], hooks=hooks)
    path.write_text("# nothing\n# left\n")
    linecache.checkcache()
    assert [step.text for step in recording.steps if step.event == "line"] == ["return 1"]


@every_hook
def test_names_shared_with_an_inner_function_are_followed(hooks):
    def outer():
        count = 0

        def up():
            nonlocal count
            count += 1

        up()
        up()
        return count

    recording = recorded(outer, [outer], hooks=hooks)
    returned = [step for step in recording.steps if step.function.endswith("outer") and step.event == "return"]
    assert returned[-1].locals["count"].value == 2


@every_hook
def test_watches_are_evaluated_where_their_names_are(hooks):
    recording = recorded(lambda: works(3), [works, doubled], hooks=hooks, watch=["len(items)", "x + 1", "n / 0"])
    steps = recording.steps
    assert steps[3].watches["x + 1"].value == 4
    assert set(steps[3].watches) == {"x + 1"}
    assert steps[8].watches["len(items)"].value == 2
    assert steps[1].watches["len(items)"].text.startswith("NameError")
    assert steps[1].watches["n / 0"].text == "ZeroDivisionError: division by zero"
    assert "x + 1" not in steps[3].locals


@pytest.mark.parametrize("watch", ["x +", "x = 1", "import os", "(y := 1)", ""])
def test_a_watch_that_is_no_expression_is_refused(watch):
    with refuses(ValueError, "watch:", repr(watch), "is not an expression"):
        record([works], watch=watch)


@pytest.mark.parametrize(
    ("include", "words"),
    [
        (["no_such_module_anywhere"], ["no module 'no_such_module_anywhere'"]),
        (["json.nothing"], ["no module 'json.nothing'"]),
        (["/no/such/file.py"], ["no file or folder '/no/such/file.py'"]),
        ([len], ["not written in Python"]),
        ([3], ["is a int, expected the name of a package"]),
        ([], ["would record nothing"]),
        ([int], ["no function written in Python"]),
    ],
)
def test_what_cannot_be_included_is_refused_by_name(include, words):
    with refuses(ValueError, "include", *words):
        record(include)


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"keep": "all"}, "keep='all'"),
        ({"max_steps": 0}, "max_steps=0"),
        ({"max_bytes": 1.5}, "max_bytes=1.5"),
        ({"progress": 3}, "progress=3"),
        ({"hooks": "magic"}, "hooks='magic'"),
    ],
)
def test_wrong_options_are_refused_by_name(options, word):
    with refuses(ValueError, word, "expected"):
        record([works], **options)


def test_a_name_of_a_module_that_is_not_imported_yet_imports_nothing():

    for name in [one for one in sys.modules if one.startswith("xml.dom")]:
        del sys.modules[name]
    record(["xml.dom.minidom"])
    assert "xml.dom.minidom" not in sys.modules


@every_hook
@pytest.mark.parametrize("most", [1, 10, 1000, 5000, 20000])
def test_what_comes_after_the_limit_is_counted_and_the_rest_is_kept(most, hooks):
    def loops():
        total = 0
        for i in range(6000):
            total += i
        return doubled(total)

    whole = recorded(loops, [loops, doubled], hooks=hooks)
    short = recorded(loops, [loops, doubled], hooks=hooks, max_steps=most)
    assert len(short) == min(most, len(whole))
    assert len(short) + short.left_out == len(whole)
    assert [repr(step) for step in short.steps[:50]] == [repr(step) for step in whole.steps[: len(short)][:50]]
    if short.left_out:
        assert any(f"{short.left_out:,} steps came after a limit" in one for one in short.notes)


@every_hook
def test_bytes_are_bounded_too(hooks):
    def loops():
        text = ""
        for i in range(20000):
            text = f"{i} " * 20
        return text

    recording = recorded(loops, [loops], hooks=hooks, max_bytes=500_000)
    assert 0 < len(recording) < 40000
    assert recording.left_out > 0
    assert any("max_bytes=500,000" in one for one in recording.notes)


@every_hook
def test_progress_is_told_now_and_then(hooks):
    told = []

    def loops():
        for i in range(20000):
            doubled(i)

    recorded(loops, [loops, doubled], hooks=hooks, progress=told.append)
    assert len(told) > 5
    assert told == sorted(told)


@every_hook
def test_a_progress_callback_that_fails_is_told_of_and_nothing_else_happens(hooks):
    def loops():
        for i in range(20000):
            doubled(i)
        return "done"

    def fails(steps):
        raise ValueError("no screen")

    with record([loops, doubled], hooks=hooks, progress=fails) as recording:
        assert loops() == "done"
    assert any("no screen" in note for note in recording.notes)


def test_a_recording_cannot_be_changed_by_copying_its_steps():
    recording = recorded(lambda: works(1), [works])
    assert list(recording.steps) == list(copy.copy(recording.steps))
    assert recording.steps[-1] == recording.steps[len(recording) - 1]
    with refuses(IndexError, "step 99", "has 7 steps"):
        recording.steps[99]


@every_hook
def test_a_frame_that_took_no_step_and_a_thread_that_recorded_nothing_are_not_counted(hooks):
    def outer():
        with record([outer, doubled], hooks=hooks) as recording: doubled(1)  # fmt: skip  # noqa: E701
        return recording

    thread = threading.Thread(target=print)
    with record([doubled], hooks=hooks) as recording:
        thread.start()
        thread.join()
        doubled(1)
    assert repr(recording).startswith("Recording of 4 steps in 1 call\n")
    assert "4294967295" not in repr(outer())


class Red(enum.Enum):
    LIGHT = 1
    DARK = 2


class Base:
    __slots__ = ("__weakref__", "_hidden", "x")


class Derived(Base):
    __slots__ = ("never", "y")

    @property
    def z(self):
        raise AssertionError("a property was run")


@dataclasses.dataclass(slots=True)
class Slotted:
    x: int
    y: int


class Pair(typing.NamedTuple):
    left: int
    right: int


class Plain:
    pass


def objects():
    slotted = Slotted(1, 2)
    slotted.x += 4
    derived = Derived()
    derived.x, derived.y = 1, [2]
    derived._hidden = 3
    pair = Pair(4, 5)
    plain = Plain()
    plain.a = plain
    colour = Red.DARK
    third = fractions.Fraction(1, 3)
    tenth = decimal.Decimal("0.10")
    return slotted, derived, pair, plain, colour, third, tenth


def test_every_object_shows_its_fields_and_runs_nothing():
    with record([objects]) as recording:
        objects()
    held = recording.steps[-1].locals
    assert {name: value.text for name, value in held.items()} == {
        "slotted": "Slotted(x=5, y=2)",
        "derived": "Derived(_hidden=3, x=1, y=[… 1 in all])",
        "pair": "Pair(left=4, right=5)",
        "plain": "Plain(a=<Plain>)",
        "colour": "Red.DARK",
        "third": "1/3",
        "tenth": "0.10",
    }
    assert recording.notes == []
    assert Condition("pair.left == pair[0] == 4 and pair[-1] == 5").is_true_of(held)
    assert Condition("third < 0.5 and third * 3 == 1 and tenth == tenth * 1").is_true_of(held)


def test_numbers_of_any_size_are_compared_kept_and_told(tmp_path):
    def counts(number):
        same = number
        items = [same, float("nan"), -0.0]
        return items

    def recorded(number):
        with record([counts]) as recording:
            counts(number)
        recording.save(tmp_path / "numbers")
        return Recording.load(tmp_path / "numbers")

    huge = 1 << 70_000
    ours, other = recorded(huge), recorded(huge + 1)
    assert ours.diff(recorded(huge)) is None
    assert "int of 70001 bits, value int of 70001 bits, and another" in str(ours.diff(other))
    assert ours.steps[-1].locals["same"].value == huge
    assert Condition("same > 5 and same - 1 < same").is_true_of(ours.steps[-1].locals)
    exact = recorded(fractions.Fraction(huge, 3)), recorded(decimal.Decimal("1e-50"))
    assert [one.steps[-1].locals["same"].value for one in exact] == [
        fractions.Fraction(huge, 3),
        decimal.Decimal("1e-50"),
    ]


def test_modules_and_namespaces_show_what_they_are():
    def main():
        module = linecache
        space = types.SimpleNamespace(a=1)
        return module, space

    held = recorded(main, [main]).steps[-1].locals
    assert held["module"].text == "module linecache"
    assert held["space"].text == "SimpleNamespace(a=1)"


def test_fractions_of_any_size_are_compared():
    def main(top):
        part = fractions.Fraction(top, 3)
        return part

    def held(top):
        return recorded(functools.partial(main, top), [main]).steps[-1].locals["part"]

    assert held(10**5000) == held(10**5000)
    assert held(10**5000) != held(10**5000 + 1)


def test_a_list_too_deep_to_look_into_says_how_much_is_in_it():
    def main():
        deep = [[[[[1, 2]]]]]
        return deep

    assert recorded(main, [main]).steps[-1].locals["deep"].text == "[[[[… 1 in all]]]]"
