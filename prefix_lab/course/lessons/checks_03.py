"""Lesson 3's checks: which class wraps which model, what a wrong task type leads to, and a registry of one's own."""

from __future__ import annotations

import string
from typing import Any

from prefix_lab.course.checking import DICE, TODO, Verdict, exercise, is_open, raised
from prefix_lab.mapping import MODEL_TYPE_TO_PEFT_MODEL_MAPPING

CLASSES = {kind.__name__: task_type.value for task_type, kind in MODEL_TYPE_TO_PEFT_MODEL_MAPPING.items()}
JOBS = {
    "T5 writes a summary": "PeftModelForSeq2SeqLM",
    "GPT-2 writes on": "PeftModelForCausalLM",
    "BERT says: spam or not": "PeftModelForSequenceClassification",
    "BERT marks every name in a text": "PeftModelForTokenClassification",
    "BERT finds where the answer stands": "PeftModelForQuestionAnswering",
    "BERT turns a text into vectors for a search": "PeftModelForFeatureExtraction",
}
CLUES = {
    "PeftModelForSeq2SeqLM": "one text is read, another one is written: sequence to sequence",
    "PeftModelForCausalLM": "one text goes on, and each token follows from those before it: causal",
    "PeftModelForSequenceClassification": "one label for the whole sequence",
    "PeftModelForTokenClassification": "one label for each token",
    "PeftModelForQuestionAnswering": "two numbers for each token, for the start and the end of an answer",
    "PeftModelForFeatureExtraction": "no head at all: the hidden states are the result",
}


def filled(answer: Any, lines: dict[str, str]) -> Verdict | None:
    """What is wrong with the form of a dict that the learner filled in; None when nothing is."""
    if not isinstance(answer, dict):
        return Verdict(False, f"your answer is a {type(answer).__name__}, expected the dict of the cell, filled in.")
    if missing := [line for line in lines if line not in answer]:
        return Verdict(False, f"the line {missing[0]!r} is gone. Put it back as it was.")
    return Verdict(False, TODO) if is_open([answer[line] for line in lines]) else None


@exercise(3, 1, "which class for which job?")
def check_classes(answer: Any) -> Verdict:
    """`answer` has the name of a class for every job; the class itself is taken, too."""
    if problem := filled(answer, JOBS):
        return problem
    names = {job: getattr(answer[job], "__name__", answer[job]) for job in JOBS}
    for job, given in names.items():
        if given not in CLASSES.keys() | CLASSES.values():
            return Verdict(False, f"{job}: {given!r} is no class of the table. They are {', '.join(CLASSES)}.")
        if given not in CLASSES:
            return Verdict(False, f"{job}: {given} is a task type, the table's left side. Which class does it lead to?")
    for job, right in JOBS.items():
        if names[job] != right:
            return Verdict(False, f"{job}: not {names[job]}, in which there is {CLUES[names[job]]}.")
    return Verdict(True, "six task types, six classes: each knows where its inputs, masks and labels are.")


CASES = {
    "a prefix, task_type=None": "KeyError",
    "a prefix, task_type='SUMMARIZE'": "ValueError",
    "LoRA, task_type=None": "PeftModel",
    "a prefix, task_type='CAUSAL_LM', and the model is a T5": "PeftModelForCausalLM",
}
OUTCOMES = ("KeyError", "ValueError", "PeftModel", "PeftModelForCausalLM", "PeftModelForSeq2SeqLM")
REASONS = {
    "a prefix, task_type=None": "None passes the config's own check, since it may be filled in later; then follow the "
    "picture down: it is prompt learning, and the table is asked for None",
    "a prefix, task_type='SUMMARIZE'": "A name that does not exist is refused before get_peft_model is called at all: "
    "the config looks at it when it is made",
    "LoRA, task_type=None": "LoRA changes layers, and needs no class that knows where masks and labels are",
    "a prefix, task_type='CAUSAL_LM', and the model is a T5": "Look for the place where the task type is held against "
    "the model. There is none",
}


