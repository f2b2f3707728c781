"""Times of several sides in one run, one after the other in turn, so that what slows the machine slows all of them."""

import gc
import time
from collections.abc import Callable
from typing import Any

from rich.table import Table

Call = Callable[[], Any]


def seconds(call: Call, clock: Callable[[], float] = time.perf_counter) -> float:
    """How long one call takes; what it returns is thrown away afterwards."""
    start = clock()
    made = call()
    took = clock() - start
    del made
    return took


def interleaved(sides: dict[str, Call], runs: int, step: Callable[[], Any] = lambda: None) -> list[dict[str, float]]:
    """The seconds of each side in each run, after one run that does not count: the processor's, of all threads, so that
    another program's turns do not count. `step` is called after each side."""
    found = []
    for _ in range(1 + runs):
        found.append({})
        for name, call in sides.items():
            gc.collect()
            found[-1][name] = seconds(call, time.process_time)
            step()
    return found[1:]


def columns(title: str, *headings: str) -> Table:
    """An empty table; numbers stand to the right, what the first column says to the left."""
    table = Table(title=title)
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="right" if number else "left")
    return table


def verdict(aim: str, met: bool) -> str:
    return f"{aim}: {'met' if met else 'missed'}"
