"""What a recording holds, at a glance: the call tree as text, and for notebooks as HTML that unfolds."""

from __future__ import annotations

from html import escape
from pathlib import PurePath
from typing import TYPE_CHECKING

from prefix_lab.debugger.calls import Call, call_tree
from prefix_lab.debugger.decode import NONE

if TYPE_CHECKING:
    from prefix_lab.debugger.recording import Recording

LINES = 40
DEEPEST = 12


def outline(recording: Recording) -> str:
    """A heading, the call tree with counts and times, what was left out, and how it ended."""
    lines = [heading(recording)]
    rows: list[tuple[str, str, str, str]] = []
    for call in call_tree(recording):
        add_rows(call, 0, rows)
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(4)]
    for name, count, seconds, where in rows[:LINES]:
        lines.append(f"  {name:<{widths[0]}}  {count:>{widths[1]}}  {seconds:>{widths[2]}}  {where}".rstrip())
    if len(rows) > LINES:
        lines.append(f"  … and {len(rows) - LINES} more; see recording.calls")
    return "\n".join(lines + [f"  {note}" for note in told(recording)])


def heading(recording: Recording) -> str:
    columns = recording.columns
    frames = [frame for frame, first in enumerate(columns.frame_first) if first != NONE]
    threads = len(set(columns.turn_thread))
    said = f"Recording of {number_of(len(columns), 'step')} in {number_of(len(frames), 'call')}"
    return said + (f" and {threads} threads" if threads > 1 else "")


def number_of(count: int, name: str) -> str:
    return f"{count:,} {name}" + ("" if count == 1 else "s")


def add_rows(call: Call, depth: int, rows: list[tuple[str, str, str, str]]) -> None:
    count = f"{call.count}×" if call.count > 1 else ""
    rows.append(("  " * depth + call.function, count, in_time(call.seconds), f"step {call.first}, {where(call)}"))
    if depth < DEEPEST:
        for inner in call.calls:
            add_rows(inner, depth + 1, rows)


def where(call: Call) -> str:
    return f"{PurePath(call.file).name}:{call.line}"


def in_time(seconds: float) -> str:
    if not seconds:
        return ""
    return f"{seconds:.2f} s" if seconds >= 1 else f"{1e3 * seconds:.1f} ms"


def told(recording: Recording) -> list[str]:
    ended = [f"It ended with {recording.exception}."] if recording.exception else []
    return [*ended, *recording.notes]


def html_outline(recording: Recording) -> str:
    """The same for a notebook. Everything that came from the program is text, never markup."""
    if recording.state != "closed":
        return f"<p>{escape(repr(recording))}</p>"
    body = "".join(html_call(call, 0) for call in call_tree(recording))
    notes = "".join(f"<p>{escape(note)}</p>" for note in told(recording))
    return f"<div><p><b>{escape(heading(recording))}</b></p>{body}{notes}</div>"


def html_call(call: Call, depth: int) -> str:
    count = f" {call.count}×" if call.count > 1 else ""
    title = escape(f"{call.function}{count} {in_time(call.seconds)}")
    place = f"<small>{escape(f'step {call.first}, {where(call)}')}</small>"
    if not call.calls or depth >= DEEPEST:
        return f'<div style="margin-left: 1.2em"><code>{title}</code> {place}</div>'
    inner = "".join(html_call(one, depth + 1) for one in call.calls)
    opened = " open" if depth < 2 else ""
    return (
        f'<details style="margin-left: 1.2em"{opened}><summary><code>{title}</code> {place}</summary>{inner}</details>'
    )
