"""Lesson 0's checks: a shape said before it is there, and which stage to look at when something is wrong."""

from __future__ import annotations

from typing import Any

from prefix_lab.course.checking import TODO, Verdict, check_shape, exercise, is_open
from prefix_lab.stages import STAGES, stage

SYMPTOMS = {
    "the prefix has too few layers for the model": "prepare",
    "parameters of the base model are trained, too": "wrap",
    "layer 0 reads what was meant for layer 1": "split",
    "the attention mask is shorter than the keys": "attend",
    "after loading, the answers are not the same": "keep",
}
"""What a reader sees → the stage to look at first."""

HINTS = {
    "prepare": "how many layers there are is a size, and somebody must have filled it in",
    "wrap": "it was not frozen; who freezes it?",
    "split": "the long vector was cut at the wrong places",
    "attend": "the mask has to grow when the model gets a past",
    "keep": "what was written is not what was computed",
}


@exercise(0, 1, "say a shape before it is there")
def check_first_shape(question: Any, answer: Any) -> Verdict:
    """The answer to the stepper's question, by names or numbers; one that was given in the picture counts."""
    if is_open(answer) and getattr(question, "is_right", False):
        return Verdict(True, f"answered in the picture. {question.question['said']}")
    return check_shape(question, answer)


@exercise(0, 2, "which stage would you look at?")
def check_where_to_look(answer: Any) -> Verdict:
    """`answer` has, for each symptom, the name of a stage."""
    if not isinstance(answer, dict):
        return Verdict(False, f"your answer is a {type(answer).__name__}, expected the dict of the cell, filled in.")
    if missing := [symptom for symptom in SYMPTOMS if symptom not in answer]:
        return Verdict(False, f"the line {missing[0]!r} is gone. Put it back as it was.")
    if is_open([answer[symptom] for symptom in SYMPTOMS]):
        return Verdict(False, TODO)
    names = [row.name for row in STAGES]
    for symptom in SYMPTOMS:
        if not isinstance(answer[symptom], str) or answer[symptom].strip().lower() not in names:
            return Verdict(False, f"{answer[symptom]!r} is no stage. The stages are {', '.join(names)}.")
    for symptom, right in SYMPTOMS.items():
        given = answer[symptom].strip().lower()
        if given != right:
            told = stage(given).sentence
            return Verdict(False, f"{symptom}: at {given!r}, {told[0].lower()}{told[1:]} Think again: {HINTS[right]}.")
    return Verdict(True, "five symptoms, five places to stop at.")
