"""What the tiny T5 was taught: words, and one row a task, its written instruction and the function that it stands for.

Every task reads one word and writes one text. They are easy to check by eye and hard to do by luck, so that a prefix
that steers the model from one to another shows at once.
"""

import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NamedTuple

WORDS_FILE = Path(__file__).with_name("words.txt")
"""3,464 lower-case English words of 3 to 9 letters, sorted, the same on every machine.

They were taken once from Python's own documentation (the docstrings of the standard library and `pydoc_data.topics` of
Python 3.11), then read through by hand to leave out identifiers, abbreviations and anything unkind. They are frozen in
a file because Python's documentation is another text in each version, and the training must not be.
"""


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


class Task(NamedTuple):
    """An instruction and what it means."""

    instruction: str  # stands before the word
    function: Callable[[str], str]  # the word → the expected answer
    share: int = 1  # how often pretraining draws it, beside the others: the hard ones need more practice


def vowels(word: str) -> str:
    """The vowels in their order, or `-`: an empty answer could not be told from none."""
    return "".join(letter for letter in word if letter in "aeiou") or "-"


def consonants(word: str) -> str:
    """The letters that are no vowels, in their order, or `-`."""
    return "".join(letter for letter in word if letter not in "aeiou") or "-"


def swap(word: str) -> str:
    """First and last letter exchanged."""
    return word if len(word) < 2 else word[-1] + word[1:-1] + word[0]


TASKS: dict[str, Task] = {
    "reverse": Task("reverse: ", lambda word: word[::-1]),
    "upper": Task("upper: ", str.upper),
    "vowels": Task("vowels: ", vowels),
    "consonants": Task("consonants: ", consonants),
    "double": Task("double: ", lambda word: word + word, share=2),
    "sort": Task("sort: ", lambda word: "".join(sorted(word)), share=2),
    "swap": Task("swap: ", swap),
    "rotate": Task("rotate: ", lambda word: word[1:] + word[:1]),
    "unique": Task("unique: ", lambda word: "".join(dict.fromkeys(word)), share=2),
    "length": Task("length: ", lambda word: str(len(word))),
}


def get_task(name: str) -> Task:
    """The row of that name. Raises `ValueError` for a name that is not in the table."""
    if name not in TASKS:
        raise ValueError(f"task={name!r}, expected one of: {', '.join(TASKS)}.")
    return TASKS[name]


def source_text(name: str, word: str, instruction: bool = True) -> str:
    """What the model reads: the word after its instruction, or the bare word. Raises `ValueError` as `get_task`."""
    return get_task(name).instruction * instruction + word


def target_text(name: str, word: str) -> str:
    """What the model should write. Raises `ValueError` as `get_task`."""
    return get_task(name).function(word)
