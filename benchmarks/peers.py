"""The tools that follow a program's lines, each made to follow the workload's, and keep what it says in memory."""

import bdb
import importlib.util
import inspect
import io
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType, ModuleType
from typing import Any, NamedTuple

from benchmarks import workload

FILE = workload.__file__
CODES = [function.__code__ for _, function in inspect.getmembers(workload, inspect.isfunction)]


class Side(NamedTuple):
    """A way to run the workload. A slow one runs one round of `share`, and its times are told by the line."""

    name: str
    run: Callable[[int], Any]
    share: int = 1


def lines_of(rounds: int) -> int:
    """How many lines of the workload's file are executed in so many rounds."""
    count = 0

    def local(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal count
        count += event == "line"
        return local

    before = sys.gettrace()
    sys.settrace(lambda frame, event, argument: local if frame.f_code.co_filename == FILE else None)
    try:
        workload.run(rounds)
    finally:
        sys.settrace(before)
    return count


def empty_settrace(rounds: int) -> None:
    def tracer(frame: FrameType, event: str, argument: Any) -> Any:
        return tracer

    sys.settrace(tracer)
    try:
        workload.run(rounds)
    finally:
        sys.settrace(None)


def empty_monitoring(rounds: int) -> None:
    """An empty callback for the lines of the workload's functions alone; from Python 3.12 on."""
    monitoring, tool = sys.monitoring, sys.monitoring.PROFILER_ID
    monitoring.use_tool_id(tool, "empty")
    monitoring.register_callback(tool, monitoring.events.LINE, lambda code, line: None)
    for code in CODES:
        monitoring.set_local_events(tool, code, monitoring.events.LINE)
    try:
        workload.run(rounds)
    finally:
        for code in CODES:
            monitoring.set_local_events(tool, code, 0)
        monitoring.register_callback(tool, monitoring.events.LINE, None)
        monitoring.free_tool_id(tool)


def ours(rounds: int, **settings: Any) -> Any:
    from prefix_lab.debugger import record

    with record(include=[workload], **settings) as recording:
        workload.run(rounds)
    return recording


def ours_beside_a_thread(rounds: int) -> Any:
    """As in a notebook, where the kernel has threads of its own, which wait."""
    done = threading.Event()
    waiting = threading.Thread(target=done.wait)
    waiting.start()
    try:
        return ours(rounds)
    finally:
        done.set()
        waiting.join()


class EveryLine(bdb.Bdb):
    """The standard library's debugger, which steps through every line of one file."""

    def dispatch_call(self, frame: FrameType, arg: Any) -> Any:
        return super().dispatch_call(frame, arg) if frame.f_code.co_filename == FILE else None

    def user_line(self, frame: FrameType) -> None:
        pass


def fast() -> Iterator[Side]:
    newer = hasattr(sys, "monitoring")
    yield Side("untraced", workload.run)
    yield Side("empty tracer", empty_monitoring if newer else empty_settrace)
    yield Side("ours", ours)
    yield Side("ours, beside a waiting thread", ours_beside_a_thread)
    if newer:
        yield Side("empty tracer, settrace", empty_settrace)
        yield Side("ours, settrace", lambda rounds: ours(rounds, hooks="settrace"))
    yield Side("bdb, an empty user_line", lambda rounds: EveryLine().runcall(workload.run, rounds))


def hunters() -> Iterator[Side]:
    import hunter

    def tracing(rounds: int, action: Any) -> None:
        with hunter.trace(filename=FILE, action=action):
            workload.run(rounds)

    yield Side("hunter, an empty action", lambda rounds: tracing(rounds, lambda event: None))
    yield Side("hunter, VarsSnooper", lambda rounds: tracing(rounds, hunter.VarsSnooper(stream=io.StringIO())), 20)


def pysnoopers() -> Iterator[Side]:
    import pysnooper

    yield Side("PySnooper", lambda rounds: pysnooper.snoop(io.StringIO(), depth=6)(workload.run)(rounds), 50)


def snoops() -> Iterator[Side]:
    import snoop

    yield Side("snoop", lambda rounds: snoop.Config(out=io.StringIO()).snoop(depth=6)(workload.run)(rounds), 50)


def birdseyes() -> Iterator[Side]:
    """birdseye rewrites functions, so it gets a copy of the workload's module, and a database in memory."""
    finders = list(sys.meta_path)
    sys.modules.setdefault("outdated", None)  # with it, a thread would ask the network for a newer version
    from birdseye.bird import BirdsEye

    sys.meta_path[:] = finders  # birdseye's finder reads the source of every module that is imported later
    eye = BirdsEye("sqlite://")
    spec = importlib.util.spec_from_file_location("benchmarks.seen", FILE)
    seen: ModuleType = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(seen)
    for name, function in inspect.getmembers(seen, inspect.isfunction):
        setattr(seen, name, eye(function))
    yield Side("birdseye", seen.run, 50)


def sides() -> tuple[list[Side], list[str]]:
    """Every tool that can be had here, and a sentence for each that cannot."""
    found, missing = list(fast()), []
    peers = {"hunter": hunters, "PySnooper": pysnoopers, "snoop": snoops, "birdseye": birdseyes}
    for name, made in peers.items():
        try:
            found += made()
        except Exception as error:
            missing.append(f"{name} is not measured: {type(error).__name__}: {error}")
    return found, missing
