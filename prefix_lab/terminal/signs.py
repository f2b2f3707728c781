"""What an output can print: what an encoding lacks is spelled out, and never an error.

Many logs and some terminals take ASCII or one country's letters alone, whatever the text.
"""

import codecs
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import TextIOWrapper
from typing import TextIO

SPELLED = {"·": "*", "×": "x", "→": "->", "↳": "->", "…": "...", "─": "-", "│": "|", "✓": "+", "≈": "~"}
SPELLED |= {"≠": "!=", "≤": "<=", "≥": ">=", "◐": "o"}
HANDLER = "prefix_lab.spelled"


def spell(error: UnicodeError) -> tuple[str, int]:
    """Our signs by others that look alike; any other character by its escape, such as \\u4e2d."""
    assert isinstance(error, UnicodeEncodeError)
    lacking = error.object[error.start : error.end]
    return "".join(SPELLED.get(one) or ascii(one)[1:-1] for one in lacking), error.end


codecs.register_error(HANDLER, spell)


@contextmanager
def all_signs(*streams: TextIO) -> Iterator[None]:
    """Inside, these, or standard output and error, take every character; afterwards they are as they were."""
    before = [(one, one.errors) for one in streams or (sys.stdout, sys.stderr) if isinstance(one, TextIOWrapper)]
    try:
        for stream, _ in before:
            handle(stream, HANDLER)
        yield
    finally:
        for stream, errors in before:
            handle(stream, errors)


def handle(stream: TextIOWrapper, errors: str | None) -> None:
    with suppress(ValueError):  # a program may have closed it
        stream.reconfigure(errors=errors)


def has_signs(stream: TextIO, signs: str) -> bool:
    """Whether these can be written as they are."""
    try:
        signs.encode(stream.encoding or "utf-8")
    except UnicodeEncodeError:
        return False
    return True
