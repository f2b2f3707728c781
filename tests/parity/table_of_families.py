"""Every family of the pinned transformers with every task: what PEFT does, what prefix_lab does, written to a table.

`python -m tests.parity.table_of_families` measures for some minutes and writes `docs/families.md`. Names of families
after it measure these alone, and print what was seen in each check.
"""

import argparse
import copy
import logging
import re
import signal
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import peft
import torch
import transformers
from torch import nn
from transformers import CONFIG_MAPPING, PreTrainedModel
from transformers.models.auto import modeling_auto

import prefix_lab
from tests.parity.pair import assert_same, made
from tests.parity.shrunk import tiny_model
from tests.tiny_models import labels_for, mask_of, random_ids, seed

MAPPINGS = {
    "CAUSAL_LM": ("CAUSAL_LM", "IMAGE_TEXT_TO_TEXT"),
    "SEQ_2_SEQ_LM": ("SEQ_TO_SEQ_CAUSAL_LM", "SPEECH_SEQ_2_SEQ"),
    "SEQ_CLS": ("SEQUENCE_CLASSIFICATION",),
    "TOKEN_CLS": ("TOKEN_CLASSIFICATION",),
    "QUESTION_ANS": ("QUESTION_ANSWERING",),
    "FEATURE_EXTRACTION": ("", "MASKED_LM", "PRETRAINING"),
}
"""PEFT's task → transformers' own mappings from families to classes."""

PAGE = Path(__file__).parents[2] / "docs" / "families.md"
SECONDS = 60
TOKENS, TARGET, PREFIX_LEN = 7, 5, 3


@dataclass
class Row:
    """One class with one task. `checks` has for each thing tried what came of it, in both libraries."""

    family: str
    cls: str
    task: str
    verdict: str = ""
    why: str = ""
    checks: dict[str, str] = field(default_factory=dict)


def pairs() -> Iterator[Row]:
    """Each family's class for each task, once."""
    seen = set()
    for task, names in MAPPINGS.items():
        for name in names:
            mapping = getattr(modeling_auto, f"MODEL_FOR_{name}_MAPPING_NAMES" if name else "MODEL_MAPPING_NAMES")
            for family, classes in mapping.items():
                for cls in (classes,) if isinstance(classes, str) else classes:
                    if (cls, task) not in seen and hasattr(transformers, cls):
                        seen.add((cls, task))
                        yield Row(CONFIG_MAPPING[family].model_type or family, cls, task)


@dataclass
class Failure:
    """An error, and whether it was prefix_lab or PEFT that raised it, or something further in."""

    error: BaseException
    library: ModuleType
    at: str

    @property
    def clear(self) -> bool:
        frames = traceback.extract_tb(self.error.__traceback__)
        return f"/{self.library.__name__}/" in frames[-1].filename and isinstance(self.error, ValueError | TypeError)

    def __str__(self) -> str:
        return f"{type(self.error).__name__}: {' '.join(str(self.error).split())[:300]}"


def measure(row: Row) -> Row:
    """Fill the row's verdict, and why."""
    signal.signal(signal.SIGALRM, too_slow)
    signal.alarm(SECONDS)
    try:
        base = build(row)
    except Exception as error:
        row.verdict, row.why = "not made", str(Failure(error, transformers, "making"))[:180]
    else:
        try:
            compare(row, base)
            if row.verdict == "both fail obscurely" and (needs := more_than_text(row, base)):
                row.verdict, row.why = "more than text", needs
        except TimeoutError:
            row.verdict, row.why = "not made", f"not done in {SECONDS} seconds"
    finally:
        signal.alarm(0)
    return row


def more_than_text(row: Row, base: PreTrainedModel) -> str | None:
    """Why the model by itself cannot run on a text alone."""
    found = outcome(transformers, "the call", lambda: ways_to_call(base, row.task)["no mask"](base))
    return str(found)[:140] if isinstance(found, Failure) else None


def too_slow(*ignored: Any) -> None:
    raise TimeoutError


def quiet() -> None:
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    transformers.logging.set_verbosity(logging.CRITICAL)
    torch.set_num_threads(1)


def build(row: Row) -> PreTrainedModel:
    cls = getattr(transformers, row.cls)
    model = tiny_model(cls, cls.config_class or CONFIG_MAPPING[row.family])
    if (generation := getattr(model, "generation_config", None)) is not None:
        generation.eos_token_id = None
    return model


