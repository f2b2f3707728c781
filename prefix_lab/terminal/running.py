"""To the next of several breakpoints, beside the screen: a condition may take seconds over a million steps."""

import asyncio
from collections.abc import Iterable

from prefix_lab.debugger import Breakpoint, Recording

Hit = tuple[int, Breakpoint]


async def next_hit(
    recording: Recording, breakpoints: Iterable[Breakpoint], index: int, backwards: bool = False
) -> Hit | None:
    """The nearest step on that side of `index` where one of them holds, and which one; None if there is none."""
    return await asyncio.to_thread(nearest, recording, tuple(breakpoints), index, backwards)


def nearest(recording: Recording, breakpoints: Iterable[Breakpoint], index: int, backwards: bool) -> Hit | None:
    found = []
    for breakpoint in breakpoints:
        scout = recording.cursor(index)
        if scout.run_to(breakpoint, backwards):
            found.append((scout.index, breakpoint))
    return (max if backwards else min)(found, key=lambda hit: hit[0], default=None)
