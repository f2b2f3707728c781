"""Looking around at a stop: threads, the stack, scopes, variables, expressions, exceptions, where to jump."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, NamedTuple

from prefix_lab.debugger.conditions import Unknown
from prefix_lab.debugger.dap.arguments import Arguments, Refused
from prefix_lab.debugger.dap.debuggee import GotoTarget, StackFrame
from prefix_lab.debugger.dap.stops import expression, steps_at
from prefix_lab.debugger.steps import NONE
from prefix_lab.debugger.summary import Summary, as_summary
from prefix_lab.debugger.text import GIVEN, clipped, listed

if TYPE_CHECKING:
    from prefix_lab.debugger.dap.debuggee import Debuggee
    from prefix_lab.debugger.steps import Step

HEADINGS = {"return": "What it returns", "yield": "What it yields", "exception": "What it raises"}
UNSAID = ("value", "bases")  # facts that say again what the text says


class Child(NamedTuple):
    """One line of a variables pane. `expression` is what to type for it, empty when it cannot be asked for."""

    name: str
    value: Summary
    expression: str = ""
    changed: bool = False
    indexed: bool = False


class Pane(NamedTuple):
    """Lines of a variables pane: a scope, or what is inside a value."""

    children: list[Child]


def threads(debuggee: Debuggee, arguments: Arguments) -> dict:
    return {"threads": debuggee.threads.described()}


def stack_trace(debuggee: Debuggee, arguments: Arguments) -> dict:
    """The frames of a thread, the innermost first; none before the thread has begun."""
    step = debuggee.threads.standing(debuggee.thread(arguments), debuggee.index)
    stack = [] if step is None else debuggee.recording.stack(step)
    first, levels = arguments.whole("startFrame", 0), arguments.whole("levels", 0)
    wanted = stack[first : first + levels if levels else None]
    return {"stackFrames": [frame(debuggee, at) for at in wanted], "totalFrames": len(stack)}


def frame(debuggee: Debuggee, at: int) -> dict:
    _, file, function, line = debuggee.recording.steps[at].place
    client = debuggee.client
    return {
        "id": debuggee.tell(StackFrame(at)),
        "name": clipped(function),
        "source": debuggee.files.described(file),
        "line": line - 1 + client.first_line,
        "column": client.first_column,
    }


def scopes(debuggee: Debuggee, arguments: Arguments) -> dict:
    """The names as the step finds them, what the step gives (a recording knows), and watched expressions."""
    step = debuggee.recording.steps[debuggee.told_of(arguments, "frameId", StackFrame).step]
    before = debuggee.recording.columns.step_before[step.index]
    changed = () if before == NONE else debuggee.recording.steps[before].changed
    given = gives(step)
    watches = named(step.watches.items())
    found = [scope(debuggee, "Locals", named(step.locals.items(), changed)) | {"presentationHint": "locals"}]
    if given:
        found.append(scope(debuggee, HEADINGS.get(step.event, "What this line gives"), given))
    if watches:
        found.append(scope(debuggee, "Watched", watches))
    return {"scopes": found}


def gives(step: Step) -> list[Child]:
    """What a step binds, changes in place, returns, yields or raises; a call's arguments are among its names."""
    found = [] if step.event == "call" else [Child(name, value) for name, value in step.changed.items()]
    if step.value is not None:
        found.append(Child(GIVEN.get(step.event, "value"), step.value))
    return found


def scope(debuggee: Debuggee, name: str, children: list[Child]) -> dict:
    return {"name": name, "variablesReference": debuggee.tell(Pane(children)), "expensive": False, **counts(children)}


def variables(debuggee: Debuggee, arguments: Arguments) -> dict:
    """The lines of a pane, all of them or a page: of either kind, from `start` on, `count` of them."""
    children = debuggee.told_of(arguments, "variablesReference", Pane).children
    start, count = arguments.whole("start", 0), arguments.whole("count", 0)
    kind = arguments.one_of("filter", ("", "indexed", "named"), "")
    if kind:
        children = [child for child in children if child.indexed == (kind == "indexed")]
    wanted = children[start : start + count if count else None]
    with_type = debuggee.client.with_types
    return {
        "variables": [described(child, opened(debuggee, child.value, child.expression), with_type) for child in wanted]
    }


def opened(debuggee: Debuggee, value: Summary, typed: str) -> int:
    """The number by which to ask for what is inside; 0 when nothing is."""
    found = inside(value, typed)
    return debuggee.tell(Pane(found)) if found else 0


def evaluate(debuggee: Debuggee, arguments: Arguments) -> dict:
    """A recorded name, a watched expression, or what can be worked out of them: `x.shape[0] * 2`, `len(items) > 3`."""
    typed = arguments.text("expression").strip()
    at = debuggee.told_of(arguments, "frameId", StackFrame).step if arguments.has("frameId") else debuggee.index
    arguments.text("context", "")
    step = debuggee.recording.steps[at]
    watches = step.watches
    value = watches[typed] if typed in watches else worked_out(typed, step.locals)
    found = {"result": text_of(value), "variablesReference": opened(debuggee, value, typed)}
    if found["variablesReference"]:
        found |= counts(inside(value))
    if debuggee.client.with_types and value.type:
        found["type"] = clipped(value.type)
    return found | {"presentationHint": {"attributes": ["readOnly"]}}


