"""Who called whom, how often, and how long it took; as a tree, as text, and for notebooks as HTML that unfolds."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from pathlib import PurePath

from prefix_lab.debugger.steps import NONE, RecordedSteps
from prefix_lab.debugger.text import _, count_of

LINES = 40  # of an outline
DEEPEST = 12  # calls inside one another


@dataclass
class Call:
    """A function, called from one place in the tree: how often, and for how many seconds in all, recording included.

    `first` is the step of the first such call, `steps` counts the steps of these frames and of those further in.
    """

    function: str
    file: str
    line: int
    first: int
    count: int = 0
    seconds: float = 0.0
    steps: int = 0
    calls: list[Call] = field(default_factory=list)


def call_tree(recording: RecordedSteps) -> list[Call]:
    """The outermost calls, in the order of the first of each; calls of one function by one caller are one entry."""
    columns = recording.columns
    roots: dict[int, Call] = {}
    inside: dict[int, dict[int, Call]] = {}
    call_of: dict[int, Call] = {}
    own_steps = [0] * len(columns.frame_function)
    for frame in columns.step_frame:
        own_steps[frame] += 1
    for frame, function in enumerate(columns.frame_function):
        if columns.frame_first[frame] == NONE:
            continue  # it was there before the recording, and took no step
        caller = columns.frame_caller[frame]
        outer = call_of.get(columns.step_frame[caller]) if caller != NONE else None
        siblings = roots if outer is None else inside.setdefault(id(outer), {})
        call = siblings.get(function)
        if call is None:
            file, name, line = columns.functions[function]
            call = siblings[function] = Call(name, file, line, columns.frame_first[frame])
            if outer is not None:
                outer.calls.append(call)
        call_of[frame] = call
        call.count += 1
        call.steps += own_steps[frame]
        begun, ended = columns.frame_begun[frame], columns.frame_ended[frame]
        call.seconds += (ended - begun) / 1e9 if begun and ended else 0.0
    found = list(roots.values())
    for call in found:
        add_up(call)
    return found


def add_up(root: Call) -> None:
    """Steps of inner calls count for the outer ones; without recursion, since trees may be deep."""
    order = [root]
    for call in order:
        order += call.calls
    for call in reversed(order):
        call.steps += sum(inner.steps for inner in call.calls)


def outline(recording: RecordedSteps) -> str:
    """A heading, the call tree with counts and times, what was left out, and how it ended."""
    lines = [heading(recording)]
    rows: list[tuple[str, str, str, str]] = []
    for call in call_tree(recording):
        add_rows(call, 0, rows)
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(4)]
    for name, count, seconds, where in rows[:LINES]:
        lines.append(f"  {name:<{widths[0]}}  {count:>{widths[1]}}  {seconds:>{widths[2]}}  {where}".rstrip())
    if len(rows) > LINES:
        lines.append(_("  … and {count} more; see recording.calls").format(count=len(rows) - LINES))
    return "\n".join(lines + [f"  {note}" for note in closing_words(recording)])


def heading(recording: RecordedSteps) -> str:
    columns = recording.columns
    frames = [frame for frame, first in enumerate(columns.frame_first) if first != NONE]
    threads = len(set(columns.turn_thread))
    steps = count_of(len(columns), "{count} step", "{count} steps")
    calls = count_of(len(frames), "{count} call", "{count} calls")
    if threads > 1:
        return _("Recording of {steps} in {calls} and {threads} threads").format(
            steps=steps, calls=calls, threads=threads
        )
    return _("Recording of {steps} in {calls}").format(steps=steps, calls=calls)


def add_rows(call: Call, depth: int, rows: list[tuple[str, str, str, str]]) -> None:
    count = f"{call.count}×" if call.count > 1 else ""
    rows.append(("  " * depth + call.function, count, in_time(call.seconds), place_in_words(call)))
    if depth < DEEPEST:
        for inner in call.calls:
            add_rows(inner, depth + 1, rows)


def place_in_words(call: Call) -> str:
    return _("step {step}, {place}").format(step=call.first, place=where(call))


def where(call: Call) -> str:
    return f"{PurePath(call.file).name}:{call.line}"


def in_time(seconds: float) -> str:
    if not seconds:
        return ""
    return f"{seconds:.2f} s" if seconds >= 1 else f"{1e3 * seconds:.1f} ms"


def closing_words(recording: RecordedSteps) -> list[str]:
    """How it ended, and what it lacks."""
    ended = [_("It ended with {error}.").format(error=recording.exception)] if recording.exception else []
    return [*ended, *map(_, recording.notes)]


def html_outline(recording: RecordedSteps) -> str:
    """The same for a notebook. Everything that came from the program is text, never markup."""
    body = "".join(html_call(call, 0) for call in call_tree(recording))
    notes = "".join(f"<p>{escape(note)}</p>" for note in closing_words(recording))
    return f"<div><p><b>{escape(heading(recording))}</b></p>{body}{notes}</div>"


def html_call(call: Call, depth: int) -> str:
    count = f" {call.count}×" if call.count > 1 else ""
    title = escape(f"{call.function}{count} {in_time(call.seconds)}")
    place = f"<small>{escape(place_in_words(call))}</small>"
    if not call.calls or depth >= DEEPEST:
        return f'<div style="margin-left: 1.2em"><code>{title}</code> {place}</div>'
    inner = "".join(html_call(one, depth + 1) for one in call.calls)
    opened = " open" if depth < 2 else ""
    return (
        f'<details style="margin-left: 1.2em"{opened}><summary><code>{title}</code> {place}</summary>{inner}</details>'
    )
