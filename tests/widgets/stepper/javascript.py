"""The views' own JavaScript, run as it is: the modules that need no page, in the node that comes with playwright."""

from __future__ import annotations

import atexit
import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import prefix_lab.widgets
from prefix_lab.debugger import Recording
from prefix_lab.debugger.summary import Summary
from prefix_lab.widgets.stepper import pieces, questions
from prefix_lab.widgets.stepper.pieces import Pieces
from prefix_lab.widgets.stepper.written import as_json, whole

WIDGETS = Path(prefix_lab.widgets.__file__).parent
STEPPER = WIDGETS / "stepper"
DRIVER = Path(__file__).with_name("driver.mjs")


def node() -> str:
    """The node that comes with playwright, which the browser tests need anyway."""
    from playwright._impl._driver import compute_driver_executable

    return str(compute_driver_executable()[0])


@cache
def process() -> subprocess.Popen[str]:
    """One process for all tests of a run, in which `driver.mjs` waits for calls, each a line of JSON."""
    command = [node(), "--no-warnings", str(DRIVER)]
    started = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8")
    atexit.register(end, started)
    return started


def end(started: subprocess.Popen[str]) -> None:
    """Close its input, which ends it."""
    for pipe in (started.stdin, started.stdout):
        if pipe is not None:
            pipe.close()
    started.wait(timeout=10)


def javascript(name: str, *arguments: Any) -> Any:
    """Call a function of the driver. Raises `AssertionError` with the stack of what JavaScript threw."""
    running = process()
    assert running.stdin is not None
    assert running.stdout is not None
    running.stdin.write(json.dumps([name, arguments]) + "\n")
    running.stdin.flush()
    line = running.stdout.readline()
    assert line, f"node ended in {name}"
    said = json.loads(line)
    assert "error" not in said, said["error"]
    return said["answer"]


@contextmanager
def cut_small(size: int = 8) -> Iterator[None]:
    """Pieces so small that a short program crosses many of their borders."""
    with pytest.MonkeyPatch.context() as patch:
        for module, name in ((pieces, "PAGE"), (questions, "PAGE"), (pieces, "VALUES"), (pieces, "CALLS")):
            patch.setattr(module, name, size)
        yield


def packed(recording: Recording) -> dict[str, str]:
    """Every piece of a recording as the text that a page has."""
    made = Pieces(recording)
    return {key: as_json(made.get(key)) for key in made.names()}


def as_seen(values: dict[str, Any]) -> dict[str, Any]:
    """Values as the pieces give them to a view."""
    return {name: json.loads(as_json(whole(value))) for name, value in values.items()}


def number_of(recording: Recording, name: str) -> int:
    """The number of a name in a recording."""
    return recording.columns.names.index(name)


def tensor(*shape: int, axes: list[str] | None = None, **facts: Any) -> Summary:
    """A summary such as the recorder makes of a tensor."""
    facts = {"shape": list(shape), "dtype": "float32", **facts} | ({"axes": axes} if axes else {})
    return Summary("torch.Tensor", f"({', '.join(axes or map(str, shape))}) float32", facts)
