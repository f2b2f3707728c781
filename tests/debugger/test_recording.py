"""What a recording says of plain programs: events, values, frames, what of them changed, and what it refuses."""

# ruff: noqa: F841 - what is bound is what is looked at

from __future__ import annotations

import dataclasses
import decimal
import enum
import fractions
import functools
import linecache
import sys
import textwrap
import threading
import types
import typing
from collections.abc import Callable

import pytest

from prefix_lab.debugger import Recording, record
from prefix_lab.debugger.conditions import Condition
from prefix_lab.debugger.look import register
from tests.debugger.recorded import every_hook, in_thread, recorded, refuses

TOLD: dict[Callable, str] = {}


def told(expected: str) -> Callable:
    """The program below is told so: a line by its text, another event by its function; then what it bound.

    `name = value` was bound, `name ~ value` changed in place; what is returned, yielded or raised follows an arrow.
    """

    def keep(program: Callable) -> Callable:
        TOLD[program] = textwrap.dedent(expected).strip("\n")
        return program

    return keep


def telling(recording: Recording) -> str:
    said = []
    for step in recording.steps:
        what = step.text if step.event == "line" else f"{step.event} {step.function.rpartition('.')[2]}"
        bound = [f"{name} {'~' if name in step.in_place else '='} {value}" for name, value in step.changed.items()]
        given = f"  → {step.value}" if step.value is not None else ""
        said.append("  " * step.depth + what + ("  | " + ", ".join(bound) if bound else "") + given)
    return "\n".join(said)


def doubled(x):
    y = x * 2
    return y


@told("""
    call works  | n = 3
    first = doubled(n)  | first = 6
      call doubled  | x = 3
      y = x * 2  | y = 6
      return y
      return doubled  → 6
    items = [first]  | items = [6]
    items.append(n)  | items ~ [6, 3]
    del first  | first = (deleted)
    low, high = 0.0, -0.0  | low = 0.0, high = -0.0
    low, high = 0.0, -0.0  | low = 0.0, high = -0.0
    return items
    return works  → [6, 3]
""")
def works(n=3):
    first = doubled(n)
    items = [first]
    items.append(n)
    del first
    low, high = 0.0, -0.0
    low, high = 0.0, -0.0
    return items


@told("""
    call generates
    def asks():  | asks = function generates.<locals>.asks
    generator = asks()  | generator = <generator>
    next(generator)
      call asks
      got = yield 1
      yield asks  → 1
    generator.send(5)
      resume asks  | got = 5
      yield got
      yield asks  → 5
    generator.throw(KeyError)
      resume asks
      exception asks  → KeyError
    exception generates  → KeyError
""")
def generates():
    def asks():
        got = yield 1
        yield got

    generator = asks()
    next(generator)
    generator.send(5)
    generator.throw(KeyError)


@told("""
    call shares
    count = 0  | count = 0
    def up():  | up = function shares.<locals>.up
    up()  | count = 1
      call up  | count = 0
      count += 1  | count = 1
      return up  → None
    up()  | count = 2
      call up  | count = 1
      count += 1  | count = 2
      return up  → None
    return count
    return shares  → 2
""")
def shares():
    count = 0

    def up():
        nonlocal count
        count += 1

    up()
    up()
    return count


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


class Unlooked:
    """Nobody can look at it."""


def fails(value, look):
    raise RuntimeError("no look")


class Odd:
    """What is said of it is no summary."""


register(f"{__name__}.Unlooked", fails)
register(f"{__name__}.Odd", lambda value, look: ["odd"])


@told("""
    call looks
    slotted = Slotted(1, 2)  | slotted = Slotted(x=1, y=2)
    slotted.x += 4  | slotted ~ Slotted(x=5, y=2)
    derived = Derived()  | derived = <Derived>
    derived.x, derived.y = 1, [2]  | derived ~ Derived(x=1, y=[… 1 in all])
    derived._hidden = 3  | derived ~ Derived(_hidden=3, x=1, y=[… 1 in all])
    pair = Pair(4, 5)  | pair = Pair(left=4, right=5)
    plain = types.SimpleNamespace()  | plain = <SimpleNamespace>
    plain.a = plain  | plain ~ SimpleNamespace(a=<SimpleNamespace>)
    colour = Red.DARK  | colour = Red.DARK
    third = fractions.Fraction(1, 3)  | third = 1/3
    tenth = decimal.Decimal("0.10")  | tenth = 0.10
    deep = [[[[[1, 2]]]]]  | deep = [[[[… 1 in all]]]]
    module = linecache  | module = module linecache
    odd = Odd()  | odd = ['odd']
    number = 7**20000  | number = int of 56148 bits
    return looks  → None
""")
def looks():
    slotted = Slotted(1, 2)
    slotted.x += 4
    derived = Derived()
    derived.x, derived.y = 1, [2]
    derived._hidden = 3
    pair = Pair(4, 5)
    plain = types.SimpleNamespace()
    plain.a = plain
    colour = Red.DARK
    third = fractions.Fraction(1, 3)
    tenth = decimal.Decimal("0.10")
    deep = [[[[[1, 2]]]]]
    module = linecache
    odd = Odd()
    number = 7**20000


