"""What a learner's processes take of this machine's memory and processors, from Linux's /proc."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

MEGA = 1024  # the kernel counts in kB


class Taken(NamedTuple):
    """MB, and seconds of a processor.

    `rss` counts a page that several processes share in each of them; `pss` divides it among them, so that it may be
    added up; `private` is what no other process has.
    """

    rss: float
    pss: float
    private: float
    cpu: float

    def __add__(self, other: Taken) -> Taken:  # type: ignore[override]
        return Taken(*(one + more for one, more in zip(self, other, strict=True)))


NOTHING = Taken(0, 0, 0, 0)


def of_learner(home: Path) -> dict[str, Taken]:
    """ "server" and "kernel" → what they take."""
    found = {"server": NOTHING, "kernel": NOTHING}
    for process in having(f"HOME={home}"):
        with suppress(OSError):
            kind = "kernel" if b"ipykernel" in (process / "cmdline").read_bytes() else "server"
            found[kind] += taken(process)
    return found


def at_home(folder: Path) -> list[int]:
    """The processes of all learners whose homes are in a folder."""
    return [int(process.name) for process in having(f"HOME={folder / 'home'}{os.sep}", whole=False)]


def having(variable: str, whole: bool = True) -> Iterator[Path]:
    """Processes with this in their environment, or with what begins so."""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended, or is another's
            held = (process / "environ").read_bytes().split(b"\0")
            if any(one == variable.encode() if whole else one.startswith(variable.encode()) for one in held):
                yield process


def taken(process: Path) -> Taken:
    lines = (line.split() for line in (process / "smaps_rollup").read_text().splitlines()[1:])
    held = {words[0]: int(words[1]) / MEGA for words in lines}
    times = (process / "stat").read_text().rpartition(")")[2].split()[11:13]
    private = held["Private_Clean:"] + held["Private_Dirty:"]
    return Taken(held["Rss:"], held["Pss:"], private, sum(map(int, times)) / os.sysconf("SC_CLK_TCK"))
