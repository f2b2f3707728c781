"""Run a program under a recorder, and end as Python would: its traceback, its exit status, its threads waited for."""

import os
import sys
import threading
from pathlib import Path
from types import TracebackType

from prefix_lab import debugger
from prefix_lab.debugger import Recorder, Recording
from prefix_lab.terminal.program import Program

FAILED, INTERRUPTED = 1, 130
DEBUGGER = str(Path(debugger.__file__).parent) + os.sep


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
