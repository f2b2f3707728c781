"""What the protocol has no word for, asked by our own extension for VS Code: stages on a timeline, values beside lines,
how often a function was called, the history of a value. Each request's name begins with `prefixLab/`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from prefix_lab.debugger.dap import moving
from prefix_lab.debugger.dap.messages import Arguments, Refused
from prefix_lab.debugger.placing import lines_of
from prefix_lab.debugger.search import exceptions_of, history
from prefix_lab.debugger.shown import before_it, given_by, text_of
from prefix_lab.debugger.stages import bands
from prefix_lab.debugger.steps import CALL, NONE
from prefix_lab.debugger.text import clipped

if TYPE_CHECKING:
    from prefix_lab.debugger.dap.debuggee import Debuggee

LINES_AT_MOST = 400


def stages(debuggee: Debuggee, arguments: Arguments) -> dict:
    """The stages that the recording ran through, and the first and last step of each run; and where it stands."""
    found = [
        {"name": name, "sentence": sentence, "runs": [{"first": one.first, "last": one.last} for one in runs]}
        for name, sentence, runs in bands(debuggee.recording)
    ]
    count, step = len(debuggee.recording), debuggee.index
    before = before_it(debuggee.recording.steps[step]) if count else None
    return {"stages": found, "steps": count, "step": step, "changed": [*before.changed] if before else []}


def goto(debuggee: Debuggee, arguments: Arguments) -> moving.Events:
    """To a step by its number."""
    debuggee.goto(debuggee.step(Arguments({"step": arguments.whole("step") + 1}), "step"))
    yield None
    yield "continued", {"threadId": 1, "allThreadsContinued": True}  # or a client goes on to show the stop before
    yield moving.stopped(debuggee, "goto", "Paused after a jump")


def lines(debuggee: Debuggee, arguments: Arguments) -> dict:
    """Beside each line of a frame that has run up to here, what it gave when it ran last."""
    columns, at = debuggee.recording.columns, debuggee.step(arguments, "frameId")
    found: dict[int, str] = {}
    step = columns.frame_first[columns.step_frame[at]]
    while step != NONE and step <= at:
        one = debuggee.recording.steps[step]
        if given := given_by(one):
            found[one.line] = ", ".join(f"{clipped(name)} = {text_of(value)}" for name, value in given.items())
        step = columns.step_after[step]
    return {"lines": [{"line": line, "text": text} for line, text in [*found.items()][-LINES_AT_MOST:]]}


def counts(debuggee: Debuggee, arguments: Arguments) -> dict:
    """The functions of a file that were called: where each begins, how often it was called, and what it raised."""
    columns, file = debuggee.recording.columns, debuggee.files.find(arguments.inside("source"))
    headers = lines_of(debuggee.recording, file).text_read.headers  # of functions: no class, no module
    raised = [columns.frame_function[columns.step_frame[step]] for step in exceptions_of(debuggee.recording).raised]
    found = []
    for number, (where, name, line) in enumerate(columns.functions):
        called = sum(
            len(columns.steps_at[place])
            for place, (event, function, _) in enumerate(columns.places)
            if function == number and event == CALL
        )
        if where == file and called and line in headers and name != "<module>":
            found.append({"name": clipped(name), "line": line, "calls": called, "exceptions": raised.count(number)})
    return {"functions": found}


def history_of(debuggee: Debuggee, arguments: Arguments) -> dict:
    """Each value that a name took in a frame, and the step that gave it."""
    try:
        found = history(debuggee.recording, arguments.text("name"), debuggee.step(arguments, "frameId"))
    except KeyError as error:
        raise Refused(str(error.args[0])) from None
    return {"values": [{"step": step.index, "line": step.line, "value": text_of(value)} for step, value in found]}
