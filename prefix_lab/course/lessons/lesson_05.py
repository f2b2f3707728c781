"""Lesson 5: the sizes that ship, as PEFT reads them; a name that nobody asks for, and the token_dim that fits."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForMaskedLM, AutoModelForSeq2SeqLM, PreTrainedModel

from prefix_lab import PrefixTuningConfig
from prefix_lab.course.checking import TODO, NotYet, brief, chosen, exercise, filled_in, is_open, plain, seen_there
from prefix_lab.course.shown import Drawn, drawn, plain_axes
from prefix_lab.locale import N_, _
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
    return table((N_("model"), *FIELDS, "heads · head_dim"), rows)


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
        said = f"{read}" if row.fits else _("{read} read, {cached} cached").format(read=read, cached=row.cached)
        axes.annotate(said, (max(read, row.cached), y), (11, 0), textcoords="offset points", color=INK, fontsize=8.5,
                      va="center", fontweight="normal" if row.fits else "bold")  # fmt: skip
        told.append(f"{'✓' if row.fits else '✗'} {row.name}: {said}")
    axes.plot([], [], "o", markersize=12, markerfacecolor="none", markeredgecolor=READ, markeredgewidth=2,
              label=_("token_dim, as PEFT's preparation reads it"))  # fmt: skip
    axes.plot([], [], "o", color=CACHED, markersize=7, label=_("heads · head_dim, as the model caches it"))
    axes.set_xscale("log", base=2)
    axes.set_xlim(320, 90_000)
    axes.xaxis.set_major_formatter(lambda value, at: f"{value:,.0f}")
    axes.set_ylim(len(rows) - 0.4, -0.6)
    plain_axes(axes, _("A dot in its ring: the prefix fits"), _("numbers in one key of one layer"), axis="x")
    axes.set_yticks(range(len(rows)), [row.name for row in rows])
    axes.tick_params(axis="y", length=0)
    axes.legend(loc="lower right", fontsize=8.5, frameon=False, labelcolor=INK)
    return drawn(figure, _("The width that is read and the width that is cached"), "\n".join(told))


PREPARE = "_prepare_prompt_learning_config"
MADE = {"token_dim": 512, "num_attention_heads": 6, "width_of_a_head": "d_kv"}
"""What preparation makes of flan-t5-small, and the name that it never asks for."""
WIDTHS = {
    "d_model": N_("{line}: `d_model` is the width of the model, and preparation does ask for it."),
    "d_ff": N_("{line}: `d_ff` is the width of the feed-forward layers, where there are no heads."),
    "num_heads": N_("{line}: `num_heads` is how many heads there are. How wide is one?"),
    "head_dim": N_(
        "{line}: other families say `head_dim`. What does this T5 call it? `pp model_config` shows its names."
    ),
    64: N_("{line}: 64 is right, and the name is wanted: under which name does it stand in `model_config`?"),
}
PRINTED = N_("{line}: not {given}. Run on with `r`, and print it there.")
OTHER_NAME = N_("{line}: not {given}. `pp model_config` shows all names of this model.")
TOO_EARLY = N_(
    "When you printed it, token_dim was still None. Go on until the arrow has passed the line that writes "
    "`peft_config.token_dim`, and print it again."
)
ONLY_MADE = N_("You saw what preparation makes. Print what the model itself says of a head, too: `pp model_config`.")


@exercise("not_asked_for", stage="prepare")
def check_not_asked_for(stop: Any, answer: Any) -> str:
    """`answer` has what preparation makes of flan-t5-small, and the name of a head's width, seen in preparation."""
    given = dict(zip(MADE, map(plain, filled_in(answer, MADE)), strict=True))
    for line in ("token_dim", "num_attention_heads"):
        if isinstance(given[line], bool) or given[line] != MADE[line]:
            raise NotYet(PRINTED, line=line, given=brief(answer[line]))
    name = given["width_of_a_head"]
    if isinstance(name, str):
        name = name.strip(" []'\"")
    if name != MADE["width_of_a_head"]:
        said = WIDTHS.get(name, OTHER_NAME) if isinstance(name, str | int) else OTHER_NAME
        raise NotYet(said, line="width_of_a_head", given=brief(answer["width_of_a_head"]))
    seen_there(stop, PREPARE, "512", {"None": TOO_EARLY})
    seen_there(stop, PREPARE, "64", {"512": ONLY_MADE})
    return _("Six heads of 64 are not 512, and preparation has not asked.")


