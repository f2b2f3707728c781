"""What the papers say of a prefix beside LoRA and full fine-tuning: few examples, what it cannot do, what it costs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import pairwise

import torch
from torch import Tensor, nn

from prefix_lab.course.experiments.methods import (
    BATCH_SIZE,
    RATES,
    bare_batches,
    by_method,
    examples,
    fresh,
    learnt,
    tiny_t5,
    with_prefix,
)
from prefix_lab.course.experiments.of_the_prefix import ON_WORDS
from prefix_lab.course.experiments.runs import Experiment, Interval, Measured, Results, Setting, grid, percent
from prefix_lab.course.letters import TASKS, held_out_words, seen_words
from prefix_lab.course.tasks import Batch, make_batch


def measure_few(setting: Setting, seed: int) -> Measured:
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
        (
            True,
            True,
        ): "The claim holds here: with {few} examples the prefix is right in {prefix} %, full fine-tuning in "
        "{full} %, LoRA in {lora} %, and with {many} the gap is smaller, {last} points.",
        (True, False): "Half of the claim holds here: with {few} examples the prefix is right in {prefix} %, full "
        "fine-tuning in {full} %, LoRA in {lora} %, but with {many} it is still {last} points ahead.",
    }.get(
        (gaps[0].low > 0, gaps[-1].mean < gaps[0].mean),
        "The claim does not hold here: with {few} examples the prefix is right in {prefix} %, full fine-tuning in "
        "{full} %, LoRA in {lora} %; with {many} the prefix is {last} points ahead.",
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
    title="Few examples",
    claim="Li & Liang, Figure 3 and section 6.3: with 50 to 500 examples a prefix is ahead of full fine-tuning, and "
    "less so the more there are.",
    how=ON_WORDS.format(
        why="120 steps of 16 words, for ten virtual tokens in the paper's layout, LoRA with as many numbers, or "
        "the whole model."
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
    """Whether the prefix picks the skill that is there, and stays behind where a new pattern is asked for."""
    known = [task for task in results.values("task") if task not in NEW]
    picked = min(results.mean("right", method="prefix", task=task).mean for task in known)
    gaps = [
        results.more("right", {"method": other, "task": task}, {"method": "prefix", "task": task})
        for task in NEW
        for other in ("LoRA", "full")
    ]
    moved = max(results.mean("moved", method="prefix", task=task).mean for task in results.values("task"))
    new = next(iter(NEW))
    sentence = (
        "The claim holds here: a prefix picks {known} ({prefix} % right), but of `{new}` it learns {less} %, LoRA "
        "{lora} % and the whole model {full} %; the first layer's attention on the word moved by {moved:.1%} with it."
        if picked > 0.5 and all(gap.low > 0 for gap in gaps)
        else "The claim does not hold as it stands here: of {known} the prefix gets {prefix} % right, of `{new}` "
        "{less} %, LoRA {lora} % and the whole model {full} %; the first layer's attention on the word moved by "
        "{moved:.1%} with it."
    )
    return sentence.format(
        known=f"`{known[0]}`",
        new=new,
        prefix=percent(results.mean("right", method="prefix", task=known[0])),
        less=percent(results.mean("right", method="prefix", task=new)),
        lora=percent(results.mean("right", method="LoRA", task=new)),
        full=percent(results.mean("right", method="full", task=new)),
        moved=moved,
    )


LIMITS = Experiment(
    name="limits",
    title="What a prefix cannot do",
    claim="Petrov et al. 2023 (arXiv 2310.19698): a prefix can pick a skill that the model has, but cannot give the "
    "first layer a new pattern of attention over the content, and so hardly teaches a new task.",
    how="The tiny T5 knows how to write a word backwards. It was never taught to write its first, third, fifth … "
    "letter and then the others (evens first), nor its second half before its first (halves). Ten virtual tokens in "
    "the paper's layout, LoRA with as many numbers, or the whole model; measured on the 351 held-out words.",
    settings=grid(task=["reverse", *NEW], method=list(RATES), steps=[200]),
    measure=measure_limits,
    conclude=conclude_limits,
    columns=("task", "method", "right", "loss", "moved"),
    key="right",
    x="task",
    by="method",
)


ROUNDS, STEPS_EACH = 6, 4
PARTS = ("forward", "backward", "update")


def measure_cost(setting: Setting, seed: int) -> Measured:
    """A method and what it is compared with, by turns, so that what else the machine does falls on both."""
    words = seen_words()
    batches = bare_batches(words, TASKS["reverse"].function, seed)
    model = with_prefix(seed, setting["prefix_len"], layout="peft") if setting["prefix_len"] else None
    model = model or by_method(setting["method"], seed)
    whole, base = by_method("full", seed), fresh()
    step, other = training_step(model, batches), training_step(whole, batches)
    parts: list[list[float]] = []
    others: list[list[float]] = []
    writing = plain = building = 0.0
    step(), other()  # the optimizer makes its memory in the first step
    for _ in range(ROUNDS):
        parts += [step() for _ in range(STEPS_EACH)]
        others += [other() for _ in range(STEPS_EACH)]
        writing += seconds(lambda: write(model, words[:32]))
        plain += seconds(lambda: write(base, words[:32]))
        if setting["prefix_len"]:
            building += seconds(lambda: [model.get_prompt(BATCH_SIZE) for _ in range(STEPS_EACH)])
    spent = [sum(part) for part in zip(*parts, strict=True)]
    reference = sum(map(sum, others))
    found = {name: round(part / sum(spent), 4) for name, part in zip(PARTS, spent, strict=True)}
    return found | {
        "training": round(sum(spent) / reference, 4),
        "generation": round(writing / plain, 4),
        "building": round(building / sum(spent), 4),
        "step_ms": round(1000 * sum(spent) / len(parts), 2),
        "trained": sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad),
    }


def training_step(model: nn.Module, batches: Iterator[Batch]) -> Callable[[], list[float]]:
    """One step of training, which gives the seconds of processor time of each of `PARTS`."""
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(parameters, 1e-4)

    def step() -> list[float]:
        batch = next(batches)
        times = [time.process_time()]
        loss = model(**batch).loss
        times.append(time.process_time())
        optimizer.zero_grad()
        loss.backward()
        times.append(time.process_time())
        optimizer.step()
        times.append(time.process_time())
        return [after - before for before, after in pairwise(times)]

    return step


@torch.no_grad()
def write(model: nn.Module, words: list[str]) -> None:
    """Eight tokens for each word, whatever they are: all methods write as much."""
    batch = tiny_t5()[1](words, padding=True, return_tensors="pt")
    asked = {"input_ids": batch["input_ids"], "attention_mask": batch["attention_mask"]}
    model.generate(**asked, max_new_tokens=8, min_new_tokens=8, do_sample=False)


def seconds(call: Callable[[], object]) -> float:
    """Of processor time, which other programs on the machine do not lengthen much."""
    started = time.process_time()
    call()
    return time.process_time() - started


def conclude_cost(results: Results) -> str:
    """Whether a long prefix slows generation, and what a step of training costs beside full fine-tuning."""
    lengths = [one for one in results.values("prefix_len") if one]
    most = {"method": "prefix", "prefix_len": lengths[-1]}
    slower = results.mean("generation", **most)
    sentence = (
        "The claim holds here: with {most} virtual tokens writing takes {slower} times as long as without; a step of "
        "training takes {short} times as long as of the whole model with {least}, {long} with {most}, with LoRA {lora}."
        if slower.mean < 1.25
        else "The claim does not hold here, on one core: with {most} virtual tokens writing takes {slower} times as "
        "long as without; a step of training takes {short} times as long as of the whole model with {least}, {long} "
        "with {most}, with LoRA {lora}."
    )
    return sentence.format(
        least=lengths[0],
        most=lengths[-1],
        slower=times(slower),
        short=times(results.mean("training", method="prefix", prefix_len=lengths[0])),
        long=times(results.mean("training", **most)),
        lora=times(results.mean("training", method="LoRA")),
    )


def times(ratio: Interval) -> str:
    """A ratio with its interval, `1.08 ± 0.02`."""
    return f"{ratio.mean:.2f} ± {ratio.half:.2f}"


COST = Experiment(
    name="cost",
    title="What a prefix costs",
    claim="Li & Liang, section 7.1: a longer prefix hardly slows generation, since all of it is attended to at once.",
    how="The tiny T5 with PEFT's layout. Each figure is a ratio of processor times, taken by turns in one process: a "
    "step of training on 16 words beside one of the whole model, eight tokens written for 32 words beside the T5 "
    "alone.",
    settings=(
        *({"method": "prefix", "prefix_len": prefix_len} for prefix_len in (1, 10, 50, 100, 200)),
        {"method": "LoRA", "prefix_len": 0},
        {"method": "full", "prefix_len": 0},
    ),
    measure=measure_cost,
    conclude=conclude_cost,
    columns=("method", "prefix_len", "training", "generation", "forward", "backward", "update", "building", "trained"),
    key="training",
    x="prefix_len",
    by="method",
)
