"""Lesson 13's helpers: a well-known docstring read, a t5-base without weights, and two recordings held side by side."""

from __future__ import annotations

import ast
import inspect
import re
from typing import Any

import torch
from torch import nn

from prefix_lab.debugger import Recording, Step, record

MODULES = ["peft.mapping_func", "peft.peft_model"]


def example_of(documented: type) -> tuple[dict[str, Any], str]:
    """The config and the printed line of a docstring's example.

    Raises `LookupError` when the docstring has no such example any more.
    """
    text = re.sub(r"^ *(>>>|\.\.\.) ?", "", inspect.getdoc(documented) or "", flags=re.MULTILINE)
    config = re.search(r"^config = (\{.*?^\})", text, re.MULTILINE | re.DOTALL)
    printed = re.search(r"^ *(trainable params: .*)$", text, re.MULTILINE)
    if config is None or printed is None:
        raise LookupError(f"{documented.__name__}'s docstring has no example with a config and a count any more.")
    return ast.literal_eval(config[1]), printed[1]


def numbers_in(line: str) -> list[int]:
    """The whole numbers of a line, with or without commas: `223,843,584` is one."""
    return [int(one.replace(",", "")) for one in re.findall(r"(?<![\d.])\d[\d,]*(?![\d.])", line)]


def without_weights(name: str = "t5-base") -> nn.Module:
    """A T5 of a well-known size on the meta device: every shape, not one number; from the sizes that ship."""
    from transformers import T5Config, T5ForConditionalGeneration

    from prefix_lab.widgets.sizes import sizes_of

    with torch.device("meta"):
        return T5ForConditionalGeneration(T5Config(**sizes_of(name).config))


def record_wrapping(base: nn.Module, config: Any) -> Recording:
    """PEFT's `get_peft_model` at work, line by line; the learner's random numbers stay as they are."""
    import peft

    with torch.random.fork_rng(), record(MODULES) as recording:
        peft.get_peft_model(base, config)
    return recording


def lines_in(recording: Recording, function: str) -> list[Step]:
    """The lines that the first call of a function ran, in their order, without those of what it called."""
    first = next(step for step in recording.steps if step.event == "call" and step.function == function)
    return [step for step in recording.steps if step.event == "line" and step.frame == first.frame]


def where_they_part(one: Recording, two: Recording, function: str) -> tuple[Step, Step, Step]:
    """The last line that both ran in a function, and the first that each ran alone."""
    ours, theirs = lines_in(one, function), lines_in(two, function)
    number = next(n for n, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a.text != b.text)
    return ours[number - 1], ours[number], theirs[number]
