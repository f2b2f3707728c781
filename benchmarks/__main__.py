"""`make bench`: ours beside PEFT in one run, interleaved, medians and their ratio. Below 1 we are faster."""

import argparse
import copy
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable

import torch
from rich.console import Console
from rich.table import Table
from tqdm import tqdm

import prefix_lab

T5_BASE = {"num_layers": 12, "token_dim": 768, "num_attention_heads": 12, "num_transformer_submodules": 2}
PREFIX_LEN = 20
Pair = tuple[Callable[[], object], Callable[[], object]]


def seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


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
    base, cases = t5_base_without_weights(), {}
    for projection in (False, True):
        ours, theirs = wrapped_pair(base, prefix_projection=projection)
        for batch in (1, 8, 32):
            name = f"get_prompt, t5-base, {'projected' if projection else 'direct'}, batch {batch}"

            def forward(model: torch.nn.Module, batch: int = batch) -> None:
                with torch.no_grad():
                    model.get_prompt(batch)

            def both_ways(model: torch.nn.Module, batch: int = batch) -> None:
                layers = model.get_prompt(batch).self_attention_cache.layers
                sum(layer.keys.sum() + layer.values.sum() for layer in layers).backward()

            for direction, work in (("forward", forward), ("forward + backward", both_ways)):
                cases[f"{name}, {direction}"] = (
                    lambda work=work, model=ours: work(model),
                    lambda work=work, model=theirs: work(model),
                )
    return cases


def training_step_case() -> dict[str, Pair]:
    from prefix_lab.course import load_tiny_t5

    base, tokenizer = load_tiny_t5()
    ours, theirs = wrapped_pair(base)
    batch = tokenizer(["garden", "piano", "window", "letter"] * 8, padding=True, return_tensors="pt")

    def step(model: torch.nn.Module) -> None:
        model(**batch, labels=batch.input_ids).loss.backward()

    return {"training step, tiny T5, batch 32": (lambda: step(ours), lambda: step(theirs))}


def import_case() -> dict[str, Pair]:
    """Whole processes; both import torch and transformers too, which is most of it."""

    def run(code: str) -> None:
        subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True)

    return {"import, whole process": (lambda: run("import prefix_lab"), lambda: run("import peft"))}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--runs", type=int, default=15, help="interleaved runs of each case (default 15)")
    runs = parser.parse_args().runs
    if runs < 1:
        parser.error(f"--runs={runs}, expected at least 1.")
    torch.set_num_threads(1)
    table = Table(title=f"prefix_lab beside PEFT, medians of {runs} interleaved runs, one thread")
    for heading in ("case", "ours, ms", "PEFT, ms", "ours / PEFT"):
        table.add_column(heading, justify="left" if heading == "case" else "right")
    cases = get_prompt_cases() | training_step_case() | import_case()
    for name, (ours, theirs) in tqdm(cases.items(), desc="measuring", leave=False):
        mine, other, ratio = compare(ours, theirs, min(runs, 5) if name.startswith("import") else runs)
        table.add_row(name, f"{1e3 * mine:.2f}", f"{1e3 * other:.2f}", f"{ratio:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
