"""The English words that the tasks are about: some to train on, some held out, the same on every machine.

`words.txt` holds 3,464 lower-case words of 3 to 9 letters, sorted. They were taken once from Python's own documentation
(the docstrings of the standard library and `pydoc_data.topics` of Python 3.11), then read through by hand to leave out
identifiers, abbreviations and anything unkind. They are frozen in a file because Python's documentation is another
text in each version, and the training must not be.
"""

import zlib
from functools import cache
from pathlib import Path

WORDS_FILE = Path(__file__).with_name("words.txt")


@cache
def all_words() -> tuple[str, ...]:
    """Every word, sorted."""
    return tuple(WORDS_FILE.read_text(encoding="utf-8").split())


def is_held_out(word: str) -> bool:
    """Whether training never sees the word: about one in ten, by a hash, so that a longer list moves no word."""
    return zlib.crc32(word.encode()) % 10 == 0


def held_out_words() -> list[str]:
    """The words that no training uses, sorted: measure on these."""
    return [word for word in all_words() if is_held_out(word)]


def seen_words() -> list[str]:
    """The words to train on, sorted."""
    return [word for word in all_words() if not is_held_out(word)]
