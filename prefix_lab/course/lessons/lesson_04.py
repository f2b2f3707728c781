"""Lesson 4: the way to a class, drawn; which class wraps which model, wrong task types, a registry of one's own."""

from __future__ import annotations

import string
from typing import Any

from prefix_lab.beside.wrapping import MODEL_TYPE_TO_PEFT_MODEL_MAPPING
from prefix_lab.course.checking import DICE, TODO, NotYet, brief, exercise, filled_in, is_open, raised
from prefix_lab.course.shown import Drawn
from prefix_lab.widgets.colours import COLOURS
from prefix_lab.widgets.picture import FAINT, INK, Picture

WAY = COLOURS["prefix_len"]
LINE, RIGHT, ENDS = 0.24, 4.7, 4.5  # inches: a row of the table, where answers stand, and how wide they are


def draw_choice(config: Any, mixed: bool = False) -> Drawn:
    """The way of one config, PEFT's or ours: filled boxes are passed, the others are not."""
    steps, end = way_of(config, mixed)
    table = list(MODEL_TYPE_TO_PEFT_MODEL_MAPPING.items())
    picture = Picture(0.06, RIGHT + ENDS + 0.1, 4.72)
    name = type(config).__name__
    box(picture, 0.0, 0.06, 3.9, f"{name}, task_type={plain(config.task_type)}", True)

    ask(picture, 0.82, "mixed=True?", steps[0])
    answer(picture, 0.82, "yes", "PeftMixedModel, for layers of several methods", end == "PeftMixedModel")
    ask(picture, 1.72, "is the task type in the table?", steps[1])
    for number, (task_type, kind) in enumerate(table):
        here = end == kind.__name__
        top = 1.36 + LINE * number
        picture.box(RIGHT, top, ENDS, LINE - 0.03, fill=WAY if here else "none", fill_opacity=0.3, stroke=FAINT)
        picture.words(RIGHT + 0.1, top + 0.11, task_type.value, 8.5, "start", bold=here)
        picture.words(RIGHT + 1.75, top + 0.11, kind.__name__, 8.5, "start", bold=here)
    arrow_right(picture, 1.93, "yes", end in [kind.__name__ for _, kind in table])
    ask(picture, 3.12, "is it prompt learning?", steps[2])
    answer(picture, 3.12, "no", "PeftModel: layers change, any model will do", end == "PeftModel")
    arrow_down(picture, 3.54, 4.1, end == "KeyError", "yes")
    box(picture, 0.0, 4.14, 3.9, "KeyError: the table has no such entry", end == "KeyError")
    title = f"The way of a {name} with task_type={plain(config.task_type)}"
    told = f"{' → '.join(said(steps))} → {end}"
    return Drawn(picture.svg(title, told), f"{title}\n{told}")


QUESTIONS = ("mixed=True?", "is the task type in the table?", "is it prompt learning?")


def way_of(config: Any, mixed: bool) -> tuple[list[bool | None], str]:
    """The answers to the three questions, None where one is not asked, and where the way ends."""
    if mixed:
        return [True, None, None], "PeftMixedModel"
    if config.task_type in list(MODEL_TYPE_TO_PEFT_MODEL_MAPPING):
        return [False, True, None], MODEL_TYPE_TO_PEFT_MODEL_MAPPING[config.task_type].__name__
    prompt_learning = bool(config.is_prompt_learning)
    return [False, False, prompt_learning], "KeyError" if prompt_learning else "PeftModel"


def said(steps: list[bool | None]) -> list[str]:
    return [
        f"{question} {'yes' if step else 'no'}"
        for question, step in zip(QUESTIONS, steps, strict=True)
        if step is not None
    ]


def plain(task_type: Any) -> str:
    """`'CAUSAL_LM'` for a text and for a member of TaskType."""
    return repr(getattr(task_type, "value", task_type))


