"""What the papers say of a prefix beside LoRA and full fine-tuning: few examples, few numbers, what it cannot do."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from prefix_lab.course.experiments.methods import (
    RATES,
    by_method,
    examples,
    fresh,
    learnt,
    tiny_t5,
    with_lora,
    with_prefix,
)
from prefix_lab.course.experiments.of_the_prefix import MEASURED_ON, ON_WORDS
from prefix_lab.course.experiments.runs import Experiment, Measured, Results, Setting, grid, percent
from prefix_lab.course.letters import TASKS, held_out_words
from prefix_lab.course.tasks import Batch, make_batch
from prefix_lab.locale import N_, _


def measure_few(setting: Setting, seed: int) -> Measured:
    """One method on so many words."""
    method = setting["method"]
    words = examples(setting["examples"], seed)
    return learnt(by_method(method, seed), "reverse", seed, setting["steps"], RATES[method], words)


def conclude_few(results: Results) -> str:
    """Whether the prefix is ahead of full fine-tuning with the fewest examples, and whether the gap narrows."""
    counts = results.values("examples")
    gaps = [
        results.more("right", {"examples": count, "method": "prefix"}, {"examples": count, "method": "full"})
        for count in counts
    ]
    sentence = {
        (True, True): _(
            "The claim holds here: with {few} examples the prefix is right in {prefix} %, full fine-tuning "
            "in {full} %, LoRA in {lora} %, and with {many} the gap is smaller, {last} points."
        ),
        (True, False): _(
            "Half of the claim holds here: with {few} examples the prefix is right in {prefix} %, full "
            "fine-tuning in {full} %, LoRA in {lora} %, but with {many} it is still {last} points ahead."
        ),
    }.get(
        (gaps[0].low > 0, gaps[-1].mean < gaps[0].mean),
        _(
            "The claim does not hold here: with {few} examples the prefix is right in {prefix} %, full fine-tuning in "
            "{full} %, LoRA in {lora} %; with {many} the prefix is {last} points ahead."
        ),
    )
    of = {method: results.mean("right", examples=counts[0], method=method) for method in results.values("method")}
    return sentence.format(
        few=counts[0],
        many=counts[-1],
        prefix=percent(of["prefix"]),
        full=percent(of["full"]),
        lora=percent(of["LoRA"]),
        last=percent(gaps[-1]),
    )


FEW = Experiment(
    name="few",
    title=N_("Few examples"),
    claim=N_(
        "Li & Liang, Figure 3 and section 6.3: with 50 to 500 examples a prefix is ahead of full fine-tuning, and "
        "less so the more there are."
    ),
    how=(
        ON_WORDS,
        N_(
            "120 steps of 16 words, for ten virtual tokens in the paper's layout, LoRA with as many numbers, or "
            "the whole model. The prefix starts from random numbers; `start` has what a better start is worth."
        ),
        MEASURED_ON,
    ),
    settings=grid(examples=[20, 100, 500], method=list(RATES), steps=[120]),
    measure=measure_few,
    conclude=conclude_few,
    columns=("examples", "method", "right", "loss", "trained"),
    key="right",
    x="examples",
    by="method",
    log=True,
)


NEW = {
    "evens first": lambda word: word[::2] + word[1::2],
    "halves": lambda word: word[len(word) // 2 :] + word[: len(word) // 2],
}
"""Tasks that the tiny T5 was never taught: each asks for letters in an order of its own."""


def measure_limits(setting: Setting, seed: int) -> Measured:
    """One method on one task; `moved` is `attention_moved`, to four places."""
    method, name = setting["method"], setting["task"]
    answer = NEW.get(name) or TASKS[name].function
    model = by_method(method, seed)
    found = learnt(model, answer, seed, setting["steps"], RATES[method])
    return found | {"moved": round(attention_moved(model), 4)}


@torch.no_grad()
def attention_moved(model: nn.Module) -> float:
    """How far the first encoder layer's attention over the word moved from the base's, 0 to 1.

    Half the sum of the absolute differences, mean over heads and letters, after what goes to the prefix is left out.
    Petrov et al. 2023, section 4: a prefix leaves it as it is, since it only adds keys beside the word's own.
    """
    words = held_out_words()[:64]
    batch = make_batch(tiny_t5()[1], words, words)
    before, after = (on_content(one, batch) for one in (fresh(), model))
    real = batch["attention_mask"].bool()[:, None, :].expand(before.shape[:3])
    return float(((before - after).abs().sum(-1) / 2)[real].mean())


def on_content(model: nn.Module, batch: Batch) -> Tensor:
    """The first encoder layer's attention, (batch, heads, source, source), on the word alone, each row adding to 1."""
    source = batch["input_ids"].shape[1]
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    base.set_attn_implementation("eager")  # the one that keeps its weights to be looked at
    attention = model(**batch, output_attentions=True, return_dict=True).encoder_attentions[0][..., -source:]
    return attention / attention.sum(-1, keepdim=True)


