"""Looking around at a stop: threads, the stack, scopes, variables, expressions, exceptions, where to jump."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from prefix_lab.debugger.conditions import Condition, Unknown
from prefix_lab.debugger.dap.messages import Arguments, Refused
from prefix_lab.debugger.placing import at_line, lines_of
from prefix_lab.debugger.search import exceptions_of
from prefix_lab.debugger.shown import before_it, facts_of, given_by, place_of, text_of
from prefix_lab.debugger.steps import Step
from prefix_lab.debugger.summary import Summary, as_summary
from prefix_lab.debugger.text import clipped, listed

if TYPE_CHECKING:
    from prefix_lab.debugger.dap.debuggee import Debuggee

GIVES = "→ "
"""Before the name of what a line gives, among the names as the line finds them."""
WORD = re.compile(r"[\w.]*$")


class Variable(NamedTuple):
    """One line of a variables pane. `expression` is what to type for it, empty when it cannot be asked for."""

    name: str
    value: Summary
    expression: str = ""
    changed: bool = False


class Pane(list):
    """The lines of a scope; `frame` is the step where its frame stands."""

    def __init__(self, lines: Iterable[Variable], frame: int):
        super().__init__(lines)
        self.frame = frame


def threads(debuggee: Debuggee, arguments: Arguments) -> dict:
    return {"threads": [{"id": at, "name": clipped(name)} for at, name in enumerate(debuggee.threads.names, 1)]}


def stack_trace(debuggee: Debuggee, arguments: Arguments) -> dict:
    """The frames of a thread, the innermost first; none before the thread has begun."""
    step = debuggee.threads.standing(debuggee.thread(arguments), debuggee.index)
    stack = [] if step is None else debuggee.recording.stack(step)
    first, levels = arguments.whole("startFrame", 0), arguments.whole("levels", 0)
    wanted = stack[first : first + levels if levels else None]
    return {"stackFrames": [frame_of(debuggee, at) for at in wanted], "totalFrames": len(stack)}


def frame_of(debuggee: Debuggee, at: int) -> dict:
    _, file, function, line = debuggee.recording.steps[at].place
    source = debuggee.files.described(file)
    return {"id": at + 1, "name": clipped(function), "source": source, "line": line, "column": 1}


def scopes(debuggee: Debuggee, arguments: Arguments) -> dict:
    """What the step gives (a recording knows), the names as the step finds them, and watched expressions."""
    frame = debuggee.step(arguments, "frameId")
    step = debuggee.recording.steps[frame]
    before = before_it(step)
    changed = before.changed if before else ()
    held = [Variable(f"{GIVES}{name}", value) for name, value in given_by(step).items()]
    held += [Variable(name, value, expression_of(name), name in changed) for name, value in step.locals.items()]
    names = scope(debuggee, "Locals", held, frame) | {"presentationHint": "locals"} | where_they_hold(debuggee, step)
    found = [names]
    if watches := step.watches:
        found.append(scope(debuggee, "Watched", [Variable(*one) for one in watches.items()], frame))
    return {"scopes": found}


def scope(debuggee: Debuggee, name: str, lines: list[Variable], frame: int) -> dict:
    return {"name": name, "variablesReference": debuggee.tell(Pane(lines, frame)), "expensive": False}


def where_they_hold(debuggee: Debuggee, step: Step) -> dict:
    """The function's first and last line: values beside lines are shown there, and not in other functions."""
    columns = debuggee.recording.columns
    first = columns.functions[columns.frame_function[columns.step_frame[step.index]]][2]
    last = lines_of(debuggee.recording, step.file).text_read.ends.get(first)
    return {"line": first, "endLine": last} if last else {}


def variables(debuggee: Debuggee, arguments: Arguments) -> dict:
    """The lines of a scope, or of what is inside a value."""
    return {"variables": [described(debuggee, one) for one in debuggee.pane(arguments)]}


def described(debuggee: Debuggee, line: Variable) -> dict:
    """The protocol's Variable, with a number by which to ask for its inside; 0 when nothing is."""
    found = {
        "name": clipped(line.name),
        "value": text_of(line.value),
        "variablesReference": opened(debuggee, line),
        "presentationHint": {"attributes": ["readOnly", *(["changed"] if line.changed else [])]},
    }
    if line.expression:
        found["evaluateName"] = line.expression
    if line.value.type and debuggee.shows_types:
        found["type"] = clipped(line.value.type)
    return found


def opened(debuggee: Debuggee, line: Variable) -> int:
    found = inside(line.value, line.expression)
    return debuggee.tell(found) if found else 0


def inside(value: Summary, expression: str = "") -> list[Variable]:
    """The facts that are known of a value, then its parts."""
    facts = [
        Variable(name, Summary("", told), f"{expression}.{name}" if expression and name.isidentifier() else "")
        for name, told in facts_of(value).items()
    ]
    parts = [
        Variable(label, as_summary(part), expression and expression + reached_by(value, label))
        for label, part in value.parts
    ]
    return facts + parts


