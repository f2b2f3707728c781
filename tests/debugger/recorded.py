"""What the debugger's tests share: recording through every hook there is, and a plain tracer to hold it against."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, Phase, settings

from prefix_lab.debugger import Recording, record

HOOKS = ["settrace", "monitoring"] if hasattr(sys, "monitoring") else ["settrace"]
every_hook = pytest.mark.parametrize("hooks", HOOKS)
PLAIN = (int, float, bool, str, type(None))
PHASES = [Phase.explicit, Phase.generate]  # shrinking whole programs takes minutes


def drawn(examples: int) -> Any:
    """Settings for a test of so many programs, the same in every run; 40 at most, but all in `make fuzz`."""
    count = examples if "PREFIX_LAB_ALL_DRAWN" in os.environ else min(examples, 40)
    return settings(
        max_examples=count, deadline=None, derandomize=True, phases=PHASES, suppress_health_check=list(HealthCheck)
    )


def in_thread(call: Callable[..., Any], *arguments: Any, name: str | None = None) -> None:
    """Call it in a thread of its own, and wait for its end."""
    in_threads([threading.Thread(target=call, args=arguments, name=name)])


def in_threads(threads: list[threading.Thread]) -> None:
    """Start them all, and wait for all."""
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@contextmanager
def threads_that_take_turns_often() -> Iterator[None]:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        yield
    finally:
        sys.setswitchinterval(interval)


def recorded(call: Callable[[], Any], include: Any, **options: Any) -> Recording:
    """The recording of a call, whose exception, if it raises one, stays in the recording."""
    try:
        with record(include, **options) as recording:
            call()
    except Exception:
        assert recording.exception is not None
    return recording


class Seen(NamedTuple):
    """What a tracer was told: the event, where, and the locals that are plain values, if it was to look at them."""

    event: str
    function: str
    line: int
    names: dict[str, Any] | None


@contextmanager
def reference(file: str, with_names: bool = True) -> Iterator[list[Seen]]:
    """A tracer as simple as can be, for the functions of one file.

    Python 3.11 tells of no "call" when what was thrown into a generator ends the one that it delegates to, and it goes
    on itself; the "call" is put in here.
    """
    seen: list[Seen] = []
    left: set[int] = set()

    def names_of(frame: FrameType) -> dict[str, Any] | None:
        if not with_names:
            return None
        return {name: value for name, value in frame.f_locals.items() if type(value) in PLAIN and name[0] != "."}

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        if frame.f_code.co_filename != file:
            return None
        if event != "call" and id(frame) in left:
            seen.append(Seen("call", frame.f_code.co_qualname, frame.f_lineno, None))
        (left.add if event == "return" else left.discard)(id(frame))
        if event in ("line", "call"):
            seen.append(Seen(event, frame.f_code.co_qualname, frame.f_lineno, names_of(frame)))
        return trace

    sys.settrace(trace)
    try:
        yield seen
    finally:
        sys.settrace(None)


def lines_of(recording: Recording) -> list[tuple[str, int]]:
    return [(step.function, step.line) for step in recording.steps if step.event == "line"]


def refuses(error: type[Exception], *words: str) -> Any:
    """The error is raised, and says all of these words."""

    @contextmanager
    def check() -> Iterator[None]:
        with pytest.raises(error) as raised:
            yield
        message = str(raised.value)
        assert all(word in message for word in words), message

    return check()
