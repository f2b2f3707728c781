"""Standard walks: the whole journey of a prefix through a tiny model of any sizes, in our code and in PEFT's.

Each builds a model with the sizes that it is given, wraps it, and runs forward, loss, backward and generate. The sizes
of the runs are small, consistent, and such that no two expressions of the axes agree in all runs.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from prefix_lab.shapes.axes import AXES, is_axis

if TYPE_CHECKING:
    from torch import nn

SIZES = ("batch", "prefix_len", "layers", "kv_heads", "group", "head_dim", "source", "target")
SIZES += ("vocab", "ff", "encoder_hidden")
STANDARD = (
    (2, 5, 3, 3, 2, 14, 13, 17, 401, 62, 37),
    (4, 7, 2, 2, 3, 10, 19, 11, 409, 46, 53),
    (7, 4, 4, 1, 5, 6, 11, 23, 419, 58, 41),
)
HELD_OUT = (3, 9, 5, 2, 4, 8, 17, 13, 431, 74, 47)


def complete(row: tuple[int, ...]) -> dict[str, int]:
    """All standard axes: heads is a multiple of kv_heads, by another factor in each run; hidden is heads · head_dim."""
    sizes = dict(zip(SIZES, row, strict=True))
    sizes["heads"] = sizes["kv_heads"] * sizes.pop("group")
    sizes["hidden"] = sizes["heads"] * sizes["head_dim"]
    return {axis: sizes[axis] for axis in AXES}


def standard_runs() -> list[dict[str, int]]:
    """The sizes of the runs that names are found in."""
    return [complete(row) for row in STANDARD]


def held_out_run() -> dict[str, int]:
    """Sizes that no name was found with: a name that is right gives what is seen here, too."""
    return complete(HELD_OUT)


Runs = tuple[tuple[tuple[str, int], ...], ...]
STANDARD_RUNS: Runs = tuple(tuple(run.items()) for run in [*standard_runs(), held_out_run()])
"""All of these, the held-out one last; hashable, so that what is found with them can be kept."""


def check_sizes(runs: Any, held_out: Any) -> list[dict[str, int]]:
    """The sizes of all runs, the held-out one last.

    Raises `ValueError` for runs too few or alike, for runs that do not have the same axes, for names that an
    expression could not be written with, and for sizes that are no whole numbers from 1 on.
    """
    if isinstance(runs, Mapping | str) or not isinstance(runs, Iterable):
        raise ValueError(f"runs={runs!r}, expected a list of dicts of sizes, one for each run: runs=[{{…}}, {{…}}].")
    runs = list(runs)
    for name, one in [*((f"runs[{at}]", run) for at, run in enumerate(runs)), ("held_out", held_out)]:
        if not isinstance(one, Mapping):
            raise ValueError(f"{name}={one!r}, expected a dict of sizes such as {{'batch': 2, 'source': 7}}.")
    found, last = [dict(run) for run in runs], dict(held_out)
    if len(found) < 2:
        raise ValueError(f"runs has {len(found)}, expected at least 2, and one held out: one run alone proves nothing.")
    for run in [*found, last]:
        if run.keys() != found[0].keys():
            raise ValueError(f"The runs have different axes: {sorted(found[0])} and {sorted(run)}. Give each the same.")
        for axis, size in run.items():
            if not isinstance(axis, str) or not is_axis(axis):
                raise ValueError(
                    f"The axis {axis!r} has a name that cannot be told from an expression or a number. Take letters, "
                    "digits and _, as in 'prefix_len'."
                )
            if not isinstance(size, int) or isinstance(size, bool) or size < 1:
                raise ValueError(f"The axis {axis!r} has the size {size!r}, expected a whole number of at least 1.")
    if found[0] and all(run == found[0] for run in found):
        raise ValueError(f"All runs have the same sizes, {found[0]}: nothing could be told apart. Change some.")
    if found[0] and last in found:
        raise ValueError(f"held_out={last} has the sizes of one of the runs, so it proves nothing. Give it others.")
    return [*found, last]


NEW_TOKENS = 3
Walk = Callable[[Mapping[str, int]], None]


def journey(family: Family, projection: bool) -> Walk:
    """A walk with this kind of model."""

    def walk(axes: Mapping[str, int]) -> None:
        import torch

        for library in libraries():
            with torch.random.fork_rng(devices=[]), warnings.catch_warnings():  # the caller's numbers stay as they are
                torch.manual_seed(0)
                warnings.simplefilter("ignore")
                walk_with(library, family.make(axes), family.task, projection, axes)

    return walk


def libraries() -> list[Any]:
    """Ours, and PEFT where it is installed."""
    import prefix_lab

    try:
        import peft
    except ImportError:
        return [prefix_lab]
    return [prefix_lab, peft]


def walk_with(library: Any, base: nn.Module, task: str, projection: bool, axes: Mapping[str, int]) -> None:
    """Wrap, forward with a loss, backward, generate."""
    import torch

    config = library.PrefixTuningConfig(
        task_type=task,
        num_virtual_tokens=axes["prefix_len"],
        prefix_projection=projection,
        encoder_hidden_size=axes["encoder_hidden"] if projection else None,
    )
    model = library.get_peft_model(base, config)
    ids = torch.randint(3, axes["vocab"], (axes["batch"], axes["source"]))
    batch = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    if task == "SEQ_2_SEQ_LM":
        output = model(**batch, labels=torch.randint(3, axes["vocab"], (axes["batch"], axes["target"])))
        loss = output.loss
    elif task == "CAUSAL_LM":
        loss = model(**batch, labels=ids).loss
    else:
        loss = model(**batch).last_hidden_state.abs().mean()
    loss.backward()
    if task != "FEATURE_EXTRACTION":
        with torch.no_grad():
            model.eval().generate(**batch, max_new_tokens=NEW_TOKENS, min_new_tokens=NEW_TOKENS, do_sample=False)


class Family(NamedTuple):
    """A kind of model: its class in transformers, its task, and which axis each size in its config is."""

    model: str
    task: str
    sizes: dict[str, str]
    others: dict[str, Any]

    def make(self, axes: Mapping[str, int]) -> nn.Module:
        """A model of these sizes, with random weights."""
        import transformers

        cls = getattr(transformers, self.model)
        made = cls(cls.config_class(**{field: axes[axis] for field, axis in self.sizes.items()}, **self.others))
        if self.model == "GPT2LMHeadModel":
            made.loss_type = "ForCausalLM"  # one that was built from a config has none, and transformers would log so
        return made


BERT_SIZES = {
    "vocab_size": "vocab",
    "hidden_size": "hidden",
    "intermediate_size": "ff",
    "num_hidden_layers": "layers",
    "num_attention_heads": "heads",
}
MODELS = {
    "T5": Family(
        "T5ForConditionalGeneration",
        "SEQ_2_SEQ_LM",
        {
            "vocab_size": "vocab",
            "d_model": "hidden",
            "d_kv": "head_dim",
            "num_heads": "heads",
            "d_ff": "ff",
            "num_layers": "layers",
        },
        {"decoder_start_token_id": 0},
    ),
    "BART": Family(
        "BartForConditionalGeneration",
        "SEQ_2_SEQ_LM",
        {
            "vocab_size": "vocab",
            "d_model": "hidden",
            **{
                f"{side}_{field}": axis
                for side in ("encoder", "decoder")
                for field, axis in (("layers", "layers"), ("attention_heads", "heads"), ("ffn_dim", "ff"))
            },
        },
        {"max_position_embeddings": 128, "forced_eos_token_id": None},
    ),
    "GPT-2": Family(
        "GPT2LMHeadModel",
        "CAUSAL_LM",
        {"vocab_size": "vocab", "n_embd": "hidden", "n_layer": "layers", "n_head": "heads", "n_inner": "ff"},
        {"n_positions": 128, "bos_token_id": 0, "eos_token_id": 0},
    ),
    "Llama": Family(
        "LlamaForCausalLM",
        "CAUSAL_LM",
        {**BERT_SIZES, "num_key_value_heads": "kv_heads", "head_dim": "head_dim"},
        {"max_position_embeddings": 128},
    ),
    "BERT": Family("BertModel", "FEATURE_EXTRACTION", BERT_SIZES, {"max_position_embeddings": 128}),
}
WALKS: dict[str, Walk] = {
    f"{name}, {'projected' if projection else 'direct'}": journey(family, projection)
    for name, family in MODELS.items()
    for projection in (False, True)
}
"""The standard walks by name."""
