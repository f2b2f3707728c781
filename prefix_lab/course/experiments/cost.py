"""What a prefix costs in training and in generation as it grows, beside LoRA and full fine-tuning; where the time goes.

Times are of the processor, not of the clock, and always a ratio of two that were taken by turns: another machine has
other milliseconds, and a busy one stretches both.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import pairwise

import torch
from torch import nn

from prefix_lab.course.experiments.methods import BATCH_SIZE, bare_batches, by_method, fresh, tiny_t5, with_prefix
from prefix_lab.course.experiments.runs import Experiment, Interval, Measured, Results, Setting
from prefix_lab.course.letters import TASKS, seen_words
from prefix_lab.course.tasks import Batch
from prefix_lab.locale import N_, _

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
    for _turn in range(ROUNDS):
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
        _(
            "The claim holds here: with {most} virtual tokens writing takes {slower} times as long as without; a step "
            "of training takes {short} of the whole model's time with {least}, {long} with {most}, and {lora} with "
            "LoRA."
        )
        if slower.mean < 1.25
        else _(
            "The claim does not hold here, on one core: with {most} virtual tokens writing takes {slower} times as "
            "long as without; a step of training takes {short} of the whole model's time with {least}, {long} with "
            "{most}, and {lora} with LoRA."
        )
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
    title=N_("What a prefix costs"),
    claim=N_(
        "Li & Liang, section 7.1: a longer prefix hardly slows generation, since all of it is attended to at once."
    ),
    how=N_(
        "The tiny T5 with PEFT's layout. Each figure is a ratio of processor times, taken by turns in one process: a "
        "step of training on 16 words beside one of the whole model, eight tokens written for 32 words beside the T5 "
        "alone."
    ),
    settings=(
        *({"method": "prefix", "prefix_len": prefix_len} for prefix_len in (1, 10, 50, 200)),
        {"method": "LoRA", "prefix_len": 0},
        {"method": "full", "prefix_len": 0},
    ),
    measure=measure_cost,
    conclude=conclude_cost,
    columns=("method", "prefix_len", "training", "generation", "forward", "backward", "update", "building", "trained"),
    key="training",
    x="prefix_len",
    by="method",
    log=True,
)
