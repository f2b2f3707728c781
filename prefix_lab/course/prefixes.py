"""Trained prefixes that ship, in PEFT's own saved format: `python -m prefix_lab.course.prefixes NAME` makes one.

They lie in `course/weights/prefixes`, and `PeftModel.from_pretrained(model, trained_prefix(NAME))` reads them.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from pathlib import Path
from typing import NamedTuple

import torch

from prefix_lab.course.tiny import FOLDER, load_tiny
from prefix_lab.course.training import train, versions
from prefix_lab.course.world_tasks import world_task

WHERE = FOLDER / "prefixes"
KEPT = ("adapter_config.json", "adapter_model.safetensors")


class Shipped(NamedTuple):
    """How one was made."""

    model: str  # of `load_tiny`
    task_type: str
    manner: str  # in which the model is to write
    prefix_len: int
    steps: int


SHIPPED = {
    "gpt2_postcard": Shipped("gpt2", "CAUSAL_LM", "postcard", 10, 200),
    "t5_question": Shipped("t5", "SEQ_2_SEQ_LM", "question", 20, 300),
}


def trained_prefix(name: str) -> Path:
    """The folder of one that ships. Raises `ValueError` for another name."""
    if name not in SHIPPED:
        raise ValueError(f"name={name!r}, expected one of {', '.join(SHIPPED)}.")
    return WHERE / name


def make(name: str, folder: Path) -> dict[str, object]:
    """Train the prefix of that name, write it into the folder, and return the report beside it."""
    import peft

    one = SHIPPED[name]
    model, tokenizer = load_tiny(one.model)
    task = world_task(one.task_type, one.manner)
    torch.manual_seed(0)
    config = peft.PrefixTuningConfig(task_type=one.task_type, num_virtual_tokens=one.prefix_len)
    steered = peft.get_peft_model(model, config)
    config.base_model_name_or_path = f'load_tiny("{one.model}")'  # and not a folder of the machine that trained it
    history = train(steered, task, one.steps, tokenizer=tokenizer, measured_on=len(task.test))
    report = {
        "made_by": f"python -m prefix_lab.course.prefixes {name}",
        "manner": one.manner,
        "steps": one.steps,
        "numbers_trained": steered.get_nb_trainable_parameters()[0],
        "held_out_places": len(task.test),
        "right_without_it": round(history.scores[0][1], 4),
        "right_with_it": round(history.scores[-1][1], 4),
        "versions": versions() | {"peft": peft.__version__},
    }
    with tempfile.TemporaryDirectory() as draft:
        steered.save_pretrained(draft, save_embedding_layers=False)
        folder.mkdir(parents=True, exist_ok=True)
        for file in KEPT:
            shutil.copyfile(Path(draft, file), folder / file)
    (folder / "report.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return report


def main(arguments: list[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m prefix_lab.course.prefixes", description=__doc__.split("\n")[0])
    parser.add_argument("name", choices=SHIPPED, help="which prefix")
    parser.add_argument("--out", type=Path, help="the folder to write (default: the shipped one)")
    given = parser.parse_args(arguments)
    folder = given.out or trained_prefix(given.name)
    print(json.dumps(make(given.name, folder), indent=2))
    print(f"written: {folder}")


if __name__ == "__main__":
    main()
