"""A call as it happened: the walk line by line, PEFT's own source or ours; and what arrived at a model's door."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from transformers.utils import logging

from prefix_lab.course.small_models import load_tiny_t5, small_gpt2, small_t5
from prefix_lab.debugger import Recording, record
from prefix_lab.shapes import Names, name_axes
from prefix_lab.walk.libraries import PEFT_ASKS_BY_AN_OLD_NAME, without_warning

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


def record_prompt(where: str, family: str = "GPT-2", layers: int = 3, prefix_len: int = 5, batch: int = 2) -> Recording:
    """From virtual tokens to a cache. `where` is "prefix_lab" or "peft", `family` "GPT-2" or "T5"."""
    library = importlib.import_module(where)
    make, task = {"GPT-2": (small_gpt2, "CAUSAL_LM"), "T5": (small_t5, "SEQ_2_SEQ_LM")}[family]
    config = library.PrefixTuningConfig(task_type=task, num_virtual_tokens=prefix_len)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        peft_model = library.get_peft_model(make(layers=layers), config)
    with record(where, keep="statistics") as recording:
        peft_model.get_prompt(batch)
    return recording.with_names(quietly_named(f"{family}, direct"))


def quietly_named(walk: str) -> Names:
    """The names of a standard walk. Found for the first time, its models make transformers complain of `loss_type`."""
    before = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        return name_axes(walk)
    finally:
        logging.set_verbosity(before)


def listen(peft_model: nn.Module, inputs: Mapping[str, Tensor]) -> tuple[str, dict[str, Any], Any]:
    """Run the model, and listen at two doors: that of the base model, and that of the backbone inside it.

    Returns which of the two PEFT knocked at, what was handed over there, and the output.
    """
    doors = {"the base model": peft_model.get_base_model()}
    if backbone := getattr(peft_model, "transformer_backbone_name", None):
        doors[f"the backbone, {backbone}"] = doors["the base model"].get_submodule(backbone)
    arrived: dict[str, dict[str, Any]] = {}
    listeners = [
        module.register_forward_pre_hook(
            lambda module, args, kwargs, door=door: arrived.setdefault(door, dict(kwargs)) and None, with_kwargs=True
        )
        for door, module in doors.items()
    ]
    try:
        output = peft_model(**inputs)
    finally:
        for listener in listeners:
            listener.remove()
    door = next(iter(arrived))  # the first one that was opened
    return door, arrived[door], output


def arriving(model: nn.Module, name: str, call: Callable[[], Any]) -> list[Any]:
    """What comes in at a model's door under this name, at each of its calls, while `call()` runs; also if it fails
    behind the door."""
    seen: list[Any] = []
    hook = model.register_forward_pre_hook(lambda _, args, kwargs: seen.append(kwargs.get(name)), with_kwargs=True)
    try:
        call()
    except Exception:
        if not seen:
            raise
    finally:
        hook.remove()
    return seen
