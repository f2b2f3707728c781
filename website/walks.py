"""PEFT at work on each kind of model, recorded for the site: `python -m website.walks zh FOLDER` writes the recordings,
and beside them in walks.json what the pages of PEFT's functions say: where each runs, and with which shapes.
"""

from __future__ import annotations

import contextlib
import copy
import json
import os
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch

from prefix_lab.course.small_models import built, load_tiny_t5, small_bert, small_gpt2, small_ids
from prefix_lab.debugger import Recording, record
from prefix_lab.debugger.stages import bands
from prefix_lab.debugger.steps import NONE
from prefix_lab.shapes import name_axes
from website.shapes import lines_of, named

WORDS = ("upper: walk", "reverse: debugger")


class Kind(NamedTuple):
    """A recording: what it is called, its family of named axes, and the program."""

    name: str
    family: str
    walk: Callable[[], None]


def walk_t5() -> Callable[[], None]:
    """A prefix for the tiny T5: made, run, trained one step, asked for a text, saved, loaded."""
    from peft import PeftModel, PrefixTuningConfig, get_peft_model

    base, tokenizer = load_tiny_t5()
    fresh, _ = load_tiny_t5()
    batch = tokenizer(list(WORDS), padding=True, return_tensors="pt")

    def walk() -> None:
        config = PrefixTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=20, prefix_projection=True)
        model = get_peft_model(base, config)
        model.print_trainable_parameters()
        loss = model(**batch, labels=batch["input_ids"]).loss
        loss.backward()
        model.eval().generate(**batch, max_new_tokens=2, do_sample=False)
        model.save_pretrained("my-prefix")
        PeftModel.from_pretrained(fresh, "my-prefix")

    return walk


def walk_gpt2() -> Callable[[], None]:
    """A prefix for a GPT-2."""
    from peft import PeftModel, PrefixTuningConfig, get_peft_model

    base, fresh, ids = small_gpt2(), small_gpt2(), small_ids()

    def walk() -> None:
        model = get_peft_model(base, PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=5))
        loss = model(input_ids=ids, attention_mask=torch.ones_like(ids), labels=ids).loss
        loss.backward()
        model.eval().generate(input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=2, do_sample=False)
        model.save_pretrained("my-prefix")
        PeftModel.from_pretrained(fresh, "my-prefix")

    return walk


def walk_bert() -> Callable[[], None]:
    """Prefixes for BERTs, with a head for each task, which is saved with the prefix."""
    from peft import PeftModel, PrefixTuningConfig, get_peft_model
    from transformers import BertForQuestionAnswering, BertForTokenClassification, BertModel

    ids, one = small_ids(), small_bert()
    ends = {"start_positions": torch.tensor([1, 2]), "end_positions": torch.tensor([2, 3])}
    fresh = small_bert()
    spans = copy.deepcopy(one.config)
    spans.num_labels = 2  # where an answer begins, and where it ends
    models = {
        "TOKEN_CLS": (built(lambda: BertForTokenClassification(one.config)), {"labels": ids % 3}),
        "QUESTION_ANS": (built(lambda: BertForQuestionAnswering(spans)), ends),
        "FEATURE_EXTRACTION": (built(lambda: BertModel(one.config)), {}),
    }

    def walk() -> None:
        model = get_peft_model(one, PrefixTuningConfig(task_type="SEQ_CLS", num_virtual_tokens=5))
        model(input_ids=ids, labels=torch.tensor([0, 2]))
        model.save_pretrained("my-prefix")
        PeftModel.from_pretrained(fresh, "my-prefix")
        for task, (base, labels) in models.items():
            config = PrefixTuningConfig(task_type=task, num_virtual_tokens=5)
            get_peft_model(base, config)(input_ids=ids, **labels)

    return walk


KINDS = (
    Kind("t5", "T5, projected", walk_t5),
    Kind("gpt2", "GPT-2, direct", walk_gpt2),
    Kind("bert", "BERT, direct", walk_bert),
)


def recorded(kind: Kind) -> Recording:
    """PEFT's own lines, and those of the program, with the names of all axes."""
    walk = kind.walk()
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(), contextlib.redirect_stdout(None):
        warnings.simplefilter("ignore")
        os.chdir(folder)  # the name of the folder is a value that the recording shows
        try:
            with torch.random.fork_rng(), record(["peft", walk]) as recording:
                torch.manual_seed(0)
                walk()
        finally:
            os.chdir(before)
    return recording.with_names(name_axes(kind.family))


def runs(recording: Recording) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each call of a function of PEFT's, by its dotted name: its steps, what called it, what it was given and gave."""
    columns = recording.columns
    names = [dotted(file, function) for file, function, _ in columns.functions]
    for frame, function in enumerate(columns.frame_function):
        if not names[function]:
            continue
        first, last = columns.frame_first[frame], columns.frame_last[frame]
        caller = recording.caller(first)
        by = None if caller in (None, NONE) else names[columns.frame_function[columns.step_frame[caller]]]
        given = [[name, *axes] for name, value in recording.steps[first].locals.items() if (axes := named(value))]
        value = recording.steps[last].value
        gives = [] if value is None else lines_of(value)
        yield (
            names[function],
            {"first": first, "last": last, "by": by, "given": given, "gives": gives},
        )


def dotted(file: str, function: str) -> str:
    """`peft.peft_model.PeftModel.get_prompt`; empty for what is not PEFT's, or lies inside a function."""
    parts = Path(file).with_suffix("").parts
    if "peft" not in parts or "<" in function:
        return ""
    return ".".join([*parts[len(parts) - 1 - parts[::-1].index("peft") :], function])


def main() -> None:
    language, folder, to = sys.argv[1:]
    os.environ |= {"PREFIX_LAB_LANGUAGE": language, "PREFIX_LAB_SITE": folder}
    from prefix_lab.widgets.stepper.pieces import Pieces
    from website.live import written

    found: dict[str, Any] = {"walks": {}, "functions": {}}
    for kind in KINDS:
        recording = recorded(kind)
        stages = {name: [list(run) for run in some] for name, _, some in bands(recording)}
        found["walks"][kind.name] = {
            "recording": written(Pieces(recording, kind.name)),
            "tour": tour(recording, stages) if kind.name == "t5" else [],
        }
        for name, run in runs(recording):
            found["functions"].setdefault(name, {}).setdefault(kind.name, []).append(run)
    Path(to).parent.mkdir(parents=True, exist_ok=True)
    Path(to).write_text(json.dumps(found, ensure_ascii=False), encoding="utf-8")


TOUR = (
    "def forward",
    "self.embedding(",
    "self.transform(",
    ".view(",
    "torch.cat(",
    ".permute(",
    "EncoderDecoderCache(",
)
"""What the lines say at which the front page's walk stands, one after the other; the last is the return."""


def tour(recording: Recording, stages: dict[str, list[list[int]]]) -> list[int]:
    """The step of each line of the tour: the last that has run before its value is there."""
    encode, split = stages["encode"][0], stages["split"][0]
    here, found = encode[0], []
    for text in TOUR:
        steps = [one for one in recording.steps[here : split[1] + 1] if text in one.text and one.event != "return"]
        # A statement on several lines has its value at the last of the steps at its first line.
        here = max(one.index for one in steps if one.line == steps[0].line and one.function == steps[0].function)
        found.append(here)
    return [*found, split[1]]


if __name__ == "__main__":
    main()
