"""Lesson 4: the way to a class, drawn; which class wraps which model, wrong task types, and who fills the tables."""

from __future__ import annotations

from typing import Any

from prefix_lab.beside.wrapping import MODEL_TYPE_TO_PEFT_MODEL_MAPPING
from prefix_lab.course.checking import TODO, NotYet, brief, exercise, filled_in, is_open, seen_there
from prefix_lab.course.shown import Drawn
from prefix_lab.locale import N_, _
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

    ask(picture, 0.82, QUESTIONS[0], steps[0])
    answer(picture, 0.82, _("yes"), _("PeftMixedModel, for layers of several methods"), end == "PeftMixedModel")
    ask(picture, 1.72, QUESTIONS[1], steps[1])
    for number, (task_type, kind) in enumerate(table):
        here = end == kind.__name__
        top = 1.36 + LINE * number
        picture.box(RIGHT, top, ENDS, LINE - 0.03, fill=WAY if here else "none", fill_opacity=0.3, stroke=FAINT)
        picture.words(RIGHT + 0.1, top + 0.11, task_type.value, 8.5, "start", bold=here)
        picture.words(RIGHT + 1.75, top + 0.11, kind.__name__, 8.5, "start", bold=here)
    arrow_right(picture, 1.93, _("yes"), end in [kind.__name__ for name, kind in table])
    ask(picture, 3.12, QUESTIONS[2], steps[2])
    answer(picture, 3.12, _("no"), _("PeftModel: layers change, any model will do"), end == "PeftModel")
    arrow_down(picture, 3.54, 4.1, end == "KeyError", _("yes"))
    box(picture, 0.0, 4.14, 3.9, _("KeyError: the table has no such entry"), end == "KeyError")
    title = _("The way of a {name} with task_type={given}").format(name=name, given=plain(config.task_type))
    told = f"{' → '.join(said(steps))} → {end}"
    return Drawn(picture.svg(title, told), f"{title}\n{told}")


QUESTIONS = ("mixed=True?", N_("is the task type in the table?"), N_("is it prompt learning?"))


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
        f"{_(question)} {_('yes') if step else _('no')}"
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
    arrow_down(picture, above, top, step is not None, "" if top < 1 else _("no"))
    box(picture, 0.0, top, 3.9, _(text), step is not None)


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
    "summary": "PeftModelForSeq2SeqLM",
    "go_on": "PeftModelForCausalLM",
    "spam": "PeftModelForSequenceClassification",
    "names": "PeftModelForTokenClassification",
    "answer_place": "PeftModelForQuestionAnswering",
    "search": "PeftModelForFeatureExtraction",
}
NO_CLASS = N_("{line}: {given} is no class of the table. They are {known}.")
TASK_TYPE = N_("{line}: {given} is a task type, the table's left side. Which class does it lead to?")
CLUES = {
    "PeftModelForSeq2SeqLM": N_("{line}: not {given}, in which one text is read and another one is written."),
    "PeftModelForCausalLM": N_("{line}: not {given}, in which one text goes on, each token after those before it."),
    "PeftModelForSequenceClassification": N_("{line}: not {given}, which gives one label for the whole text."),
    "PeftModelForTokenClassification": N_("{line}: not {given}, which gives one label for each token."),
    "PeftModelForQuestionAnswering": N_(
        "{line}: not {given}, which gives two numbers for each token, for the start and the end of an answer."
    ),
    "PeftModelForFeatureExtraction": N_(
        "{line}: not {given}, which has no head at all: the hidden states are the result."
    ),
}
"""Class → what it is for, said to who chose it in the wrong place."""


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
            raise NotYet(CLUES[names[job]], line=job, given=names[job])
    return _("Six task types, six classes: each knows where its inputs, masks and labels are.")


def name_of(given: Any) -> str:
    """A class's name, of the class or of a text that says it."""
    return getattr(given, "__name__", None) or str(given).strip()


CASES = {
    "prefix_none": "KeyError",
    "prefix_summarize": "ValueError",
    "lora_none": "PeftModel",
    "prefix_causal": "PeftModelForCausalLM",
}
OUTCOMES = ("KeyError", "ValueError", "PeftModel", "PeftModelForCausalLM", "PeftModelForSeq2SeqLM")
REASONS = {
    "prefix_none": N_(
        "{line}: not {given}. None passes the config's own check, since it may be filled in later; then "
        "follow the picture down: it is prompt learning, and the table is asked for None."
    ),
    "prefix_summarize": N_(
        "{line}: not {given}. A name that does not exist is refused before get_peft_model is called at "
        "all: the config looks at it when it is made."
    ),
    "lora_none": N_(
        "{line}: not {given}. LoRA changes layers, and needs no class that knows where masks and labels are."
    ),
    "prefix_causal": N_(
        "{line}: not {given}. Look for a place where the task type is compared with the model. There is none."
    ),
}
NO_OUTCOME = N_("{line}: {given} is none of {known}.")


