"""The six tasks of the small world, one for each of PEFT's task types: `world_task("SEQ_CLS")`, say.

Training draws on the places that are seen, measuring on those that are held out: one example for each place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from prefix_lab.course.task_heads import (
    TaskForFeatureExtraction,
    TaskForQuestionAnswering,
    TaskForSequenceClassification,
    TaskForTokenClassification,
)
from prefix_lab.course.tasks import TaskForCausalLM, TaskForSeq2SeqLM, TaskOfExamples
from prefix_lab.course.world import MANNERS, QUESTIONS, Place, manner_of, places, printed, prompt, sentence

NAMED = ("food", "price", "area")
"""The fields whose words are to be found."""
JUDGED = ("praise", "complaint")


class TableToText(TaskForSeq2SeqLM):
    """A record is to be said in one manner: (record, sentence, place). Any other right sentence will do as well."""

    def __init__(self, name: str, train: Sequence[Any], test: Sequence[Any], manner: str):
        super().__init__(f"{name}, {manner}", train, test, instruction=f"{manner} : ")
        self.manner = manner

    def is_right(self, answer: str, example: tuple[str, str, Place]) -> bool:
        """Whether it is a right sentence about the place, in the manner that was asked for."""
        return manner_of(example[2], answer) == self.manner


class TableContinued(TableToText, TaskForCausalLM):
    """For a decoder alone: Li & Liang's own task. The record ends with a sign, after which the sentence stands."""


def told(place: Place, manner: str, random: Random) -> tuple[str, str, Place]:
    """The record, and a sentence in the manner."""
    return prompt(place), sentence(place, manner, random).text, place


def told_after_sign(place: Place, manner: str, random: Random) -> tuple[str, str, Place]:
    """The record and the sign that ends it, and a sentence in the manner."""
    return f"{prompt(place)} =", sentence(place, manner, random).text, place


def judged(place: Place, manner: str, random: Random) -> tuple[str, str]:
    """A sentence, and whether it is praise or complaint."""
    label = random.choice(JUDGED)
    return sentence(place, label, random).text, label


def marked(place: Place, manner: str, random: Random) -> tuple[list[str], list[str]]:
    """The words of a sentence, and which of the fields to find each one says; - for none."""
    said = sentence(place, random.choice(MANNERS), random)
    return list(said.words), [field if field in NAMED else "-" for field in said.says]


def asked(place: Place, manner: str, random: Random) -> tuple[str, str, str, int]:
    """A question, a sentence that answers it, the words that do, and at which character they begin."""
    said = sentence(place, random.choice(MANNERS), random)
    field = random.choice(said.fields)
    start, stop = said.span(field)
    begins = len(printed(said.words[:start])) + (start > 0)
    return random.choice(QUESTIONS[field]), said.text, printed(said.words[start:stop]), begins


def said_twice(place: Place, manner: str, random: Random) -> tuple[str, str]:
    """Two sentences about the place, in two manners."""
    one, other = random.sample(MANNERS, 2)
    return sentence(place, one, random).text, sentence(place, other, random).text


KINDS: dict[str, tuple[str, type[TaskOfExamples], Callable[[Place, str, Random], Any]]] = {
    "CAUSAL_LM": ("table to text", TableContinued, told_after_sign),
    "SEQ_2_SEQ_LM": ("table to text", TableToText, told),
    "SEQ_CLS": ("praise or complaint", TaskForSequenceClassification, judged),
    "TOKEN_CLS": ("words for food, price, area", TaskForTokenClassification, marked),
    "QUESTION_ANS": ("where the answer stands", TaskForQuestionAnswering, asked),
    "FEATURE_EXTRACTION": ("the same place", TaskForFeatureExtraction, said_twice),
}
"""Task type → the task's name, its class, and what makes an example of a place."""


def world_task(task_type: str, manner: str = "plain") -> TaskOfExamples:
    """The world's task of that type, the same in every run.

    `manner` is how CAUSAL_LM and SEQ_2_SEQ_LM are to say a place; the others have none. Raises `ValueError` for a type
    or a manner that there is not.
    """
    if task_type not in KINDS:
        raise ValueError(f"task_type={task_type!r}, expected one of: {', '.join(KINDS)}.")
    name, kind, one = KINDS[task_type]
    random = Random(0)
    train, test = ([one(place, manner, random) for place in places(part)] for part in ("seen", "held out"))
    return kind(name, train, test, manner) if issubclass(kind, TableToText) else kind(name, train, test)
