"""The walk, recorded: PEFT's own source or ours at work on the tiny T5, every axis named."""

from __future__ import annotations

import importlib

import torch

from prefix_lab.course.tiny_t5 import load_tiny_t5
from prefix_lab.debugger import Recording, record
from prefix_lab.shapes import name_axes
from prefix_lab.walk.sides import PEFT_ASKS_BY_AN_OLD_NAME, without_warning

WORDS = ("garden", "piano")
SOURCES = {
    "peft": ("peft",),
    "prefix_lab": tuple(
        f"prefix_lab.{name}" for name in ("mapping", "models", "prepare", "config", "encoder", "past", "tasks")
    ),
}
MODEL = ("transformers.models.t5",)


def record_walk(
    where: str = "peft",
    *,
    projection: bool = True,
    prefix_len: int = 20,
    model: bool = True,
    keep: str = "shapes",
    named: bool = True,
) -> Recording:
    """Build a prefix on the tiny T5, run it forwards and backwards once, and keep every line.

    `where` is whose source runs, "peft" or "prefix_lab"; `model=False` leaves the base model's own lines out.
    `keep="statistics"` keeps enough to compare values. Raises `ValueError` that names a wrong `where`.
    """
    if where not in SOURCES:
        raise ValueError(f"where={where!r}, expected one of {', '.join(map(repr, SOURCES))}.")
    library = importlib.import_module(where)
    base, tokenizer = load_tiny_t5()
    batch = tokenizer(list(WORDS), padding=True, return_tensors="pt")
    config = library.PrefixTuningConfig(
        task_type="SEQ_2_SEQ_LM", num_virtual_tokens=prefix_len, prefix_projection=projection
    )

    def walk():
        peft_model = library.get_peft_model(base, config)
        loss = peft_model(**batch, labels=batch["input_ids"]).loss
        loss.backward()
        return loss

    included = [*SOURCES[where], *(MODEL if model else ()), walk]
    with (
        without_warning(*PEFT_ASKS_BY_AN_OLD_NAME),
        torch.random.fork_rng(),
        record(included, keep=keep) as recording,
    ):
        torch.manual_seed(0)
        walk()
    return recording.with_names(name_axes(f"T5, {'projected' if projection else 'direct'}")) if named else recording
