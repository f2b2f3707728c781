"""What a view asks of the kernel: where a breakpoint stops, what a name was, where a value was made, what says this."""

from __future__ import annotations

import pytest

from prefix_lab.debugger import Recording
from prefix_lab.widgets.stepper.pieces import Pieces
from prefix_lab.widgets.stepper.questions import Questions
from tests.debugger.recorded import recorded
from tests.widgets.stepper.javascript import number_of


def leaf(x):
    y = x + 1
    return y


def makes(n):
    made = [n]
    for i in range(n):
        made.append(leaf(i))
    del n
    return made


def passes(n):
    made = makes(n)
    other = made
    return other


def line(function, below):
    """The number of a line of a function, counted from its `def`."""
    return function.__code__.co_firstlineno + below


def asked(recording: Recording) -> Questions:
    return Questions(Pieces(recording))


@pytest.fixture(scope="module")
def questions():
    return asked(recorded(lambda: passes(3), [passes, makes, leaf]))


@pytest.fixture(scope="module")
def file(questions):
    [name] = questions.pieces.paths
    return name


def at(questions, step):
    return questions.recording.steps[step]


def stopped(questions, *asked, **options):
    """The step of a stop's answer, which also says which of the breakpoints it is."""
    found = questions.stop(*asked, **options)
    return found and found[0]


def test_the_next_stop_and_the_one_before_are_those_of_the_debugger(questions, file):
    point = {"file": file, "line": line(leaf, 1)}
    first = stopped(questions, 0, [point])
    second = stopped(questions, first, [point])
    third = stopped(questions, second, [point])
    assert [at(questions, step).locals["x"].value for step in (first, second, third)] == [0, 1, 2]
    assert stopped(questions, third, [point]) is None
    assert stopped(questions, third, [point], back=True) == second
    assert stopped(questions, first, [point], back=True) is None


def test_of_several_breakpoints_the_nearest_stops(questions, file):
    points = [{"file": file, "line": line(makes, 5)}, {"file": file, "line": line(leaf, 2)}]
    assert at(questions, stopped(questions, 0, points)).text == "return y"
    last = len(questions.recording) - 1
    assert at(questions, stopped(questions, last, points, back=True)).text == "return made"
    assert questions.stop(0, []) is None
    assert [questions.stop(0, both)[1] for both in (points, points[::-1])] == [1, 0]


def test_a_condition_holds_where_its_expression_does(questions, file):
    point = {"file": file, "line": line(leaf, 2), "condition": "x == 1 and y > x"}
    stop = stopped(questions, 0, [point])
    assert at(questions, stop).locals["x"].value == 1
    assert stopped(questions, stop, [point]) is None
    assert questions.stop(0, [point | {"condition": "nowhere"}]) is None
    assert stopped(questions, 0, [point | {"condition": ""}]) == stopped(questions, 0, [point | {"condition": None}])


def test_a_history_has_every_value_of_a_name_in_its_call(questions):
    inside = next(step.index for step in questions.recording.steps if step.function == "makes")
    found = questions.history(inside, number_of(questions.recording, "i"))
    assert [value[1] for _, _, value in found] == ["0", "1", "2"]
    assert {at(questions, step).text for step, _, _ in found} == {"for i in range(n):"}
    ended = questions.history(inside, number_of(questions.recording, "n"))
    assert [value and value[1] for _, _, value in ended] == ["3", None]
    assert at(questions, ended[-1][0]).text == "del n"
    assert questions.history(0, number_of(questions.recording, "x")) == []


def test_a_value_was_made_by_the_line_that_bound_it_first_and_not_by_those_that_called_it(questions):
    assert at(questions, questions.made(result_of(questions))).text == "made.append(leaf(i))"  # such as it is now


def result_of(questions):
    recording = questions.recording
    [one] = recording.bindings(len(recording) - 1)
    return recording.columns.binding_value[one]


def test_an_object_was_made_where_it_was_bound_first_whatever_was_done_to_it_later():
    class Box:
        def __init__(self):
            self.inside = []

    def boxes():
        box = Box()
        box.inside.append(5)
        return box

    def takes():
        box = boxes()
        box.inside.append(6)
        return box

    questions = asked(recorded(takes, [takes, boxes]))
    assert at(questions, questions.made(result_of(questions))).text == "box = Box()"


def test_recursion_leads_to_the_innermost_call_that_made_a_value():
    def down(n):
        found = down(n - 1) if n else [n]
        return found

    questions = asked(recorded(lambda: down(4), [down]))
    value = next(one for one, value in enumerate(questions.columns.values) if getattr(value, "type", "") == "list")
    step = at(questions, questions.made(value))
    assert (step.event, step.locals["n"].value) == ("line", 0)


def test_a_plain_value_was_made_where_a_name_got_it_first(questions):
    value = questions.columns.values.index(2)
    step = at(questions, questions.made(value))
    assert 2 in [one.value for one in step.changed.values()]


def test_a_search_finds_functions_lines_and_values_capitals_aside(questions):
    found = questions.search(" LEAF ")
    assert [(kind, text) for kind, _, _, text in found] == [("function", "leaf"), ("line", "made.append(leaf(i))")]
    assert [count for _, _, count, _ in found] == [3, 3]
    values = [text for kind, _, _, text in questions.search("[3, 1, 2]") if kind == "value"]
    assert values == ["made = [3, 1, 2]"]
    assert [row[0] for row in questions.search("3")] == ["value"] * len(questions.search("3"))
    assert questions.search("  ") == questions.search("") == []
    assert questions.search("no such text") == []


def test_a_watched_expression_is_found_by_its_own_text():
    questions = asked(recorded(lambda: leaf(41), [leaf], watch="y * 1000"))
    assert [text for *_, text in questions.search("42000")] == ["y * 1000 = 42000"]
