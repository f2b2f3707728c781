"""Is a named place the one that was met? By the calls that led there, and by how often each had been passed.

A `way` is the lines that called, from the nearest outwards; `visits` counts, for each of them, the earlier times.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

CallLine = tuple[str, str, int]  # file, function, line
Axes = tuple[str, ...]
LATER = -1  # of a count: any number but none
ANY_WAY: tuple[CallLine, ...] = (("*", "*", 0),)  # of an entry that holds by its sizes, however one came there


class Named(NamedTuple):
    """The axes of a tensor at one place: an expression each, or its number, or "" where nothing is proven."""

    way: tuple[CallLine, ...]
    visits: dict[int, int]  # how often which call had been passed; those that make no difference are left out
    axes: Axes


def passed(visits: Sequence[int], wanted: Mapping[int, int], at: int) -> bool:
    """Whether a call had been passed as often as an entry says; LATER stands for any number but none."""
    return visits[at] == wanted[at] or (wanted[at] == LATER and visits[at] > 0)


def common(one: Sequence[CallLine], other: Sequence[CallLine]) -> int:
    """How many lines two ways share, from the place itself outwards."""
    count = 0
    for mine, theirs in zip(one, other, strict=False):
        if mine != theirs:
            break
        count += 1
    return count
