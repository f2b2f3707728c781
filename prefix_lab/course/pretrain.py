"""Pretrain the tiny T5 on the course's written instructions: `python -m prefix_lab.course.pretrain`.

A T5 of about one million parameters reads `reverse: stream` as bytes and writes `maerts`. It learns every task of
`prefix_lab.course.letters` on the words of `words.txt`, which were taken once from Python's own documentation (the
docstrings of the standard library and `pydoc_data.topics`, see there); one word in ten is held out to
measure on. About eighteen minutes of one core. The same seed gives the same weights on the same machine with the
same number of threads (the shipped ones: OMP_NUM_THREADS=1); elsewhere sums round differently.
"""

import argparse
import json
import platform
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import torch
import transformers
from transformers import ByT5Tokenizer, T5Config, T5ForConditionalGeneration

from prefix_lab.course.letters import TASKS, exact_match, held_out_words, seen_words, source_text, target_text
from prefix_lab.course.small_models import WEIGHTS, quiet
from prefix_lab.course.tasks import Batch, make_batch
from prefix_lab.course.training import train

STEPS, BATCH_SIZE, RATE = 8000, 32, 2e-3
REPORT = "report.json"
FILES = {
    REPORT,
    "config.json",
    "generation_config.json",
    "model.safetensors",
    "tokenizer_config.json",
    "added_tokens.json",
    "special_tokens_map.json",  # older versions of transformers write it
}
MAX_NEW_TOKENS = 24  # the longest answer is a word of nine letters, doubled


def new_model(seed: int) -> T5ForConditionalGeneration:
    """An untrained T5: 3 layers in each stack, hidden 128 = 4 heads · 32, one embedding for what is read and written.

    Its random numbers are its own: the caller's generator is left as it was.
    """
    config = T5Config(
        vocab_size=384,  # 3 special tokens, 256 bytes, 125 sentinels: ByT5's
        d_model=128,
        d_kv=32,
        num_heads=4,
        d_ff=256,
        num_layers=3,
        dropout_rate=0.0,  # the words are few and the answers exact: noise would only slow the learning down
        decoder_start_token_id=0,
        tie_word_embeddings=True,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = T5ForConditionalGeneration(config)
    model.generation_config.max_new_tokens = MAX_NEW_TOKENS
    return model


def pretrain(steps: int, seed: int) -> tuple[T5ForConditionalGeneration, ByT5Tokenizer, dict[str, Any]]:
    """A trained model in eval mode, its tokenizer, and the report on it.

    The report holds plain numbers and strings: seconds of the clock and of the processors, the mean loss of the last
    hundred steps, and for each task the exact match, 0 to 1, on all held-out words.
    """
    started, started_cpu = time.perf_counter(), time.process_time()
    model, tokenizer = new_model(seed), ByT5Tokenizer()
    losses = train(
        model, instructed_batches(tokenizer, seen_words(), BATCH_SIZE, seed), steps, RATE, progress="pretraining"
    )
    words = held_out_words()
    report = {
        "steps": steps,
        "batch_size": BATCH_SIZE,
        "seed": seed,
        "parameters": model.num_parameters(),
        "loss": round(sum(losses[-100:]) / len(losses[-100:]), 6),
        "seen_words": len(seen_words()),
        "held_out_words": len(words),
        "exact_match": {task: round(exact_match(model, tokenizer, words, task), 4) for task in TASKS},
        "seconds": round(time.perf_counter() - started, 1),
        "cpu_seconds": round(time.process_time() - started_cpu, 1),
        "threads": torch.get_num_threads(),
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "transformers": transformers.__version__,
        },
    }
    return model, tokenizer, report


def save(folder: Path, model: T5ForConditionalGeneration, tokenizer: ByT5Tokenizer, report: dict[str, Any]) -> None:
    """Write what `from_pretrained` reads, and the report, readable for all: safetensors would keep it to its owner."""
    with quiet():
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    (folder / REPORT).write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    for file in folder.iterdir():
        file.chmod(0o644)


def print_report(report: dict[str, Any]) -> None:
    """The report as a table."""
    print(f"{report['parameters']:,} parameters, {report['steps']:,} steps, loss {report['loss']:.4f}")
    print(f"{report['seconds']:.0f} s, {report['cpu_seconds']:.0f} s of processor time, {report['threads']} threads")
    print(f"exact match on {report['held_out_words']} held-out words:")
    for task, share in report["exact_match"].items():
        print(f"  {task:<12}{share:7.1%}")


def instructed_batches(tokenizer: Any, words: list[str], batch_size: int, seed: int) -> Iterator[Batch]:
    """Batches without end: in each row a task drawn by its share, and any word.

    Every batch mixes the tasks. To sort rows of one length together would save a third of the time, and was tried: the
    batches are then nearly of one task each, and after as many steps `sort` and `double` are right half as often.
    """
    random = Random(seed)
    shares = [task.share for task in TASKS.values()]
    while True:
        rows = [(task, random.choice(words)) for task in random.choices(list(TASKS), shares, k=batch_size)]
        yield make_batch(tokenizer, [source_text(*row) for row in rows], [target_text(*row) for row in rows])


def main(arguments: list[str] | None = None) -> None:
    """The command. Exits with code 2 and a message for a bad argument, before anything is trained or written.

    The files are written beside the folder and moved into it at the end, so that a broken run leaves the old ones.
    """
    parser = argparse.ArgumentParser(prog="python -m prefix_lab.course.pretrain", description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, default=WEIGHTS, help="the folder to write (default: the shipped one)")
    parser.add_argument("--steps", type=int, default=STEPS, help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    given = parser.parse_args(arguments)
    for name, number, least, most in (("steps", given.steps, 1, 10**6), ("seed", given.seed, 0, 2**32 - 1)):
        if not least <= number <= most:
            parser.error(f"argument --{name}: got {number}, expected a whole number from {least} to {most}.")
    got = f"argument --out: got {str(given.out)!r}"
    if given.out.exists() and not given.out.is_dir():
        parser.error(f"{got}, which is a file, expected a folder to write; choose another name.")
    if others := sorted({path.name for path in given.out.glob("*")} - FILES):
        parser.error(f"{got}, which holds {others[0]!r}, a file that no run writes; choose a new or an empty folder.")
    try:
        beside = tempfile.TemporaryDirectory(dir=given.out.resolve().parent, prefix=".pretraining-")
    except OSError as error:
        parser.error(f"{got}, and nothing can be written beside it ({error.strerror}); choose another place.")
    with beside as draft:
        model, tokenizer, report = pretrain(given.steps, given.seed)
        save(Path(draft), model, tokenizer, report)
        given.out.mkdir(exist_ok=True)
        for file in Path(draft).iterdir():
            file.replace(given.out / file.name)
    print_report(report)
    print(f"written: {given.out}")


if __name__ == "__main__":
    main()