def box(picture: Picture, left: float, top: float, width: float, text: str, on: bool) -> None:
    fill = WAY if on else "none"
    picture.box(left, top, width, 0.42, fill=fill, fill_opacity=0.3, stroke=INK if on else FAINT, rx=5)
    picture.words(left + width / 2, top + 0.21, text, 10, bold=on)


def ask(picture: Picture, top: float, text: str, step: bool | None) -> None:
    """A question on the left, with the arrow that leads down to it."""
    above = {0.82: 0.48, 1.72: 1.24, 3.12: 2.14}[top]
    arrow_down(picture, above, top, step is not None, "" if top < 1 else "no")
    box(picture, 0.0, top, 3.9, text, step is not None)


def answer(picture: Picture, top: float, word: str, text: str, on: bool) -> None:
    arrow_right(picture, top + 0.21, word, on)
    box(picture, RIGHT, top, ENDS, text, on)


def arrow_right(picture: Picture, y: float, word: str, on: bool) -> None:
    picture.line((3.94, y), (RIGHT - 0.08, y), stroke=INK if on else FAINT, stroke_width=2.2 if on else 1)
    picture.words(RIGHT - 0.09, y, "›", 14)
    picture.words(4.28, y - 0.12, word, 9, bold=on)


def arrow_down(picture: Picture, top: float, bottom: float, on: bool, word: str) -> None:
    picture.line((1.95, top), (1.95, bottom - 0.02), stroke=INK if on else FAINT, stroke_width=2.2 if on else 1)
    if word:
        picture.words(2.08, (top + bottom) / 2, word, 9, "start", bold=on)


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


NO_CLASS = "{line}: {given} is no class of the table. They are {known}."
TASK_TYPE = "{line}: {given} is a task type, the table's left side. Which class does it lead to?"
OTHER_CLASS = "{line}: not {given}, which is for this: {clue}."


@exercise("classes")
def check_classes(answer: Any) -> str:
    """`answer` has the name of a class for every job; the class itself is taken, too."""
    names = dict(zip(JOBS, map(name_of, filled_in(answer, JOBS)), strict=True))
    for job, given in names.items():
        if given in CLASSES.values():
            raise NotYet(TASK_TYPE, line=job, given=given)
        if given not in CLASSES:
            raise NotYet(NO_CLASS, line=job, given=brief(answer[job]), known=", ".join(CLASSES))
    for job, right in JOBS.items():
        if names[job] != right:
            raise NotYet(OTHER_CLASS, line=job, given=names[job], clue=CLUES[names[job]])
    return "Six task types, six classes: each knows where its inputs, masks and labels are."


def name_of(given: Any) -> str:
    """A class's name, of the class or of a text that says it."""
    return getattr(given, "__name__", None) or str(given).strip()


CASES = {
    "a prefix, task_type=None": "KeyError",
    "a prefix, task_type='SUMMARIZE'": "ValueError",
    "LoRA, task_type=None": "PeftModel",
    "a prefix, task_type='CAUSAL_LM', and the model is a T5": "PeftModelForCausalLM",
}
OUTCOMES = ("KeyError", "ValueError", "PeftModel", "PeftModelForCausalLM", "PeftModelForSeq2SeqLM")
REASONS = {
    "a prefix, task_type=None": "None passes the config's own check, since it may be filled in later; then follow the "
    "picture down: it is prompt learning, and the table is asked for None.",
    "a prefix, task_type='SUMMARIZE'": "A name that does not exist is refused before get_peft_model is called at all: "
    "the config looks at it when it is made.",
    "LoRA, task_type=None": "LoRA changes layers, and needs no class that knows where masks and labels are.",
    "a prefix, task_type='CAUSAL_LM', and the model is a T5": "Look for a place where the task type is compared with "
    "the model. There is none.",
}
NO_OUTCOME = "{line}: {given} is none of {known}."
OTHER_OUTCOME = "{line}: not {given}. {reason}"


