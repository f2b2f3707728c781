"""How much room a text takes where each sign has a cell, as in a terminal: Chinese signs take two."""

from __future__ import annotations

import re
import textwrap
import unicodedata
from collections.abc import Iterator

NEVER_FIRST = "，。；：、？！）》”’…"  # signs that no line begins with


def columns(text: str) -> int:
    """How many cells a text takes."""
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(sign) else 2 if is_wide(sign) else 1 for sign in text)


def is_wide(sign: str) -> bool:
    return unicodedata.east_asian_width(sign) in "WF"


def padded(text: str, width: int, right: bool = False) -> str:
    """The text with spaces behind it, or before it, up to that many cells."""
    space = " " * max(0, width - columns(text))
    return space + text if right else text + space


def wrapped(text: str, width: int, hanging: int = 0) -> list[str]:
    """Lines of at most `width` cells, the later ones indented; between Chinese signs a line may end anywhere."""
    if not any(map(is_wide, text)):
        return textwrap.wrap(text, width, subsequent_indent=" " * hanging, break_on_hyphens=False)
    lines = [""]
    for piece in pieces(text):
        if lines[-1].strip() and columns(lines[-1] + piece.rstrip()) > width:
            lines[-1] = lines[-1].rstrip()
            lines.append(" " * hanging)
            piece = piece.lstrip()
        lines[-1] += piece
    return [*lines[:-1], lines[-1].rstrip()]


def pieces(text: str) -> Iterator[str]:
    """What stays on one line: a word with the spaces before it, or a wide sign with those that may not begin a line."""
    wide = "".join(sorted({sign for sign in text if is_wide(sign)} - set(NEVER_FIRST)))
    end = f"[{re.escape(NEVER_FIRST)}]*"
    yield from re.findall(rf"\s*[{re.escape(wide)}]{end}|\s*[^\s{re.escape(wide)}]+|\s+$", text)
