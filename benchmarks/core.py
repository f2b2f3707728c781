"""Ours beside PEFT in one run, interleaved, medians and their ratio. Below 1 we are faster."""

import copy
import functools
import statistics
import subprocess
import sys
import warnings
from collections.abc import Callable

import torch
from rich.console import Console
from rich.table import Table
from tqdm import tqdm

import prefix_lab
from benchmarks.timing import seconds

T5_BASE = {"num_layers": 12, "token_dim": 768, "num_attention_heads": 12, "num_transformer_submodules": 2}
PREFIX_LEN = 20
BATCHES = (1, 8, 32)
IMPORTED_BEFORE = {
    # transformers imports little until a name is used; a script that has a model has imported PreTrainedModel.
    "a script with a transformers model": "import torch; from transformers import PreTrainedModel",
    "a bare `import transformers`": "import torch, transformers",
}
Pair = tuple[Callable[[], object], Callable[[], object]]


def compare(ours: Callable[[], object], theirs: Callable[[], object], runs: int) -> tuple[float, float, float]:
    """Median seconds of ours and theirs, and the median of the pairwise ratios; one after the other in turn."""
    ours(), theirs()
    pairs = [(seconds(ours), seconds(theirs)) for _ in range(runs)]
    return (
        statistics.median(mine for mine, _ in pairs),
        statistics.median(other for _, other in pairs),
        statistics.median(mine / other for mine, other in pairs),
    )


def wrapped_pair(base: torch.nn.Module, **config: object) -> tuple[torch.nn.Module, torch.nn.Module]:
    """The same base model wrapped by prefix_lab and by PEFT, under one seed."""
    import peft

    models = []
    for library in (prefix_lab, peft):
        torch.manual_seed(0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # PEFT asks transformers for a name that is going
            settings = library.PrefixTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=PREFIX_LEN, **config)
            models.append(library.get_peft_model(copy.deepcopy(base), settings))
    return models[0], models[1]


def t5_base_without_weights() -> torch.nn.Module:
    """A T5 whose decoder has t5-base's cache sizes and next to nothing else: `get_prompt` reads sizes only."""
    from transformers import T5Config, T5ForConditionalGeneration

    return T5ForConditionalGeneration(
        T5Config(vocab_size=8, d_model=768, d_kv=64, num_heads=12, num_layers=12, d_ff=8, decoder_start_token_id=0)
    )


def get_prompt_cases() -> dict[str, Pair]:
    """PEFT's way in both; then ours with `encode="once"`, which runs the encoder on one row, beside PEFT's."""
    base, cases = t5_base_without_weights(), {}
    for projection in (False, True):
        each, theirs = wrapped_pair(base, prefix_projection=projection)
        once = copy.deepcopy(each)
        once.active_peft_config.encode = "once"
        for batch in BATCHES:
            for direction, work in (("forward", forward), ("forward + backward", both_ways)):
                for how, ours in (("", each), (', encode="once"', once)):
                    kind = "projected" if projection else "direct"
                    cases[f"get_prompt, t5-base, {kind}, batch {batch}, {direction}{how}"] = (
                        lambda work=work, model=ours, batch=batch: work(model, batch),
                        lambda work=work, model=theirs, batch=batch: work(model, batch),
                    )
    return cases


@torch.no_grad()
def forward(model: torch.nn.Module, batch: int) -> None:
    model.get_prompt(batch)


def both_ways(model: torch.nn.Module, batch: int) -> None:
    """There and back; what attention would send back is made beforehand, since it is no work of `get_prompt`."""
    model.zero_grad()
    layers = model.get_prompt(batch).self_attention_cache.layers
    made = [tensor for layer in layers for tensor in (layer.keys, layer.values)]
    torch.autograd.backward(made, [gradient_of(tensor.shape) for tensor in made])


@functools.cache
def gradient_of(shape: tuple[int, ...]) -> torch.Tensor:
    return torch.ones(shape)