def conclude_limits(results: Results) -> str:
    """Whether the prefix picks the skill that is there, and is behind where a new pattern is asked for."""
    known, new = results.values("task")[:2]
    full, lora = (
        all(
            results.more("right", {"method": one, "task": task}, {"method": "prefix", "task": task}).low > 0
            for task in NEW
        )
        for one in ("full", "LoRA")
    )
    sentence = {
        (True, True): _(
            "The claim holds here: a prefix picks `{known}`, {picked} % right, and its first attention on "
            "the word moves by {moved:.1f} %; of `{new}` it learns {less} %, LoRA with as many numbers {lora} %, the "
            "whole model {full} %."
        ),
        (True, False): _(
            "Half of the claim holds here: a prefix picks `{known}`, {picked} % right, and its first "
            "attention on the word moves by {moved:.1f} %; of `{new}` it learns {less} %, far less than the whole "
            "model, {full} %, but LoRA with as many numbers, {lora} %, is not ahead in every new task."
        ),
    }.get(
        (full, lora),
        _(
            "The claim does not hold here: a prefix picks `{known}`, {picked} % right, and its first attention on the "
            "word moves by {moved:.1f} %; but of `{new}` it learns {less} %, LoRA {lora} %, the whole model {full} %."
        ),
    )
    return sentence.format(
        known=known,
        new=new,
        picked=percent(results.mean("right", method="prefix", task=known)),
        less=percent(results.mean("right", method="prefix", task=new)),
        lora=percent(results.mean("right", method="LoRA", task=new)),
        full=percent(results.mean("right", method="full", task=new)),
        moved=100 * max(results.mean("moved", method="prefix", task=task).mean for task in results.values("task")),
    )


LIMITS = Experiment(
    name="limits",
    title=N_("What a prefix cannot do"),
    claim=N_(
        "Petrov et al. 2023 (arXiv 2310.19698): a prefix can pick a skill that the model has, but cannot give the "
        "first layer a new pattern of attention over the content, and so hardly teaches a new task."
    ),
    how=N_(
        "The tiny T5 knows how to write a word backwards. It was never taught to write its first, third, fifth … "
        "letter and then the others (evens first), nor its second half before its first (halves). 200 steps of "
        "16 words, for ten virtual tokens in the paper's layout, LoRA with as many numbers, or the whole model; "
        "measured on the 351 held-out words."
    ),
    settings=grid(task=["reverse", *NEW], method=list(RATES), steps=[200]),
    measure=measure_limits,
    conclude=conclude_limits,
    columns=("task", "method", "right", "loss", "moved"),
    key="right",
    x="task",
    by="method",
)


def measure_parameters(setting: Setting, seed: int) -> Measured:
    """One method at one size, on all words."""
    method, size = setting["method"], setting["size"]
    if method == "full":
        model, rate = by_method("full", seed), RATES["full"]
    elif method == "LoRA":
        model, rate = with_lora(seed, size), RATES["LoRA"]
    else:
        model, rate = with_prefix(seed, size, layout=LAYOUTS[method]), RATES["prefix"]
    return learnt(model, "reverse", seed, setting["steps"], rate)


LAYOUTS = {"prefix": "paper", "PEFT's prefix": "peft"}


def conclude_parameters(results: Results) -> str:
    """Whether the best prefix is as good as the whole model."""
    full = {"method": "full"}
    sizes = [one for one in results.experiment.settings if one["method"] == "prefix"]
    best = max(sizes, key=lambda one: results.mean("right", **one).mean)
    behind = results.more("right", full, best)
    trained = {name: results.mean("trained", **one).mean for name, one in (("prefix", best), ("full", full))}
    sentence = (
        _(
            "The claim does not hold here in so short a training: with {share:.1f} % of the numbers a prefix is right "
            "in {prefix} %, the whole model in {full} %, {behind} points ahead."
        )
        if behind.low > 0
        else _(
            "The claim holds here: with {share:.1f} % of the numbers a prefix is right in {prefix} %, and the whole "
            "model, with {full} %, is not clearly ahead."
        )
    )
    return sentence.format(
        share=100 * trained["prefix"] / trained["full"],
        prefix=percent(results.mean("right", **best)),
        full=percent(results.mean("right", **full)),
        behind=percent(behind),
    )


PARAMETERS = Experiment(
    name="parameters",
    title=N_("How many numbers train, and what they reach"),
    claim=N_(
        "Li & Liang, abstract: a prefix, a thousandth of the numbers, is as good as full fine-tuning once there are "
        "enough examples."
    ),
    how=(
        ON_WORDS,
        N_("100 steps of 16 words: prefixes of 1, 3 and 10 tokens, LoRA of rank 1, 5 and 20, or all."),
        MEASURED_ON,
    ),
    settings=tuple(
        {"method": method, "size": size, "steps": 100}
        for method, sizes in (
            ("prefix", (1, 3, 10)),
            ("PEFT's prefix", (1, 3, 10)),
            ("LoRA", (1, 5, 20)),
            ("full", (0,)),
        )
        for size in sizes
    ),
    measure=measure_parameters,
    conclude=conclude_parameters,
    columns=("method", "size", "right", "loss", "trained"),
    key="right",
    x="trained",
    by="method",
    log=True,
)
