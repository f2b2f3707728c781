"""The tools that follow a program's lines, each made to follow one module's, and keep what it says.

A follower is called with a module, the name of one of its functions and the arguments, and gives what the function
returned, how many bytes it keeps, and what it says. For time alone, that is thrown away.
"""

import bdb
import contextlib
import importlib.util
import inspect
import io
import json
import sqlite3
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any, NamedTuple

from benchmarks import workload


class Said(NamedTuple):
    """What a tool gives: the function's result; and, when it is asked for, how many bytes it keeps, and all that it
    says, as one text."""

    result: Any
    kept: Callable[[], tuple[int, str]]


def printed(result: Any, text: str) -> Said:
    return Said(result, lambda: (len(text), text))


Follower = Callable[..., Said]


class Side(NamedTuple):
    """A way to run a load. A slow one runs one round of `share`, and its times are told by the line."""

    name: str
    run: Callable[[int], Any]
    share: int = 1


def lines_of(rounds: int, load: ModuleType = workload) -> int:
    """How many lines of the load's file are executed in so many rounds."""
    count = 0

    def local(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal count
        count += event == "line"
        return local

    before = sys.gettrace()
    sys.settrace(lambda frame, event, argument: local if frame.f_code.co_filename == load.__file__ else None)
    try:
        load.run(rounds)
    finally:
        sys.settrace(before)
    return count


def empty_settrace(rounds: int, load: ModuleType = workload) -> None:
    def tracer(frame: FrameType, event: str, argument: Any) -> Any:
        return tracer

    sys.settrace(tracer)
    try:
        load.run(rounds)
    finally:
        sys.settrace(None)


def empty_monitoring(rounds: int, load: ModuleType = workload) -> None:
    """An empty callback for the lines of the load's functions alone; from Python 3.12 on."""
    monitoring, tool = sys.monitoring, sys.monitoring.PROFILER_ID
    codes = [function.__code__ for _, function in inspect.getmembers(load, inspect.isfunction)]
    monitoring.use_tool_id(tool, "empty")
    monitoring.register_callback(tool, monitoring.events.LINE, lambda code, line: None)
    for code in codes:
        monitoring.set_local_events(tool, code, monitoring.events.LINE)
    try:
        load.run(rounds)
    finally:
        for code in codes:
            monitoring.set_local_events(tool, code, 0)
        monitoring.register_callback(tool, monitoring.events.LINE, None)
        monitoring.free_tool_id(tool)


def ours(rounds: int, load: ModuleType = workload, **settings: Any) -> Any:
    from prefix_lab.debugger import record

    with record(include=[load], **settings) as recording:
        load.run(rounds)
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

    def __init__(self, file: str):
        super().__init__()
        self.file = file

    def dispatch_call(self, frame: FrameType, arg: Any) -> Any:
        return super().dispatch_call(frame, arg) if frame.f_code.co_filename == self.file else None

    def user_line(self, frame: FrameType) -> None:
        pass


class EveryStack(EveryLine):
    """Python Tutor's way: at every step, the texts of all locals of the whole stack, kept as JSON."""

    def __init__(self, file: str):
        super().__init__(file)
        self.kept: list[str] = []

    def keep(self, event: str, frame: FrameType | None, given: Any = None) -> None:
        found = []
        while frame is not None:
            if frame.f_code.co_filename == self.file:
                values = {name: repr(value) for name, value in frame.f_locals.items()}
                found.append([frame.f_code.co_name, frame.f_lineno, values])
            frame = frame.f_back
        self.kept.append(json.dumps([event, repr(given), found]))

    def user_line(self, frame: FrameType) -> None:
        self.keep("line", frame)

    def user_return(self, frame: FrameType, value: Any) -> None:
        self.keep("return", frame, value)

    def user_exception(self, frame: FrameType, info: Any) -> None:
        self.keep("exception", frame, info[1])


def fast(load: ModuleType = workload) -> Iterator[Side]:
    newer = hasattr(sys, "monitoring")
    yield Side("untraced", load.run)
    empty = empty_monitoring if newer else empty_settrace
    yield Side("empty tracer", lambda rounds: empty(rounds, load))
    yield Side("ours", lambda rounds: ours(rounds, load))
    if load is workload:
        yield Side("ours, beside a waiting thread", ours_beside_a_thread)
    if newer:
        yield Side("empty tracer, settrace", lambda rounds: empty_settrace(rounds, load))
        yield Side("ours, settrace", lambda rounds: ours(rounds, load, hooks="settrace"))
    yield Side("bdb, an empty user_line", lambda rounds: EveryLine(load.__file__).runcall(load.run, rounds))


def by_ours(load: ModuleType, name: str, *arguments: Any) -> Said:
    from prefix_lab.debugger import record
    from prefix_lab.debugger.shown import given_by, text_of

    with record(include=[load]) as recording:
        result = getattr(load, name)(*arguments)

    def kept() -> tuple[int, str]:
        with tempfile.TemporaryDirectory() as folder:
            recording.save(Path(folder) / "one")
            size = (Path(folder) / "one").stat().st_size
        said = []
        for step in recording.steps if len(recording) < 10_000 else ():
            said += [f"{name} = {text_of(value)}" for name, value in given_by(step).items()]
            said += [f"{name} = {text_of(value)}" for name, value in step.locals.items()]
        return size, "\n".join(said)

    return Said(result, kept)


def by_tutor(load: ModuleType, name: str, *arguments: Any) -> Said:
    debugger = EveryStack(load.__file__)
    result = debugger.runcall(getattr(load, name), *arguments)
    return printed(result, "\n".join(debugger.kept))


def by_hunter(load: ModuleType, name: str, *arguments: Any) -> Said:
    import hunter

    stream = io.StringIO()
    with hunter.trace(filename=load.__file__, action=hunter.VarsSnooper(stream=stream)):
        result = getattr(load, name)(*arguments)
    return printed(result, stream.getvalue())


def by_pysnooper(load: ModuleType, name: str, *arguments: Any) -> Said:
    import pysnooper

    stream = io.StringIO()
    result = pysnooper.snoop(stream, depth=6, color=False)(getattr(load, name))(*arguments)
    return printed(result, stream.getvalue())


def by_snoop(load: ModuleType, name: str, *arguments: Any) -> Said:
    import snoop

    stream = io.StringIO()
    result = snoop.Config(out=stream, color=False).snoop(depth=6)(getattr(load, name))(*arguments)
    return printed(result, stream.getvalue())


def birds_eye(load: ModuleType, database: Path) -> tuple[Any, ModuleType]:
    """birdseye rewrites functions, so it gets a copy of the module; and a database of its own."""
    finders = list(sys.meta_path)
    sys.modules.setdefault("outdated", None)  # with it, a thread would ask the network for a newer version
    from birdseye.bird import BirdsEye

    sys.meta_path[:] = finders  # birdseye's finder reads the source of every module that is imported later
    eye = BirdsEye(f"sqlite:///{database}")
    spec = importlib.util.spec_from_file_location("benchmarks.seen", load.__file__)
    seen: ModuleType = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(seen)
    for name, function in inspect.getmembers(seen, inspect.isfunction):
        if not inspect.iscoroutinefunction(function):  # birdseye refuses those
            setattr(seen, name, eye(function))
    return eye, seen


def by_birdseye(load: ModuleType, name: str, *arguments: Any) -> Said:
    folder = tempfile.TemporaryDirectory()
    database = Path(folder.name) / "birdseye.db"
    eye, seen = birds_eye(load, database)
    result = getattr(seen, name)(*arguments)

    def kept() -> tuple[int, str]:
        with folder, eye.db.session_scope() as session:
            size = database.stat().st_size
            text = "\n".join(str(row) for (row,) in session.query(eye.db.Call.data).all())
        return size, text

    return Said(result, kept)


def by_viztracer(load: ModuleType, name: str, *arguments: Any) -> Said:
    import viztracer

    folder = tempfile.TemporaryDirectory()
    path = Path(folder.name) / "trace.json"
    tracer = viztracer.VizTracer(
        log_func_args=True, log_func_retval=True, include_files=[load.__file__], verbose=0, output_file=str(path)
    )
    with tracer:
        result = getattr(load, name)(*arguments)

    def kept() -> tuple[int, str]:
        with folder:
            tracer.save()
            text = path.read_text()
        return len(text), text

    return Said(result, kept)


def by_tt_debug(load: ModuleType, name: str, *arguments: Any) -> Said:
    import pyttd

    folder = tempfile.TemporaryDirectory()
    path = Path(folder.name) / "one.pyttd.db"
    # Without the copies of the process that it forks now and then; its own decorator records without them, too.
    pyttd.start_recording(str(path), include_files=[load.__file__], checkpoint_interval=0)
    try:
        result = getattr(load, name)(*arguments)
    finally:
        pyttd.stop_recording()

    def kept() -> tuple[int, str]:
        with folder, contextlib.closing(sqlite3.connect(path)) as rows:
            size = sum(file.stat().st_size for file in path.parent.iterdir())
            text = ""
            for (table,) in rows.execute("select name from sqlite_master where type = 'table'").fetchall():
                text += "\n".join(map(str, rows.execute(f'select * from "{table}"').fetchmany(20_000)))
        return size, text

    return Said(result, kept)


def by_torchlens(load: ModuleType, name: str, *arguments: Any) -> Said:
    """torchlens looks into a module's forward, so a program stands as one."""
    import torch
    import torchlens

    class Program(torch.nn.Module):
        def forward(self, given: Any) -> Any:
            self.result = getattr(load, name)(*arguments)
            return given * load.KEPT.pop("twice", given).sum()

    program = Program()
    logged = torchlens.trace(program, torch.ones(1))
    return printed(program.result, "\n".join(map(repr, [logged, *logged])))


# Each with the package whose version is told, and how many times fewer rounds it runs when it is timed.
FOLLOWERS: dict[str, tuple[Follower, str, int]] = {
    "prefix_lab": (by_ours, "prefix-lab", 1),
    "py-tt-debug": (by_tt_debug, "py-tt-debug", 20),
    "PySnooper": (by_pysnooper, "pysnooper", 50),
    "snoop": (by_snoop, "snoop", 50),
    "birdseye": (by_birdseye, "birdseye", 50),
    "viztracer": (by_viztracer, "viztracer", 1),
    "hunter": (by_hunter, "hunter", 20),
    "Python Tutor's way": (by_tutor, "", 20),
    "torchlens": (by_torchlens, "torchlens", 50),
}
LINED = ("hunter", "PySnooper", "snoop", "birdseye")  # those that the recorder's table has beside ours


def sides() -> tuple[list[Side], list[str]]:
    """Every tool that can be had here, and a sentence for each that cannot."""
    found, missing = list(fast()), []
    for name in LINED:
        follow, _, share = FOLLOWERS[name]
        try:
            follow(workload, "run", 0)
        except Exception as error:
            missing.append(f"{name} is not measured: {type(error).__name__}: {error}")
        else:
            found.append(Side(name, lambda rounds, follow=follow: follow(workload, "run", rounds), share))
    return found, missing
