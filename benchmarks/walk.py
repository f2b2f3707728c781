"""A walk as it is recorded for real: PEFT's `get_peft_model`, a forward and a backward pass on the tiny T5."""

import copy
import functools
import statistics
import sys
import warnings
from collections.abc import Callable
from typing import Any

from rich.table import Table

from benchmarks.timing import columns, interleaved, seconds, verdict

INCLUDED = ["prefix_lab", "peft", "transformers.models.t5"]
WORDS = ["garden", "piano", "window", "letter"]
BATCHES = (4, 32)
AIM = 2.5

Walk = Callable[[], None]


def traced(walk: Walk) -> None:
    sys.settrace(lambda frame, event, argument: None)
    try:
        walk()
    finally:
        sys.settrace(None)


def recorded(walk: Walk) -> Any:
    from prefix_lab.debugger import record

    with record(include=INCLUDED) as recording:
        walk()
    return recording


WAYS: dict[str, Callable[[Walk], Any]] = {"untraced": lambda walk: walk(), "empty": traced, "ours": recorded}


def table(runs: int) -> Table:
    """Raises `ImportError` where PEFT is not there."""
    import peft
    import torch

    from prefix_lab.course import load_tiny_t5

    torch.set_num_threads(1)
    base, tokenizer = load_tiny_t5()

    def walk(batch: Any, bases: list[torch.nn.Module]) -> None:
        config = peft.PrefixTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=20)
        peft.get_peft_model(bases.pop(), config)(**batch, labels=batch.input_ids).loss.backward()

    made = columns(
        f"get_peft_model (PEFT's), forward, backward, tiny T5, medians of {runs} interleaved runs, one thread",
        *("texts", "untraced, ms", "empty, ms", "ours, ms", "steps", "the first time, ms", "empty ×", "ours ×", "aim"),
    )
    for size in BATCHES:
        batch = tokenizer(WORDS * (size // len(WORDS)), padding=True, return_tensors="pt")
        # Wrapping changes the base model, so each walk has one of its own, made before its time begins.
        bases = [copy.deepcopy(base) for _ in range(len(WAYS) * (1 + runs) + 3)]
        one = functools.partial(walk, batch, bases)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # PEFT asks transformers for a name that is going
            one()
            first = seconds(functools.partial(recorded, one))  # the functions' bytecode is read once
            steps = len(recorded(one))
            times = interleaved({name: functools.partial(way, one) for name, way in WAYS.items()}, runs)
        medians = [statistics.median(run[name] for run in times) for name in WAYS]
        empty, ours = (statistics.median(run[name] / run["untraced"] for run in times) for name in ("empty", "ours"))
        made.add_row(
            *(str(size), *(f"{1e3 * median:.1f}" for median in medians), f"{steps:,}"),
            *(f"{1e3 * first:.1f}" if size == BATCHES[0] else "", f"{empty:.2f}", f"{ours:.2f}"),
            verdict(f"≤ {AIM}", ours <= AIM),
        )
    return made
