"""The views' JavaScript says of every step, and answers to every question, what Python says."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from prefix_lab.debugger import Recording, record
from prefix_lab.debugger.steps import NONE
from prefix_lab.widgets.stepper.pieces import Pieces
from prefix_lab.widgets.stepper.questions import Questions
from prefix_lab.widgets.stepper.written import as_json, colours_of, headline
from tests.debugger.programs import programs
from tests.debugger.recorded import PHASES, recorded
from tests.debugger.test_against_interpreter import functions, loaded, outcome
from tests.widgets.stepper.javascript import cut_small, javascript, number_of, packed

pytestmark = pytest.mark.filterwarnings("ignore:assigning None to unbound local:RuntimeWarning")  # 3.12's own
drawn_programs = settings(
    max_examples=12, deadline=None, derandomize=True, phases=PHASES, suppress_health_check=list(HealthCheck)
)
MOVES = [(move, back) for move in ("step_in", "step_over", "step_out", "step_end") for back in (False, True)]
LONGEST = 1_200  # steps of a drawn program


def drawn(source: str, **options: Any) -> Recording:
    main = loaded(source)
    with record([main.__code__, *functions(main)], max_steps=LONGEST, **options) as recording:
        outcome(main)
    return recording


def said_by_python(recording: Recording, index: int, lines: dict[str, int], fresh: set[str]) -> dict[str, Any]:
    """What `at` in driver.mjs says of a step, from the cursor."""
    cursor = recording.cursor(index)
    step = cursor.step
    pieces = Pieces(recording)
    held = step.locals | step.watches
    events = [(one.index, one.event, one.function, one.line, one.frame) for one in cursor.stack]
    return as_data(
        {
            "event": step.event,
            "file": pieces.paths[pieces.files.index(step.file)],
            "function": step.function,
            "line": step.line,
            "frame": step.frame,
            "thread": step.thread,
            "locals": sorted([name, headline(value), lines[name]] for name, value in held.items()),
            "bound": bound_at(recording, index),
            "fresh": sorted(fresh),
            "stack": events,
            "caller": cursor.stack[1].index if len(cursor.stack) > 1 else None,
            "moves": [
                moved(recording, index, move, back, skip) for skip in ((), skipped(recording)) for move, back in MOVES
            ],
        }
    )


def as_data(said: Any) -> Any:
    return json.loads(as_json(said))


def spoken(recording: Recording, name: int) -> str:
    return recording.columns.names[name].removeprefix("watch: ")


def bound_at(recording: Recording, index: int) -> list[list[Any]]:
    columns = recording.columns
    return [
        [
            spoken(recording, columns.binding_name[one]),
            None if columns.binding_value[one] == NONE else headline(recording.value(columns.binding_value[one])),
            columns.binding_flag[one],
        ]
        for one in recording.bindings(index)
    ]


def frames_before(recording: Recording) -> list[tuple[dict[str, int], set[str]]]:
    """For each step, by walking its frame from the beginning: the line that bound each name last, and the names that
    the step before bound. A call finds its own arguments."""
    lines: dict[int, dict[str, int]] = {}
    before: dict[int, set[str]] = {}
    found = []
    for step in recording.steps:
        mine = lines.setdefault(step.frame, {})
        bound = {name: step.line for name, _value, _flag in bound_at(recording, step.index)}
        arguments = bound if step.event == "call" else {}
        found.append((mine | arguments, before.get(step.frame, set())))
        mine |= bound
        before[step.frame] = set(bound)
    return found


def skipped(recording: Recording) -> list[str]:
    """Every second of the names of functions."""
    return sorted({name.rpartition(".")[2] for _, name, _ in recording.columns.functions})[::2]


def moved(recording: Recording, index: int, move: str, back: bool, skip: Sequence[str]) -> int | None:
    cursor = recording.cursor(index)
    cursor.skip = skip
    return cursor.index if getattr(cursor, move)(back) else None


def said_by_javascript(recording: Recording, steps: list[int]) -> list[dict[str, Any]]:
    functions = recording.columns.functions
    found = javascript("walk", packed(recording), steps, skipped(recording))
    for one in found:
        for call in one["stack"]:
            call[2] = functions[call[2]][1]
        one["locals"].sort()
        one["fresh"].sort()
    return found


def same_at_every_step(recording: Recording, most: int = LONGEST) -> None:
    steps = list(range(len(recording)))
    if len(steps) > most:
        steps = sorted(random.Random(0).sample(steps, most))
    before = frames_before(recording)
    for step, found in zip(steps, said_by_javascript(recording, steps), strict=True):
        expected = said_by_python(recording, step, *before[step])
        different = {key: (found[key], said) for key, said in expected.items() if found[key] != said}
        assert not different, recording.steps[step]


@drawn_programs
@given(source=programs())
def test_the_page_stands_at_every_step_where_the_cursor_stands(source):
    note(source)
    with cut_small():
        same_at_every_step(drawn(source))


def climbs(n, gate):
    total = 0
    for i in range(n):
        gate.wait(timeout=20)
        total += below(i)
    return total


def below(n):
    if n == 0:
        return 0
    inner = below(n - 1)
    return inner + n


def yields(n):
    for i in range(n):
        sent = yield i
    return sent


def drives():
    made, other = yields(9), yields(3)
    found = [next(made), next(other)]
    for one in made:
        found.append(one)
        next(other, None)
    return found


def fails(n):
    kept = [n]
    try:
        return fails(n - 1) if n else kept[n + 1]
    except IndexError as error:
        kept.append(str(error))
        if n == 3:
            del kept
            raise ValueError(n) from error
        raise


def ends_by_error(n):
    try:
        raise ValueError(n)
    finally:
        below(below(n) + sum(yields(n)))


def swallows():
    for n in (1, 2):
        try:
            ends_by_error(n)
        except ValueError:
            below(n)


def in_two_threads():
    gate = threading.Barrier(2)
    other = threading.Thread(target=climbs, args=(4, gate), name="other")
    other.start()
    climbs(4, gate)
    other.join()


def loops(n):
    total = last = 0
    first = n
    for i in range(n):
        last, total = total, total + i
    return first, last


@pytest.mark.parametrize("program", [in_two_threads, drives, lambda: fails(4), lambda: loops(300), swallows])
def test_threads_generators_exceptions_and_long_loops_are_walked_alike(program):
    with cut_small():
        called = [climbs, below, yields, drives, fails, loops, ends_by_error]
        same_at_every_step(recorded(program, [*called, swallows, in_two_threads]))
        same_at_every_step(recorded(program, called))


def test_watched_expressions_are_among_the_values_of_a_step():
    recording = recorded(lambda: below(3), [below], watch=["n + 1", "inner * 2"])
    with cut_small(4):
        same_at_every_step(recording)
    assert any("inner * 2" in [name for name, *_ in one["locals"]] for one in said_by_javascript(recording, [9, 10]))


def test_pieces_of_any_size_say_the_same():
    recording = recorded(drives, [drives, yields])
    for size in (1, 2, 3, 1000):
        with cut_small(size):
            same_at_every_step(recording)


def test_a_page_keeps_few_pages_and_asks_once_for_what_it_has():
    recording = recorded(lambda: loops(800), [loops])
    with cut_small():
        found = javascript("kept", packed(recording), list(range(len(recording))))
    assert 0 < len(found["pages"]) <= 192
    assert found["pages"][-1] == f"steps/{(len(recording) - 1) // 8}"
    asked = [key for keys in found["asked"] for key in keys]
    assert len(asked) == len(set(asked))
    assert ["source/0", "values/0"] in found["asked"]  # what is asked for at once comes at once


def test_a_piece_that_did_not_come_is_asked_for_again():
    assert javascript("refused", {}, "steps/0") == ["no piece steps/0"] * 2


def questions_of(recording: Recording, seed: int) -> list[dict[str, Any]]:
    """Questions of each kind, about places and values of this recording."""
    draw, columns = random.Random(seed), recording.columns
    names = Pieces(recording).paths
    lines = [(columns.functions[function][0], line) for _, function, line in columns.places]
    lines += [(file, line + by) for file, line in lines for by in (-1, 1) if line + by]
    files = Pieces(recording).files
    conditions = [None, "", "a == 1", "b > c", "a + b * 2 < c or not a", "len(items) > 1", "n >= 2", "q is None"]
    conditions += ["i != x", "items[0] > 0", "error.type == 'ValueError'", "value", "total % 2 == 1", "nothing == 1"]
    conditions += ["itms == 1", "error.kind == 'ValueError'", "a.shape == 1", "items.length['b'] == 2", "a + 'b' == 3"]
    asked: list[dict[str, Any]] = []
    for _ in range(40):
        points = [
            {"file": names[files.index(file)], "line": line, "condition": draw.choice(conditions)}
            for file, line in draw.choices(lines, k=draw.randint(1, 3))
        ]
        step = draw.randrange(len(recording))
        asked.append({"ask": "stop", "step": step, "breakpoints": points, "back": draw.random() < 0.5})
        asked.append({"ask": "unknown", "breakpoint": points[0]})
    asked.append({"ask": "stop", "step": 0, "breakpoints": []})
    called = sorted({name for _, name, _ in columns.functions})
    bound = [name for name in columns.names if name.isidentifier()]
    for _ in range(30):
        rest = {"condition": draw.choice(conditions[:8]) or "", "hits": draw.choice(["", "", "2", "% 3", ">= 2"])}
        one = draw.choice(
            [
                {"name": draw.choice(bound), "function": draw.choice(called)},
                {"function": draw.choice([*called, "nowhere"]).rpartition(".")[2]},
                {"raises": draw.choice(["", "ValueError", "Exception, nothing"])},
                {"file": names[0], "line": draw.choice(lines)[1]},
                {"condition": draw.choice(conditions[2:])},
            ]
        )
        step, back = draw.randrange(len(recording)), draw.random() < 0.5
        asked.append({"ask": "times", "breakpoint": one})
        asked.append({"ask": "stop", "step": step, "breakpoints": [rest | one, one], "back": back})
        asked.append({"ask": "said", "breakpoints": [rest | one | {"log": "a {a} {items} {total + 1}"}]})
    for _ in range(15):
        step, name = draw.randrange(len(recording)), draw.randrange(len(columns.names))
        asked.append({"ask": "history", "step": step, "name": name})
    for _ in range(20):
        since, step = draw.randrange(len(recording)), draw.randrange(len(recording))
        asked.append({"ask": "changed", "since": since, "step": step})
    asked += [{"ask": "made", "value": draw.randrange(len(columns.values))} for _ in range(20)]
    texts = ["a", "1", "VALUEERROR", "deep", " items ", "", "  ", "(", "none", "total +=", "no such text"]
    return asked + [{"ask": "search", "text": text} for text in texts]


def answered_alike(recording: Recording, seed: int = 0) -> list[Any]:
    asked = questions_of(recording, seed)
    questions = Questions(Pieces(recording))
    found = javascript("answers", packed(recording), asked)
    for question, answer in zip(asked, found, strict=True):
        assert answer == as_data(questions.answer(question)), question
    return found


@drawn_programs
@given(source=programs(), seed=st.integers(0, 1000))
def test_a_page_without_a_kernel_answers_as_the_kernel_does(source, seed):
    note(source)
    recording = drawn(source, watch=["a + b"])
    with cut_small():
        answered_alike(recording, seed)


def test_answers_are_alike_in_threads_and_for_objects_that_are_bound_again():
    def shares(items):
        other = items
        for i in range(60):
            other.append([i])
            third = other[-1]
        return third

    with cut_small():
        answered_alike(recorded(in_two_threads, [climbs, below, in_two_threads]))
        found = answered_alike(recorded(lambda: shares([1]), [shares]))
    assert any(found)


def test_a_search_shows_no_more_than_a_hundred_things_of_a_kind():
    recording = recorded(lambda: loops(300), [loops])
    [rows] = javascript("answers", packed(recording), [{"ask": "search", "text": "1"}])
    assert rows == as_data(Questions(Pieces(recording)).search("1"))
    assert sum(row[0] == "value" for row in rows) == 100


def test_a_history_ends_at_a_thousand_values():
    recording = recorded(lambda: loops(1_200), [loops])
    question = {"ask": "history", "step": 5, "name": number_of(recording, "total")}
    [found] = javascript("answers", packed(recording), [question])
    assert len(found) == 1_000
    assert found == as_data(Questions(Pieces(recording)).answer(question))


SIGNS = ["plain", "a\tb\n", "\x00\x1b[31m", "\x7f\x85", "\u202etxt.exe\u2066", "\ufeff\u200b", "\ud800", "a\udc00b"]
SIGNS += ["😀", "é"]


def test_text_that_is_shown_stays_on_its_line_and_in_its_order():
    found = javascript("shown", SIGNS)
    assert found[0] == "plain"
    assert found[1] == "a␉b␊"
    assert found[2] == "␀␛[31m"
    assert found[3:8] == ["\\u007f\\u0085", "\\u202etxt.exe\\u2066", "\\ufeff\\u200b", "\\ud800", "a\\udc00b"]
    assert found[8:] == ["😀", "é"]


@given(st.text(st.characters(), max_size=30))
def test_what_is_shown_has_no_sign_that_disturbs(text):
    [found] = javascript("shown", [text])
    found.encode()  # no half of a pair is left
    assert not any(ord(sign) < 32 or 0x7F <= ord(sign) < 0xA0 or 0x202A <= ord(sign) <= 0x202E for sign in found)


CODE = '''
@decorated.by(1)
async def f(x: int, *, y="a # b") -> None:  # why
    """A text
    over lines"""
    z = 0x1F + 1_000.5e-3 if x else rb'\\'' + "open
    class Ä: é = lambda: None
    return f"{x!r}" """one""" + \'\'\'two
three\'\'\'
'''


def coloured(text: str) -> list[list[tuple[str, str]]]:
    """Its lines as a view draws them: each piece with its kind."""
    lines = javascript("coloured", text, colours_of(text))
    assert ["".join(part for _, part in line) for line in lines] == text.split("\n")
    return lines


def test_colours_leave_the_text_as_it_is_and_find_the_kinds():
    kinds = {(kind, text) for line in coloured(CODE) for kind, text in line}
    assert {("keyword", "async def "), ("definition", "f"), ("comment", "# why"), ("decorator", "@decorated")} <= kinds
    assert {("string", '"a # b"'), ("string", '"""A text'), ("string", '    over lines"""')} <= kinds
    assert {("number", "0x1F "), ("number", "1_000.5e-3 "), ("definition", "Ä"), ("builtin", "int")} <= kinds
    assert colours_of("def forward(): pass") == "k4f7.4k4"


@given(st.text(st.sampled_from("ab1\"'#@\\ \n{}frb_é.😀"), max_size=60))
def test_colours_leave_any_text_as_it_is(text):
    coloured(text)


def test_the_source_of_a_real_module_is_coloured_whole_and_compactly():
    text = Path(random.__file__).read_text(encoding="utf-8")
    assert not any(kind == "" and '"""' in part for line in coloured(text) for kind, part in line)
    assert len(colours_of(text)) < 0.6 * len(text)
