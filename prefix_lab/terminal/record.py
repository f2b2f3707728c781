"""`prefix-lab record`, from its words to its exit status: what to record, and where to save it."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from types import CodeType, FrameType
from typing import TextIO

from prefix_lab.debugger import Recording, record
from prefix_lab.debugger.scope import Scope
from prefix_lab.debugger.storage import MAGIC
from prefix_lab.debugger.text import count_of, visible_lines
from prefix_lab.terminal.program import FAILED, Program, module, run, script
from prefix_lab.terminal.progress import step_bar
from prefix_lab.terminal.signs import all_signs

SUFFIX = ".recording"
HERE = str(Path(__file__).parent) + os.sep


def record_script(args: argparse.Namespace) -> int:
    """Run what the words name, save the recording, and return the status that the program ended with."""
    words = args.module or args.script
    if not words:
        args.refuse("SCRIPT is missing: give a Python file, or -m and a module, after the options")
    try:
        output = Output(args.output or default_name(words[0], bool(args.module)))
        program = (module if args.module else script)(words[0], words[1:])
    except SyntaxError as error:
        sys.excepthook(type(error), error.with_traceback(None), None)
        print(
            f"prefix-lab record: {words[0]} is not Python as it stands, so nothing ran, and nothing is saved.",
            file=sys.stderr,
        )
        return FAILED
    except ValueError as error:
        args.refuse(str(error))
    return record_program(program, output, args)


def record_program(program: Program, output: Output, args: argparse.Namespace) -> int:
    stderr, process = sys.stderr, os.getpid()
    with step_bar() as seen:
        try:
            recorder = record(
                args.include or [program.file],
                keep=args.keep,
                watch=args.watch,
                max_steps=args.max_steps,
                progress=seen,
            )
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
        if stderr.isatty():
            print("saving …", end="\r", file=stderr, flush=True)  # a million steps take half a minute
        try:
            recording.save(self.path)
        except (OSError, ValueError) as error:
            print(f"prefix-lab record: the recording could not be saved: {error}", file=stderr)
            return False
        print(visible_lines(repr(recording)), file=stderr)
        steps, name = count_of(len(recording), "step"), shlex.quote(self.name)
        print(f"saved {steps} to {name}; prefix-lab replay {name}", file=stderr)
        return True


def default_name(program: str, is_module: bool) -> str:
    """The program's own name, with another suffix, in the folder where the command is run."""
    return (program.rpartition(".")[2] if is_module else Path(program).stem) + SUFFIX


def is_recording(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


class WithoutOurs:
    """A recording's scope, but for this folder and for all that runs already when this is made."""

    def __init__(self, scope: Scope):
        self.scope = scope
        self.running: set[CodeType] = set()
        frame: FrameType | None = sys._getframe()
        while frame is not None:
            self.running.add(frame.f_code)
            frame = frame.f_back

    def covers(self, code: CodeType, frame: FrameType) -> bool:
        """Whether this function, running in this frame, is in scope."""
        ours = code in self.running or code.co_filename.startswith(HERE)
        return not ours and self.scope.covers(code, frame)

    def nothing_ran(self, codes: Iterable[CodeType]) -> str:
        """What `Scope.nothing_ran` says, of what is not ours."""
        return self.scope.nothing_ran(code for code in codes if not code.co_filename.startswith(HERE))
