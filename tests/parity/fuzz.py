"""Differential fuzzing: random configs, families, batches and steps, done by prefix_lab and by the real PEFT.

Either both give the same values, bit for bit, or both refuse: PEFT with anything, prefix_lab with an error that names
what to change. `python -m tests.parity.fuzz --examples 5000` prints the counts; a difference is shrunk and printed.
"""

import argparse
import copy
import functools
import inspect
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from types import ModuleType
from typing import Any

import peft
import torch
import transformers
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from torch import nn
from transformers.cache_utils import DynamicCache

import prefix_lab
from tests import tiny_models
from tests.parity.pair import assert_close_gradients, assert_same, made
from tests.tiny_models import ENCODER_DECODERS, FAMILY_TASKS, HEADS_OF_TWO, batch_for, mask_of, random_ids, tiny

LANGUAGE = ("SEQ_2_SEQ_LM", "CAUSAL_LM")
NAMES = {row.name for row in fields(prefix_lab.PrefixTuningConfig)} | {"adapter_name", "Adapter", "attention_mask"}
"""What an error of ours may name as the thing to change."""
PLAIN = [pair for pair in FAMILY_TASKS if pair not in HEADS_OF_TWO]

NOT_DRAWN = {
    "init_weights": "ours takes None and 'zero'; PEFT takes any value and does nothing with it",
    "num_virtual_tokens": "ours refuses None and 0; PEFT accepts a prefix of no tokens",
    "disable_adapter": "ours works for every task; PEFT raises UnboundLocalError for those that cannot generate",
    "hidden states of RoBERTa and Electra with SEQ_CLS": "ours answers; PEFT takes them for a pooled vector and fails",
}
"""Known differences that are not drawn, and why."""


@dataclass
class Case:
    """One example, in plain values, so that a difference can be read and typed in again."""

    family: str
    task: str
    config: dict[str, Any]
    second: dict[str, Any] | None = None
    adapter_name: str = "default"
    dtype: str = "float32"
    training: bool = False
    eager: bool = False
    batch: int = 2
    tokens: int = 4
    target: int = 3
    padding: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    steps: list[str] = field(default_factory=lambda: ["forward"])


def given_to(case: "Case", name: str) -> list[Any]:
    """What the configs of a case say about a field, where they say anything."""
    return [config[name] for config in (case.config, case.second or {}) if name in config]


ON_PURPOSE: dict[str, tuple[str, Callable[["Case"], bool]]] = {
    "needs one stack of layers": (
        "PEFT reaches the head of an encoder-decoder only without a mask, and T5's then ignores the prefix",
        lambda case: (case.family, case.task) in HEADS_OF_TWO,
    ),
    "num_transformer_submodules=1": (
        "PEFT lets cross-attention read the cache of self-attention, and fails only where a mask tells them apart",
        lambda case: case.family in ENCODER_DECODERS and 1 in given_to(case, "num_transformer_submodules"),
    ),
    "layers of this model read a prefix": (
        "with too few, PEFT fails inside torch, except where no mask compares a layer that has a prefix with one that "
        "has none",
        lambda case: 1 in given_to(case, "num_layers"),
    ),
}
"""What ours refuses although PEFT answers, by a part of our error: why, and the only cases where it may."""


def often(usual: Any, *others: Any) -> st.SearchStrategy:
    """`usual` two times in three."""
    return st.sampled_from([usual] * 2 * len(others) + list(others))


@functools.cache
def sizes_of(family: str, task: str) -> dict[str, int]:
    """What the family's model gives a config that leaves its sizes out."""
    filled = prefix_lab.PrefixTuningConfig(num_virtual_tokens=1)
    prefix_lab.prepare_prompt_learning_config(filled, tiny_models.base_of(family, task).config)
    return {name: getattr(filled, name) for name in ("num_layers", "token_dim", "num_attention_heads")}


@st.composite
def configs(draw: st.DrawFn, sizes: dict[str, int]) -> dict[str, Any]:
    """The fields of a config; one size in a few is the model's own, one in many does not fit."""
    found = {"num_virtual_tokens": draw(st.integers(1, 5))}
    if draw(st.booleans()):
        found["prefix_projection"] = True
        found["encoder_hidden_size"] = draw(st.none() | st.integers(1, 9))
    found["init_weights"] = draw(often(None, "zero"))
    found["inference_mode"] = draw(often(False, True))
    found["modules_to_save"] = draw(often(None, ["lm_head"], ["norm"], ["layers"], ["absent"]))
    name = draw(often(None, *sizes, "num_transformer_submodules"))
    if name == "num_transformer_submodules":
        found[name] = draw(st.sampled_from([1, 2]))
    elif name is not None:
        found[name] = max(1, sizes[name] + draw(often(0, -1, 1, 2)))
    return {name: value for name, value in found.items() if value is not None}


