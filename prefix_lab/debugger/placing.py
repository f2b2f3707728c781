"""Where in a recording a breakpoint can stand, and the nearest step at which one of several stops.

`CodeLines.settle` is the one rule for lines, whoever sets a breakpoint: an editor (`dap/`), the terminal's replay, the
stepper and its pages, which get its answers with the text of a file, or a program that writes a `Breakpoint`.
"""

from __future__ import annotations

import ast
import operator
import re
import warnings
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import cached_property, lru_cache
from itertools import takewhile
from pathlib import PurePath
from types import CodeType

from prefix_lab.debugger.search import exceptions_of, is_end_of, is_end_of_name, is_exception
from prefix_lab.debugger.stages import known_stages, runs_of_stage
from prefix_lab.debugger.steps import CALL, IN_PLACE, LINE, NONE, RecordedSteps
from prefix_lab.debugger.summary import as_summary
from prefix_lab.debugger.text import clipped, functions_near, lines_near, listed
from prefix_lab.debugger.truth import Truth, truth_of

KEPT = 32  # files whose lines are remembered
LOOKED_AT = 1000  # steps, after which whoever asked is listened to again
HITS = re.compile(r"\s*(==|>=|<=|>|<|%)?\s*([0-9]{1,9})\s*")
COMPARED = {"==": operator.eq, ">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}
GivenUp = Callable[[], bool]


class Interrupted(Exception):
    """Whoever asked for a search has given it up."""


class PlacedBreakpoint:
    """The steps at which it can stop, and which of them: where a condition holds, and of those times the n-th.

    `steps` rise. `condition` is an expression as a `Breakpoint` takes it. `hits` counts: `3` or `== 3` is the third
    time, `>= 3`, `< 3` and so on, `% 3` every third; it counts from the beginning, whichever way one comes. `file` and
    `line` are where it stands, if it stands at a line, and `moved` says that another line was asked for. One that
    `says` something is a log point: it is passed, and not stopped at.

    Raises `ValueError` for a condition or a count that could never hold.
    """

    def __init__(self, recording: RecordedSteps, label: str, steps: Sequence[int], condition: str = "", hits: str = ""):
        self.label, self.steps = label, steps
        self.number, self.file, self.line, self.moved, self.says = 0, "", 0, "", ""
        self.times = times_of(hits)
        self.truth = truth_at(recording, condition.strip(), steps)

    def nearest(self, index: int, backwards: bool, until: int | None, given_up: GivenUp) -> int | None:
        """The next step beyond `index` at which it stops, and before `until`. Raises `Interrupted`."""
        if self.truth is not None and not self.truth.may_hold:
            return None
        self.settle(given_up)
        steps = listening(beyond(self.steps, index, backwards), given_up)
        if until is not None:
            steps = takewhile((lambda step: step > until) if backwards else (lambda step: step < until), steps)
        if self.truth is not None:
            return next(self.truth.holding(steps), None)
        return next((step for step in steps if self.holds(step)), None)

    def settle(self, given_up: GivenUp = lambda: False) -> None:
        """With a count, what is counted are the times at which the condition held. Raises `Interrupted`."""
        if self.times is not None and self.truth is not None:
            self.steps, self.truth = array("I", filter(self.truth.at, listening(self.steps, given_up))), None

    def holds(self, step: int) -> bool:
        """Of one of its steps, whether the condition and the count hold."""
        if self.times is not None:
            return self.times(bisect_left(self.steps, step) + 1)
        return self.truth is None or self.truth.at(step)

    def stops_at(self, step: int) -> bool:
        self.settle()
        at = bisect_left(self.steps, step)
        return at < len(self.steps) and self.steps[at] == step and self.holds(step)


def nearest(
    breakpoints: Iterable[PlacedBreakpoint],
    index: int,
    backwards: bool = False,
    until: int | None = None,
    given_up: GivenUp = lambda: False,
) -> tuple[int, list[PlacedBreakpoint]] | None:
    """The nearest step beyond `index` where one of them stops, and all that do; None when there is none before `until`.

    `given_up` is asked now and then; when it says yes, this raises `Interrupted`.
    """
    breakpoints, best = list(breakpoints), until
    for one in breakpoints:
        found = one.nearest(index, backwards, best, given_up)
        best = best if found is None else found
    if best is None or best == until:
        return None
    return best, [one for one in breakpoints if one.stops_at(best)]


def beyond(steps: Sequence[int], place: int, backwards: bool) -> Iterator[int]:
    """Of rising steps those after a place, or those before it from the last on; none of the others is touched."""
    if backwards:
        return (steps[at] for at in range(bisect_left(steps, place) - 1, -1, -1))
    return (steps[at] for at in range(bisect_right(steps, place), len(steps)))


def listening(steps: Iterable[int], given_up: GivenUp) -> Iterator[int]:
    for count, step in enumerate(steps, 1):
        if count % LOOKED_AT == 0 and given_up():
            raise Interrupted
        yield step


def at_line(recording: RecordedSteps, file: str, line: int, condition: str = "", hits: str = "") -> PlacedBreakpoint:
    """At a line of a recorded file, or at the line that runs for it: a comment leads to what follows it, a function's
    header to its call. Raises `ValueError` for a line that never ran, and leads to none that did."""
    stands, moved = lines_of(recording, file).settle(line)
    steps = steps_at(recording, lines_of(recording, file).ran[stands])
    found = PlacedBreakpoint(recording, "breakpoint", steps, condition, hits)
    found.file, found.line, found.moved = file, stands, moved
    return found


def at_function(recording: RecordedSteps, name: str, condition: str = "", hits: str = "") -> PlacedBreakpoint:
    """At the calls of a function: a qualified name, or its end. Raises `ValueError` when none was called."""
    columns = recording.columns
    places = [
        number
        for number, (event, function, _) in enumerate(columns.places)
        if event == CALL and is_end_of_name(name, columns.functions[function][1])
    ]
    if not places:
        near = functions_near(name, (called for _, called, _ in columns.functions))
        said = f" Near it: {listed(near)}." if near else ""
        raise ValueError(f"No function {clipped(name)!r} was called in this recording.{said}")
    found = PlacedBreakpoint(recording, "function breakpoint", steps_at(recording, places), condition, hits)
    _, function, found.line = columns.places[places[0]]
    found.file = columns.functions[function][0]
    return found


def at_stage(recording: RecordedSteps, name: str, condition: str = "", hits: str = "") -> PlacedBreakpoint | None:
    """Where a stage of the walk begins; None where no stage has that name. Raises `ValueError` for one that was not
    come through."""
    row = next((one for one in known_stages() if one.name == name), None)
    if row is None:
        return None
    runs = runs_of_stage(recording, row)
    if not runs:
        raise ValueError(f"The stage {clipped(name)!r} was not come through in this recording.")
    return PlacedBreakpoint(recording, "function breakpoint", array("I", (one.first for one in runs)), condition, hits)


def at_changes(
    recording: RecordedSteps, function: str, name: str, condition: str = "", hits: str = ""
) -> PlacedBreakpoint:
    """Where a name of a function is given another value, or its value's contents change, such as a tensor's numbers.

    In each call of the function, named in full or by its end. Raises `ValueError` when it never had a value there.
    """
    columns = recording.columns
    meant = {number for number, one in enumerate(columns.names) if one == name}
    called = [one for _, one, _ in columns.functions]
    inside = {number for number, one in enumerate(called) if one == function}
    inside = inside or {number for number, one in enumerate(called) if is_end_of_name(function, one)}
    bound = {at for at, number in enumerate(columns.binding_name) if number in meant}
    steps = array("I")
    last: dict[int, int] = {}  # frame → the value that the name has there
    for step, at in enumerate(columns.step_bound):
        if at == NONE or columns.frame_function[frame := columns.step_frame[step]] not in inside:
            continue
        for one in bound.intersection(recording.bindings(step)):
            value = columns.binding_value[one]
            if last.get(frame) != value or columns.binding_flag[one] & IN_PLACE:
                steps.append(step)
            last[frame] = value
    if not steps:
        raise ValueError(f"{clipped(name)} never had a value in {clipped(function)}.")
    return PlacedBreakpoint(recording, "data breakpoint", steps, condition, hits)


def at_exceptions(
    recording: RecordedSteps, uncaught: bool, classes: str = "", condition: str = "", hits: str = ""
) -> PlacedBreakpoint:
    """Where exceptions were raised; with `uncaught`, those that left the recorded code. `classes` are names."""
    known, names = exceptions_of(recording), [one.strip() for one in classes.split(",") if one.strip()]
    values = recording.columns.values
    steps = [
        step
        for step in (known.uncaught if uncaught else known.raised)
        if not names or any(is_exception(as_summary(values[known.value(step)]), one) for one in names)
    ]
    return PlacedBreakpoint(recording, "exception", array("I", steps), condition, hits)


def steps_at(recording: RecordedSteps, places: list[int]) -> array:
    """The steps at any of these places, in order."""
    columns = recording.columns
    if len(places) == 1:
        return columns.steps_at[places[0]]
    return array("I", sorted(step for place in places for step in columns.steps_at[place]))


def truth_at(recording: RecordedSteps, condition: str, steps: Sequence[int]) -> Truth | None:
    """Of a condition that has an answer at one of these steps at least. Raises `ValueError` for one that has none."""
    if not condition:
        return None
    found = truth_of(recording, condition)
    why = found.unanswered(steps)
    if why is None:
        return found
    if why.asked:
        raise ValueError(f"condition: {clipped(why.asked)} was not recorded there. Known there: {listed(why.known)}.")
    raise ValueError(f"condition: {clipped(condition)} has no answer there: {why}.")


def times_of(hits: str) -> Callable[[int], bool] | None:
    if not hits.strip():
        return None
    found = HITS.fullmatch(hits)
    count = int(found[2]) if found else 0
    if not found or (count < 1 and found[1] in (None, "==", "%")):
        raise ValueError(f"hitCondition: {hits[:80]!r} was given, expected a count such as 3, >= 3 or % 3.")
    if found[1] == "%":
        return lambda time: time % count == 0
    compare = COMPARED[found[1] or "=="]
    return lambda time: compare(time, count)


def places_at_line(recording: RecordedSteps, line: int, file: str | None) -> list[int]:
    """The numbers of the places at a line of the files whose paths are or end in `file`; where none of them ran it, at
    the lines that stand for it."""
    paths = dict.fromkeys(path for path, _, _ in recording.columns.functions if file is None or is_end_of(file, path))
    files = [lines_of(recording, path) for path in paths]
    found: list[int] = []
    for one in [one for one in files if line in one.ran] or files:
        with suppress(ValueError):  # it never ran, and leads to none that did
            found += one.ran[one.settle(line)[0]]
    return found


class CodeLines:
    """The lines of one file that ran, and those that lead to one that did."""

    def __init__(self, recording: RecordedSteps, file: str):
        columns = recording.columns
        self.name, self.text = PurePath(file).name, recording.sources.get(file, "")
        self.ran: dict[int, list[int]] = {}  # line → the numbers of its places
        self.called: dict[int, list[int]] = {}  # of these, the lines of functions that do not begin on their first
        calls: list[tuple[int, int, int]] = []
        by_line: set[tuple[int, int]] = set()
        for number, (event, function, line) in enumerate(columns.places):
            if columns.functions[function][0] != file or not len(columns.steps_at[number]):
                continue
            if event == LINE:
                self.ran.setdefault(line, []).append(number)
                by_line.add((line, function))
            elif event == CALL:
                calls.append((line, function, number))
        for line, function, number in calls:  # a function on one line would stop twice, as called and as run
            if (line, function) not in by_line:
                self.ran.setdefault(line, []).append(number)
                self.called.setdefault(line, []).append(number)

    @cached_property
    def text_read(self) -> SourceLines:
        return SourceLines(self.text)

    def settle(self, line: int) -> tuple[int, str]:
        """The line at which a breakpoint at this line stands, and what to say if it is another one."""
        header = self.text_read.headers.get(line)
        if header in self.called:
            return header, "" if header == line else f"Moved to line {header}, where the function is called."
        if line in self.ran:
            return line, ""
        if header is None and line not in self.text_read.code:
            for other in (self.text_read.statements.get(line), self.text_read.next_code(line)):
                if other in self.ran:
                    return other, f"Line {line} has no code of its own; moved to line {other}."
        near = lines_near(line, sorted(self.ran))
        raise ValueError(f"{clipped(self.name)}:{line} never ran in this recording. {near}")

    def table(self) -> dict[int, int]:
        """Every line of the text at which a breakpoint can be set → the line at which it stands."""
        found = {}
        for line in sorted({*range(1, self.text.count("\n") + 2), *self.ran}):
            with suppress(ValueError):
                found[line] = self.settle(line)[0]
        return found


@lru_cache(maxsize=KEPT)
def lines_of(recording: RecordedSteps, file: str) -> CodeLines:
    return CodeLines(recording, file)


class SourceLines:
    """What a file's text says of its lines; nothing for a text that is no Python. It is compiled, and never run.

    `code` are those that have code of their own, in order. `headers` leads from each line of a function's header, its
    decorators included, to the line at which it is called, `statements` from a line inside a statement to its first,
    `ends` from the first line of a function to its last.
    """

    def __init__(self, source: str):
        self.code: list[int] = []
        self.headers: dict[int, int] = {}
        self.statements: dict[int, int] = {}
        self.ends: dict[int, int] = {}
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tree = ast.parse(source)
                code = compile(tree, "recorded", "exec", dont_inherit=True)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return
        self.code = sorted({line for one in codes_in(code) for _, _, line in one.co_lines() if line})
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                first = min([node.lineno, *(one.lineno for one in node.decorator_list)])
                self.ends[first] = self.ends[node.lineno] = node.end_lineno or node.lineno
                self.headers |= dict.fromkeys(range(first, max(node.body[0].lineno, node.lineno + 1)), first)
            elif isinstance(node, ast.stmt) and not hasattr(node, "body"):
                last = node.end_lineno or node.lineno
                self.statements |= dict.fromkeys(range(node.lineno, last + 1), node.lineno)

    def next_code(self, line: int) -> int | None:
        """The next line that has code; None where none follows."""
        at = bisect_right(self.code, line)
        return self.code[at] if at < len(self.code) else None


def codes_in(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from codes_in(constant)
