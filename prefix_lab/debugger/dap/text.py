"""Text of a program, as a client may show it: what would steer a terminal is spelled out, what is too long is cut."""

from __future__ import annotations

LONGEST = 1000  # characters of one value


def visible(text: str) -> str:
    r"""The text with every character that cannot be seen written as its escape: \x1b, \n, \ud800, …"""
    text = text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def listed(names: list[str], most: int = 12) -> str:
    """`a, b, c`; of many the first ones, and how many there are more."""
    said = ", ".join(map(visible, names[:most])) or "none"
    return said if len(names) <= most else f"{said} and {len(names) - most:,} more"
