"""Lesson 5: the sizes that ship, as PEFT reads them; the token_dim that fits, and a config for another model."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, NamedTuple

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForMaskedLM, AutoModelForSeq2SeqLM, PreTrainedModel

from prefix_lab import PrefixTuningConfig
from prefix_lab.course.checking import DICE, SIZES, NotYet, brief, called, exercise, same_number
from prefix_lab.course.shown import Drawn, drawn, plain_axes
from prefix_lab.prepare import explain_preparation
from prefix_lab.widgets.colours import COLOURS
from prefix_lab.widgets.picture import INK, new_figure
from prefix_lab.widgets.sizes import shipped, sizes_of
from prefix_lab.widgets.table import Table, table

FIELDS = ("num_layers", "token_dim", "num_attention_heads")


def config_of(name: str, **other: Any) -> Any:
    """The transformers config of a shipped size; `other` changes fields. Raises `ValueError` for an unknown name."""
    return AutoConfig.for_model(**{**sizes_of(name).config, **other})


def empty_model(name: str) -> PreTrainedModel:
    """A model of that size with shapes and no numbers, on torch's meta device: t5-11b takes no room at all."""
    config = config_of(name)
    kind = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
    kind = AutoModelForMaskedLM if config.model_type == "bert" else kind
    with torch.device("meta"):
        return kind.from_config(config).eval()


class Reading(NamedTuple):
    """What preparation reads from one model's config, and the width that the model caches."""

    name: str
    found: dict[str, tuple[int, str]]  # field → value, and where it came from
    cached: int

    @property
    def fits(self) -> bool:
        return self.found["token_dim"][0] == self.cached


def readings() -> list[Reading]:
    """Every size that ships, read as PEFT reads it."""
    found = []
    for name in shipped():
        rows = explain_preparation(PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=20), config_of(name))
        found.append(Reading(name, dict(rows), sizes_of(name).token_dim))
    return found


def show_sizes() -> Table:
    """All models that ship, as PEFT's preparation reads them: each size with the name that it was read from."""
    rows = [
        (
            row.name,
            row.found["num_layers"][0],
            *(f"{row.found[field][0]} ← {row.found[field][1]}" for field in FIELDS[1:]),
            f"{'✓' if row.fits else '✗'} {row.cached}",
        )
        for row in readings()
    ]
    return table(("model", *FIELDS, "heads · head_dim"), rows)


READ, CACHED = COLOURS["hidden"], COLOURS["head_dim"]


def draw_widths() -> Drawn:
    """A line for each model: a ring at PEFT's token_dim, a dot at heads · head_dim, a bar where they part."""
    rows = readings()
    figure = new_figure(9.0, 4.4)
    axes = figure.add_subplot()
    told = []
    for y, row in enumerate(rows):
        read = row.found["token_dim"][0]
        axes.plot([read, row.cached], [y, y], color=INK, linewidth=2.2, zorder=1)
        axes.plot(row.cached, y, "o", color=CACHED, markersize=7, zorder=2)
        axes.plot(
            read, y, "o", markersize=12, markerfacecolor="none", markeredgecolor=READ, markeredgewidth=2, zorder=3
        )
        said = f"{read}" if row.fits else f"{read} read, {row.cached} cached"
        axes.annotate(said, (max(read, row.cached), y), (11, 0), textcoords="offset points", color=INK, fontsize=8.5,
                      va="center", fontweight="normal" if row.fits else "bold")  # fmt: skip
        told.append(f"{'✓' if row.fits else '✗'} {row.name}: {said}")
    axes.plot([], [], "o", markersize=12, markerfacecolor="none", markeredgecolor=READ, markeredgewidth=2,
              label="token_dim, as PEFT's preparation reads it")  # fmt: skip
    axes.plot([], [], "o", color=CACHED, markersize=7, label="heads · head_dim, as the model caches it")
    axes.set_xscale("log", base=2)
    axes.set_xlim(320, 90_000)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.set_ylim(len(rows) - 0.4, -0.6)
    plain_axes(axes, "A dot in its ring: the prefix fits", "numbers in one key of one layer", axis="x")
    axes.set_yticks(range(len(rows)), [row.name for row in rows])
    axes.tick_params(axis="y", length=0)
    axes.legend(loc="lower right", fontsize=8.5, frameon=False, labelcolor=INK)
    return drawn(figure, "The width that is read and the width that is cached", "\n".join(told))


NAMES = {
    "T5": ("num_layers", "d_model", "num_heads"),
    "GPT-2": ("n_layer", "n_embd", "n_head"),
    "BERT": ("num_hidden_layers", "hidden_size", "num_attention_heads"),
    "BART": ("num_hidden_layers", "d_model", "encoder_attention_heads"),
}
"""Family → its names for layers, width and heads."""


NONE_OF_NAMES = "{family}: none of your names is in {known}. Which one does this family use?"
THREE = "Three numbers are wanted: layers, token_dim, heads. Your function gave {given}."
OTHER_SIZES = "{family}, {known}: it gave {given}, expected {right}."
GROUPED = (
    "token_dim is the width of the heads that are cached, num_key_value_heads · head_dim. A head is as wide as one "
    "that asks: hidden_size / num_attention_heads."
)


