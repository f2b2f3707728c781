"""What runs in the environment of an old PEFT: the walk on the tiny T5, and the runs that names are found in.

`python -m prefix_lab.years.inside FOLDER` reads request.json there and writes recordings beside it. Here only the
debugger and the standard walks of `shapes` are imported: nothing of ours that needs today's transformers.
"""

from __future__ import annotations

import importlib.util
import json
import sys
import warnings
from pathlib import Path
from typing import Any

from prefix_lab.debugger import record
from prefix_lab.shapes.walks import MODELS, walk_with

WALKED = ("peft", "transformers.models.t5")
NAMED = (*WALKED, "transformers.cache_utils", "transformers.modeling_outputs")


def walk(folder: Path, request: dict[str, Any]) -> None:
    """As `record_walk` does it today: wrap, forward with a loss, backward, of the same model and texts."""
    import peft
    import torch
    import transformers

    base = transformers.T5ForConditionalGeneration.from_pretrained(request["model"]).eval()
    ids = torch.tensor(request["input_ids"])
    batch = {"input_ids": ids, "attention_mask": torch.tensor(request["attention_mask"])}
    config = peft.PrefixTuningConfig(
        task_type="SEQ_2_SEQ_LM", num_virtual_tokens=request["prefix_len"], prefix_projection=request["projection"]
    )

    def walked() -> Any:
        peft_model = peft.get_peft_model(base, config)
        loss = peft_model(**batch, labels=batch["input_ids"]).loss
        loss.backward()
        return loss

    included = [*(WALKED if request["with_model"] else WALKED[:1]), walked]
    torch.manual_seed(0)
    with record(included, keep=request["keep"]) as recording:
        torch.manual_seed(0)
        walked()
    recording.save(folder / "walk.recording")


def runs_to_name(folder: Path, request: dict[str, Any]) -> None:
    """The standard walk of a T5 with this PEFT, at each of the sizes asked for."""
    import peft
    import torch

    family = MODELS["T5"]
    for number, axes in enumerate(request["runs"]):
        torch.manual_seed(0)
        base = family.make(axes)
        with record([one for one in NAMED if importlib.util.find_spec(one)]) as recording:
            walk_with(peft, base, family.task, request["projection"], axes)
        recording.save(folder / f"run_{number}.recording")


def main() -> None:
    warnings.simplefilter("ignore")
    folder = Path(sys.argv[1])
    request = json.loads((folder / "request.json").read_text(encoding="utf-8"))
    walk(folder, request)
    if request["runs"]:
        runs_to_name(folder, request)


if __name__ == "__main__":
    main()