@every_hook
@pytest.mark.parametrize("program", TOLD, ids=lambda program: program.__name__)
def test_a_program_is_told_as_it_ran(program, hooks):
    recording = recorded(program, [program, doubled], hooks=hooks)
    assert telling(recording) == TOLD[program]
    assert recording.notes == []


def test_a_step_says_where_it_is_and_what_it_finds():
    recording = recorded(works, [works, doubled])
    steps = recording.steps
    assert [step.index for step in steps] == list(range(13))
    assert {(step.thread, step.file) for step in steps} == {("MainThread", __file__)}
    assert steps[5].line == doubled.__code__.co_firstlineno + 2
    assert {name: value.value for name, value in steps[1].locals.items()} == {"n": 3}
    assert steps[8].changed["first"].text == "(deleted)"
    assert "first" not in steps[9].locals
    assert (steps[5].value.value, steps[12].value["1"].value) == (6, 3)
    assert steps[-1] == steps[12]
    with refuses(IndexError, "step 99", "has 13 steps"):
        steps[99]


def test_what_was_recorded_of_objects_can_be_asked_for():
    held = recorded(looks, [looks]).steps[-1].locals
    assert Condition("pair.left == pair[0] == 4 and pair[-1] == 5").is_true_of(held)
    assert Condition("third < 0.5 and third * 3 == 1 and tenth == tenth * 1").is_true_of(held)
    calls = [functools.partial(doubled, one * 10**6) for one in ("a", [0])]
    long, many = (recorded(call, [doubled]).steps[0].locals["x"] for call in calls)
    assert (long.length, many.length) == (10**6, 10**6)
    assert len(long.text) < 250
    assert len(many.parts) < 50


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
def test_a_value_that_cannot_be_looked_at_is_shown_by_its_type_and_told_of(hooks):
    recording = recorded(lambda: doubled(Unlooked()), [doubled], hooks=hooks)
    assert recording.steps[1].locals["x"].text == "<Unlooked>"
    assert "1 values could not be looked at; they are shown by their type." in recording.notes


@every_hook
@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3), ZeroDivisionError("no")])
def test_an_exception_passes_through_and_is_the_last_word(error, hooks):
    def raises():
        raise error

    with pytest.raises(type(error)) as raised, record([raises], hooks=hooks) as recording:
        raises()
    assert raised.value is error
    assert raised.traceback[-1].name == "raises"
    last = recording.steps[-1]
    assert (last.event, last.value.type, last.value.message) == ("exception", type(error).__name__, str(error))
    assert recording.exception == last.value
    assert f"It ended with {type(error).__name__}" in repr(recording)


@every_hook
def test_the_lines_of_the_block_itself_are_recorded_when_its_function_is_in_scope(hooks):
    def block():
        before = 1
        with record(hooks=hooks) as recording:  # of this module
            inside = doubled(before)
            inside += 5
        return recording

    recording = block()
    lines = [step for step in recording.steps if step.text.startswith("inside")]
    assert [step.text for step in lines] == ["inside = doubled(before)", "inside += 5"]
    assert lines[0].locals["before"].value == 1
    assert lines[1].changed["inside"].value == 7
    assert "doubled" in {step.function for step in recording.steps}


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
def test_a_thread_that_was_there_before_is_not_recorded_nor_what_it_is_inside_lost(hooks):
    go, inside, done = threading.Event(), threading.Event(), threading.Event()

    def waits():
        inside.set()
        gone = go.wait(10)
        doubled(2)
        done.set()
        return gone

    thread = threading.Thread(target=waits)
    thread.start()
    inside.wait(10)
    with record([waits, doubled], hooks=hooks) as recording:
        go.set()
        done.wait(10)
        waits()
    thread.join()
    assert {step.thread for step in recording.steps} == {"MainThread"}
    own = [step for step in recording.steps if step.function.endswith("waits")]
    assert [step.event for step in own] == ["call", *["line"] * 5, "return"]
    assert recording.steps[-1].locals["gone"].value is True


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
    assert outer.notes == inner.notes == []


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
def test_watches_are_evaluated_where_their_names_are(hooks):
    recording = recorded(works, [works, doubled], hooks=hooks, watch=["len(items)", "x + 1", "n / 0"])
    steps = recording.steps
    assert steps[3].watches["x + 1"].value == 4
    assert set(steps[3].watches) == {"x + 1"}
    assert steps[8].watches["len(items)"].value == 2
    assert steps[1].watches["len(items)"].text.startswith("NameError")
    assert steps[1].watches["n / 0"].text == "ZeroDivisionError: division by zero"
    assert "x + 1" not in steps[3].locals


