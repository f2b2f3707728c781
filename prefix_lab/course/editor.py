"""An editor's talk with `prefix-lab dap`: what its buttons say, and where that leads, without the editor."""

from __future__ import annotations

import itertools
import json
import linecache
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any

BUTTONS = {
    "continue": "▷ continue",
    "next": "↷ step over",
    "stepIn": "↓ step into",
    "stepOut": "↑ step out",
    "stepBack": "↶ step back",
    "reverseContinue": "◁ reverse",
}
"""The protocol's moves, and what an editor's buttons call them."""


class Editor:
    """Says to `prefix-lab dap` what an editor's buttons say, and prints where the recording stands after each.

    Use it in a `with` block. Raises `RuntimeError` with the adapter's words when it refuses something.
    """

    def __init__(self, file: str | Path):
        command = [sys.executable, "-m", "prefix_lab", "dap", str(file)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.numbers, self.events = itertools.count(1), []

    def __enter__(self) -> Editor:
        said = self.ask("initialize", adapterID="debugpy", clientID="lesson", supportsVariableType=True)
        self.goes_back = said.get("supportsStepBack", False)
        self.ask("attach")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(timeout=10)

    def break_in(self, function: str) -> None:
        """A breakpoint at a function, by its name; and begin."""
        (answer,) = self.ask("setFunctionBreakpoints", breakpoints=[{"name": function}])["breakpoints"]
        if not answer["verified"]:
            raise RuntimeError(answer["message"])
        self.ask("configurationDone")
        self.wait_for("stopped")

    def press(self, button: str) -> None:
        """One of `BUTTONS`: go there, and print the line and the tensors that are known at it."""
        self.ask(button, threadId=1)
        self.wait_for("stopped")
        top = self.ask("stackTrace", threadId=1, levels=1)["stackFrames"][0]
        line = linecache.getline(top["source"]["path"], top["line"]).strip()
        print(f"{BUTTONS[button]:12}  {line}")
        locals_ = self.ask("scopes", frameId=top["id"])["scopes"][0]["variablesReference"]
        for one in self.ask("variables", variablesReference=locals_)["variables"]:
            if one["value"].startswith("Tensor"):
                print(f"{'':14}    {one['name']}: {one['value']}")

    def ask(self, command: str, **arguments: Any) -> dict[str, Any]:
        """One request of the protocol; the body of its answer."""
        request = {"seq": next(self.numbers), "type": "request", "command": command, "arguments": arguments}
        body = json.dumps(request).encode()
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        self.process.stdin.flush()
        while (message := self.read())["type"] != "response":
            self.events.append(message)
        if not message["success"]:
            raise RuntimeError(message["message"])
        return message.get("body", {})

    def wait_for(self, event: str) -> None:
        while True:
            if not self.events:
                self.events.append(self.read())
            if self.events.pop(0).get("event") == event:
                return

    def read(self) -> dict[str, Any]:
        length = 0
        while line := self.process.stdout.readline().strip():
            length = int(line.partition(b":")[2])
        if not length:
            raise RuntimeError("prefix-lab dap ended before it answered.")
        return json.loads(self.process.stdout.read(length))
