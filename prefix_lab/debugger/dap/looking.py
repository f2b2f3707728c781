"""Looking around at a stop: threads, the stack, scopes, variables, expressions, exceptions, where to jump."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING, NamedTuple

from prefix_lab.debugger.conditions import Condition, Unknown
from prefix_lab.debugger.dap.messages import Arguments, Refused
from prefix_lab.debugger.placing import at_line
from prefix_lab.debugger.search import exceptions_of
from prefix_lab.debugger.shown import before_it, facts_of, given_by, place_of, text_of
from prefix_lab.debugger.summary import Summary, as_summary
from prefix_lab.debugger.text import clipped, listed

if TYPE_CHECKING:
    from prefix_lab.debugger.dap.debuggee import Debuggee

HEADINGS = {"return": "What it returns", "yield": "What it yields", "exception": "What it raises"}


class Variable(NamedTuple):
    """One line of a variables pane. `expression` is what to type for it, empty when it cannot be asked for."""

    name: str
    value: Summary
    expression: str = ""
    changed: bool = False


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
    """The names as the step finds them, what the step gives (a recording knows), and watched expressions."""
    step = debuggee.recording.steps[debuggee.step(arguments, "frameId")]
    before = before_it(step)
    changed = before.changed if before else ()
    held = [Variable(name, value, expression_of(name), name in changed) for name, value in step.locals.items()]
    found = [scope(debuggee, "Locals", held) | {"presentationHint": "locals"}]
    if given := given_by(step):
        heading = HEADINGS.get(step.event, "What this line gives")
        found.append(scope(debuggee, heading, [Variable(*one) for one in given.items()]))
    if watches := step.watches:
        found.append(scope(debuggee, "Watched", [Variable(*one) for one in watches.items()]))
    return {"scopes": found}


def scope(debuggee: Debuggee, name: str, lines: list[Variable]) -> dict:
    return {"name": name, "variablesReference": debuggee.tell(lines), "expensive": False}


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
    if line.value.type:
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
        Variable(label, as_summary(part), expression and f"{expression}[{label if is_index(label) else repr(label)}]")
        for label, part in value.parts
    ]
    return facts + parts


def expression_of(name: str) -> str:
    return name if name.isidentifier() else ""


def is_index(label: str) -> bool:
    return label.isascii() and label.isdecimal() and str(int(label)) == label


def evaluate(debuggee: Debuggee, arguments: Arguments) -> dict:
    """A recorded name, a watched expression, or what can be worked out of them: `x.shape[0] * 2`, `len(items) > 3`."""
    typed = arguments.text("expression").strip()
    at = debuggee.step(arguments, "frameId") if arguments.has("frameId") else debuggee.index
    step = debuggee.recording.steps[at]
    known = {**step.locals, **step.watches}
    line = Variable(typed, known[typed] if typed in known else worked_out(typed, step.locals), typed)
    found = described(debuggee, line)
    return {"result": found.pop("value")} | {
        name: found[name] for name in found if name not in ("name", "evaluateName")
    }


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