@pytest.mark.parametrize(
    ("options", "words"),
    [
        *(
            ({"watch": text}, ["watch:", repr(text), "is not an expression"])
            for text in ("x +", "x = 1", "(y := 1)", "")
        ),
        ({"include": ["no_such_module_anywhere"]}, ["include", "no module 'no_such_module_anywhere'"]),
        ({"include": ["json.nothing"]}, ["include", "no module 'json.nothing'"]),
        ({"include": ["/no/such/file.py"]}, ["include", "no file or folder '/no/such/file.py'"]),
        ({"include": [len]}, ["include", "no line written in Python", "what calls it"]),
        ({"include": [3]}, ["include", "is a int, expected the name of a package"]),
        ({"include": []}, ["include", "would record nothing"]),
        ({"include": [int]}, ["include", "no line written in Python", "one of its base classes"]),
        ({"keep": "all"}, ["keep='all'", "expected"]),
        ({"max_steps": 0}, ["max_steps=0", "expected"]),
        ({"max_bytes": 1.5}, ["max_bytes=1.5", "expected"]),
        ({"progress": 3}, ["progress=3", "expected"]),
        ({"hooks": "magic"}, ["hooks='magic'", "expected"]),
        ({"watch": 5}, ["watch=5", "expected an expression"]),
    ],
)
def test_wrong_options_are_refused_by_name(options, words):
    with refuses(ValueError, *words):
        record(**{"include": [works]} | options)


def test_a_name_of_a_module_that_is_not_imported_yet_imports_nothing():
    for name in [one for one in sys.modules if one.startswith("xml.dom")]:
        del sys.modules[name]
    record(["xml.dom.minidom"])
    assert "xml.dom.minidom" not in sys.modules


def loops(n):
    text = ""
    for i in range(n):
        text = f"{i} " * 20
    return text


@every_hook
def test_bytes_are_bounded_too(hooks):
    recording = recorded(lambda: loops(20000), [loops], hooks=hooks, max_bytes=500_000)
    assert 0 < len(recording) < 40000
    assert recording.left_out > 0
    assert any("max_bytes=500,000" in one for one in recording.notes)


@every_hook
def test_progress_is_told_now_and_then_and_a_callback_that_fails_is_told_of(hooks):
    seen = []

    def fails_late(steps):
        seen.append(steps)
        if steps > 30_000:
            raise ValueError("no screen")

    recording = recorded(lambda: loops(20_000), [loops], hooks=hooks, progress=fails_late)
    assert len(seen) > 5
    assert seen == sorted(seen)
    assert any("no screen" in note for note in recording.notes)
    assert recording.steps[-1].event == "return"


@every_hook
def test_a_frame_that_took_no_step_and_a_thread_that_recorded_nothing_are_not_counted(hooks):
    def outer():
        with record([outer, doubled], hooks=hooks) as recording: doubled(1)  # fmt: skip  # noqa: E701
        return recording

    with record([doubled], hooks=hooks) as recording:
        in_thread(print)
        doubled(1)
    assert repr(recording).startswith("Recording of 4 steps in 1 call\n")
    assert "4294967295" not in repr(outer())


def test_numbers_of_any_size_are_compared_kept_and_told(tmp_path):
    def kept(number):
        recorded(lambda: same(number), [same]).save(tmp_path / "numbers")
        return Recording.load(tmp_path / "numbers")

    def same(number):
        return number

    huge = 1 << 70_000
    ours, other = kept(huge), kept(huge + 1)
    assert ours.diff(kept(huge)) is None
    assert "int of 70001 bits, value int of 70001 bits, and another" in str(ours.diff(other))
    assert ours.steps[-1].value.value == huge
    assert Condition("number > 5 and number - 1 < number").is_true_of(ours.steps[-1].locals)
    for exact in (fractions.Fraction(huge, 3), decimal.Decimal("1e-50")):
        assert kept(exact).steps[-1].value.value == exact
    parts = [kept(fractions.Fraction(number, 3)).steps[-1].value for number in (huge, huge, huge + 3)]
    assert parts[0] == parts[1] != parts[2]