def outcome(library: ModuleType, at: str, do: Callable[[], Any]) -> Any:
    """What it gave, or how it failed."""
    seed(0)
    try:
        return do()
    except TimeoutError:
        raise
    except Exception as error:
        return Failure(error, library, at)


def wrapped(library: ModuleType, base: nn.Module, task: str) -> Any:
    """The wrapped model, or how it failed."""
    config = library.PrefixTuningConfig(task_type=task, num_virtual_tokens=PREFIX_LEN)
    return outcome(library, "wrapping", lambda: library.get_peft_model(copy.deepcopy(base), config))


def compare(row: Row, base: PreTrainedModel) -> None:
    """Wrap and run in both, and say what came of it."""
    models = {library: wrapped(library, base, row.task) for library in (peft, prefix_lab)}

    def both(do: Callable[[Any], Any]) -> list[Any]:
        return [
            model if isinstance(model, Failure) else outcome(library, "the call", lambda model=model: do(model))
            for library, model in models.items()
        ]

    results = {name: both(do) for name, do in {"state": made, **ways_to_call(base, row.task)}.items()}
    for name, (their, our) in results.items():
        row.checks[name] = described(their, our)
    row.verdict, row.why = judged(results, base, models[peft])


def ways_to_call(base: PreTrainedModel, task: str) -> dict[str, Callable[[Any], Any]]:
    """Each way to call a wrapped model, by name."""
    two = bool(getattr(base.config, "is_encoder_decoder", False))
    ids, mask = random_ids(2, TOKENS), mask_of(2, TOKENS, left=task == "CAUSAL_LM")
    plain = {"input_ids": ids}
    if two:
        plain["decoder_input_ids"] = random_ids(2, TARGET, seed=2)
    padded = {**plain, "input_ids": ids * mask, "attention_mask": mask}
    labels = labels_for(task, mask, TARGET)
    if task in ("SEQ_CLS", "TOKEN_CLS"):
        labels["labels"] = labels["labels"].clamp(max=1)  # a default head has two answers
    with_labels = {**{k: v for k, v in padded.items() if task != "SEQ_2_SEQ_LM" or k != "decoder_input_ids"}, **labels}
    found: dict[str, Callable[[Any], Any]] = {
        "no mask": lambda model: forward(model, plain),
        "mask": lambda model: forward(model, padded),
        "hidden states": lambda model: forward(model, {**plain, "output_hidden_states": True}),
        "a tuple": lambda model: forward(model, {**plain, "return_dict": False}),
    }
    if labels:
        found["labels"] = lambda model: forward(model, with_labels)
    found["gradient"] = lambda model: gradient(model, with_labels if labels else plain)
    if task in ("CAUSAL_LM", "SEQ_2_SEQ_LM"):
        texts = {name: padded[name] for name in ("input_ids", "attention_mask")}
        found["generate"] = lambda model: generated(model, texts)
        found["without a cache"] = lambda model: generated(model, {**texts, "use_cache": False})
        found["with a static cache"] = lambda model: generated(model, {**texts, "cache_implementation": "static"})
    found["checkpointing"] = lambda model: checkpointed(model, with_labels if labels else plain)
    return found


def forward(model: Any, batch: dict[str, Any]) -> Any:
    with torch.no_grad():
        return model(**batch)


def gradient(model: Any, batch: dict[str, Any]) -> torch.Tensor:
    """The prefix's gradient, rounded: the two libraries sum it in different orders."""
    encoder = model.prompt_encoder["default"]
    encoder.zero_grad()
    output = model(**batch)
    loss = output["loss"] if "loss" in output else output[0].float().square().mean()
    loss.backward()
    found = encoder.embedding.weight.grad
    assert found is not None, "the prefix gets no gradient"
    return found


def checkpointed(model: Any, batch: dict[str, Any]) -> torch.Tensor:
    """The prefix's gradient when checkpointing is switched on after wrapping."""
    model.get_base_model().gradient_checkpointing_enable()
    try:
        return gradient(model.train(), batch)
    finally:
        model.eval()
        model.get_base_model().gradient_checkpointing_disable()


