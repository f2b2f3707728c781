"""Small scripts, run and recorded for the tests, and a replay that is driven by its keys."""

import asyncio
import runpy
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import NamedTuple

from textual.pilot import Pilot
from textual.widgets import Input

from prefix_lab.debugger import Recording, record
from prefix_lab.terminal.keys import Replay
from prefix_lab.terminal.lines import Choices, Lines, Prompt

DOUBLES = """
def double(x):
    y = [x]
    y.append(x)
    return sum(y)

def main():
    total = 0
    for i in range(4):
        total += double(i)
    return total

main()
"""


def step_of(recording: Recording, text: str, which: int = 0) -> int:
    """The number of the step at the line that has this text."""
    return [step.index for step in recording.steps if step.event == "line" and text in step.text][which]


def written(folder: Path, source: str, name: str = "program.py") -> Path:
    path = folder / name
    path.write_text(dedent(source).lstrip("\n"))
    return path


def recorded(folder: Path, source: str = DOUBLES, **options) -> Recording:
    path = written(folder, source)
    with record(include=[path], **options) as recording:
        runpy.run_path(str(path))
    return recording


def prefix_lab(*words: str | Path, folder: Path, **options) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "prefix_lab", *map(str, words)]
    options = {"capture_output": True, "text": True, "timeout": 60, "stdin": subprocess.DEVNULL} | options
    return subprocess.run(command, cwd=folder, check=False, **options)


def python(*words: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *map(str, words)], cwd=folder, check=False, capture_output=True, text=True, timeout=60
    )


class Seen(NamedTuple):
    """What stood on the screen; the drawing of it only after the last key."""

    index: int
    heading: str
    source: list[str]
    locals: list[str]
    stack: list[str]
    breakpoints: list[str]
    position: str
    message: str
    asking: bool
    choices: list[str]
    running: bool
    svg: str = ""

    def line(self, text: str) -> str:
        """The one line of the source in which a text stands."""
        (found,) = (line for line in self.source if text in line)
        return found


def replayed(recording: Recording, *keys: str, **options) -> Seen:
    """The screen after these keys were pressed, one after the other; a word in quotes, `'loss'`, is pasted."""
    return screens(recording, *keys, **options)[-1]


def walked(recording: Recording, *keys: str, **options) -> list[int]:
    """At which step the replay stood after each of the keys."""
    return [seen.index for seen in screens(recording, *keys, **options)[1:]]


def screens(
    recording: Recording, *keys: str, size: tuple[int, int] = (100, 40), first: int = 0, name: str = "", slowly=False
) -> list[Seen]:
    """The screen at the start, and after each key. `slowly` waits after each until the process is idle."""

    async def drive() -> list[Seen]:
        app = Replay(recording, name, first)
        async with app.run_test(size=size) as pilot:
            found = [await settled(app, pilot)]
            for key in keys:
                if key.startswith("click "):
                    _, selector, x, y = key.split()
                    await pilot.click(selector, offset=(int(x), int(y)))
                elif key.startswith("'"):
                    app.query_one(Input).value = key.strip("'")
                elif slowly:
                    await pilot.press(key)
                else:
                    app.simulate_key(key)
                found.append(await settled(app, pilot))
            return [*found[:-1], found[-1]._replace(svg=app.export_screenshot())]

    return asyncio.run(drive())


async def settled(app: Replay, pilot: Pilot) -> Seen:
    """The screen, once an answer has gone from the prompt to the replay, to a worker, and to the screen again."""
    rounds: list[Seen | None] = [None, None]
    while rounds[-1] != rounds[-2] or len(rounds) < 6:
        await pilot.pause(0)
        await app.workers.wait_for_complete()
        rounds.append(seen(app))
    return rounds[-1]


def seen(app: Replay) -> Seen:
    screen = app.screen_stack[0]

    def text_of(id: str) -> str:
        return str(screen.query_one(id).render())

    def lines_of(pane: Lines) -> list[str]:
        return [pane.render_line(y).text.rstrip() for y in range(pane.scrollable_content_region.height)]

    choices = app.screen.query(Lines).first() if isinstance(app.screen, Choices) and app.screen.is_mounted else None
    panes = {id: lines_of(screen.query_one(f"#{id}", Lines)) for id in ("source", "locals", "stack", "breakpoints")}
    return Seen(
        index=app.state.index,
        heading=text_of("#heading"),
        position=text_of("#position"),
        message=text_of("#message").strip(),
        asking=screen.query_one(Prompt).display,
        choices=lines_of(choices) if choices else [],
        running=app.is_running,
        **panes,
    )
