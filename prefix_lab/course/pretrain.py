"""Pretrain a small model of the course: `python -m prefix_lab.course.pretrain NAME`.

`tiny_t5` reads `reverse: stream` as letters and writes `maerts`; `gpt2`, `bert` and `t5` read and write the sentences
of `prefix_lab.course.world`. What each is trained on stands in `prefix_lab.course.recipes`. The same seed gives the
same weights on the same machine with the same number of threads (the shipped ones: OMP_NUM_THREADS=1); elsewhere sums
round differently. A run that was interrupted goes on when the same command is given again, to the same weights.
"""

import argparse
import json
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel

from prefix_lab.course.recipes import RECIPES, Recipe
from prefix_lab.course.small_models import quiet
from prefix_lab.course.training import train, versions

REPORT = "report.json"
FILES = {
    REPORT,
    "config.json",
    "generation_config.json",
    "model.safetensors",
    "tokenizer_config.json",
    "tokenizer.json",
    "added_tokens.json",
    "special_tokens_map.json",  # older versions of transformers write it
}


def pretrain(
    recipe: Recipe, steps: int, seed: int, unfinished: Path | None = None
) -> tuple[PreTrainedModel, Any, dict[str, Any]]:
    """A trained model in eval mode, its tokenizer, and the report on it.

    The report holds plain numbers and strings: the mean loss of the last hundred steps, what the recipe measures on
    what was held out, and the seconds of the clock and of the processors that this took; of a run in several goes, the
    last one's. `unfinished` is the folder in which a run is kept until it ends, and from which it goes on.
    """
    started, started_cpu = time.perf_counter(), time.process_time()
    model, tokenizer = recipe.new(seed)
    batches = recipe.batches(tokenizer, recipe.batch_size, seed)
    losses = train(model, batches, steps, recipe.rate, progress="pretraining", seed=seed, folder=unfinished)
    report = {
        "steps": steps,
        "batch_size": recipe.batch_size,
        "seed": seed,
        "parameters": model.num_parameters(),
        "loss": round(sum(losses[-100:]) / len(losses[-100:]), 6),
        **recipe.measured(model, tokenizer),
        "seconds": round(time.perf_counter() - started, 1),
        "cpu_seconds": round(time.process_time() - started_cpu, 1),
        "threads": torch.get_num_threads(),
        "versions": versions(),
    }
    return model, tokenizer, report


def save(folder: Path, model: PreTrainedModel, tokenizer: Any, report: dict[str, Any]) -> None:
    """Write what `from_pretrained` reads, and the report, readable for all: safetensors would keep it to its owner."""
    with quiet():
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    (folder / REPORT).write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    for file in folder.iterdir():
        file.chmod(0o644)


def print_report(report: dict[str, Any]) -> None:
    """The report as tables, one for each thing that was measured."""
    print(f"{report['parameters']:,} parameters, {report['steps']:,} steps, loss {report['loss']:.4f}")
    print(f"{report['seconds']:.0f} s, {report['cpu_seconds']:.0f} s of processor time, {report['threads']} threads")
    held_out = next(name for name in report if name.startswith("held_out_"))
    for measure, shares in report.items():
        if isinstance(shares, dict) and measure != "versions":
            print(
                f"{measure.replace('_', ' ')} on {report[held_out]} {held_out.replace('_', '-', 1).replace('_', ' ')}:"
            )
            for name, one in shares.items():
                print(f"  {name:<12}{one:7.1%}")


def main(arguments: list[str] | None = None) -> None:
    """The command. Exits with code 2 and a message for a bad argument, before anything is trained or written.

    The files are written beside the folder and moved into it at the end, so that a broken run leaves the old ones.
    """
    parser = argparse.ArgumentParser(prog="python -m prefix_lab.course.pretrain", description=__doc__.split("\n")[0])
    parser.add_argument(
        "name", nargs="?", default="tiny_t5", choices=RECIPES, help="which model (default: %(default)s)"
    )
    parser.add_argument("--out", type=Path, help="the folder to write (default: the shipped one)")
    parser.add_argument("--steps", type=int, help="default: as many as the shipped one took")
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    given = parser.parse_args(arguments)
    recipe = RECIPES[given.name]
    out = given.out or recipe.folder
    steps = recipe.steps if given.steps is None else given.steps
    for name, number, least, most in (("steps", steps, 1, 10**6), ("seed", given.seed, 0, 2**32 - 1)):
        if not least <= number <= most:
            parser.error(f"argument --{name}: got {number}, expected a whole number from {least} to {most}.")
    got = f"argument --out: got {str(out)!r}"
    if out.exists() and not out.is_dir():
        parser.error(f"{got}, which is a file, expected a folder to write; choose another name.")
    if others := sorted({path.name for path in out.glob("*")} - FILES):
        parser.error(f"{got}, which holds {others[0]!r}, a file that no run writes; choose a new or an empty folder.")
    unfinished = out.with_name(f"{out.name}-{steps}-steps-seed-{given.seed}.unfinished")
    try:
        beside = tempfile.TemporaryDirectory(dir=out.resolve().parent, prefix=".pretraining-")
    except OSError as error:
        parser.error(f"{got}, and nothing can be written beside it ({error.strerror}); choose another place.")
    with beside as draft:
        try:
            model, tokenizer, report = pretrain(recipe, steps, given.seed, unfinished)
        except KeyboardInterrupt:
            parser.exit(130, "Stopped. The same command goes on where it was.\n")
        save(Path(draft), model, tokenizer, report)
        out.mkdir(exist_ok=True)
        for file in Path(draft).iterdir():
            file.replace(out / file.name)
    shutil.rmtree(unfinished, ignore_errors=True)
    print_report(report)
    print(f"written: {out}")


if __name__ == "__main__":
    main()