FLAN = "flan-t5-small"
NO_WIDTH = N_("A whole number is wanted, the token_dim; it is {given}, of type {kind}.")
NOT_DIVIDED = N_("{given} is not divided by its {heads} heads: get_prompt fails in `view`, as it did above.")
READ_WIDTH = N_("{given} is what PEFT reads by itself, the width of the model, and that failed.")
ONE_HEAD = N_("{given} is the width of one head; a key holds all {heads} heads, side by side.")
TWICE = N_("{given} counts a key and a value. The factor 2 is the encoder's business; token_dim is one of them.")
OTHER_HEADS = N_(
    "{given} can be divided by {heads}, so get_prompt raises no error. But each head gets {got} numbers, and the "
    "model's own heads have {right}: the forward pass would fail."
)


@exercise("rescue")
def check_rescue(answer: Any) -> str:
    """`answer` is the token_dim with which PEFT's prefix has the shape of what flan-t5-small caches."""
    width, known = plain(answer), config_of(FLAN)
    if is_open(width):
        raise NotYet(TODO)
    if isinstance(width, bool) or not isinstance(width, int) or width < 1:
        raise NotYet(NO_WIDTH, given=brief(answer), kind=type(answer).__name__)
    heads, right = known.num_heads, known.d_kv
    places = {"given": width, "heads": heads, "right": right, "got": width // heads}
    for wrong, said in {known.d_model: READ_WIDTH, right: ONE_HEAD, 2 * heads * right: TWICE}.items():
        if width == wrong:
            raise NotYet(said, **places)
    if width % heads:
        raise NotYet(NOT_DIVIDED, **places)
    if width != heads * right:
        raise NotYet(OTHER_HEADS, **places)
    return _("6 heads of 64, whatever the width of the model.")


GROUPED = {"token_dim_first": 4096, "token_dim_then": 1024, "heads": 8, "decided_by": "num_key_value_heads"}
GROUPED_CAUSES = {
    ("token_dim_first", 1024): N_("{line}: 1024 is what it becomes. Print it before the block is entered."),
    ("token_dim_then", 4096): N_(
        "{line}: 4096 is what it was. Go on with `n` until the arrow has passed the line that "
        "writes it, and print it again."
    ),
    ("token_dim_then", 128): N_(
        "{line}: 128 is the width of one head, head_dim. token_dim is all cached heads together."
    ),
    ("heads", 32): N_(
        "{line}: 32 heads ask, each with a query. The prefix is keys and values, and fewer heads have those."
    ),
    ("decided_by", "num_attention_heads"): N_(
        "{line}: num_attention_heads is read first. Which name does the `if` of the second block ask for?"
    ),
    ("decided_by", "head_dim"): N_(
        "{line}: head_dim says how wide one head is. It is read inside the block; which name "
        "decides that the block is entered?"
    ),
    ("decided_by", "hidden_size"): N_(
        "{line}: hidden_size gave the first value. Which name leads into the second block?"
    ),
}
NOT_SEEN = N_("{line}: not {given}. Look again: the debugger prints it at its place.")


@exercise("grouped")
def check_grouped(stop: Any, answer: Any) -> str:
    """`answer` has Llama's token_dim before and after it is written again, the heads, and the name that decides."""
    check_twice(answer)
    seen_there(stop, PREPARE, "4096", {"1024": NO_FIRST, "None": TOO_EARLY})
    seen_there(stop, PREPARE, "1024", {"4096": NO_SECOND})
    return _("32 heads ask, 8 are cached: the prefix is as wide as what is cached, 8 · 128.")


NO_FIRST = N_("You printed token_dim when it was 1024 already. Print it before the block is entered, too.")
NO_SECOND = N_(
    "You printed token_dim before it was written again. Step on with `n` until the arrow has passed that line, and "
    "print it once more."
)


def check_twice(answer: Any) -> None:
    """Both values of token_dim, the heads, and the name that decides."""
    given = dict(zip(GROUPED, map(plain, filled_in(answer, GROUPED)), strict=True))
    for line, right in GROUPED.items():
        value = given[line].strip() if isinstance(given[line], str) else given[line]
        if isinstance(value, bool) or value != right:
            said = GROUPED_CAUSES.get((line, value), NOT_SEEN) if isinstance(value, str | int) else NOT_SEEN
            raise NotYet(said, line=line, given=brief(answer[line]))


CONFIGS = {
    "a": N_("A copy has the sizes of t5-small filled in like the original: t5-base would get 6 layers and 8 heads."),
    "b": N_(
        "These three are open again. But encoder_hidden_size was filled too, with 512: the projection inside would be "
        "as wide as t5-small, not as t5-base."
    ),
    "c": N_(
        "Then the number of layers is right, and the heads and the width are t5-small's still. And the first model "
        "holds this very object: its config would say 12 layers, too."
    ),
}


@exercise("next_model")
def check_next_model(answer: Any) -> str:
    """`answer` is the letter of the config that has nothing of the first model in it."""
    chosen(answer, "d", CONFIGS)
    return _("Nothing of the first model is left over. Take a new config for each model.")
