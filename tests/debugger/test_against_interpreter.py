"""The recording says what the interpreter says: held against the plainest tracer, on programs drawn at random."""

from __future__ import annotations

import functools
import json
import sys
import textwrap
from types import CodeType
from typing import Any

import pytest
from hypothesis import given, note
from hypothesis import strategies as st

from prefix_lab.debugger import Recording, record
from prefix_lab.debugger.steps import NONE
from prefix_lab.debugger.tokens import LineInfo, Token
from tests.debugger.programs import PRELUDE, programs
from tests.debugger.recorded import HOOKS, Seen, drawn, every_hook, lines_of, recorded, reference

FILE = "<program>"
UNSURE = sys.version_info[:2] == (3, 12)


pytestmark = pytest.mark.filterwarnings("ignore:assigning None to unbound local:RuntimeWarning")  # 3.12's own


def outcome(main: Any) -> Any:
    try:
        return main()
    except Exception as error:
        return f"{type(error).__name__}: {error}"


@functools.lru_cache(1)
def compiled(source: str) -> CodeType:
    return compile(source, FILE, "exec")


def loaded(source: str) -> Any:
    names: dict[str, Any] = {"__name__": "drawn"}
    exec(compiled(source), names)
    return names["main"]


def seen_by_both(source: str, hooks: str) -> tuple[list[Seen], Recording, Any, Any]:
    """What a tracer is told, with the names where looking at them changes nothing; a recording; results."""
    plain = outcome(loaded(source))
    main = loaded(source)
    with reference(FILE, with_names=False) as seen:
        assert outcome(main) == plain
    main = loaded(source)
    with reference(FILE) as named:
        looked_at = outcome(main)
    # To read f_locals keeps generators alive (before 3.13), and can change what comprehensions and cells hold.
    if looked_at == plain and [one[:3] for one in named] == [one[:3] for one in seen]:
        seen = named
    main = loaded(source)
    with record([main.__code__, *functions(main)], hooks=hooks) as recording:
        ours = outcome(main)
    return seen, recording, plain, ours


def functions(main: Any) -> list[Any]:
    """Everything that the program defines."""
    return [thing for thing in main.__globals__.values() if getattr(thing, "__module__", None) == "drawn"]


@every_hook
@drawn(150)
@given(source=programs())
def test_lines_calls_and_values_are_those_of_a_plain_tracer(source, hooks):
    note(source)
    assert_as_seen(source, hooks)


@every_hook
@pytest.mark.parametrize(
    "call",
    [
        "drives(through(2, 2, 1), 1, 0)",
        "drives(through(0, 2, 2), 1, 0)",
        "drives(awaits(3, 2, 1), 1, 0)",
        "drives(uses(2, 2, 0), 1, 3)",
        "manages(2, 1, 1, True)",
        "asyncio.run(cancels(1))",
        "asyncio.run(groups(1))",
    ],
)
def test_what_goes_on_when_something_was_swallowed_further_in_is_recorded_in_its_place(call, hooks):
    assert_as_seen(f"{PRELUDE}\ndef main():\n    return {call}\n", hooks)


@every_hook
def test_a_generator_goes_on_in_both_of_two_recordings(hooks):
    def inner():
        try:
            yield 1
        except ValueError:
            return 5

    def outer():
        got = yield from inner()
        more = got + 1
        yield more

    with record([inner, outer], hooks=hooks) as far, record([outer], hooks=hooks) as near:
        generator = outer()
        next(generator)
        generator.throw(ValueError("thrown"))
    for recording in (far, near):
        assert recording.notes == []
        last = [step for step in recording.steps if step.event == "yield"][-1]
        assert last.value.value == 6
        assert (last.locals["got"].value, last.locals["more"].value) == (5, 6)


@every_hook
def test_how_a_frame_is_left_is_told_apart(hooks):
    async def none():
        return
        yield

    async def walks():
        total = 0
        async for i in none(): total += i  # fmt: skip # noqa: E701

    def gives():
        try:
            yield 1
        finally:
            pass

    def uses():
        coroutine = walks()
        with pytest.raises(StopIteration):
            coroutine.send(None)
        generator = gives()
        next(generator)
        with pytest.raises(ValueError, match="thrown"):
            generator.throw(ValueError("thrown"))

    recording = recorded(uses, [walks, gives], hooks=hooks)
    said = [(step.event, step.function.split(".")[-1]) for step in recording.steps if step.event != "line"]
    walked = [("call", "walks"), ("exception", "walks"), ("return", "walks")]
    given = [("call", "gives"), ("yield", "gives"), ("resume", "gives"), ("exception", "gives")]
    assert said == walked + given
    assert [step.changed for step in recording.steps if "async for" in step.text and step.event == "line"] == [{}]


