"""Lesson 13: where LoRA parts from a prefix, a layer of it, the merge; and a docstring's old numbers."""

from __future__ import annotations

import ast
import inspect
import re
from typing import Any

import torch
from torch import nn

from prefix_lab.course.checking import (
    DICE,
    SIZES,
    TODO,
    NotYet,
    brief,
    called,
    exercise,
    filled_in,
    generator,
    is_open,
    raised,
    same_number,
    same_tensor,
    seen_there,
)
from prefix_lab.debugger import Recording, Step, record
from prefix_lab.locale import N_, _
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


ASKED_ELSE = {
    "is_prompt_learning": N_("That is the config's; the line asks what PeftModel has kept of it. Look at the `if`."),
    "peft_type": N_(
        "peft_type is the key that the class is looked up by, once it is known that it is no prompt learning."
    ),
    "task_type": N_("task_type has picked the wrapper, one step before. Here another attribute is asked."),
}
OTHER_ASKED = N_("{given} is not what the `if` in PeftModel.__init__ asks.")
BASE_WANTED = N_("That is what the layer becomes. `target` is the layer as it was.")
OTHER_TARGET = N_("{given} is not the class of the layer that is replaced: `p type(target)` says it.")
OTHER_CLS = N_("cls is no {given}: print it in PeftModel.__init__.")
CHOSEN_TOO_EARLY = N_("{given} is the wrapper outside. `cls` is the class that goes inside it, around the base.")


@exercise("lora_branch", stage="wrap")
def check_branch(stop: Any, answer: Any) -> str:
    """What is replaced, by which tuner, and which attribute is asked at the fork; seen where the branches part."""
    target, cls, asked = (class_name(one) for one in filled_in(answer, ("target", "cls", "asked")))
    seen_there(stop, "PeftModel.__init__", ("LoraModel", "peft.tuners.lora.model.LoraModel"))
    if target != "Conv1D":
        raise NotYet(OTHER_TARGET, BASE_WANTED if target.endswith("Linear") else "", given=target)
    if cls != "LoraModel":
        raise NotYet(CHOSEN_TOO_EARLY if cls.startswith("PeftModel") else OTHER_CLS, given=cls)
    asked = asked.removeprefix("self.")
    if asked != "_is_prompt_learning":
        raise NotYet(ASKED_ELSE.get(asked.removeprefix("peft_config."), OTHER_ASKED), given=asked)
    return _("One attribute is asked, and LoRA's class goes between wrapper and base.")


def class_name(given: Any) -> str:
    """A name, or the class itself."""
    return str(getattr(given, "__name__", given)).rpartition(".")[2].strip("'>() ")


BOTH_START = N_("If both were zero, neither would ever get a gradient. Print the largest number of each.")
NOT_ZERO = N_("Not {given}: stop in the layer's forward, and print `self.lora_B['default'].weight.abs().max()`.")
NOT_FIRST = N_("Not {given}: its gradient is multiplied by the other matrix, which is all zeros.")


def matrix_named(given: Any) -> Any:
    """`lora_B` for all that a learner may call it: B, lora_B, lora_B.default.weight."""
    found = re.search(r"(?:^|lora_)([AB])(?:\.|$)", given.strip()) if isinstance(given, str) else None
    return f"lora_{found[1]}" if found else given


@exercise("lora_learns_first", stage="learn")
def check_learns_first(stop: Any, answer: Any) -> str:
    """Which of A and B is zero at the start, and which gets a gradient first; seen after backward has run."""
    zero, first = map(matrix_named, filled_in(answer, ("zero_at_start", "learns_first")))
    seen_there(stop, "<module>", ("'lora_A': 0.0", "0.0"))
    if zero != "lora_B":
        raise NotYet(NOT_ZERO if zero == "lora_A" else BOTH_START, given=brief(zero))
    if first != "lora_B":
        raise NotYet(NOT_FIRST, given=brief(first))
    return _("B is zero, so A waits: it has no gradient until B has made its first step.")


@exercise("stale_total")
def check_stale_total(answer: Any) -> str:
    """`answer(base, replaced, wide_in, wide_out, r)` is what was printed when each replaced layer had a bias."""
    for _trial in range(5):
        replaced, wide_in, wide_out, r = DICE.sample(SIZES, 4)
        base = DICE.randrange(10_000, 20_000)
        today = base + replaced * r * (wide_in + wide_out)
        causes = {
            today: N_("That is today's total; a bias more in each replaced layer is asked for."),
            today + replaced * wide_in: N_("A bias is as wide as what comes out."),
            today + wide_out: N_("Every replaced layer had one."),
            base + replaced * wide_out: N_("A and B are in the total too."),
            today + replaced * (wide_out + r): N_("Only the replaced layer had a bias, A and B had none."),
        }
        given = {"base": base, "replaced": replaced, "wide_in": wide_in, "wide_out": wide_out, "r": r}
        otherwise = N_("It is today's total, and for each replaced layer one bias of wide_out numbers.")
        same_number(answer, given, today + replaced * wide_out, causes, otherwise)
    return _("The base, A and B, and a bias in each replaced layer. Now put t5-base's numbers in.")


