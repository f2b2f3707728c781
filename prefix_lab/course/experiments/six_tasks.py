"""What a prefix reaches in each of the six tasks of the small world, beside every other way to the same.

Which method suits is no claim of one paper. Li & Liang 2021, section 6, have a prefix about level with full
fine-tuning in table to text; P-tuning v2 (Liu et al. 2022, section 4) says so of labels, spans and tags, too.
"""

from __future__ import annotations

from typing import Any

import torch
import transformers
from torch import nn

import prefix_lab
from prefix_lab.course.experiments.runs import Experiment, Measured, Results, Setting, percent
from prefix_lab.course.loading import AUTO
from prefix_lab.course.tiny import load_tiny
from prefix_lab.course.training import train
from prefix_lab.course.world_tasks import KINDS, world_task
from prefix_lab.locale import N_, _
from prefix_lab.walk.libraries import PEFT_ASKS_BY_AN_OLD_NAME, without_warning

STEPS, PREFIX_LEN = 100, 20
BASES = {"CAUSAL_LM": "gpt2", "SEQ_2_SEQ_LM": "t5"}  # all others BERT
CHANGED = {"gpt2": ["c_attn"], "bert": ["query", "value"], "t5": ["q", "v"]}
"""The layers that LoRA changes in each model."""
SIZES = {
    "CAUSAL_LM": {"prefix": PREFIX_LEN, "LoRA": 10},
    "SEQ_2_SEQ_LM": {"prefix": PREFIX_LEN, "paper": 7, "LoRA": 3},
}
"""Virtual tokens, and LoRA's r, so that about as many numbers train: 20,480 before BERT and GPT-2, 15,360 before T5."""
RATES = {"head": 0.1, "prefix": 0.1, "paper": 0.1, "LoRA": 0.01, "full": 0.002}
"""The highest learning rate of each method. Two or three were tried for prefix, LoRA and all of a model on GPT-2, for
prefix and head on BERT, and four for BERT's LoRA (0.001 to 0.03), with a seed that the experiment does not use."""
SLOWER = {("FEATURE_EXTRACTION", "LoRA"): 0.003}
"""Where another rate did much better."""
GENERATES = ("CAUSAL_LM", "SEQ_2_SEQ_LM")
HEADS = ("classifier", "qa_outputs")


def methods(task_type: str) -> list[str]:
    """The ways that there are for a task, the ones that train nothing first."""
    before = ["nothing", "instruction"] if task_type in GENERATES else ["head"]
    if task_type == "FEATURE_EXTRACTION":
        before = ["nothing"]
    paper = ["paper"] if task_type == "SEQ_2_SEQ_LM" else []
    return [*before, "prefix", *paper, "LoRA", "full"]


def prepared(task_type: str, method: str, seed: int) -> tuple[nn.Module, Any]:
    """The pretrained model with what this method trains, and its tokenizer; a new head and a prefix begin by `seed`."""
    name, task = BASES.get(task_type, "bert"), world_task(task_type)
    heads = {"num_labels": len(task.labels)} if hasattr(task, "labels") else {}
    base, tokenizer = load_tiny(name, getattr(transformers, AUTO[task_type]), seed, **heads)
    size = SIZES.get(task_type, SIZES["CAUSAL_LM"]).get(method)
    torch.manual_seed(seed)
    if method in ("prefix", "paper"):
        layout = "paper" if method == "paper" else "peft"
        config = prefix_lab.PrefixTuningConfig(task_type, num_virtual_tokens=size, layout=layout, encode="once")
        return prefix_lab.get_peft_model(base, config), tokenizer
    if method == "LoRA":  # PEFT's, for GPT-2's layers are no nn.Linear
        import peft

        config = peft.LoraConfig(
            task_type=task_type, r=size, lora_alpha=size, target_modules=CHANGED[name], fan_in_fan_out=name == "gpt2"
        )
        with without_warning(*PEFT_ASKS_BY_AN_OLD_NAME):
            return peft.get_peft_model(base, config), tokenizer
    base.requires_grad_(method == "full")
    for part, module in base.named_children():
        if part in HEADS:
            module.requires_grad_(True)
    return base, tokenizer


def measure(setting: Setting, seed: int) -> Measured:
    task_type, method = setting["task_type"], setting["method"]
    model, tokenizer = prepared(task_type, method, seed)
    task = world_task(task_type)
    trained = that_train(model)
    if method == "instruction":
        task = task.instructed()
    if trained:
        steps, rate = setting["steps"], SLOWER.get((task_type, method), RATES[method])
        train(model, task, steps, rate, "", tokenizer=tokenizer, seed=seed, measured_on=0)
    return {"correct": round(task.score(model, tokenizer, task.examples("test")), 4), "trained": trained}


def that_train(model: nn.Module) -> int:
    """How many numbers."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def conclude(results: Results) -> str:
    """In how many tasks a prefix reaches 95 % of what full fine-tuning reaches, and how far it comes in the others."""
    reached = {}
    for task_type in KINDS:
        best = max(("prefix", "paper"), key=lambda one: share(results, task_type, one))
        reached[task_type] = share(results, task_type, best) / share(results, task_type, "full")
    near = [task_type for task_type, part in reached.items() if part >= 0.95]
    far = ", ".join(f"{task_type} ({part:.0%})" for task_type, part in reached.items() if part < 0.95)
    full = percent(results.mean("correct", task_type="CAUSAL_LM", method="full"))
    sentence = (
        _(
            "A prefix reaches 95 % of what full fine-tuning reaches in {count} of the six tasks, {near}, but not in "
            "{far}; full fine-tuning itself has {full} % of the sentences of CAUSAL_LM right."
        )
        if far
        else _(
            "A prefix reaches 95 % of what full fine-tuning reaches in each of the six tasks; full fine-tuning itself "
            "has {full} % of the sentences of CAUSAL_LM right."
        )
    )
    return sentence.format(count=len(near), near=", ".join(near) or "none", far=far, full=full)


def share(results: Results, task_type: str, method: str) -> float:
    """The mean share that is right; 0 for a method that the task does not have."""
    if method not in methods(task_type):
        return 0.0
    return results.mean("correct", task_type=task_type, method=method).mean


TASKS = Experiment(
    name="tasks",
    title=N_("Six tasks, every method"),
    claim=N_(
        "Li & Liang, section 6, and P-tuning v2, section 4: a prefix comes near full fine-tuning, whatever the task."
    ),
    how=N_(
        "The tiny GPT-2, BERT and T5 and the world's six tasks, on places that no training saw. Right is an example "
        "without any fault. Prefix and LoRA train about as many numbers; a new head alone stands on the frozen model."
    ),
    settings=tuple(
        {"task_type": task_type, "method": method, "steps": STEPS}
        for task_type in KINDS
        for method in methods(task_type)
    ),
    measure=measure,
    conclude=conclude,
    columns=("task_type", "method", "correct", "trained"),
    key="correct",
    x="task_type",
    by="method",
)