def generated(model: Any, texts: dict[str, Any]) -> Any:
    return model.generate(**texts, do_sample=False, min_new_tokens=4, max_new_tokens=4)


def same(their: Any, our: Any) -> bool:
    try:
        if isinstance(our, torch.Tensor) and our.is_floating_point():
            torch.testing.assert_close(our, their, rtol=1e-5, atol=1e-5 * float(their.norm()))
        else:
            assert_same(our, their)
    except AssertionError:
        return False
    return True


def described(their: Any, our: Any) -> str:
    """One check in a few words."""
    if isinstance(our, Failure):
        mine = f"ours {'refuses' if our.clear else 'FAILS'} at {our.at} ({our})"
        return f"both fail; {mine}; PEFT's {their}" if isinstance(their, Failure) else f"PEFT runs; {mine}"
    if isinstance(their, Failure):
        return f"ours runs; PEFT's {their}"
    return "equal" if same(their, our) else "OTHER NUMBERS"


def judged(results: dict[str, list[Any]], base: PreTrainedModel, theirs: Any) -> tuple[str, str]:
    """The verdict over all checks, and why."""
    calls = {name: pair for name, pair in results.items() if name != "state"}
    run_theirs = [name for name, (their, _) in calls.items() if not isinstance(their, Failure)]
    run_ours = [name for name, (_, our) in calls.items() if not isinstance(our, Failure)]
    others = [
        name
        for name, (their, our) in results.items()
        if not isinstance(their, Failure) and not isinstance(our, Failure) and not same(their, our)
    ]
    if others:
        return "OTHER NUMBERS", ", ".join(others)
    unread = bool(run_theirs) and not has_effect(theirs, base, calls, run_theirs)
    if not run_theirs and not run_ours:
        first = results["no mask"][1]
        return ("both refuse" if first.clear else "both fail obscurely"), f"at {first.at}: {first}"
    if not run_theirs:
        return "ours works alone", f"PEFT's {results[run_ours[0]][0]}"
    lost = [name for name in ("with a static cache",) if loses_the_prefix(calls, name)]
    if set(lost) & set(run_ours):
        return "OTHER NUMBERS", f"{', '.join(lost)}: PEFT loses the prefix, and so does ours"
    run_theirs = [name for name in run_theirs if name not in lost]
    notes = [f"{name} PEFT gives other tokens, and ours refuses" for name in lost]
    missing = [name for name in run_theirs if name not in run_ours]
    if missing:
        failure = results[missing[0]][1]
        kind = "no effect in PEFT" if unread else "ours refuses"
        kind = kind if failure.clear else "OURS FAILS"
        return kind, f"{', '.join(missing)} at {failure.at}: {failure}"
    if unread:
        return "NO EFFECT", f"ours runs {', '.join(run_ours)}"
    obscure = [f"{name}: {our}" for name, (_, our) in results.items() if isinstance(our, Failure) and not our.clear]
    return "equal", "; ".join(notes + obscure)


def loses_the_prefix(calls: dict[str, list[Any]], name: str) -> bool:
    """Whether PEFT generates other tokens with this kind of cache than with its own, and says nothing."""
    own, other = (calls.get(one, [None])[0] for one in ("generate", name))
    return isinstance(own, torch.Tensor) and isinstance(other, torch.Tensor) and not same(own, other)


def has_effect(theirs: Any, base: PreTrainedModel, calls: dict[str, list[Any]], ran: list[str]) -> bool:
    """Whether what PEFT answers changes with the prefix."""
    if "gradient" in ran and bool(calls["gradient"][0].count_nonzero()):
        return True
    name = next((name for name in ("no mask", "mask", "a tuple", "hidden states") if name in ran), None)
    if name is None:
        return True
    with torch.no_grad():
        theirs.prompt_encoder["default"].embedding.weight.add_(3.0)
    do = ways_to_call(base, theirs.active_peft_config.task_type)[name]
    seed(0)
    return not torch.equal(first_tensor(do(theirs)), first_tensor(calls[name][0]))


def first_tensor(output: Any) -> torch.Tensor:
    return next(
        value for value in (output.values() if hasattr(output, "values") else output) if isinstance(value, torch.Tensor)
    )