@exercise("read_sizes")
def check_read_sizes(answer: Any) -> str:
    """`answer(known)` is (num_layers, token_dim, num_attention_heads), as PEFT prepares them."""
    for family, names in NAMES.items():
        layers, heads, head_dim = DICE.sample(SIZES, 3)
        known = dict(zip(names, (layers, heads * head_dim, heads), strict=True))
        if family == "T5":
            known["d_kv"] = head_dim + 2
        reads(answer, family, known, (layers, heads * head_dim, heads))
    layers, kv_heads, groups, head_dim = DICE.sample(SIZES, 4)
    heads = kv_heads * groups
    grouped = {"num_hidden_layers": layers, "hidden_size": heads * head_dim, "num_attention_heads": heads}
    grouped |= {"num_key_value_heads": kv_heads}
    reads(answer, "A Llama that caches fewer heads than ask", grouped, (layers, kv_heads * head_dim, kv_heads))
    stated = grouped | {"head_dim": head_dim + 2}
    right = (layers, kv_heads * (head_dim + 2), kv_heads)
    reads(answer, "A Llama whose config has a head_dim of its own", stated, right)
    return "Four families by their own names, and grouped-query attention by what is cached."


def reads(answer: Any, family: str, known: dict[str, int], right: tuple[int, int, int]) -> None:
    """The answer reads the right sizes from one family's config."""
    try:
        result = called(answer, dict(known))
    except NotYet as problem:
        if isinstance(problem.__cause__, StopIteration):
            raise NotYet(NONE_OF_NAMES, family=family, known=known) from problem
        if problem.__cause__:
            raise NotYet("{family}: {said}", family=family, said=problem) from problem
        raise
    if not isinstance(result, list | tuple) or len(result) != 3:
        raise NotYet(THREE, given=brief(result))
    if tuple(result) != right:
        why = reason(known, result, right)
        raise NotYet(OTHER_SIZES, why, family=family, known=known, given=tuple(result), right=right)


def reason(known: dict[str, int], result: Any, right: tuple[int, int, int]) -> str:
    """The likely cause, the first size that is wrong."""
    layers, token_dim, heads = result
    if layers != right[0]:
        return "The number of layers is wrong: which name has it?"
    kv_heads = known.get("num_key_value_heads")
    if kv_heads is None:
        if heads != right[2]:
            return "The number of heads is wrong: which name has it?"
        if token_dim == known.get("d_kv", -1) * heads:
            return "That is what the model caches. PEFT does not look at d_kv, and this is PEFT's reading: exercise 2."
        return "token_dim is the width of the model: which name has it?"
    if heads == known["num_attention_heads"]:
        return "Only num_key_value_heads heads are cached, and the prefix goes into the cache."
    if token_dim == known["hidden_size"]:
        return GROUPED
    if "head_dim" in known and token_dim == kv_heads * (known["hidden_size"] // known["num_attention_heads"]):
        return "This config says its head_dim; do not compute it then."
    return "token_dim is num_key_value_heads · head_dim."


@exercise("rescue")
def check_rescue(answer: Any) -> str:
    """`answer(d_model, num_heads, d_kv)` is the token_dim that fits the model's cache."""
    for _ in range(5):
        num_heads, d_kv = DICE.sample(SIZES, 2)
        d_model = num_heads * (d_kv + 2) + 1  # no multiple of num_heads
        causes = {
            d_model: "This is what PEFT reads by itself, and it fails: the heads together have another width.",
            d_kv: "This is the width of one head; a key holds all heads.",
            d_model // num_heads * num_heads: "This can be divided by the heads, so view raises no error; but each "
            "head gets another width than the model's own.",
            2
            * num_heads
            * d_kv: "The factor 2, a key and a value, is the encoder's business; token_dim is one of them.",
            d_model // num_heads: "This is a head's width as PEFT computes it; the model has its own, d_kv.",
        }
        given = {"d_model": d_model, "num_heads": num_heads, "d_kv": d_kv}
        same_number(answer, given, num_heads * d_kv, causes, "How wide is a key of all heads together?")
    return "heads · head_dim, whatever the width of the model."


OPEN = {
    "num_layers": "It is the first model's size.",
    "token_dim": "It is the first model's size.",
    "num_attention_heads": "It is the first model's size.",
    "num_transformer_submodules": "An encoder-decoder has 2, and the next model may have one stack.",
    "encoder_hidden_size": "It was filled, too, and with a projection the old width stays.",
}
"""The fields that preparation fills, and why each has to be open again."""
NO_CONFIG = "A PrefixTuningConfig is wanted; your function gave {given}."
CHANGED = "The config that was given has changed, and its model still needs it: make a new one."
LOST = "{name}={given!r}, and the user had chosen {right!r}: keep it."
STILL = "{name} is still {given}: set it to None. {why}"


@exercise("reopened")
def check_reopened(answer: Any) -> str:
    """`answer(config)` is a new config whose sizes are open again, and whose choices are kept."""
    layers, heads, head_dim, prefix_len = DICE.sample(SIZES, 4)
    filled = {"num_layers": layers, "num_attention_heads": heads, "token_dim": heads * head_dim}
    filled |= {"encoder_hidden_size": heads * head_dim, "num_transformer_submodules": 2}
    chosen = {"task_type": "SEQ_2_SEQ_LM", "num_virtual_tokens": prefix_len, "prefix_projection": True}
    config = PrefixTuningConfig(**chosen, **filled)
    before = asdict(config)
    result = called(answer, config)
    if not isinstance(result, PrefixTuningConfig):
        raise NotYet(NO_CONFIG, given=brief(result))
    if result is config or asdict(config) != before:
        raise NotYet(CHANGED)
    for name, right in chosen.items():
        if getattr(result, name) != right:
            raise NotYet(LOST, name=name, given=getattr(result, name), right=right)
    for name, why in OPEN.items():
        if getattr(result, name) is not None:
            raise NotYet(STILL, name=name, given=getattr(result, name), why=why)
    return "What you chose is kept, what was read is open again."