NO_CLASS = N_("The class itself is wanted, by its name; the check was given {given}.")
NO_MODULE = N_("That makes {given}, and a torch.nn.Module is wanted.")
FORWARD_FORGOT = N_("Your forward gave None: what it makes has to be handed back, with `return`.")
EXCHANGED = N_("down and up are in each other's place: down leads from wide_in to r.")
OTHER_WAYS = N_(
    "down leads {down_in} → {down_out} and up {up_in} → {up_out}, expected wide_in → r and r → wide_out, {wide_in} → "
    "{r} → {wide_out}: base.in_features and base.out_features know them."
)


@exercise("lora_layer")
def check_lora_layer(answer: Any) -> str:
    """`answer(base, r, alpha)` is a module with `down` and `up`, whose call gives W x + alpha/r · B A x."""
    wide_in, wide_out, r, alpha = DICE.sample(SIZES, 4)
    if is_open(answer):
        raise NotYet(TODO)
    if not callable(answer):
        raise NotYet(NO_CLASS, given=brief(answer))
    random = generator()
    torch.manual_seed(DICE.randrange(2**31))
    base = nn.Linear(wide_in, wide_out)
    weight = base.weight.detach().clone()
    layer = called(answer, base, r, alpha)
    if not isinstance(layer, nn.Module):
        raise NotYet(NO_MODULE, given=brief(layer))
    down, up = getattr(layer, "down", None), getattr(layer, "up", None)
    if down in (None, ...) or up in (None, ...):
        raise NotYet(TODO)
    fitting_parts(down, up, wide_in, wide_out, r)
    x = torch.randn(3, wide_in, generator=random)
    try:
        result = layer(x)
    except Exception as error:  # whatever the learner's forward raises
        raise raised("forward", error) from error
    if result is ... or result is None:
        raise NotYet(TODO if result is ... else FORWARD_FORGOT)
    plain = x @ weight.T + base.bias.detach()
    unchanged = N_("With B = 0 the layer should answer as the base layer does: is base(x) the first part?")
    if not up.weight.eq(0).all():
        raise NotYet("up starts at random, so the layer does not start unchanged: B begins with zeros.")
    if down.weight.eq(0).all():
        raise NotYet("down starts at zero as well as up: then neither ever gets a gradient.")
    same_tensor(result, plain, "(3, wide_out)", {}, {}, (N_("One row for each input."), unchanged), name="forward")
    with torch.no_grad():
        up.weight.copy_(torch.randn(up.weight.shape, generator=random))
    added = x @ down.weight.T @ up.weight.T
    numbers = {
        N_("The scaling alpha / r is missing."): plain + added,
        N_("The scaling is upside down: alpha / r."): plain + added * r / alpha,
        N_("Divide alpha by r."): plain + added * alpha,
        N_("The addition is missing: the layer answers as the base alone."): plain,
    }
    otherwise = N_("One row for each input."), N_("Once B is not zero, expected is base(x) + alpha / r · up(down(x)).")
    same_tensor(layer(x), plain + added * alpha / r, "(3, wide_out)", {}, numbers, otherwise, name="forward")
    if any(one.requires_grad for one in base.parameters()):
        raise NotYet("It computes the right thing, and the base trains too: base.requires_grad_(False).")
    if not (down.weight.requires_grad and up.weight.requires_grad):
        raise NotYet("It computes the right thing, but down and up do not train.")
    return _("W frozen, A at random, B at zero, alpha / r between. That is LoRA.")


def fitting_parts(down: Any, up: Any, wide_in: int, wide_out: int, r: int) -> None:
    """The two matrices lead from wide_in to r and from there to wide_out."""
    if not isinstance(down, nn.Linear) or not isinstance(up, nn.Linear):
        raise NotYet("down and up are two torch.nn.Linear.")
    ways = (down.in_features, down.out_features, up.in_features, up.out_features)
    if ways == (r, wide_out, wide_in, r):
        raise NotYet(EXCHANGED)
    if ways != (wide_in, r, r, wide_out):
        told = dict(zip(("down_in", "down_out", "up_in", "up_out"), ways, strict=True))
        raise NotYet(OTHER_WAYS, wide_in=wide_in, r=r, wide_out=wide_out, **told)
    if down.bias is not None or up.bias is not None:
        raise NotYet("down and up have a bias; with bias=False they are matrices, and B A is one too.")


@exercise("merge")
def check_merge(answer: Any) -> str:
    """`answer(weight, a, b, scaling)` is one matrix that does what the two ways together do."""
    wide_in, wide_out, r = DICE.sample(SIZES, 3)
    random, scaling = generator(), DICE.choice([0.5, 3.0, 4.0])
    weight = torch.randn(wide_out, wide_in, generator=random)
    a, b = torch.randn(r, wide_in, generator=random), torch.randn(wide_out, r, generator=random)
    right = weight + scaling * b @ a
    try:
        result = called(answer, weight.clone(), a, b, scaling)
    except NotYet as problem:
        order = N_("B is (wide_out, r) and A is (r, wide_in): which order fits?")
        raise NotYet("{said}", order if "shapes" in str(problem) else "", said=problem) from problem
    numbers = {
        N_("The scaling is missing."): weight + b @ a,
        N_("That is the addition alone; the weight itself is missing."): scaling * b @ a,
        N_("The scaling belongs to the addition, not to the weight."): scaling * (weight + b @ a),
    }
    otherwise = N_("A matrix like weight."), N_("Expected is weight + scaling · B A.")
    same_tensor(result, right, "(wide_out, wide_in)", {}, numbers, otherwise)
    return _("One matrix, no layer more, no time more.")
