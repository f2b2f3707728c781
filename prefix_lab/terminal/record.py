"""`prefix-lab record`: run what `python SCRIPT args` or `python -m MODULE args` would run, and save what each line did.

The program finds itself in the same place as under Python, and its traceback, its exit status and the wait for its
threads are Python's own.
"""

from __future__ import annotations

import argparse
import builtins
import importlib.machinery
import importlib.util
import os
import shlex
import sys
import threading
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from types import CodeType, FrameType, ModuleType, TracebackType
from typing import Any, NamedTuple, TextIO

from prefix_lab import debugger
from prefix_lab.debugger import Recorder, Recording, record
from prefix_lab.debugger.scope import Scope
from prefix_lab.debugger.storage import MAGIC, is_recording
from prefix_lab.debugger.text import visible_lines
from prefix_lab.locale import ngettext
from prefix_lab.terminal.signs import all_signs

FAILED, INTERRUPTED = 1, 130
SUFFIX = ".recording"
DEBUGGER = str(Path(debugger.__file__).parent) + os.sep
OURS = (str(Path(__file__).parent) + os.sep, str(Path(__file__).parents[1] / "__main__.py"))


def record_script(args: argparse.Namespace) -> int:
    """Run what the words name, save the recording, and return the status that the program ended with."""
    words = args.module or args.script
    if not words:
        args.refuse("SCRIPT is missing: give a Python file, or -m and a module, after the options")
    try:
        output = Output(args.output or default_name(words[0], bool(args.module)))
        program = (module if args.module else script)(words[0], words[1:])
    except SyntaxError as error:
        if error.lineno:
            sys.excepthook(type(error), error.with_traceback(None), None)
        print(f"prefix-lab record: {no_python(error, words[0])}", file=sys.stderr)
        return FAILED
    except ValueError as error:
        args.refuse(str(error))
    return record_program(program, output, args)


def no_python(error: SyntaxError, named: str) -> str:
    """Which file Python cannot read, where, and what to do. Of bytes that are no text, Python says no line."""
    file = os.path.relpath(error.filename) if error.filename else named
    if error.lineno:
        return (
            f"{file} is not Python as it stands: line {error.lineno} cannot be read, so nothing ran, and nothing is "
            "saved. Mend that line, or give another file: one that `python FILE` would run."
        )
    return (
        f"{file} is not Python: {error.msg}. Nothing ran, and nothing is saved. Give another file: one that "
        "`python FILE` would run."
    )


def record_program(program: Program, output: Output, args: argparse.Namespace) -> int:
    stderr, process = sys.stderr, os.getpid()
    kept = {name: getattr(args, name) for name in ("keep", "watch", "secrets", "max_steps")}
    try:
        recorder = record(args.include or [program.file], **kept)
    except ValueError as error:  # its text begins with the argument's name: `include: there is no module …`
        args.refuse(f"argument --{error}")
    # `record` keeps out the debugger's own frames, and knows nothing of those that stand around it here.
    recorder.session.scope = WithoutOurs(recorder.session.scope)
    recording, status = run(program, recorder)
    if os.getpid() != process:  # a child that the program forked comes to its end here, too; its parent saves
        return status
    with suppress(OSError, ValueError):  # of a reader who has gone, or a stream that the program closed, Python tells
        sys.stdout.flush()
    with all_signs(stderr):
        saved = output.save(recording, stderr)
    return status if saved else status or FAILED


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
    """A file. Raises `ValueError` when it cannot be read or is of another kind, `SyntaxError` when it is not Python."""
    file = os.path.abspath(path)
    try:
        source = Path(file).read_bytes()
    except IsADirectoryError:
        raise ValueError(f"{path!r} is a folder. Give a Python file, or -m with the name of a module") from None
    except OSError as error:
        raise ValueError(f"{path!r} cannot be read ({error.strerror}). Give the path of a Python file") from None
    if source.startswith(MAGIC):
        raise ValueError(f"{path!r} is a recording already. Walk through it: prefix-lab replay {shlex.quote(path)}")
    if file.endswith(".ipynb"):
        raise ValueError(f"{path!r} is a notebook. Record in a cell of it: `with record() as recording:`")
    first_on_path(os.path.dirname(os.path.realpath(file)))
    code = compile(source, file, "exec", dont_inherit=True)
    loader = importlib.machinery.SourceFileLoader("__main__", file)
    facts = {"__file__": file, "__loader__": loader, "__cached__": None}
    return Program(code, file, [path, *args], facts)


def module(name: str, args: list[str]) -> Program:
    """A module, or a package's `__main__`. Raises `ValueError` when there is none, `SyntaxError` as `script` does."""
    first_on_path(os.getcwd())
    try:
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.submodule_search_locations is not None:
            spec = importlib.util.find_spec(f"{name}.__main__")
        code = spec.loader.get_code(spec.name) if spec is not None and spec.loader is not None else None
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(f"-m {name}: it cannot be found ({error}). Name a module as `import` would") from None
    if spec is None or code is None or spec.origin is None:
        raise ValueError(f"-m {name}: there is no such module written in Python. Name one as `import` would")
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


class Output:
    """Where to save. Raises `ValueError` when nothing can be saved there, or something else would be lost."""

    def __init__(self, name: str):
        self.name = name
        self.path = Path(name).resolve()  # the script may go to another folder
        folder = self.path.parent
        if self.path.is_dir():
            raise ValueError(f"argument --output: {name!r} is a folder. Give the name of a file")
        if not folder.is_dir():
            raise ValueError(f"argument --output: there is no folder {str(folder)!r}. Make it first")
        if not os.access(folder, os.W_OK):
            raise ValueError(f"argument --output: nothing can be written into {str(folder)!r}. Give a file elsewhere")
        if self.path.exists() and not is_recording(self.path):
            raise ValueError(
                f"argument --output: {name!r} is there, and is not a recording, so it is left alone. Give another "
                "name, with --output FILE"
            )

    def save(self, recording: Recording, stderr: TextIO) -> bool:
        """Save, and say what there is and what comes next; False if it could not be saved."""
        try:
            recording.save(self.path)
        except (OSError, ValueError) as error:
            print(f"prefix-lab record: the recording could not be saved: {error}", file=stderr)
            return False
        print(visible_lines(repr(recording)), file=stderr)
        said = ngettext(
            "saved {count:,} step to {file}; prefix-lab replay {file}",
            "saved {count:,} steps to {file}; prefix-lab replay {file}",
            len(recording),
        )
        print(said.format(count=len(recording), file=shlex.quote(self.name)), file=stderr)
        return True


def default_name(program: str, is_module: bool) -> str:
    """The program's own name, with another suffix, in the folder where the command is run."""
    return (program.rpartition(".")[2] if is_module else Path(program).stem) + SUFFIX


class WithoutOurs:
    """A recording's scope, but for the command's own frames, which stand around the program's."""

    def __init__(self, scope: Scope):
        self.scope = scope

    def covers(self, code: CodeType, frame: FrameType) -> bool:
        """Whether this function, running in this frame, is in scope."""
        return not code.co_filename.startswith(OURS) and self.scope.covers(code, frame)

    def nothing_ran(self, codes: Iterable[CodeType]) -> str:
        """What `Scope.nothing_ran` says, of what is not ours."""
        return self.scope.nothing_ran(code for code in codes if not code.co_filename.startswith(OURS))
