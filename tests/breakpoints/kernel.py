"""A client on a kernel's control channel, as JupyterLab's debugger is one; and the cells that it runs."""

import contextlib
import os
import queue
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from jupyter_client.manager import KernelManager

import prefix_lab

FOR_DEBUGPY = Path(prefix_lab.__file__).parent / "breakpoints" / "for_debugpy"
LIMIT = 60  # seconds that any answer may take
MAKE = """
import warnings; warnings.simplefilter("ignore")
import peft, prefix_lab
from prefix_lab.breakpoints import break_at, breakpoints, clear, explain, shapes, stop_at
from prefix_lab.course import load_tiny_t5
def make(library):
    config = library.PrefixTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=20, prefix_projection=True)
    return library.get_peft_model(load_tiny_t5()[0], config)
ours, theirs = make(prefix_lab), make(peft)
batch = dict(load_tiny_t5()[1](["garden", "piano"], padding=True, return_tensors="pt"))
batch["labels"] = batch["input_ids"]
"""
HELLO = {
    "clientID": "tests",
    "adapterID": "",
    "pathFormat": "path",
    "linesStartAt1": True,
    "columnsStartAt1": True,
    "supportsVariableType": True,
}


class Kernel:
    """A running kernel. Each wait ends after `LIMIT` seconds with `TimeoutError`."""

    def __init__(self, environment: dict[str, str] | None = None):
        self.manager = KernelManager()
        # The extension as an installation puts it on the path (test_installed); here the code of this very checkout.
        here = os.pathsep.join(filter(None, [str(FOR_DEBUGPY), os.environ.get("PYTHONPATH")]))
        quiet = {
            "PYTHONPATH": here,
            "PYDEVD_DISABLE_FILE_VALIDATION": "1",
            "OMP_NUM_THREADS": "1",
            "HF_HUB_OFFLINE": "1",
        }
        self.manager.start_kernel(env=os.environ | quiet | (environment or {}))
        self.client = self.manager.blocking_client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=LIMIT)
        self.number, self.later = 0, timedelta()
        self.waiting: list[dict[str, Any]] = []

    def close(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)

    def debug(self, command: str, **arguments: Any) -> dict[str, Any]:
        """One request of the debug protocol; its reply."""
        self.number += 1
        content = {"type": "request", "seq": self.number, "command": command, "arguments": arguments}
        message = self.client.session.msg("debug_request", content)
        self.client.control_channel.send(message)
        end = time.monotonic() + LIMIT
        while time.monotonic() < end:
            with contextlib.suppress(queue.Empty):
                reply = self.client.get_control_msg(timeout=1)
                if reply["parent_header"].get("msg_id") == message["header"]["msg_id"]:
                    assert reply["content"].get("success"), reply["content"]
                    return reply["content"]
        raise TimeoutError(command)

    def switch_on(self) -> None:
        """As the bug does."""
        self.debug("initialize", **HELLO)
        self.debug("attach")
        self.debug("configurationDone")

    def switch_off(self) -> None:
        self.debug("disconnect", restart=False, terminateDebuggee=False)

    def start(self, code: str, typing: bool = True) -> str:
        """Run a cell by hand, a second after the one before, and do not wait for it; its number."""
        self.later += timedelta(seconds=1)
        return self.send(code, typing)

    def send(self, code: str, typing: bool = True) -> str:
        """As `start`, in one breath with the one before. `typing` is whether somebody could answer a question."""
        content = {
            "code": code,
            "silent": False,
            "store_history": True,
            "user_expressions": {},
            "allow_stdin": typing,
            "stop_on_error": True,
        }
        message = self.client.session.msg("execute_request", content)
        message["header"]["date"] += self.later
        self.client.shell_channel.send(message)
        return message["header"]["msg_id"]

    def run(self, code: str) -> str:
        """Run a cell to its end; what it printed and showed."""
        return self.finish(self.start(code))

    def finish(self, cell: str) -> str:
        """Wait until a cell ends; what it printed and showed. Raises `AssertionError` if it stops on the way."""
        said = []
        for message in self.messages():
            kind, content = message["msg_type"], message["content"]
            assert not (kind == "debug_event" and content.get("event") == "stopped"), "the cell stopped"
            if message["parent_header"].get("msg_id") != cell:
                continue
            if kind == "stream":
                said.append(content["text"])
            elif kind in ("execute_result", "display_data"):
                said.append(content["data"]["text/plain"])
            elif kind == "error":
                said.append(f"{content['ename']}: {content['evalue']}")
            elif kind == "status" and content["execution_state"] == "idle":
                return "\n".join(said)
        raise TimeoutError("the cell did not end")

    def stop_in(self, code: str) -> "StoppedAt":
        """Run a cell until the debugger stops in it."""
        return self.stopped(self.start(code))

    def stopped(self, cell: str) -> "StoppedAt":
        """Wait until the debugger stops."""
        for message in self.messages():
            content = message["content"]
            if message["msg_type"] == "debug_event" and content.get("event") == "stopped":
                return StoppedAt(self, content["body"]["threadId"], cell)
        raise TimeoutError("nothing stopped")

    def messages(self) -> Iterator[dict[str, Any]]:
        """What the kernel tells everybody, until nothing comes for `LIMIT` seconds."""
        end = time.monotonic() + LIMIT
        while time.monotonic() < end:
            with contextlib.suppress(queue.Empty):
                yield self.client.get_iopub_msg(timeout=1)

    def asked(self) -> str:
        """Wait until the kernel asks for input; its prompt."""
        return self.client.get_stdin_msg(timeout=LIMIT)["content"]["prompt"]

    def answer(self, line: str) -> None:
        self.client.input(line)


class StoppedAt:
    """A place where the debugger stands in a cell: its frames, and the locals of the innermost."""

    def __init__(self, kernel: Kernel, thread: int, cell: str):
        self.kernel, self.thread, self.cell = kernel, thread, cell
        self.frames = kernel.debug("stackTrace", threadId=thread)["body"]["stackFrames"]
        self.file: str = self.frames[0]["source"]["path"]
        self.line: int = self.frames[0]["line"]
        self.function: str = self.frames[0]["name"]

    def variables(self) -> dict[str, dict[str, Any]]:
        scope = self.kernel.debug("scopes", frameId=self.frames[0]["id"])["body"]["scopes"][0]
        return self.unfold(scope)

    def unfold(self, variable: dict[str, Any]) -> dict[str, dict[str, Any]]:
        """What is inside a variable, by name."""
        found = self.kernel.debug("variables", variablesReference=variable["variablesReference"])["body"]["variables"]
        return {one["name"]: one for one in found}

    def evaluate(self, expression: str, context: str = "watch") -> str:
        body = self.kernel.debug("evaluate", expression=expression, frameId=self.frames[0]["id"], context=context)
        return body["body"]["result"]

    def step(self, command: str) -> "StoppedAt":
        """next, stepIn or stepOut, until it stops again."""
        self.kernel.debug(command, threadId=self.thread)
        return self.kernel.stopped(self.cell)

    def goes_on(self) -> str:
        """Continue, to the end of the cell; what the cell printed and showed."""
        self.kernel.debug("continue", threadId=self.thread)
        return self.kernel.finish(self.cell)
