"""Fill the sizes that the user left out, from the model's own configuration.

Mirrors `peft.utils.other._prepare_prompt_learning_config`. Every model family has its own names for the same few
sizes; the tables below are PEFT's, in PEFT's order, and the first name that the model knows wins.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from prefix_lab.config import PromptLearningConfig

NUM_LAYERS = ("num_hidden_layers", "num_layers", "n_layer")
TOKEN_DIM = ("hidden_size", "n_embd", "d_model")
NUM_ATTENTION_HEADS = ("num_attention_heads", "n_head", "num_heads", "encoder_attention_heads")


class Filled(NamedTuple):
    """Where one size of the prepared config came from."""

    field: str
    value: int
    source: str


class CacheSizes(NamedTuple):
    """What the attention layers that read the prefix expect; None where the model's config does not say."""

    layers: int | None
    heads: int | None
    head_dim: int | None


def prepare_prompt_learning_config(peft_config: PromptLearningConfig, model_config: Any) -> PromptLearningConfig:
    """Set num_layers, token_dim, num_attention_heads and encoder_hidden_size where they are None; return the config.

    `model_config` is a transformers config or a dict. Raises `ValueError` for a size that it does not say.
    Source: `peft.utils.other._prepare_prompt_learning_config`.
    """
    for row in explain_preparation(peft_config, model_config):
        setattr(peft_config, row.field, row.value)
    return peft_config


def explain_preparation(peft_config: PromptLearningConfig, model_config: Any) -> list[Filled]:
    """Each field that preparation sets, its value, and the name in the model's config that it came from.

    Grouped-query models cache fewer heads than they ask with, so there num_attention_heads becomes
    num_key_value_heads, and token_dim their joint width, whatever the user set: as PEFT.
    """
    known, rows = text_config(model_config), []

    def size(field: str, names: tuple[str, ...]) -> int:
        value = getattr(peft_config, field)
        if value is None:
            rows.append(first_known(field, names, known))
            value = rows[-1].value
        return value

    size("num_layers", NUM_LAYERS)
    token_dim, heads = size("token_dim", TOKEN_DIM), size("num_attention_heads", NUM_ATTENTION_HEADS)
    if known.get("num_key_value_heads") is not None:
        kv_heads, head_dim, source = widest_heads(known)
        if head_dim is None:
            head_dim, source = token_dim // heads, "token_dim / num_attention_heads"
        token_dim = kv_heads * head_dim
        rows = [row for row in rows if row.field not in ("token_dim", "num_attention_heads")]
        rows.append(Filled("token_dim", token_dim, f"num_key_value_heads · {source}"))
        rows.append(Filled("num_attention_heads", kv_heads, "num_key_value_heads"))
    if getattr(peft_config, "encoder_hidden_size", None) is None:
        rows.append(Filled("encoder_hidden_size", token_dim, "token_dim"))
    return rows


def first_known(field: str, names: tuple[str, ...], known: Mapping[str, Any]) -> Filled:
    """The first of `names` that the model's config has. Raises `ValueError` when it has none."""
    for name in names:
        if known.get(name) is not None:
            return Filled(field, known[name], name)
    raise ValueError(
        f"{field} cannot be found: the model's config has none of {', '.join(names)}. "
        f"Set {field} in the PrefixTuningConfig yourself."
    )


def widest_heads(known: Mapping[str, Any]) -> tuple[int, int | None, str]:
    """Cached heads, head_dim where the config has one, and its name; where layers differ, those of the widest heads."""
    kv_heads, head_dim, source = known["num_key_value_heads"], known.get("head_dim"), "head_dim"
    if known.get("global_head_dim") is not None:
        return known.get("num_global_key_value_heads") or kv_heads, known["global_head_dim"], "global_head_dim"
    for layer in (known.get("per_layer_config") or {}).values():  # Gemma 4: narrower layers will read a part of it
        if (layer.get("head_dim") or 0) > (head_dim or 0):
            kv_heads, head_dim = layer.get("num_key_value_heads", known["num_key_value_heads"]), layer["head_dim"]
            source = "the widest layer's head_dim"
    return kv_heads, head_dim, source


def text_config(model_config: Any) -> Mapping[str, Any]:
    """The language model's sizes by name; the config of a model that also sees or hears has them one level down."""
    known = model_config.to_dict() if hasattr(model_config, "to_dict") else model_config
    known = known.get("text_config", known)
    if hasattr(model_config, "num_hidden_layers"):
        known = {**known, "num_hidden_layers": model_config.num_hidden_layers}  # some configs compute it
    return known


def cache_sizes(model_config: Any) -> CacheSizes:
    """Layers, heads and head_dim of the cache that the model will read: its decoder's, if it has an encoder too.

    PEFT does not ask. A family whose layers differ gives None.
    """
    known = text_config(model_config)
    if known.get("per_layer_config") or known.get("global_head_dim"):
        return CacheSizes(None, None, None)

    def first(*names: str) -> int | None:
        return next((known[name] for name in names if known.get(name) is not None), None)

    asking, width = first("decoder_attention_heads", *NUM_ATTENTION_HEADS), first(*TOKEN_DIM)
    heads = first("num_key_value_heads") or asking
    if "multi_query" in known:  # Falcon; its newer kind repeats its few heads before it caches them
        heads = asking if known.get("new_decoder_architecture") or not known["multi_query"] else 1
    head_dim = first("d_kv", "head_dim") or (width // asking if width and asking else None)
    return CacheSizes(first("num_decoder_layers", "decoder_layers", *NUM_LAYERS), heads, head_dim)


def heads_of(model_config: Any) -> int:
    """How many heads ask; with grouped-query attention, more than are cached."""
    return first_known("num_attention_heads", NUM_ATTENTION_HEADS, text_config(model_config)).value