@exercise("outcomes")
def check_outcomes(answer: Any) -> str:
    """`answer` has one of `OUTCOMES` for every case."""
    names = dict(zip(CASES, map(name_of, filled_in(answer, CASES)), strict=True))
    for case, given in names.items():
        if given not in OUTCOMES:
            raise NotYet(NO_OUTCOME, line=case, given=brief(answer[case]), known=", ".join(OUTCOMES))
    for case, right in CASES.items():
        if names[case] != right:
            raise NotYet(OTHER_OUTCOME, line=case, given=names[case], reason=REASONS[case])
    return "Two errors of different quality, one way that needs no class, and one trap."


OBJECT = "choose gave an object of the class, and the class itself is wanted: leave out the ()."
NOTHING_CHOSEN = "choose gave None: hand the class back, with `return`."
NOT_FOUND = "After register({name!r}, One), choose({name!r}) gave {given}, expected One."
MIXED_UP = "With two entries, choose mixes them up: does register keep both, each under its name?"
SHARED = "What one registry learns, another one knows, too: they share one table. Make the dict in __init__, with self."
LIST_KNOWN = "choose({name!r}) says {said!r}: list the task types that it knows, too."
SAY_ASKED = "choose({name!r}) says {said!r}: say what was asked for, too."
BARE = (
    "choose({name!r}) raises a bare KeyError, as PEFT does, and its reader learns nothing. Raise a ValueError that "
    "lists the task types that are known."
)
UNKNOWN_GIVEN = "choose({name!r}) gave {given}, expected a ValueError: nobody registered that name."
TOO_LATE = "A name registered twice is refused, but only after the old class is gone: ask first."
TWICE = (
    "A second register under the same name is accepted: the last one to register would win, unseen. Raise a "
    "ValueError, as PEFT raises a KeyError."
)


@exercise("registry")
def check_registry(answer: Any) -> str:
    """`answer` is a class with `register(task_type, kind)` and `choose(task_type)`."""
    if not isinstance(answer, type):
        raise NotYet("The class itself is wanted, check_registry(Registry); this is {given}.", given=brief(answer))
    try:
        return tried(answer)
    except NotYet:
        raise
    except Exception as error:  # whatever the learner's code raises is for the learner to read
        raise raised("registry", error) from error


def tried(registry_class: Any) -> str:
    # names of task types that nobody could have written into the answer
    first, second, third, unknown = ("".join(DICE.choices(string.ascii_uppercase, k=6)) + f"_{n}" for n in range(4))
    one, other = type("One", (), {}), type("Other", (), {})
    registry = registry_class()
    registry.register(first, one)
    found = registry.choose(first)
    if is_open(found):
        raise NotYet(TODO)
    if found is not one:
        said = OBJECT if isinstance(found, one) else NOTHING_CHOSEN if found is None else NOT_FOUND
        raise NotYet(said, name=first, given=brief(found))
    registry.register(second, other)
    if registry.choose(first) is not one or registry.choose(second) is not other:
        raise NotYet(MIXED_UP)
    for name in (unknown, None):
        refuses(registry, name, first)
    keeps(registry, first, one, other)
    registry_class().register(third, other)
    try:
        registry.choose(third)
    except ValueError:
        return "It finds, it lists what it knows, it overwrites nothing, and it shares nothing."
    raise NotYet(SHARED)


def refuses(registry: Any, name: str | None, known: str) -> None:
    """An unknown name is refused with words that help."""
    try:
        found = registry.choose(name)
    except ValueError as error:
        if known not in str(error):
            raise NotYet(LIST_KNOWN, name=name, said=str(error)) from error
        if str(name) not in str(error):
            raise NotYet(SAY_ASKED, name=name, said=str(error)) from error
    except KeyError as error:
        raise NotYet(BARE, name=name) from error
    else:
        raise NotYet(UNKNOWN_GIVEN, name=name, given=brief(found))


def keeps(registry: Any, name: str, one: type, other: type) -> None:
    """A name registered twice is refused, and keeps its first class."""
    try:
        registry.register(name, other)
    except (ValueError, KeyError) as error:
        if registry.choose(name) is not one:
            raise NotYet(TOO_LATE) from error
    else:
        raise NotYet(TWICE)
