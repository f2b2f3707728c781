"""Who called whom, how often, and how long it took."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from prefix_lab.debugger.decode import NONE

if TYPE_CHECKING:
    from prefix_lab.debugger.recording import Recording


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


def call_tree(recording: Recording) -> list[Call]:
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