@st.composite
def cases(draw: st.DrawFn) -> Case:
    family, task = draw(st.sampled_from(PLAIN * 3 + HEADS_OF_TWO))
    sizes = sizes_of(family, task)
    options: dict[str, Any] = {}
    if draw(st.booleans()):
        options["labels"] = True
    options["return_dict"] = draw(often(None, False, True))
    options["output_hidden_states"] = draw(often(None, True, False))
    known = inspect.signature(tiny_models.class_of(family, task).forward).parameters
    for extra in ("position_ids", "token_type_ids", "inputs_embeds", "decoder_attention_mask", "past_key_values"):
        strange = extra not in known and draw(st.integers(0, 9))
        options[extra] = None if strange else draw(often(None, True))
    options["mask"] = draw(often(None, "bool", "float32"))
    eager = draw(often(False, True))
    options["output_attentions"] = True if eager and draw(st.booleans()) else None
    if (family, task) in (("RoBERTa", "SEQ_CLS"), ("Electra", "SEQ_CLS")):
        options["output_hidden_states"] = options["output_attentions"] = None
    second = draw(st.none() | configs(sizes))
    steps = ["forward", "backward", "saved", *(["generate", "beams", "sample"] if task in LANGUAGE else [])]
    steps += ["switch", "delete", "delete other"] if second else []
    return Case(
        family,
        task,
        draw(configs(sizes)),
        second,
        draw(st.sampled_from(["default"] * 36 + ["mine", "", "a.b", "keys"])),
        draw(often("float32", "bfloat16")),
        draw(often(False, True)),
        eager,
        draw(st.integers(1, 3)),
        draw(st.integers(1, 8)),
        draw(st.integers(1, 5)),
        draw(st.sampled_from([None, "right", "left"])),
        {name: value for name, value in options.items() if value is not None},
        draw(st.lists(st.sampled_from(steps), min_size=1, max_size=4)),
    )


def inputs_of(case: Case, base: nn.Module) -> dict[str, Any]:
    """What the model is called with."""
    asked = dict(case.options)
    inputs: dict[str, Any] = batch_for(
        case.family,
        case.task,
        batch=case.batch,
        tokens=case.tokens,
        target=case.target,
        padding=case.padding,
        labels=asked.pop("labels", False),
    )
    if (kind := asked.pop("mask", None)) and case.padding:
        inputs["attention_mask"] = inputs["attention_mask"].to(getattr(torch, kind))
    if asked.pop("position_ids", False):
        inputs["position_ids"] = torch.arange(case.tokens).repeat(case.batch, 1)
    if asked.pop("token_type_ids", False):
        inputs["token_type_ids"] = torch.zeros(case.batch, case.tokens, dtype=torch.long)
    if asked.pop("decoder_attention_mask", False) and case.family in ENCODER_DECODERS:
        inputs["decoder_attention_mask"] = mask_of(case.batch, case.target)
    if asked.pop("past_key_values", False):
        inputs["past_key_values"] = DynamicCache()  # the caller's, which the prefix replaces
    if asked.pop("inputs_embeds", False):
        with torch.no_grad():
            inputs["inputs_embeds"] = base.get_input_embeddings()(inputs.pop("input_ids"))
    return inputs | asked


@dataclass
class Trace:
    """What one library made of a case: every value on the way, and the error that ended it, if one did."""

    values: list[tuple[str, Any]] = field(default_factory=list)
    error: Exception | None = None
    model: nn.Module | None = None


def trace(library: ModuleType, case: Case) -> Trace:
    """The case done by one library, from the same random numbers."""
    found = Trace()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # test_warnings compares them
            perform(library, case, found)
    except Exception as error:
        found.error = error
    return found


def perform(library: ModuleType, case: Case, found: Trace) -> None:
    base = tiny(case.family, case.task).to(getattr(torch, case.dtype))
    if case.eager:
        base.set_attn_implementation("eager")
    base.train(case.training)
    tiny_models.seed(0)
    config = library.PrefixTuningConfig(task_type=case.task, **copy.deepcopy(case.config))  # PEFT changes its lists
    inputs = inputs_of(case, base)
    model = library.get_peft_model(base, config, adapter_name=case.adapter_name)
    found.model = model
    found.values.append(("wrapped", made(model)))
    if case.second is not None:
        model.add_adapter("other", library.PrefixTuningConfig(task_type=case.task, **copy.deepcopy(case.second)))
        found.values.append(("added", made(model)))
    for step in case.steps:
        tiny_models.seed(1)
        found.values.append((step, take(library, model, case, step, dict(inputs))))