def worked_out(typed: str, names: dict[str, Summary]) -> Summary:
    if typed in names:
        return names[typed]
    wanted = expression(typed, "expression")
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
    value, raised = step.value, debuggee.raised
    full, message = clipped(value.type), clipped(str(value.facts.get("message", value.text)))
    mode = "unhandled" if raised.origins.get(step.index) in set(raised.uncaught) else "always"
    details = {"message": message, "typeName": full.rpartition(".")[2], "fullTypeName": full}
    details["stackTrace"] = "\n".join(
        traceback_line(debuggee, one) for one in reversed(debuggee.recording.stack(step.index))
    )
    return {"exceptionId": full, "description": message, "breakMode": mode, "details": details}


def traceback_line(debuggee: Debuggee, at: int) -> str:
    step = debuggee.recording.steps[at]
    return f"{clipped(PurePath(step.file).name)}:{step.line} in {clipped(step.function)}: {clipped(step.text)}"


def goto_targets(debuggee: Debuggee, arguments: Arguments) -> dict:
    """The times that a line was reached: the next, the one before, the first and the last."""
    file = debuggee.files.find(arguments.inside("source"))
    shift = 1 - debuggee.client.first_line
    settled = debuggee.lines_of(file).settle(arguments.whole("line") + shift)
    if not settled.places:
        raise Refused(settled.message)
    steps = steps_at(debuggee.recording, settled.places)
    after, before = bisect_right(steps, debuggee.index), bisect_left(steps, debuggee.index) - 1
    meant = {"the next time": after, "the time before": before, "the first time": 0, "the last time": len(steps) - 1}
    found: dict[int, str] = {}
    for label, at in meant.items():
        if 0 <= at < len(steps) and steps[at] != debuggee.index:
            found.setdefault(steps[at], f"{label}, step {steps[at]:,}")
    line = settled.line - shift
    return {
        "targets": [
            {"id": debuggee.tell(GotoTarget(step)), "label": label, "line": line} for step, label in found.items()
        ]
    }


def source_text(debuggee: Debuggee, arguments: Arguments) -> dict:
    """A file as it was when it was recorded."""
    sources = debuggee.files
    if arguments.has("source"):
        text = sources.text(arguments.inside("source"))
    else:
        arguments.whole("sourceReference", least=1)
        text = sources.text(arguments)
    return {"content": text, "mimeType": "text/x-python"}


def loaded_sources(debuggee: Debuggee, arguments: Arguments) -> dict:
    return {"sources": [debuggee.files.described(file) for file in debuggee.files.files]}


def text_of(value: Summary) -> str:
    """`Tensor (4, 20, 128) float32`, and the names of its axes where the recording has them."""
    axes = value.facts.get("axes")
    if not axes or not all(isinstance(axis, str) for axis in axes):
        return clipped(value.text)
    return clipped(f"{value.text} = {tuple_text(axes)}")


def tuple_text(items: Iterable[Any]) -> str:
    return f"({', '.join(map(str, items))})"


def inside(value: Summary, expression: str = "") -> list[Child]:
    """The facts that are known of a value, then its parts. Items of a list or tuple are marked as `indexed`."""
    facts = [
        Child(name, fact(known), f"{expression}.{name}" if expression and name.isidentifier() else "")
        for name, known in value.facts.items()
        if name not in UNSAID
    ]
    parts = [
        Child(label, as_summary(part), expression and f"{expression}[{label if is_index(label) else repr(label)}]")
        for label, part in value.parts
    ]
    length = value.facts.get("length")
    if isinstance(length, int) and length > len(parts) > 0:
        facts.append(Child("left out", fact(f"{length - len(parts):,} of {length:,} items were not recorded")))
    if all(part.name == str(at) for at, part in enumerate(parts)):
        parts = [part._replace(indexed=True) for part in parts]
    return facts + parts


def is_index(label: str) -> bool:
    return label.isascii() and label.isdecimal() and str(int(label)) == label


def fact(known: Any) -> Summary:
    """A fact as it is told: a text without quotes, a number with six digits, which are enough to compare."""
    if isinstance(known, str):
        return Summary("", known)
    if isinstance(known, float):
        return Summary("", f"{known:.6g}")
    return Summary("", tuple_text(known) if isinstance(known, tuple | list) else as_summary(known).text)


def named(values: Iterable[tuple[str, Summary]], changed: Iterable[str] = ()) -> list[Child]:
    """A frame's names and what they stand for."""
    changed = set(changed)
    return [Child(name, value, name if name.isidentifier() else "", name in changed) for name, value in values]


def counts(children: list[Child]) -> dict[str, int]:
    """How many lines there are of either kind, for a client that asks for them in pages."""
    items = sum(child.indexed for child in children)
    return {"namedVariables": len(children) - items, "indexedVariables": items}


def described(child: Child, reference: int, with_type: bool) -> dict:
    """The protocol's Variable; `reference` is what to ask for its inside, 0 when there is nothing."""
    found = {
        "name": clipped(child.name),
        "value": text_of(child.value),
        "variablesReference": reference,
        "presentationHint": {"attributes": ["readOnly", *(["changed"] if child.changed else [])]},
    }
    if child.expression:
        found["evaluateName"] = child.expression
    if reference:
        found |= counts(inside(child.value))
    if with_type and child.value.type:
        found["type"] = clipped(child.value.type)
    return found


CONFIGURING = {"source": source_text, "loadedSources": loaded_sources}
ANYTIME = {"threads": threads}
STANDING = {
    "stackTrace": stack_trace,
    "scopes": scopes,
    "variables": variables,
    "evaluate": evaluate,
    "exceptionInfo": exception_info,
    "gotoTargets": goto_targets,
}
