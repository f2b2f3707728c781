"""What `python SCRIPT args` or `python -m MODULE args` would run: found, run under a recorder, ended as Python does.

Its traceback, its exit status and the wait for its threads are Python's own.
"""

import builtins
import importlib.machinery
import importlib.util
import os
import shlex
import sys
import threading
from pathlib import Path
from types import CodeType, ModuleType, TracebackType
from typing import Any, NamedTuple

from prefix_lab import debugger
from prefix_lab.debugger import Recorder, Recording
from prefix_lab.debugger.storage import MAGIC

FAILED, INTERRUPTED = 1, 130
DEBUGGER = str(Path(debugger.__file__).parent) + os.sep


class NoProgram(ValueError):
    """There is nothing to run; the text says what was looked for."""


class Program(NamedTuple):
    """Code with the name of its file, `sys.argv`, and what its `__main__` module knows of itself."""

    code: CodeType
    file: str
    argv: list[str]
    facts: dict[str, Any]

    def settle(self) -> ModuleType:
        """Make this process the program's own: `sys.argv` and `__main__`, which stay until the process ends."""
        main = ModuleType("__main__")
        if sys.version_info < (3, 14):
            main.__annotations__ = {}
        vars(main).update(self.facts, __builtins__=builtins)
        sys.argv = list(self.argv)
        sys.modules["__main__"] = main
        return main


def first_on_path(folder: str) -> None:
    """The place of ours at the head of `sys.path` is the program's; `python -P` has none."""
    if not sys.flags.safe_path:
        sys.path[0] = folder


def script(path: str, args: list[str]) -> Program:
    """A file. Raises `NoProgram` when it cannot be read or is of another kind, `SyntaxError` when it is not Python."""
    file = os.path.abspath(path)
    try:
        source = Path(file).read_bytes()
    except IsADirectoryError:
        raise NoProgram(f"{path!r} is a folder. Give a Python file, or -m with the name of a module") from None
    except OSError as error:
        raise NoProgram(f"{path!r} cannot be read ({error.strerror}). Give the path of a Python file") from None
    if source.startswith(MAGIC):
        raise NoProgram(f"{path!r} is a recording already. Walk through it: prefix-lab replay {shlex.quote(path)}")
    if file.endswith(".ipynb"):
        raise NoProgram(f"{path!r} is a notebook. Record in a cell of it: `with record() as recording:`")
    if b"\0" in source:
        raise NoProgram(f"{path!r} is not text, so it is not Python. Give a Python file")
    first_on_path(os.path.dirname(os.path.realpath(file)))
    code = compile(source, file, "exec", dont_inherit=True)
    loader = importlib.machinery.SourceFileLoader("__main__", file)
    facts = {"__file__": file, "__loader__": loader, "__cached__": None}
    return Program(code, file, [path, *args], facts)


def module(name: str, args: list[str]) -> Program:
    """A module, or a package's `__main__`. Raises `NoProgram` when there is none, `SyntaxError` as `script` does."""
    first_on_path(os.getcwd())
    try:
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.submodule_search_locations is not None:
            spec = importlib.util.find_spec(f"{name}.__main__")
        code = spec.loader.get_code(spec.name) if spec is not None and spec.loader is not None else None
    except (ImportError, AttributeError, ValueError) as error:
        raise NoProgram(f"-m {name}: it cannot be found ({error}). Name a module as `import` would") from None
    if spec is None or code is None or spec.origin is None:
        raise NoProgram(f"-m {name}: there is no such module written in Python. Name one as `import` would")
    facts = {
        "__file__": spec.origin,
        "__loader__": spec.loader,
        "__cached__": spec.cached,
        "__spec__": spec,
        "__package__": spec.parent,
    }
    return Program(code, spec.origin, [spec.origin, *args], facts)


def run(program: Program, recorder: Recorder) -> tuple[Recording, int]:
    """The recording and the exit status. Whatever the program raises ends here."""
    main = program.settle()
    status = 0
    try:
        with recorder:
            try:
                exec(program.code, vars(main))
            except SystemExit as end:  # the way in which programs end, and no error
                status = status_of(end)
            except BaseException as error:
                show(error)
                raise
            finally:
                # Python ends when the last thread has, and what they do until then belongs to the recording. This is
                # its own way to wait: it wakes idle pools first, and does nothing when Python calls it again.
                threading._shutdown()
    except BaseException as error:
        status = status_of(error)
    return recorder.recording, status


def status_of(error: BaseException) -> int:
    """What a process that ends with this tells its parent. As Python does, print what `sys.exit("text")` was given."""
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED
    if not isinstance(error, SystemExit):
        return FAILED
    if error.code is None or isinstance(error.code, int):
        return error.code or 0
    print(error.code, file=sys.stderr)
    return FAILED


def show(error: BaseException) -> None:
    """What Python prints of an error that nobody caught, through the program's own hook if it has set one."""
    traceback = without_ours(error.__traceback__, isinstance(error, KeyboardInterrupt))
    sys.excepthook(type(error), error.with_traceback(traceback), traceback)


def without_ours(traceback: TracebackType | None, interrupted: bool) -> TracebackType | None:
    """The program's own part: from its first line on; and without the recorder, if Ctrl-C has met it at work."""
    while traceback is not None and traceback.tb_frame.f_code.co_filename == __file__:
        traceback = traceback.tb_next
    inner = traceback
    while interrupted and inner is not None:
        if inner.tb_next is not None and inner.tb_next.tb_frame.f_code.co_filename.startswith(DEBUGGER):
            inner.tb_next = None
        inner = inner.tb_next
    return traceback
