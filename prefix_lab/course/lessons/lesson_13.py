"""Lesson 13: a docstring's old numbers, two recordings side by side; what LoRA trains, a layer of it, the merge."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from prefix_lab.course.checking import (
    DICE,
    SIZES,
    TODO,
    Verdict,
    answered,
    exercise,
    generator,
    raised,
    wrong_number,
    wrong_tensor,
)
from prefix_lab.debugger import Recording, Step, record
from prefix_lab.widgets.sizes import sizes_of

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


@exercise(13, 1)
def check_lora_count(answer: Callable[[int, int, int, int], int]) -> Verdict:
    """`answer(replaced, wide_in, wide_out, r)` is how many numbers train in that many replaced layers."""
    for _ in range(5):
        replaced, wide_in, wide_out, r = DICE.sample(SIZES, 4)
        causes = {
            r * (wide_in + wide_out): "that is one layer",
            replaced * r * wide_in: "that is A alone; B leads from r back to wide_out",
            replaced * r * wide_out: "that is B alone; A leads from wide_in to r",
            replaced * wide_in * wide_out: "those are the frozen weights",
            replaced * (wide_in + wide_out): "A and B have r rows or columns each",
            replaced * r * 2 * wide_in: "B leads to wide_out, which need not be wide_in",
            replaced * (r * (wide_in + wide_out) + wide_out): "there is no bias any more: that is the next exercise",
        }
        given = {"replaced": replaced, "wide_in": wide_in, "wide_out": wide_out, "r": r}
        otherwise = "A is (r, wide_in), B is (wide_out, r), in every replaced layer"
        if problem := wrong_number(answer, given, replaced * r * (wide_in + wide_out), causes, otherwise):
            return problem
    return Verdict(True, "A and B in every replaced layer; what is frozen does not count.")


@exercise(13, 2)
def check_stale_total(answer: Callable[[int, int, int, int, int], int]) -> Verdict:
    """`answer(base, replaced, wide_in, wide_out, r)` is what was printed when each replaced layer had a bias."""
    for _ in range(5):
        replaced, wide_in, wide_out, r = DICE.sample(SIZES, 4)
        base = DICE.randrange(10_000, 20_000)
        today = base + replaced * r * (wide_in + wide_out)
        causes = {
            today: "that is today's total; a bias more in each replaced layer is asked for",
            today + replaced * wide_in: "a bias is as wide as what comes out",
            today + wide_out: "every replaced layer had one",
            base + replaced * wide_out: "A and B are in the total too",
            today + replaced * (wide_out + r): "only the replaced layer had a bias, A and B had none",
        }
        given = {"base": base, "replaced": replaced, "wide_in": wide_in, "wide_out": wide_out, "r": r}
        otherwise = "today's total, and for each replaced layer one bias of wide_out numbers"
        if problem := wrong_number(answer, given, today + replaced * wide_out, causes, otherwise):
            return problem
    return Verdict(True, "the base, A and B, and a bias in each replaced layer. Now put t5-base's numbers in.")


@exercise(13, 3)
def check_lora_layer(answer: Any) -> Verdict:
    """`answer(base, r, alpha)` is a module with `down` and `up`, whose call gives W x + alpha/r · B A x."""
    wide_in, wide_out, r, alpha = DICE.sample(SIZES, 4)
    if not callable(answer):
        return Verdict(False, TODO)
    random = generator()
    with torch.random.fork_rng():
        torch.manual_seed(DICE.randrange(2**31))
        base = nn.Linear(wide_in, wide_out)
        weight = base.weight.detach().clone()
        layer, problem = answered(answer, base, r, alpha)
    if problem:
        return problem
    if not isinstance(layer, nn.Module):
        return Verdict(False, f"that makes a {type(layer).__name__}, expected a torch.nn.Module.")
    down, up = getattr(layer, "down", None), getattr(layer, "up", None)
    if down in (None, ...) or up in (None, ...):
        return Verdict(False, TODO)
    if not isinstance(down, nn.Linear) or not isinstance(up, nn.Linear):
        return Verdict(False, "down and up are two torch.nn.Linear.")
    if wrong := wrong_parts(down, up, wide_in, wide_out, r):
        return Verdict(False, wrong)
    x = torch.randn(3, wide_in, generator=random)
    try:
        result = layer(x)
    except Exception as error:  # whatever the learner's forward raises
        return raised("forward", error)
    if result is ... or result is None:
        return Verdict(False, TODO)
    plain = x @ weight.T + base.bias.detach()
    if not isinstance(result, Tensor) or result.shape != plain.shape:
        return Verdict(False, f"forward gives {described(result)}, expected (3, wide_out) = (3, {wide_out}).")
    if not up.weight.eq(0).all():
        return Verdict(False, "up starts at random, so the layer does not start unchanged: B begins with zeros.")
    if down.weight.eq(0).all():
        return Verdict(False, "down starts at zero as well as up: then neither ever gets a gradient.")
    if not torch.allclose(result, plain, atol=1e-5):
        return Verdict(False, "with B = 0 the layer should answer as the base layer does: is base(x) the first part?")
    with torch.no_grad():
        up.weight.copy_(torch.randn(up.weight.shape, generator=random))
    added = x @ down.weight.T @ up.weight.T
    numbers = {
        "the scaling alpha / r is missing": plain + added,
        "the scaling is upside down: alpha / r": plain + added * r / alpha,
        "alpha is divided by r": plain + added * alpha,
        "the addition is missing: the layer answers as the base alone": plain,
    }
    otherwise = "one row for each input", "once B is not zero, expected base(x) + alpha / r · up(down(x))"
    right = plain + added * alpha / r
    if problem := wrong_tensor(layer(x), right, "(3, wide_out)", {}, numbers, otherwise):
        return problem
    if any(one.requires_grad for one in base.parameters()):
        return Verdict(False, "it computes the right thing, and the base trains too: base.requires_grad_(False).")
    if not (down.weight.requires_grad and up.weight.requires_grad):
        return Verdict(False, "it computes the right thing, but down and up do not train.")
    return Verdict(True, "W frozen, A at random, B at zero, alpha / r between. That is LoRA.")


def wrong_parts(down: nn.Linear, up: nn.Linear, wide_in: int, wide_out: int, r: int) -> str:
    """What is wrong with the two matrices; empty when nothing is."""
    shapes = (down.in_features, down.out_features), (up.in_features, up.out_features)
    if shapes == ((r, wide_out), (wide_in, r)):
        return "down and up are in each other's place: down leads from wide_in to r."
    if shapes != ((wide_in, r), (r, wide_out)):
        return (
            f"down leads {shapes[0][0]} → {shapes[0][1]} and up {shapes[1][0]} → {shapes[1][1]}, expected wide_in → r "
            f"and r → wide_out, {wide_in} → {r} → {wide_out}: base.in_features and base.out_features know them."
        )
    if down.bias is not None or up.bias is not None:
        return "down and up have a bias; with bias=False they are matrices, and B A is one too."
    return ""


def described(result: object) -> str:
    """A tensor's shape, or else what it is."""
    return f"{tuple(result.shape)}" if isinstance(result, Tensor) else f"a {type(result).__name__}"