@exercise(3, 2, "what happens then?")
def check_outcomes(answer: Any) -> Verdict:
    """`answer` has one of `OUTCOMES` for every case."""
    if problem := filled(answer, CASES):
        return problem
    names = {case: getattr(answer[case], "__name__", answer[case]) for case in CASES}
    for case, given in names.items():
        if given not in OUTCOMES:
            return Verdict(False, f"{case}: {given!r} is none of {', '.join(OUTCOMES)}.")
    for case, right in CASES.items():
        if names[case] != right:
            return Verdict(False, f"{case}: not {names[case]}. {REASONS[case]}.")
    return Verdict(True, "two errors of different quality, one way that needs no class, and one trap.")


def drawn_names(count: int) -> list[str]:
    """Names of task types that nobody could have written into the answer."""
    return ["".join(DICE.choices(string.ascii_uppercase, k=6)) + f"_{number}" for number in range(count)]


@exercise(3, 3, "a registry of your own")
def check_registry(answer: Any) -> Verdict:
    """`answer` is a class with `register(task_type, kind)` and `choose(task_type)`."""
    if not isinstance(answer, type):
        return Verdict(
            False, f"expected the class itself, check_registry(Registry); this is a {type(answer).__name__}."
        )
    try:
        return tried(answer)
    except Exception as error:  # whatever the learner's code raises is for the learner to read
        return raised("registry", error)


def tried(registry_class: Any) -> Verdict:
    first, second, third, unknown = drawn_names(4)
    one, other = type("One", (), {}), type("Other", (), {})
    registry = registry_class()
    registry.register(first, one)
    found = registry.choose(first)
    if is_open(found):
        return Verdict(False, TODO)
    if isinstance(found, one):
        return Verdict(False, "choose gave an object of the class, expected the class itself: leave out the ().")
    if found is not one:
        return Verdict(False, f"after register({first!r}, One), choose({first!r}) gave {found!r}, expected One.")
    registry.register(second, other)
    if registry.choose(first) is not one or registry.choose(second) is not other:
        return Verdict(False, "with two entries, choose mixes them up: does register keep both, each under its name?")
    for name in (unknown, None):
        if problem := refused(registry, name, first):
            return problem
    if problem := kept(registry, first, one, other):
        return problem
    registry_class().register(third, other)
    try:
        registry.choose(third)
    except ValueError:
        return Verdict(True, "it finds, it lists what it knows, it overwrites nothing, and it shares nothing.")
    return Verdict(
        False,
        "what one registry learns, another one knows, too: they share one table. Make the dict in __init__, with self.",
    )


def refused(registry: Any, name: str | None, known: str) -> Verdict | None:
    """What is wrong with how an unknown name is refused."""
    try:
        found = registry.choose(name)
    except ValueError as error:
        if known not in str(error):
            return Verdict(False, f"choose({name!r}) says {str(error)!r}: list the task types that it knows, too.")
        if repr(name) not in str(error) and str(name) not in str(error):
            return Verdict(False, f"choose({name!r}) says {str(error)!r}: say what was asked for, too.")
        return None
    except KeyError:
        return Verdict(
            False,
            f"choose({name!r}) raises a bare KeyError, as PEFT does, and its reader learns nothing. Raise a ValueError "
            "that lists the task types that are known.",
        )
    return Verdict(False, f"choose({name!r}) gave {found!r}, expected a ValueError: nobody registered that name.")


def kept(registry: Any, name: str, one: type, other: type) -> Verdict | None:
    """What is wrong when a name is registered twice."""
    try:
        registry.register(name, other)
    except (ValueError, KeyError):
        if registry.choose(name) is not one:
            return Verdict(
                False, "a name registered twice is refused, but only after the old class is gone: ask first."
            )
        return None
    return Verdict(
        False,
        "a second register under the same name is accepted: whoever imports a package last would win, unseen. Raise a "
        "ValueError, as PEFT raises a KeyError.",
    )
