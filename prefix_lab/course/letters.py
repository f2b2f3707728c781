"""The letter tasks: what the tiny T5 was taught, and the words that it was taught on.

Every task reads one word and writes one text. They are easy to check by eye and hard to do by luck, so that a prefix
that steers the model from one to another shows at once. The functions take any tokenizer and any encoder-decoder model,
with or without a prefix before it.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from torch import nn

from prefix_lab.course.tasks import TaskForSeq2SeqLM

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


class LetterTask(TaskForSeq2SeqLM):
    """A word, and what `function` makes of it."""

    def __init__(self, name: str, function: Callable[[str], str], share: int = 1):
        super().__init__(
            name,
            train=[(word, function(word)) for word in seen_words()],
            test=[(word, function(word)) for word in held_out_words()],
            instruction=f"{name}: ",
        )
        self.function = function
        self.share = share  # how often pretraining draws it, beside the others: the hard ones need more practice


def vowels(word: str) -> str:
    """The vowels in their order, or `-`: an empty answer could not be told from none."""
    return "".join(letter for letter in word if letter in "aeiou") or "-"


def consonants(word: str) -> str:
    """The letters that are no vowels, in their order, or `-`."""
    return "".join(letter for letter in word if letter not in "aeiou") or "-"


def swap(word: str) -> str:
    """First and last letter exchanged."""
    return word if len(word) < 2 else word[-1] + word[1:-1] + word[0]


TASKS: dict[str, LetterTask] = {
    task.name: task
    for task in (
        LetterTask("reverse", lambda word: word[::-1]),
        LetterTask("upper", str.upper),
        LetterTask("vowels", vowels),
        LetterTask("consonants", consonants),
        LetterTask("double", lambda word: word + word, share=2),
        LetterTask("sort", lambda word: "".join(sorted(word)), share=2),
        LetterTask("swap", swap),
        LetterTask("rotate", lambda word: word[1:] + word[:1]),
        LetterTask("unique", lambda word: "".join(dict.fromkeys(word)), share=2),
        LetterTask("length", lambda word: str(len(word))),
    )
}


def get_task(name: str) -> LetterTask:
    """The task of that name. Raises `ValueError` for a name that is not in the table."""
    if name not in TASKS:
        raise ValueError(f"task={name!r}, expected one of: {', '.join(TASKS)}.")
    return TASKS[name]


def source_text(name: str, word: str) -> str:
    """What the model reads: the word after its instruction. Raises `ValueError` as `get_task`."""
    return get_task(name).instruction + word


def target_text(name: str, word: str) -> str:
    """What the model should write. Raises `ValueError` as `get_task`."""
    return get_task(name).function(word)


def exact_match(model: nn.Module, tokenizer: Any, words: list[str], task: str) -> float:
    """The share of words, 0 to 1, whose answer is right to the letter. Raises `ValueError` for no words."""
    if not words:
        raise ValueError("words is empty, expected at least one; held_out_words() gives those to measure on.")
    examples = [(source_text(task, word), target_text(task, word)) for word in words]
    return get_task(task).score(model, tokenizer, examples)
