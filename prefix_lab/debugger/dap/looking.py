"""Looking around at a stop: threads, the stack, scopes, variables, expressions, exceptions, where to jump."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from pathlib import PurePath
from typing import TYPE_CHECKING

from prefix_lab.debugger.conditions import Unknown
from prefix_lab.debugger.dap.arguments import Arguments, Refused
from prefix_lab.debugger.dap.replay import Frame, Pane, Target
from prefix_lab.debugger.dap.stops import expression, steps_at
from prefix_lab.debugger.dap.text import listed, visible
from prefix_lab.debugger.dap.values import Child, counts, described, inside, named, text_of
from prefix_lab.debugger.decode import NONE
from prefix_lab.debugger.summary import Summary, as_summary

if TYPE_CHECKING:
    from prefix_lab.debugger.dap.replay import Replay
    from prefix_lab.debugger.recording import Step

GIVEN = {"return": "returned", "yield": "yielded", "exception": "raised"}
HEADINGS = {"return": "What it returns", "yield": "What it yields", "exception": "What it raises"}
UNANSWERED = (Unknown, TypeError, ValueError, ArithmeticError, LookupError, RecursionError)


def threads(replay: Replay, arguments: Arguments) -> dict:
    return {"threads": replay.threads.described()}


def stack_trace(replay: Replay, arguments: Arguments) -> dict:
    """The frames of a thread, the innermost first; none before the thread has begun."""
    step = replay.threads.standing(replay.thread(arguments), replay.index)
    stack = [] if step is None else replay.recording.stack(step)
    first, levels = arguments.whole("startFrame", 0), arguments.whole("levels", 0)
    wanted = stack[first : first + levels if levels else None]
    return {"stackFrames": [frame(replay, at) for at in wanted], "totalFrames": len(stack)}


def frame(replay: Replay, at: int) -> dict:
    _, file, function, line = replay.recording.steps[at].place
    client = replay.client
    return {
        "id": replay.tell(Frame(at)),
        "name": visible(function),
        "source": replay.sources.described(file),
        "line": line - 1 + client.first_line,
        "column": client.first_column,
    }


def scopes(replay: Replay, arguments: Arguments) -> dict:
    """The names as the step finds them, what the step gives (a recording knows), and watched expressions."""
    step = replay.recording.steps[replay.told_of(arguments, "frameId", Frame).step]
    before = replay.recording.columns.step_before[step.index]
    changed = () if before == NONE else replay.recording.steps[before].changed
    given = gives(step)
    watches = named(step.watches.items())
    found = [scope(replay, "Locals", named(step.locals.items(), changed)) | {"presentationHint": "locals"}]
    if given:
        found.append(scope(replay, HEADINGS.get(step.event, "What this line gives"), given))
    if watches:
        found.append(scope(replay, "Watched", watches))
    return {"scopes": found}


def gives(step: Step) -> list[Child]:
    """What a step binds, changes in place, returns, yields or raises; a call's arguments are among its names."""
    found = [] if step.event == "call" else [Child(name, value) for name, value in step.changed.items()]
    if step.value is not None:
        found.append(Child(GIVEN.get(step.event, "value"), step.value))
    return found


def scope(replay: Replay, name: str, children: list[Child]) -> dict:
    return {"name": name, "variablesReference": replay.tell(Pane(children)), "expensive": False, **counts(children)}


def variables(replay: Replay, arguments: Arguments) -> dict:
    """The lines of a pane, all of them or a page: of either kind, from `start` on, `count` of them."""
    children = replay.told_of(arguments, "variablesReference", Pane).children
    start, count = arguments.whole("start", 0), arguments.whole("count", 0)
    kind = arguments.one_of("filter", ("", "indexed", "named"), "")
    if kind:
        children = [child for child in children if child.indexed == (kind == "indexed")]
    wanted = children[start : start + count if count else None]
    with_type = replay.client.with_types
    return {
        "variables": [described(child, opened(replay, child.value, child.expression), with_type) for child in wanted]
    }


