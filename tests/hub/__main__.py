"""`python -m tests.hub`: so many learners at once log in to a real JupyterHub, and go through lesson 2 to its end.

Each runs its cells, types at its stop, solves its exercises, and hands a passport in. Printed are times, memory and the
teacher's table. It fails where one of them does not come to the end.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path

from tornado.httpclient import AsyncHTTPClient

from prefix_lab.course.classroom import read_class
from prefix_lab.widgets.table import in_columns
from tests.hub import memory, running
from tests.hub.learner import Learner, Took

CLASS, LARGE = 30, 700  # learners of a full class; MB that one may take


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.hub", description=__doc__)
    parser.add_argument("--learners", type=int, default=10, metavar="N", help="how many come at once (10)")
    count = parser.parse_args().learners
    AsyncHTTPClient.configure(None, max_clients=4 * count)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "home").mkdir()
        (folder / "handed-in").mkdir()
        with running.running(folder) as (url, token):
            learners = [Learner(url, token, f"learner{number:02}") for number in range(1, count + 1)]
            took = asyncio.run(all_of(learners, folder / "handed-in"))
            held = [memory.of_learner(folder / "home" / one.name) for one in learners]
        print(told(took, held))
        found = read_class(folder / "handed-in")
    print(f"\nprefix-lab class handed-in\n{found}")
    right = [sum("right: " in said for said in one.did) for one in learners]
    assert right == [4] * count, f"exercises found right: {right}"
    assert all(one.solved(2) == 4 for one in found.learners)
    assert len(found.learners) == count
    return 0


async def all_of(learners: list[Learner], handed_in: Path) -> list[Took]:
    return await asyncio.gather(*(one.learn(handed_in) for one in learners))


def told(took: list[Took], held: list[dict[str, memory.Taken]]) -> str:
    """The figures: of times and memory the median and the most."""
    rows = [("seconds since the login", "median", "most")]
    rows += [row(name.replace("_", " "), [getattr(one, name) for one in took]) for name in Took._fields]
    rows.append(("MB of one learner", "median", "most"))
    for name in ("server", "kernel"):
        rows += [row(f"{name}, {kind.upper()}", [getattr(one[name], kind) for one in held]) for kind in ("pss", "rss")]
    whole = [one["server"] + one["kernel"] for one in held]
    rows += [row(f"together, {kind.upper()}", [getattr(one, kind) for one in whole]) for kind in ("pss", "rss")]
    rows.append(row("seconds of a core", [one.cpu for one in whole]))
    private = sum(one.private for one in whole)
    shared = sum(one.pss for one in whole) - private
    thirty = (CLASS * private / len(whole) + shared) / 1024
    lines = [
        f"{len(took)} learners at once, {os.cpu_count()} cores",
        *in_columns(rows, right=(1, 2)),
        f"shared by all, once: {shared:.0f} MB. {CLASS} learners: {thirty:.1f} GB, and the hub and the system.",
        f"under {LARGE} MB each: {'yes' if max(one.pss for one in whole) < LARGE else 'no'}",
    ]
    return "\n".join(lines)


def row(name: str, numbers: list[float], form: Callable[[float], str] = "{:.0f}".format) -> tuple[str, str, str]:
    return name, form(statistics.median(numbers)), form(max(numbers))


if __name__ == "__main__":
    raise SystemExit(main())
