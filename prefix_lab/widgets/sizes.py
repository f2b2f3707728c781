"""Real models' sizes as a prefix needs them, from the configs that ship, and own sizes beside them.

No model is built. Every family names the same few sizes its own way; PEFT takes some of them from other fields than
the attention layers do, and where the two disagree it fails: `Sizes.trouble` says how, and what to set.
"""

from __future__ import annotations

import json
import operator
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from prefix_lab.config import PrefixTuningConfig
from prefix_lab.locale import N_, _
from prefix_lab.prepare import TOKEN_DIM, explain_preparation, first_known, text_config
from prefix_lab.sizes import cache_sizes, heads_of

FOLDER = Path(__file__).parent.parent / "sizes"
FAMILIES = ("t5", "bart", "gpt2", "llama", "bert")  # in the order in which they are offered
OWN = {True: N_("own sizes, encoder-decoder"), False: N_("own sizes, one stack of layers")}


@dataclass(frozen=True)
class Trouble:
    """Why PEFT fails with these sizes: the step of the journey, a sentence, and the fields of its config to set."""

    step: str
    reason: str
    rescue: Mapping[str, int]

    @property
    def way_out(self) -> str:
        """`token_dim=384, num_layers=8`."""
        return ", ".join(f"{name}={value}" for name, value in self.rescue.items())


@dataclass(frozen=True)
class Sizes:
    """A model as prefix tuning sees it: what its attention layers need, and why PEFT may miss it.

    `layers` is PEFT's num_layers once it is right; `readers` are the layers that read the prefix, fewer where the
    decoder is less deep than the encoder. `config` holds every field of a real model, None for own sizes.
    """

    name: str
    encoder_decoder: bool
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    hidden: int
    readers: int
    trouble: Trouble | None = None
    config: Mapping[str, Any] | None = None

    @property
    def token_dim(self) -> int:
        """The width of one key of all cached heads: kv_heads · head_dim."""
        return self.kv_heads * self.head_dim

    @property
    def text_axis(self) -> str:
        """The axis of the tokens that read the prefix: a decoder's are the target."""
        return "target" if self.encoder_decoder else "source"


def whole(name: str, value: Any, least: int = 1) -> int:
    """The number as an int. Raises `ValueError` that names it when it is none, or below `least`."""
    try:
        number = operator.index(value)
    except TypeError:
        number = None
    if number is None or isinstance(value, bool) or number < least:
        raise ValueError(
            f"{name}={value!r}, expected a whole number of at least {least}. Give {name}={max(least, 2)}, say."
        )
    return number


@cache
def shipped() -> tuple[str, ...]:
    """The names of the shipped sizes, each family from its smallest model to its largest."""

    def place(name: str) -> tuple[int, bool, int]:
        sizes = sizes_of(name)
        family = sizes.config["model_type"]
        return FAMILIES.index(family), not name.startswith(family), sizes.hidden * sizes.heads * sizes.layers

    return tuple(sorted((path.stem for path in FOLDER.glob("*.json")), key=place))


def sizes_of(model: Any) -> Sizes:
    """The sizes of a shipped name, a config as a dict, a transformers config, or a model that has one.

    Raises `ValueError` when there is no such name, or when a size is missing, is none, or differs between layers.
    """
    if isinstance(model, str):
        path = FOLDER / f"{model}.json"
        if not path.is_file():
            raise ValueError(
                f"model={model!r} is not among the sizes that ship: {', '.join(shipped())}. "
                "Give one of these, or a model's config: model.config, or a dict of its fields."
            )
        return read(model, json.loads(path.read_text(encoding="utf-8")))
    config = getattr(model, "config", model)
    if not hasattr(config, "to_dict") and not isinstance(config, Mapping):
        raise ValueError(
            f"model={str(model)[:60]!r} is of type {type(model).__name__}, expected the name of a size that ships, "
            "a model with a config, or a dict of its fields. Try model='t5-base'."
        )
    fields = text_config(config)
    return read(_("your {kind}").format(kind=fields.get("model_type") or _("model")), fields)


