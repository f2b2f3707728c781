"""Text for people: what would steer a terminal is spelled out, and names that nobody recorded get their neighbours."""

from __future__ import annotations

import sys
from bisect import bisect
from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

LONGEST = 1000  # characters of one value
NEAR = 4  # lines, or names, that are offered instead


def _(text: str) -> str:
    """The text in the reader's language, where somebody who shows it has brought the languages along; else itself."""
    languages = sys.modules.get("prefix_lab.locale")
    return languages._(text) if languages else text


def visible(text: str) -> str:
    r"""The text with every character that cannot be seen written as its escape: \x1b, \n, \u202e, \ud800, …"""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def visible_lines(text: str) -> str:
    """The same of a text whose line breaks are meant, and stay."""
    return "\n".join(map(visible, text.split("\n")))


def clipped(text: str) -> str:
    """A text made visible; of what is too long its beginning."""
    return visible(text if len(text) <= LONGEST else text[: LONGEST - 1] + "…")


def count_of(number: int, one: str, many: str) -> str:
    """`1 step`, `1,234 steps`."""
    return _(one if number == 1 else many).format(count=f"{number:,}")


def listed(names: list[str], most: int = 12) -> str:
    """`a, b, c`; of many the first ones, and how many there are more."""
    said = ", ".join(map(clipped, names[:most])) or "none"
    return said if len(names) <= most else f"{said} and {len(names) - most:,} more"


def lines_near(line: int, ran: list[int]) -> str:
    """A sentence that goes on after "line 5 never ran": the lines of its file, in order, that did."""
    found = ran[max(0, bisect(ran, line) - NEAR // 2) :][:NEAR]
    return f"Lines near it that did: {', '.join(map(str, found))}." if found else "No line of that file did."


def functions_near(name: str, called: Iterable[str]) -> list[str]:
    """Of the qualified names of functions, and of their ends, those that are like this one."""
    known = {end for function in called for end in (function, function.rpartition(".")[2])}
    return get_close_matches(name[:200], sorted(known), n=NEAR, cutoff=0.5)
