"""Fill the sizes that the user left out, from the model's own configuration.

Mirrors `peft.utils.other._prepare_prompt_learning_config`. Every model family has its own names for the same few
sizes; the tables below are PEFT's, in PEFT's order, and the first name that the model knows wins.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from prefix_lab.config import PromptLearningConfig

SIZES = ("num_layers", "token_dim", "num_attention_heads")
NUM_LAYERS = ("num_hidden_layers", "num_layers", "n_layer")
TOKEN_DIM = ("hidden_size", "n_embd", "d_model")
NUM_ATTENTION_HEADS = ("num_attention_heads", "n_head", "num_heads", "encoder_attention_heads")


class Filled(NamedTuple):
    """One size of the prepared config, and where it came from."""

    value: int
    source: str


def prepare_prompt_learning_config(peft_config: PromptLearningConfig, model_config: Any) -> PromptLearningConfig:
    """Set num_layers, token_dim, num_attention_heads and encoder_hidden_size where they are None; return the config.

    `model_config` is a transformers config or a dict. Raises `ValueError` for a size that it does not say.
    Source: `peft.utils.other._prepare_prompt_learning_config`.
    """
    for field, filled in explain_preparation(peft_config, model_config).items():
        setattr(peft_config, field, filled.value)
    return peft_config


def explain_preparation(peft_config: PromptLearningConfig, model_config: Any) -> dict[str, Filled]:
    """Each field that preparation sets: its value, and the name in the model's config that it came from.

    Grouped-query models cache fewer heads than they ask with, so there num_attention_heads becomes
    num_key_value_heads, and token_dim their joint width, whatever the user set: as PEFT.
    """
    known, names_of = text_config(model_config), zip(SIZES, (NUM_LAYERS, TOKEN_DIM, NUM_ATTENTION_HEADS), strict=True)
    rows = {field: first_known(field, names, known) for field, names in names_of if getattr(peft_config, field) is None}
    _, token_dim, heads = (rows[field].value if field in rows else getattr(peft_config, field) for field in SIZES)
    if known.get("num_key_value_heads") is not None:
        kv_heads, head_dim, source = known["num_key_value_heads"], known.get("head_dim"), "head_dim"
        if head_dim is None:
            head_dim, source = token_dim // heads, "token_dim / num_attention_heads"
        token_dim = kv_heads * head_dim
        rows["token_dim"] = Filled(token_dim, f"num_key_value_heads · {source}")
        rows["num_attention_heads"] = Filled(kv_heads, "num_key_value_heads")
    if getattr(peft_config, "encoder_hidden_size", None) is None:
        rows["encoder_hidden_size"] = Filled(token_dim, "token_dim")
    return rows


def first_known(field: str, names: tuple[str, ...], known: Mapping[str, Any]) -> Filled:
    """The first of `names` that the model's config has. Raises `ValueError` when it has none."""
    for name in names:
        if known.get(name) is not None:
            return Filled(known[name], name)
    raise ValueError(
        f"{field} cannot be found: the model's config has none of {', '.join(names)}. "
        f"Set {field} in the PrefixTuningConfig yourself."
    )


def text_config(model_config: Any) -> Mapping[str, Any]:
    """The language model's sizes by name; the config of a model that also sees or hears has them one level down."""
    known = model_config.to_dict() if hasattr(model_config, "to_dict") else model_config
    known = known.get("text_config", known)
    if hasattr(model_config, "num_hidden_layers"):
        known = {**known, "num_hidden_layers": model_config.num_hidden_layers}  # some configs compute it
    return known
