"""Lesson 14's checks: a learner's line is put into a hunt's copy, and the mended copy is run against PEFT."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from types import ModuleType
from typing import Any

import torch

from prefix_lab.course.checking import Verdict, exercise
from prefix_lab.course.hunts import (
    hunt_01,
    hunt_02,
    hunt_03,
    hunt_04,
    hunt_05,
    hunt_06,
    hunt_07,
    hunt_08,
    hunt_09,
    hunt_10,
    trials,
    trials_of_models,
)
from prefix_lab.course.hunts.mending import mend


def hunted(hunt: ModuleType, trial: Callable[[ModuleType], str], wrong: Any, right: Any, praise: str) -> Verdict:
    """Mend, run, judge. Nothing that the mended copy does is raised."""
    mended, problem = mend(hunt, wrong, right)
    if problem:
        return problem
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            complaint = trial(mended)
        except (Exception, SystemExit) as error:
            said = str(error).strip().splitlines() or [""]
            complaint = f"with your line it stops, {type(error).__name__}: {said[0]}"
    return Verdict(not complaint, complaint or praise)


@exercise(14, 1, "hunt 1 · nothing learns")
def check_hunt_1(wrong: Any, right: Any) -> Verdict:
    """The line of hunt 1 that is wrong, and what should stand there."""
    praise = "the base model is frozen, the prefix trains, and its gradient is PEFT's."
    return hunted(hunt_01, trials.trial_01, wrong, right, praise)


@exercise(14, 2, "hunt 2 · the right shape")
def check_hunt_2(wrong: Any, right: Any) -> Verdict:
    """The line of hunt 2 that is wrong, and what should stand there."""
    praise = "every number is where attention looks for it; permute moved the axes, and no reshape was needed."
    return hunted(hunt_02, trials.trial_02, wrong, right, praise)


@exercise(14, 3, "hunt 3 · a mask of ones")
def check_hunt_3(wrong: Any, right: Any) -> Verdict:
    """The line of hunt 3 that is wrong, and what should stand there."""
    praise = "the mask is (batch, prefix_len+tokens), and all logits are PEFT's, with padding too."
    return hunted(hunt_03, trials_of_models.trial_03, wrong, right, praise)


@exercise(14, 4, "hunt 4 · who reads which row")
def check_hunt_4(wrong: Any, right: Any) -> Verdict:
    """The line of hunt 4 that is wrong, and what should stand there."""
    praise = "layer i reads rows 2i and 2i+1, its key and its value, as in PEFT."
    return hunted(hunt_04, trials.trial_04, wrong, right, praise)


@exercise(14, 5, "hunt 5 · a classifier that guesses")
def check_hunt_5(wrong: Any, right: Any) -> Verdict:
    """The lines of hunt 5 that are wrong, and what should stand there."""
    praise = "the head is named before the modules are copied; it trains, and it is saved."
    return hunted(hunt_05, trials_of_models.trial_05, wrong, right, praise)


@exercise(14, 6, "hunt 6 · twice as many numbers")
def check_hunt_6(wrong: Any, right: Any) -> Verdict:
    """The line of hunt 6 that is wrong, and what should stand there."""
    praise = "every model has a config of its own, with its own sizes."
    return hunted(hunt_06, trials.trial_06, wrong, right, praise)


@exercise(14, 7, "hunt 7 · a loss that will not fall")
def check_hunt_7(wrong: Any, right: Any) -> Verdict:
    """The line of hunt 7 that is wrong, and what should stand there."""
    praise = "the labels arrive as they were given, and loss and logits are PEFT's."
    return hunted(hunt_07, trials_of_models.trial_07, wrong, right, praise)


@exercise(14, 8, "hunt 8 · steps too small to see")
def check_hunt_8(wrong: Any, right: Any) -> Verdict:
    """The line of hunt 8 that is wrong, and what should stand there."""
    praise = "trained in float32, read in the base's precision, on the base's device: as PEFT does."
    return hunted(hunt_08, trials.trial_08, wrong, right, praise)


@exercise(14, 9, "hunt 9 · deaf to the source")
def check_hunt_9(wrong: Any, right: Any) -> Verdict:
    """The line of hunt 9 that is wrong, and what should stand there."""
    praise = "cross-attention starts empty and is filled from the source; loss and text are PEFT's."
    return hunted(hunt_09, trials_of_models.trial_09, wrong, right, praise)


@exercise(14, 10, "hunt 10 · right once, then wrong")
def check_hunt_10(wrong: Any, right: Any) -> Verdict:
    """The lines of hunt 10 that are wrong, and what should stand there."""
    praise = "every call gets positions behind the prefix, and the text is PEFT's, token by token."
    return hunted(hunt_10, trials_of_models.trial_10, wrong, right, praise)