def assert_as_seen(source: str, hooks: str) -> None:
    """Lines, calls and values are those that a plain tracer is told of, and nothing else is changed."""
    seen, recording, plain, ours = seen_by_both(source, hooks)
    assert ours == plain
    steps = [step for step in recording.steps if step.event in ("line", "call", "resume")]
    ours_said = [("call" if step.event == "resume" else step.event, step.function, step.line) for step in steps]
    # A tracer hears of a generator that goes on as of a call; the line it has then differs between versions.
    assert without_lines_of_calls(ours_said) == without_lines_of_calls([one[:3] for one in seen])
    for step, one in zip(steps, seen, strict=True):
        if step.event == "line" and one.names is not None:
            held = {name: value.facts["value"] for name, value in step.locals.items() if "value" in value.facts}
            if one.function.endswith("Local"):  # while a comprehension runs, f_locals forgets a class's other names
                # Python 3.12's has what was there before, or None, for the names of comprehensions.
                assert UNSURE or one.names.items() <= held.items(), (step, step.locals, one)
            else:
                assert held == one.names, (step, step.locals, one)
    assert not recording.notes


def without_lines_of_calls(events: list[tuple[str, str, int]]) -> list[tuple[str, str, int | None]]:
    return [(event, function, line if event == "line" else None) for event, function, line in events]


if len(HOOKS) > 1:  # from Python 3.12 on

    @drawn(100)
    @given(source=programs())
    def test_both_ways_of_recording_give_the_same_recording(source):
        note(source)
        first = seen_by_both(source, "settrace")[1]
        second = seen_by_both(source, "monitoring")[1]
        assert [*map(repr, first.steps)] == [*map(repr, second.steps)]
        assert [step.depth for step in first.steps] == [step.depth for step in second.steps]
        assert [step.in_place for step in first.steps] == [step.in_place for step in second.steps]


@every_hook
@drawn(60)
@given(source=programs(), data=st.data())
def test_what_a_tape_lacks_costs_no_more_than_itself(source, data, hooks):
    note(source)
    main = loaded(source)
    with record([main.__code__, *functions(main)], hooks=hooks) as recording:
        outcome(main)
    [tape] = recording._tapes  # it is read when it is asked for first
    tokens = [at for at, item in enumerate(tape.items) if isinstance(item, Token)]
    for _ in range(3):
        first, last = sorted(data.draw(st.tuples(*2 * [st.sampled_from(tokens)])))
        del tape.items[first:last]
        tokens = [at for at in tokens if at < first] + [at - last + first for at in tokens if at >= last]
    left = [(item.info.function, item.line) for item in tape.items if type(item) is LineInfo]
    assert lines_of(recording) == left
    cursor = recording.cursor()
    for step in recording.steps:
        assert repr(step), cursor.goto(step)
        assert recording.stack(step.index) == sorted(recording.stack(step.index), reverse=True)
        assert all(recording.steps[at].function == step.function for at in frame_of(recording, step.index))
    repr(recording), recording.calls


def frame_of(recording: Recording, step: int) -> list[int]:
    """The steps of the same frame, up to this one."""
    found = []
    while step != NONE:
        found.append(step)
        step = recording.columns.step_before[step]
    return found


@every_hook
@pytest.mark.parametrize(
    ("call", "module"),
    [
        (lambda: json.loads(json.dumps({"a": [1, 2.5, None, "text"], "b": {"c": True}}, indent=1)), json.encoder),
        (lambda: textwrap.fill("the quick brown fox jumps over the lazy dog " * 3, width=20), textwrap),
    ],
)
def test_lines_of_the_standard_library_are_those_of_a_plain_tracer(call, module, hooks):
    call()  # caches are filled
    with reference(module.__file__) as seen:
        call()
    recording = recorded(call, [module], hooks=hooks)
    assert lines_of(recording) == [(one.function, one.line) for one in seen if one.event == "line"]
    assert len(recording) > 10


@every_hook
def test_values_are_those_that_the_frame_held_in_a_frame_of_many_steps(hooks):
    source = """
def main():
    total = 0
    for i in range(300):
        if i % 3 == 0:
            total += i
            continue
        last = i
    return total
"""
    assert_as_seen(source, hooks)
    _, recording, _, _ = seen_by_both(source, hooks)
    assert len(recording.columns.snapshots) > 2
