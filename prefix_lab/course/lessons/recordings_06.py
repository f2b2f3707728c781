"""Recordings for lessons 6 and 8: `get_prompt` for a GPT-2 or a T5, ours and PEFT's, with names for the axes."""

from __future__ import annotations

import importlib

import torch
from transformers.utils import logging

from prefix_lab.course.lessons.small_models import small_gpt2, small_t5
from prefix_lab.debugger import Recording, record
from prefix_lab.shapes import Names, name_axes


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