def take(library: ModuleType, model: nn.Module, case: Case, step: str, inputs: dict[str, Any]) -> Any:
    """One step, and the value that it gives."""
    ways = {"generate": {"do_sample": False}, "beams": {"do_sample": False, "num_beams": 2}, "sample": {"top_k": 9}}
    match step:
        case "forward":
            with torch.no_grad():
                return model(**inputs)
        case "backward":
            model.zero_grad()
            first = model(**(inputs | {"return_dict": False}))[0]
            first.float().square().mean().backward()
            return first.detach()
        case "generate" | "beams" | "sample":
            texts = {"input_ids": random_ids(case.batch, case.tokens)}
            if case.padding is not None:
                texts["attention_mask"] = mask_of(case.batch, case.tokens, left=case.padding == "left")
            ways["sample"]["do_sample"] = True
            return model.generate(**texts, min_new_tokens=2, max_new_tokens=2, **ways[step])
        case "saved":
            names = {"adapter_name": model.active_adapter}
            return {name: tensor.clone() for name, tensor in library.get_peft_model_state_dict(model, **names).items()}
        case "switch":
            model.set_adapter("other" if model.active_adapter != "other" else case.adapter_name)
        case "delete":
            model.delete_adapter(case.adapter_name)
        case "delete other":
            model.delete_adapter("other")
    return made(model)


def compare(case: Case) -> str:
    """ "equal", "both refused", or the key of ON_PURPOSE; raises `AssertionError` that tells a difference."""
    ours, theirs = trace(prefix_lab, case), trace(peft, case)
    if ours.error is not None and theirs.error is None:  # a misfit, which PEFT does not meet before its adapter is used
        every_adapter = ["forward"] if case.second is None else ["forward", "switch", "forward"]
        theirs = trace(peft, replace(case, steps=[*case.steps, *every_adapter]))
    for (step, mine), (_, other) in zip(ours.values, theirs.values, strict=False):  # one may have ended before
        assert_same(mine, other, step)
    if ours.error is None and theirs.error is None:
        if "backward" in case.steps:
            assert_close_gradients(ours.model, theirs.model)
        return "equal"
    told = f"ours: {ours.error!r} after {len(ours.values)} steps, PEFT: {theirs.error!r} after {len(theirs.values)}"
    assert ours.error is not None, told
    if theirs.error is None:
        for part, (_, may_be) in ON_PURPOSE.items():
            if part in str(ours.error) and may_be(case):
                return part
    assert theirs.error is not None, told
    assert len(ours.values) <= len(theirs.values), told
    from_the_base = (type(ours.error), str(ours.error)) == (type(theirs.error), str(theirs.error))
    clear = isinstance(ours.error, ValueError | TypeError) and any(name in str(ours.error) for name in NAMES)
    assert clear or from_the_base, told
    return "both refused"


def fuzz(examples: int, number: int | None = None) -> Counter:
    """Run that many examples, and count how they ended. Raises `AssertionError` for the smallest difference found.

    Without a number, the same examples every time; with one, others.
    """
    counts: Counter = Counter()
    transformers.logging.set_verbosity_error()
    for pair in FAMILY_TASKS:  # now: beartype draws random numbers, which hypothesis forbids while it draws its own
        sizes_of(*pair)

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        report_multiple_bugs=False,
        derandomize=number is None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases())
    def one(case: Case) -> None:
        counts[compare(case)] += 1

    (one if number is None else seed(number)(one))()
    return counts


def summary(counts: Counter, seconds: float) -> str:
    lines = [
        f"{counts.total()} examples in {seconds:.0f} s: {counts['equal']} equal values, {counts['both refused']} both "
        f"refused, {sum(counts[part] for part in ON_PURPOSE)} refused by prefix_lab alone, on purpose:"
    ]
    lines += [f"{counts[part]:6} {part!r}: {reason}" for part, (reason, _) in ON_PURPOSE.items()]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    began = time.perf_counter()
    try:
        counts = fuzz(chosen.examples, chosen.seed)
    except AssertionError as difference:
        sys.exit(f"prefix_lab and PEFT differ: {difference}\n" + "\n".join(getattr(difference, "__notes__", [])))
    print(summary(counts, time.perf_counter() - began))


if __name__ == "__main__":
    main()