MARKS = {
    "equal": "=",
    "both refuse": "×",
    "both fail obscurely": "×?",
    "no effect in PEFT": "∅",
    "ours refuses": "!",
    "ours works alone": "+",
    "more than text": "–",
    "not made": "·",
    "OTHER NUMBERS": "NUMBERS",
    "NO EFFECT": "UNREAD",
    "OURS FAILS": "FAILS",
}
"""A verdict → what stands for it in the table; the words in capitals are to be mended, and a test says so."""

MEANING = {
    "equal": "prefix_lab gives the same in everything that PEFT runs: bit for bit, gradients to 1e-5",
    "both refuse": "neither runs it; prefix_lab says why in a sentence of its own",
    "both fail obscurely": "neither runs it, and the error comes from torch or transformers in both",
    "no effect in PEFT": "PEFT runs it and the prefix has no effect on the answer; prefix_lab refuses",
    "ours refuses": "PEFT runs a part of it that prefix_lab refuses, for the reason below",
    "ours works alone": "prefix_lab runs it and PEFT does not",
    "more than text": "the model by itself does not run on a text alone, so nothing could be compared",
    "not made": "no tiny model could be made of the default config, or not in time",
}

HEAD = """# Families

What prefix tuning does with every family of transformers {transformers} in PEFT {peft} and in prefix_lab, from a tiny
random model of each class: wrapped, its parameters and config compared; called without and with a mask, for hidden
states, a tuple, labels and gradients, with checkpointing switched on late; and for language models `generate`, with a
cache, without, and with a static one.

Made by `python -m tests.parity.table_of_families`. A mark holds for the sizes that were measured, not for every config
of the family.
"""


def page(rows: list[Row]) -> str:
    """The table as Markdown."""
    counts = Counter(row.verdict for row in rows)
    text = HEAD.format(peft=peft.__version__, transformers=transformers.__version__)
    text += f"\n{len(rows)} pairs of class and task:\n\n| | pairs | |\n|---|---|---|\n"
    text += "".join(f"| {MARKS[one]} | {counts[one]} | {MEANING.get(one, one)} |\n" for one in MARKS if counts[one])
    text += f"\n## Table\n\n| family | {' | '.join(MAPPINGS)} |\n|---|{'---|' * len(MAPPINGS)}\n"
    families: dict[str, dict[str, list[Row]]] = {}
    for row in rows:
        families.setdefault(row.family, {}).setdefault(row.task, []).append(row)
    for family, tasks in sorted(families.items()):
        cells = [" ".join(MARKS[row.verdict] for row in tasks.get(task, [])) for task in MAPPINGS]
        text += f"| {family} | " + " | ".join(cells) + " |\n"
    text += (
        "\nIn FEATURE_EXTRACTION there may be several: the bare model, then the one for masked words or pretraining.\n"
    )
    for verdict in MARKS:
        reasons: dict[str, list[str]] = {}
        for row in rows:
            if row.verdict == verdict and row.why:
                reasons.setdefault(without_names(row), []).append(f"{row.cls} {row.task}")
        if reasons:
            text += f"\n## {MARKS[verdict]} {verdict}\n\n"
            for why, names in sorted(reasons.items(), key=lambda item: (-len(item[1]), item[0])):
                text += f"- {why}: {', '.join(sorted(names))}\n"
    return text


def without_names(row: Row) -> str:
    """The reason in words that several classes share."""
    why = re.sub(
        r"\b[A-Za-z0-9_]*(?:Model|For[A-Z]\w*|Encoder|Transformer|Backbone)\b", "…", row.why.replace(row.cls, "…")
    )
    return re.sub(r"\d+", "N", why).replace("|", "/").replace("<", "‹")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("families", nargs="*", help="model types or classes; all, if none is named")
    parser.add_argument("--jobs", type=int, default=2)
    asked = parser.parse_args()
    rows = [row for row in pairs() if not asked.families or {row.family, row.cls} & set(asked.families)]
    with ProcessPoolExecutor(asked.jobs, initializer=quiet) as pool:
        done = list(pool.map(measure, rows, chunksize=4))
    if not asked.families:
        PAGE.write_text(page(done))
    for row in done:
        if asked.families or row.verdict not in MEANING:
            print(
                row.cls, row.task, "→", row.verdict, row.why, *(f"\n    {n}: {what}" for n, what in row.checks.items())
            )
    print(dict(Counter(row.verdict for row in done)))


if __name__ == "__main__":
    main()