def opened(replay: Replay, value: Summary, typed: str) -> int:
    """The number by which to ask for what is inside; 0 when nothing is."""
    found = inside(value, typed)
    return replay.tell(Pane(found)) if found else 0


def evaluate(replay: Replay, arguments: Arguments) -> dict:
    """A recorded name, a watched expression, or what can be worked out of them: `x.shape[0] * 2`, `len(items) > 3`."""
    typed = arguments.text("expression").strip()
    at = replay.told_of(arguments, "frameId", Frame).step if arguments.has("frameId") else replay.index
    arguments.text("context", "")
    step = replay.recording.steps[at]
    watches = step.watches
    value = watches[typed] if typed in watches else worked_out(typed, step.locals)
    found = {"result": text_of(value), "variablesReference": opened(replay, value, typed)}
    if found["variablesReference"]:
        found |= counts(inside(value))
    if replay.client.with_types and value.type:
        found["type"] = visible(value.type)
    return found | {"presentationHint": {"attributes": ["readOnly"]}}


def worked_out(typed: str, names: dict[str, Summary]) -> Summary:
    if typed in names:
        return names[typed]
    wanted = expression(typed, "expression")
    missing = sorted(wanted.names - set(names))
    if missing:
        raise Refused(f"{visible(missing[0])} has no value here. Names that have: {listed(list(names))}.")
    try:
        found = wanted.work_out(wanted.tree, names)
    except UNANSWERED as error:
        what = f"{error} was not recorded" if isinstance(error, Unknown) else f"{type(error).__name__}: {error}"
        raise Refused(f"{visible(typed)}: {visible(what)}.") from None
    return Summary("tuple", repr(found)) if isinstance(found, tuple) else as_summary(found)


def exception_info(replay: Replay, arguments: Arguments) -> dict:
    """What was raised at the step where the thread stands."""
    at = replay.threads.standing(replay.thread(arguments), replay.index)
    step = None if at is None else replay.recording.steps[at]
    if step is None or step.event != "exception" or step.value is None:
        raise Refused("No exception is raised at this step.")
    value, raised = step.value, replay.raised
    full, message = visible(value.type), visible(str(value.facts.get("message", value.text)))
    mode = "unhandled" if raised.origins.get(step.index) in set(raised.uncaught) else "always"
    details = {"message": message, "typeName": full.rpartition(".")[2], "fullTypeName": full}
    details["stackTrace"] = "\n".join(
        traceback_line(replay, one) for one in reversed(replay.recording.stack(step.index))
    )
    return {"exceptionId": full, "description": message, "breakMode": mode, "details": details}


def traceback_line(replay: Replay, at: int) -> str:
    step = replay.recording.steps[at]
    return f"{visible(PurePath(step.file).name)}:{step.line} in {visible(step.function)}: {visible(step.text)}"


def goto_targets(replay: Replay, arguments: Arguments) -> dict:
    """The times that a line was reached: the next, the one before, the first and the last."""
    file = replay.sources.find(arguments.inside("source"))
    shift = 1 - replay.client.first_line
    settled = replay.lines_of(file).settle(arguments.whole("line") + shift)
    if not settled.places:
        raise Refused(settled.message)
    steps = steps_at(replay.recording, settled.places)
    after, before = bisect_right(steps, replay.index), bisect_left(steps, replay.index) - 1
    meant = {"the next time": after, "the time before": before, "the first time": 0, "the last time": len(steps) - 1}
    found: dict[int, str] = {}
    for label, at in meant.items():
        if 0 <= at < len(steps) and steps[at] != replay.index:
            found.setdefault(steps[at], f"{label}, step {steps[at]:,}")
    line = settled.line - shift
    return {
        "targets": [{"id": replay.tell(Target(step)), "label": label, "line": line} for step, label in found.items()]
    }


ANYTIME = {"threads": threads}
STANDING = {
    "stackTrace": stack_trace,
    "scopes": scopes,
    "variables": variables,
    "evaluate": evaluate,
    "exceptionInfo": exception_info,
    "gotoTargets": goto_targets,
}
