"""The debugger that is attached to this Python, if any, and how breakpoints are given to it.

JupyterLab's debugger, VS Code's and PyCharm's are all pydevd inside the process. A breakpoint goes to it as the editor
would send one, so that it stops in the same way: in the side bar, with source and variables, ready to step.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from typing import Any, NamedTuple

from prefix_lab.locale import N_, _

FIRST_ID = 1_000_000  # an editor counts its own from 0
PATIENCE = 5  # seconds
SWITCH_ON = N_(
    "No debugger is attached to this Python, so nothing stops yet.\n"
    "  JupyterLab: switch on the bug at the top right of the notebook.\n"
    "  VS Code: choose Debug Cell, or run the script under the debugger.\n"
    "Then run the next cell: what is set here is handed over by itself.\n"
    "Without any of them, `with stop_at({stage!r}):` opens pdb."
)
OUTSIDE_IPYTHON = N_(
    "No debugger is attached to this Python, so nothing stops.\n"
    "Run the script under VS Code's debugger, or use pdb: `with stop_at({stage!r}):`."
)
JUST_MY_CODE = N_("The debugger leaves out code that is not yours: set justMyCode to false in launch.json.")
RECORDING = N_(
    "A recording is being made, and on Python {version} it takes the debugger's place: nothing stops until it ends. "
    "On Python 3.12 or newer both work at once."
)


class Wanted(NamedTuple):
    """A breakpoint as pydevd takes it: a number of ours, an absolute file, a line, and an expression."""

    number: int
    file: str
    line: int
    condition: str


def debugger() -> Any | None:
    """pydevd's debugger, if somebody listens to it; None otherwise."""
    pydevd = sys.modules.get("pydevd")
    if pydevd is None or not getattr(pydevd, "_is_attached", lambda: False)():
        return None
    return pydevd.get_global_debugger()


def wait_until_attached() -> None:
    """Whoever clicks the bug and at once runs a cell comes before the debugger: give it a moment to arrive."""
    kernel_debugger = getattr(getattr(shell(), "kernel", None), "debugger", None)
    end = time.monotonic() + PATIENCE
    while getattr(kernel_debugger, "is_started", False) and debugger() is None and time.monotonic() < end:
        time.sleep(0.02)


def leave_pyzmqs_thread_alone() -> None:
    """In a kernel: hide pyzmq's thread, which comes with a first large message, as ipykernel hides its own from pydevd.

    At a breakpoint pydevd holds all threads and tells of the one that it held first: JupyterLab would show that thread,
    waiting inside pyzmq, in place of the stage.
    """
    if not hasattr(shell(), "kernel"):
        return
    from zmq.utils.garbage import GarbageCollectorThread

    GarbageCollectorThread.pydev_do_not_trace = True
    GarbageCollectorThread.is_pydev_daemon_thread = True


def settrace_itself() -> Any:
    """`sys.settrace` as Python has it: pydevd, once loaded, warns at each call, also when it was switched off."""
    holder = getattr(sys.modules.get("pydevd_tracing"), "TracingFunctionHolder", None)
    return getattr(holder, "_original_tracing", None) or sys.settrace


def is_recording_instead() -> bool:
    """Whether a recording through sys.settrace has pushed the debugger aside."""
    from prefix_lab.debugger.by_settrace import is_ours

    tracer = sys.gettrace()
    return tracer is not None and is_ours(tracer)


def advice(stage: str) -> str:
    """What the learner should do before anything stops; empty when all is ready."""
    if is_recording_instead():
        return _(RECORDING).format(version=f"{sys.version_info[0]}.{sys.version_info[1]}")
    if debugger() is None:
        return _(SWITCH_ON if in_ipython() else OUTSIDE_IPYTHON).format(stage=stage)
    return ""


def in_ipython() -> bool:
    return shell() is not None


def shell() -> Any | None:
    """The IPython that runs this, if one does."""
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython is not None else None


def set_in_debugger(wanted: Iterable[Wanted]) -> str:
    """Give the debugger those that it does not have; what it says against one of them, or "". Nothing when none is on.

    An editor that changes its own breakpoints of a file takes all others of that file away, and a debugger that was
    switched off and on has forgotten all: so this is asked again before each cell.
    """
    py_db = debugger()
    if py_db is None:
        return ""
    from _pydevd_bundle.pydevd_api import PyDevdAPI

    leave_pyzmqs_thread_alone()
    api, said = PyDevdAPI(), ""
    policy = "ALL" if py_db.multi_threads_single_notification else "NONE"
    with py_db._main_lock:
        there = {number for editor, number in py_db.api_received_breakpoints}
        for one in wanted:
            if one.number in there:
                continue
            result = api.add_breakpoint(
                py_db, one.file, "python-line", one.number, one.line, one.condition, "None", None, policy, None, False
            )
            if result.error_code == api.ADD_BREAKPOINT_FILE_EXCLUDED_BY_FILTERS:
                said = _(JUST_MY_CODE)
            elif result.error_code:
                text = _("The debugger did not take {file}, line {line} (its error {code}).")
                said = text.format(file=one.file, line=one.line, code=result.error_code)
    return said


def take_from_debugger(wanted: Iterable[Wanted]) -> None:
    """Take these away again, where the debugger has them."""
    py_db = debugger()
    if py_db is None:
        return
    from _pydevd_bundle.pydevd_api import PyDevdAPI

    api = PyDevdAPI()
    with py_db._main_lock:
        there = {number for editor, number in py_db.api_received_breakpoints}
        for one in wanted:
            if one.number in there:
                api.remove_breakpoint(py_db, one.file, "python-line", one.number)