@exercise(13, 4)
def check_merge(answer: Callable[[Tensor, Tensor, Tensor, float], Any]) -> Verdict:
    """`answer(weight, a, b, scaling)` is one matrix that does what the two ways together do."""
    wide_in, wide_out, r = DICE.sample(SIZES, 3)
    random, scaling = generator(), DICE.choice([0.5, 3.0, 4.0])
    weight = torch.randn(wide_out, wide_in, generator=random)
    a, b = torch.randn(r, wide_in, generator=random), torch.randn(wide_out, r, generator=random)
    right = weight + scaling * b @ a
    result, problem = answered(answer, weight.clone(), a, b, scaling)
    if problem:
        told = " B is (wide_out, r) and A is (r, wide_in): which order fits?" if "shapes" in problem.text else ""
        return Verdict(False, problem.text + told)
    numbers = {
        "the scaling is missing": weight + b @ a,
        "that is the addition alone; the weight itself is missing": scaling * b @ a,
        "the scaling belongs to the addition, not to the weight": scaling * (weight + b @ a),
    }
    otherwise = "a matrix like weight", "expected weight + scaling · B A"
    return wrong_tensor(result, right, "(wide_out, wide_in)", {}, numbers, otherwise) or Verdict(
        True, "one matrix, no layer more, no time more."
    )
