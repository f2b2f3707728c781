"""Standard walks: the whole journey of a prefix through a tiny model of any sizes, in our code and in PEFT's.

Each builds a model with the sizes that it is given, wraps it, and runs forward, loss, backward and generate. The sizes
of the runs are small, consistent, and such that no two expressions of the axes agree in all runs.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from prefix_lab.shapes.axes import AXES, is_axis

if TYPE_CHECKING:
    from torch import nn


STANDARD = (
    {"batch": 2, "prefix_len": 5, "layers": 3, "kv_heads": 3, "group": 2, "head_dim": 14, "source": 13, "target": 17},
    {"batch": 4, "prefix_len": 7, "layers": 2, "kv_heads": 2, "group": 3, "head_dim": 10, "source": 19, "target": 11},
    {"batch": 7, "prefix_len": 4, "layers": 4, "kv_heads": 1, "group": 5, "head_dim": 6, "source": 11, "target": 23},
)
HELD_OUT = {
    "batch": 3,
    "prefix_len": 9,
    "layers": 5,
    "kv_heads": 2,
    "group": 4,
    "head_dim": 8,
    "source": 17,
    "target": 13,
}
WIDTHS = (
    {"vocab": 401, "ff": 62, "encoder_hidden": 37},
    {"vocab": 409, "ff": 46, "encoder_hidden": 53},
    {"vocab": 419, "ff": 58, "encoder_hidden": 41},
)
HELD_OUT_WIDTHS = {"vocab": 431, "ff": 74, "encoder_hidden": 47}


def complete(sizes: dict[str, int], widths: dict[str, int]) -> dict[str, int]:
    """All standard axes: heads is a multiple of kv_heads, by another factor in each run; hidden is heads · head_dim."""
    sizes = sizes | widths
    sizes["heads"] = sizes["kv_heads"] * sizes.pop("group")
    sizes["hidden"] = sizes["heads"] * sizes["head_dim"]
    return {axis: sizes[axis] for axis in AXES}


def standard_runs() -> list[dict[str, int]]:
    """The sizes of the runs that names are found in."""
    return [complete(sizes, widths) for sizes, widths in zip(STANDARD, WIDTHS, strict=True)]


def held_out_run() -> dict[str, int]:
    """Sizes that no name was found with: a name that is right gives what is seen here, too."""
    return complete(HELD_OUT, HELD_OUT_WIDTHS)


def check_sizes(runs: Any, held_out: Any) -> list[dict[str, int]]:
    """The sizes of all runs, the held-out one last.

    Raises `ValueError` for runs too few or alike, for runs that do not have the same axes, for names that an
    expression could not be written with, and for sizes that are no whole numbers from 1 on.
    """
    for name, one in [*((f"runs[{at}]", run) for at, run in enumerate(listed(runs))), ("held_out", held_out)]:
        if not isinstance(one, Mapping):
            raise ValueError(f"{name}={one!r}, expected a dict of sizes such as {{'batch': 2, 'source': 7}}.")
    found = [dict(run) for run in runs]
    if len(found) < 2:
        raise ValueError(f"runs has {len(found)}, expected at least 2, and one held out: one run alone proves nothing.")
    for run in [*found, dict(held_out)]:
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
    if found[0] and dict(held_out) in found:
        raise ValueError(
            f"held_out={dict(held_out)} has the sizes of one of the runs, so it proves nothing. Give it others."
        )
    return [*found, dict(held_out)]


def listed(runs: Any) -> list[Any]:
    """The runs as a list. Raises `ValueError` for a single dict of sizes."""
    if isinstance(runs, Mapping | str) or not isinstance(runs, Iterable):
        raise ValueError(f"runs={runs!r}, expected a list of dicts of sizes, one for each run: runs=[{{…}}, {{…}}].")
    return list(runs)


NEW_TOKENS = 3
Walk = Callable[[Mapping[str, int]], None]


def journey(make_model: Callable[[Mapping[str, int]], nn.Module], task: str, projection: bool) -> Walk:
    """A walk with this kind of model."""

    def walk(axes: Mapping[str, int]) -> None:
        import torch

        for library in libraries():
            torch.manual_seed(0)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                walk_with(library, make_model(axes), task, projection, axes)

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


def make_t5(axes: Mapping[str, int]) -> nn.Module:
    from transformers import T5Config, T5ForConditionalGeneration

    return T5ForConditionalGeneration(
        T5Config(
            vocab_size=axes["vocab"],
            d_model=axes["hidden"],
            d_kv=axes["head_dim"],
            num_heads=axes["heads"],
            d_ff=axes["ff"],
            num_layers=axes["layers"],
            decoder_start_token_id=0,
        )
    )


def make_bart(axes: Mapping[str, int]) -> nn.Module:
    from transformers import BartConfig, BartForConditionalGeneration

    return BartForConditionalGeneration(
        BartConfig(
            vocab_size=axes["vocab"],
            d_model=axes["hidden"],
            encoder_layers=axes["layers"],
            decoder_layers=axes["layers"],
            encoder_attention_heads=axes["heads"],
            decoder_attention_heads=axes["heads"],
            encoder_ffn_dim=axes["ff"],
            decoder_ffn_dim=axes["ff"],
            max_position_embeddings=128,
            forced_eos_token_id=None,
        )
    )


def make_gpt2(axes: Mapping[str, int]) -> nn.Module:
    from transformers import GPT2Config, GPT2LMHeadModel

    model = GPT2LMHeadModel(
        GPT2Config(
            vocab_size=axes["vocab"],
            n_embd=axes["hidden"],
            n_layer=axes["layers"],
            n_head=axes["heads"],
            n_inner=axes["ff"],
            n_positions=128,
            bos_token_id=0,
            eos_token_id=0,
        )
    )
    model.loss_type = "ForCausalLM"  # a GPT-2 that was built from a config has none, and transformers would log so
    return model


def make_llama(axes: Mapping[str, int]) -> nn.Module:
    from transformers import LlamaConfig, LlamaForCausalLM

    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=axes["vocab"],
            hidden_size=axes["hidden"],
            intermediate_size=axes["ff"],
            num_hidden_layers=axes["layers"],
            num_attention_heads=axes["heads"],
            num_key_value_heads=axes["kv_heads"],
            head_dim=axes["head_dim"],
            max_position_embeddings=128,
        )
    )


def make_bert(axes: Mapping[str, int]) -> nn.Module:
    from transformers import BertConfig, BertModel

    return BertModel(
        BertConfig(
            vocab_size=axes["vocab"],
            hidden_size=axes["hidden"],
            num_hidden_layers=axes["layers"],
            num_attention_heads=axes["heads"],
            intermediate_size=axes["ff"],
            max_position_embeddings=128,
        )
    )


MODELS = {
    "T5": (make_t5, "SEQ_2_SEQ_LM"),
    "BART": (make_bart, "SEQ_2_SEQ_LM"),
    "GPT-2": (make_gpt2, "CAUSAL_LM"),
    "Llama": (make_llama, "CAUSAL_LM"),
    "BERT": (make_bert, "FEATURE_EXTRACTION"),
}
WALKS: dict[str, Walk] = {
    f"{family}, {'projected' if projection else 'direct'}": journey(make, task, projection)
    for family, (make, task) in MODELS.items()
    for projection in (False, True)
}
"""The standard walks by name."""