def reached_by(value: Summary, label: str) -> str:
    """What to type behind a value for a part of it: `[0]`, `['key']`, and of a module or an object `.weight`."""
    if is_index(label):
        return f"[{label}]"
    is_container = "length" in value.facts
    return f".{label}" if label.isidentifier() and not is_container else f"[{label!r}]"


def expression_of(name: str) -> str:
    return name if name.isidentifier() else ""


def is_index(label: str) -> bool:
    return label.isascii() and label.isdecimal() and str(int(label)) == label


def evaluate(debuggee: Debuggee, arguments: Arguments) -> dict:
    """A recorded name, a watched expression, or what can be worked out of them: `x.shape[0] * 2`, `len(items) > 3`."""
    typed = arguments.text("expression").strip()
    at = debuggee.step(arguments, "frameId") if arguments.has("frameId") else debuggee.index
    found = described(debuggee, Variable(typed, asked_of(debuggee.recording.steps[at], typed), typed))
    return {"result": found.pop("value")} | {
        name: found[name] for name in found if name not in ("name", "evaluateName")
    }


def asked_of(step: Step, typed: str) -> Summary:
    """A recorded name at a step, a watched expression, or what can be worked out. Raises `Refused` for any other."""
    known = {**step.locals, **step.watches}
    return known[typed] if typed in known else worked_out(typed, step.locals)


def completions(debuggee: Debuggee, arguments: Arguments) -> dict:
    """The names that begin with what was typed; behind a dot, what is known of the value before it."""
    typed = arguments.text("text")[: max(0, arguments.whole("column") - 1)]
    at = debuggee.step(arguments, "frameId") if arguments.has("frameId") else debuggee.index
    step = debuggee.recording.steps[at]
    before, dot, begun = WORD.search(typed)[0].rpartition(".")
    names = [*step.locals, *step.watches]
    if dot:
        try:
            names = [one.name for one in inside(asked_of(step, before), before) if f".{one.name}" in one.expression]
        except Refused:
            names = []
    found = sorted({one for one in names if one.isidentifier() and one.startswith(begun)})
    told = {"type": "property" if dot else "variable", "start": len(typed) - len(begun), "length": len(begun)}
    return {"targets": [{"label": one, **told} for one in found]}


def worked_out(typed: str, names: dict[str, Summary]) -> Summary:
    try:
        wanted = Condition(typed)
    except ValueError as error:
        raise Refused(f"expression{str(error).removeprefix('condition')}") from None
    missing = sorted(wanted.names - set(names))
    if missing:
        raise Refused(f"{clipped(missing[0])} has no value here. Names that have: {listed(list(names))}.")
    try:
        found = wanted.worth(names)
    except Unknown as error:
        raise Refused(f"{clipped(typed)}: {clipped(str(error))}.") from None
    return Summary("tuple", repr(found)) if isinstance(found, tuple) else as_summary(found)


def exception_info(debuggee: Debuggee, arguments: Arguments) -> dict:
    """What was raised at the step where the thread stands."""
    at = debuggee.threads.standing(debuggee.thread(arguments), debuggee.index)
    step = None if at is None else debuggee.recording.steps[at]
    if step is None or step.event != "exception" or step.value is None:
        raise Refused("No exception is raised at this step.")
    value, known = step.value, exceptions_of(debuggee.recording)
    full, message = clipped(value.type), clipped(str(value.facts.get("message", value.text)))
    mode = "unhandled" if known.origins.get(step.index) in known.uncaught else "always"
    stack = [debuggee.recording.steps[one] for one in reversed(debuggee.recording.stack(step.index))]
    lines = [f"{place_of(one.file, one.line)} in {clipped(one.function)}: {clipped(one.text)}" for one in stack]
    details = {"message": message, "typeName": full.rpartition(".")[2], "fullTypeName": full}
    details["stackTrace"] = "\n".join(lines)
    return {"exceptionId": full, "description": message, "breakMode": mode, "details": details}


def goto_targets(debuggee: Debuggee, arguments: Arguments) -> dict:
    """The times that a line was reached: the next, the one before, the first and the last."""
    file = debuggee.files.find(arguments.inside("source"))
    try:
        found = at_line(debuggee.recording, file, arguments.whole("line"))
    except ValueError as error:
        raise Refused(str(error)) from None
    steps, index = found.steps, debuggee.index
    after, before = bisect_right(steps, index), bisect_left(steps, index) - 1
    meant = {"the next time": after, "the time before": before, "the first time": 0, "the last time": len(steps) - 1}
    labels: dict[int, str] = {}
    for label, at in meant.items():
        if 0 <= at < len(steps) and steps[at] != index:
            labels.setdefault(steps[at], f"{label}, step {steps[at]:,}")
    return {"targets": [{"id": step + 1, "label": label, "line": found.line} for step, label in labels.items()]}


def source_text(debuggee: Debuggee, arguments: Arguments) -> dict:
    """A file as it was when it was recorded."""
    given = arguments.inside("source") if arguments.has("source") else arguments
    return {"content": debuggee.files.text(given), "mimeType": "text/x-python"}


def loaded_sources(debuggee: Debuggee, arguments: Arguments) -> dict:
    return {"sources": [debuggee.files.described(file) for file in debuggee.files.files]}