@exercise("outcomes")
def check_outcomes(answer: Any) -> str:
    """`answer` has one of `OUTCOMES` for every case."""
    names = dict(zip(CASES, map(name_of, filled_in(answer, CASES)), strict=True))
    for case, given in names.items():
        if given not in OUTCOMES:
            raise NotYet(NO_OUTCOME, line=case, given=brief(answer[case]), known=", ".join(OUTCOMES))
    for case, right in CASES.items():
        if names[case] != right:
            raise NotYet(REASONS[case], line=case, given=names[case])
    return _("Two errors, one way that needs no class, and one mistake that PEFT lets pass.")


BOTH = N_(
    "You have not seen `{name}` at both stops yet. Print it at the first, go on with `c`, and print it at the second."
)
SAME_VALUE = N_("{given} is the same in both: neither has a task type. Which other half of the condition differs?")
NOT_ASKED_THERE = N_("{given} is not what that line asks for. It joins two questions with `and`; which is the second?")
PARTING = "is_prompt_learning"


@exercise("no_task_type", stage="choose")
def check_no_task_type(stop: Any, answer: Any) -> str:
    """`answer` names what differs between LoRA's config and the prefix's, seen at both stops."""
    if is_open(answer):
        raise NotYet(TODO)
    given = str(answer).strip().removeprefix("peft_config.").removesuffix("()")
    if given in ("task_type", "MODEL_TYPE_TO_PEFT_MODEL_MAPPING"):
        raise NotYet(SAME_VALUE, given=given)
    if given != PARTING:
        raise NotYet(NOT_ASKED_THERE, given=brief(answer))
    seen_there(stop, "get_peft_model", ("True", "False"))
    if stop.by != "debugger":
        seen = [one.answer for one in stop.asked if PARTING in one.command and one.function == "get_peft_model"]
        if len({*seen}) < 2:
            raise NotYet(BOTH, name=PARTING)
    return _(
        "LoRA is no prompt learning, so it needs no entry in the table. A prefix is, and the table is asked for None."
    )


CALLER = "tuners/prefix_tuning/__init__.py"
OTHER_FILES = {
    "peft_types.py": N_("There register_peft_method itself is written. Who called it? `u` climbs to the caller."),
    "/mapping.py": N_("There the tables stand, still empty. Who calls register_peft_method? `u` climbs to the caller."),
    "/config.py": N_("There the config's class is written, which is handed over. Who hands it over? `u` climbs there."),
    "/model.py": N_("There the class is written that is handed over. Who hands it over? `u` climbs there."),
    "importlib": N_("That is Python's own import, one frame too far up: `d` goes down again."),
}
NOT_CLIMBED = N_(
    "The file is right, and you have not been there yet: at the stop, `u` climbs to the caller, `w` shows the stack."
)
WHICH_FILE = N_("Not {given}. `u` prints the caller's file: write it from `peft/` on.")


@exercise("who_fills")
def check_who_fills(stop: Any, answer: Any) -> str:
    """`answer` is the file that calls register_peft_method, and the learner climbed there."""
    if is_open(answer):
        raise NotYet(TODO)
    given = str(answer).strip().replace("\\", "/")
    file = "/".join(given.split(".")) + "/__init__.py" if given.endswith("tuners.prefix_tuning") else given
    if not file.endswith(CALLER):
        for name, cause in OTHER_FILES.items():
            if name in file:
                raise NotYet(cause)
        raise NotYet(WHICH_FILE, given=brief(answer))
    seen_there(stop, "register_peft_method")
    if stop.by != "debugger" and not any(one.function == "<module>" or names_caller(one) for one in stop.asked):
        raise NotYet(NOT_CLIMBED)
    return _(
        "Importing PEFT runs this line once for each method, and so the tables are full before your program begins."
    )


def names_caller(asked: Any) -> bool:
    """Whether a stack that the debugger printed has the caller's file in it."""
    return CALLER in asked.answer.replace("\\", "/")