def peak_memory() -> dict[str, tuple[float, float]]:
    """MB that one `get_prompt` at batch 32, forward and backward, holds at its peak, beyond what was held before.

    Told by torch's profiler, which sees each tensor that is allocated or freed; ours and PEFT's.
    """
    base, found = t5_base_without_weights(), {}
    for projection in (False, True):
        each, theirs = wrapped_pair(base, prefix_projection=projection)
        once = copy.deepcopy(each)
        once.active_peft_config.encode = "once"
        kind = "projected" if projection else "direct"
        other = peak_of(theirs)
        for how, ours in (("", each), (', encode="once"', once)):
            found[f"peak memory, get_prompt, t5-base, {kind}, batch 32, forward + backward{how}"] = peak_of(ours), other
    return found


def peak_of(model: torch.nn.Module) -> float:
    from torch.profiler import ProfilerActivity, profile

    both_ways(model, 32)
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True, record_shapes=False) as seen:
        both_ways(model, 32)
    held = peak = 0
    for event in seen.profiler.kineto_results.events():
        if event.name() == "[memory]":
            held += event.nbytes()
            peak = max(peak, held)
    return peak / 2**20


def training_step_cases() -> dict[str, Pair]:
    from prefix_lab.course import load_tiny_t5

    base, tokenizer = load_tiny_t5()
    batch = tokenizer(["garden", "piano", "window", "letter"] * 8, padding=True, return_tensors="pt")

    def step(model: torch.nn.Module) -> None:
        model.zero_grad()
        model(**batch, labels=batch.input_ids).loss.backward()

    cases = {}
    for projection in (False, True):
        each, theirs = wrapped_pair(base, prefix_projection=projection)
        once = copy.deepcopy(each)
        once.active_peft_config.encode = "once"
        for how, ours in (("", each), (', encode="once"', once)):
            name = f"training step, tiny T5, {'projected' if projection else 'direct'}, batch 32{how}"
            cases[name] = (lambda model=ours: step(model), lambda model=theirs: step(model))
    return cases


def import_seconds(first: str, runs: int) -> tuple[float, float, float]:
    """What `import prefix_lab` and `import peft` each add where `first` was imported: medians of processes in turn."""
    code = "import time; {}; start = time.perf_counter(); import {}; print(time.perf_counter() - start)"

    def once(library: str) -> float:
        command = [sys.executable, "-W", "ignore", "-c", code.format(first, library)]
        return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    once("prefix_lab"), once("peft")  # these fill the system's cache of files
    pairs = [(once("prefix_lab"), once("peft")) for _ in range(runs)]
    return (
        statistics.median(mine for mine, _ in pairs),
        statistics.median(other for _, other in pairs),
        statistics.median(mine / other for mine, other in pairs),
    )


def main(runs: int) -> None:
    torch.set_num_threads(1)
    table = Table(title=f"prefix_lab beside PEFT, medians of {runs} interleaved runs, one thread")
    for heading in ("case", "ours, ms", "PEFT, ms", "ours / PEFT", "PEFT / ours"):
        table.add_column(heading, justify="left" if heading == "case" else "right")
    for name, (ours, theirs) in tqdm(
        (get_prompt_cases() | training_step_cases()).items(), desc="measuring", leave=False
    ):
        table.add_row(name, *in_words(*compare(ours, theirs, runs)))
    for name, first in IMPORTED_BEFORE.items():
        table.add_row(f"import, added to {name}", *in_words(*import_seconds(first, min(runs, 5))))
    memory = Table(title="peak memory of one get_prompt, by torch's profiler")
    for heading in ("case", "ours, MB", "PEFT, MB", "ours / PEFT"):
        memory.add_column(heading, justify="left" if heading == "case" else "right")
    for name, (mine, other) in peak_memory().items():
        memory.add_row(name, f"{mine:.1f}", f"{other:.1f}", f"{mine / other:.2f}")
    console = Console(width=max(120, Console().width))
    console.print(table)
    console.print(memory)


def in_words(mine: float, other: float, ratio: float) -> tuple[str, ...]:
    return f"{1e3 * mine:.2f}", f"{1e3 * other:.2f}", f"{ratio:.2f}", f"{1 / ratio:.1f}×"