def own_sizes(encoder_decoder: bool, layers: Any, heads: Any, head_dim: Any, kv_heads: Any = None) -> Sizes:
    """Sizes that fit together. `kv_heads` is `heads` if left out.

    Raises `ValueError` for what is no whole number, and when heads is not a multiple of kv_heads.
    """
    layers, heads, head_dim = whole("layers", layers), whole("heads", heads), whole("head_dim", head_dim)
    kv_heads = heads if kv_heads is None else whole("kv_heads", kv_heads)
    refuse_groups(heads, kv_heads)
    if encoder_decoder and kv_heads != heads:
        raise ValueError(
            f"kv_heads={kv_heads} of heads={heads}, but this journey is that of an encoder-decoder, which caches "
            "every head. Leave kv_heads out, or begin with one stack of layers: model='llama-3-8b'."
        )
    return Sizes(OWN[encoder_decoder], encoder_decoder, layers, heads, kv_heads, head_dim, heads * head_dim, layers)


def refuse_groups(heads: int, kv_heads: int) -> None:
    if heads % kv_heads:
        near = max(number for number in range(1, min(heads, kv_heads) + 1) if heads % number == 0)
        raise ValueError(
            f"kv_heads={kv_heads} with heads={heads}: each cached head serves equally many asking heads, so heads is a "
            f"multiple of kv_heads. Give kv_heads={near}, say."
        )


def read(name: str, known: Mapping[str, Any]) -> Sizes:
    """The sizes in a config's fields, and what PEFT makes of them. Raises `ValueError` as `sizes_of` does."""
    odd = [field for field in ("per_layer_config", "global_head_dim", "multi_query") if known.get(field)]
    if odd:
        raise ValueError(
            f"model={name!r} has {odd[0]}: its cache is not that of heads that are all alike, which is what is drawn "
            "here. Begin with another model, model='llama-3-8b', say, and move the sliders."
        )
    computed = {"num_hidden_layers": known["encoder_layers"]} if "encoder_layers" in known else {}  # BART's config does
    complete = {**computed, **known}
    rows = explain_preparation(PrefixTuningConfig(), complete)
    peft = {field: whole(row.source, row.value) for field, row in rows.items() if field != "encoder_hidden_size"}
    cache = cache_sizes(complete)
    heads, head_dim = known.get("decoder_attention_heads") or heads_of(known), cache.head_dim or 1
    refuse_groups(heads, cache.heads)
    needed = {
        "num_layers": max(peft["num_layers"], cache.layers),
        "token_dim": cache.heads * head_dim,
        "num_attention_heads": cache.heads,
    }
    rescue = {field: value for field, value in needed.items() if peft[field] != value}
    return Sizes(
        name=name,
        encoder_decoder=bool(known.get("is_encoder_decoder")),
        layers=needed["num_layers"],
        heads=heads,
        kv_heads=cache.heads,
        head_dim=head_dim,
        hidden=first_known("hidden", TOKEN_DIM, known).value,
        readers=cache.layers,
        trouble=Trouble(*why(peft, needed, head_dim), rescue) if rescue else None,
        config=known,
    )


def why(peft: Mapping[str, int], needed: Mapping[str, int], head_dim: int) -> tuple[str, str]:
    """The step at which PEFT stops, and the reason."""
    width, heads = peft["token_dim"], peft["num_attention_heads"]
    if width % heads:
        return "view", (
            _(
                "PEFT takes token_dim from the model's width, {width}, which does not divide by its {heads} heads: "
                "view "
                'raises "shape … is invalid for input of size …". Each head of this model is {head_dim} wide.'
            ).format(width=width, heads=heads, head_dim=head_dim)
        )
    if (heads, width // heads) != (needed["num_attention_heads"], head_dim):
        return "join", (
            _(
                "PEFT shares the model's width, {width}, among {heads} heads of {each} numbers each, but the layers "
                "that "
                'read the prefix cache {cached} heads of {head_dim}: the first one raises "Sizes of tensors must '
                'match".'
            ).format(
                width=width,
                heads=heads,
                each=width // heads,
                cached=needed["num_attention_heads"],
                head_dim=head_dim,
            )
        )
    return "join", (
        _(
            "PEFT counts the encoder's {counted} layers, but the decoder has {layers}: layer {counted} raises \"list "
            "index "
            'out of range".'
        ).format(counted=peft["num_layers"], layers=needed["num_layers"])
    )
