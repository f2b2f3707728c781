"""Where a breakpoint stands that a person sets at a line: one rule for programs, editors, the replay and pages."""

from __future__ import annotations

from functools import cache
from textwrap import dedent

import pytest

from prefix_lab.debugger import Breakpoint, Recording, record
from prefix_lab.debugger.placing import at_line, lines_of
from tests.debugger.recorded import refuses

PROGRAM = '''
def kept(function):
    return function


@kept
@kept  # the second
def area(
    width,
    height,
):
    """What a rectangle covers."""

    # a comment
    found = sum(
        [width * height],
    )
    if found < 0:
        found = 0
    else:
        found += 0
    return found


def never(called):
    return called


def total(n):
    return sum(area(i, 2) for i in range(n))
'''
LINES = dedent(PROGRAM).split("\n")
FILE = "/somewhere/program.py"


def line_of(text: str) -> int:
    return next(number for number, line in enumerate(LINES, 1) if text in line)


@cache
def recording() -> Recording:
    """The functions alone: `def` itself ran before."""
    names: dict = {"__name__": "program"}
    exec(compile(PROGRAM, FILE, "exec"), names)
    with record([names["area"], names["never"], names["total"]]) as recording:
        names["total"](3)
    recording.sources[FILE] = PROGRAM
    return recording


PLACES = {
    "@kept": ("call", "@kept"),
    "@kept  # the second": ("call", "@kept"),
    "def area(": ("call", "@kept"),
    "    height,": ("call", "@kept"),
    '"""What': ("line", "found = sum("),
    "# a comment": ("line", "found = sum("),
    "    found = sum(": ("line", "found = sum("),
    "    )": ("line", "found = sum("),
    "else:": ("line", "found += 0"),
    "def total(n)": ("call", "def total(n):"),
}


@pytest.mark.parametrize("text", PLACES)
def test_a_breakpoint_stops_where_a_person_means_forwards_and_backwards(text):
    event, there = PLACES[text]
    breakpoint = Breakpoint(file="program.py", line=line_of(text))
    forwards = stops(breakpoint)
    assert len(forwards) == len(stops(Breakpoint(line=line_of(there))))
    assert {(step.event, step.text) for step in forwards} == {(event, there)}
    assert stops(breakpoint, backwards=True) == forwards[::-1]
    placed = at_line(recording(), FILE, line_of(text))
    assert list(placed.steps) == [step.index for step in forwards]
    assert placed.line == lines_of(recording(), FILE).table()[line_of(text)] == forwards[0].line
    assert bool(placed.moved) == (placed.line != line_of(text))


def stops(breakpoint: Breakpoint, backwards: bool = False) -> list:
    """Every step at which it stops, from beyond one end on."""
    found = breakpoint.steps(recording(), len(recording()) if backwards else -1, backwards)
    return [recording().steps[step] for step in found]


@pytest.mark.parametrize("text", ["found = 0", "def never(", "return called"])
def test_a_line_that_never_ran_is_said_to(text):
    line = line_of(text)
    assert stops(Breakpoint(file="program.py", line=line)) == []
    assert line not in lines_of(recording(), FILE).table()
    with refuses(ValueError, f"program.py:{line} never ran in this recording", "Lines near it that did"):
        at_line(recording(), FILE, line)


def test_with_an_event_a_line_is_that_line_alone():
    assert stops(Breakpoint(line=line_of("def area("), event="line")) == []
    assert len(stops(Breakpoint(line=line_of("@kept"), event="call"))) == 3


def test_a_line_of_no_named_file_is_one_that_ran():
    assert {step.text for step in stops(Breakpoint(line=line_of("return found")))} == {"return found"}
    assert {step.text for step in stops(Breakpoint("area", line=line_of("# a comment")))} == {"found = sum("}


def test_the_condition_of_a_breakpoint_at_a_call_sees_the_arguments():
    [step] = stops(Breakpoint(file="program.py", line=line_of("def area("), condition="width == 2"))
    assert (step.event, step.locals["width"].value) == ("call", 2)
