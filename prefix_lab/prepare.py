"""Fill the sizes that the user left out, from the model's own configuration, and check that they fit.

Mirrors `peft.utils.other._prepare_prompt_learning_config`. Every model family has its own names for the same few
sizes; the tables below are PEFT's, in PEFT's order, and the first name that the model knows wins.
"""

import warnings
from collections.abc import Mapping
from typing import Any, NamedTuple

from prefix_lab.config import PromptLearningConfig, TaskType, check_size

NUM_LAYERS = ("num_hidden_layers", "num_layers", "n_layer")
TOKEN_DIM = ("hidden_size", "n_embd", "d_model")
NUM_ATTENTION_HEADS = ("num_attention_heads", "n_head", "num_heads", "encoder_attention_heads")


class Filled(NamedTuple):
    """Where one number of the prepared config came from."""

    field: str
    value: int
    source: str


def prepare_prompt_learning_config(peft_config: PromptLearningConfig, model_config: Any) -> PromptLearningConfig:
    """Set num_layers, token_dim, num_attention_heads and encoder_hidden_size where they are None; return the config.

    `model_config` is a transformers config or a dict. Grouped-query models cache fewer heads than they ask with, so
    there num_attention_heads becomes num_key_value_heads, and token_dim their joint width.
    Source: `peft.utils.other._prepare_prompt_learning_config`.

    Raises `ValueError` when a size cannot be found or does not fit the model; the config is then unchanged. More
    layers than the model has are accepted, as PEFT does, with a warning.
    """
    peft_config.check()
    if peft_config.num_virtual_tokens is None:
        raise ValueError("num_virtual_tokens=None, expected an int of at least 1. Set num_virtual_tokens=20, say.")
    filled = {row.field: row.value for row in explain_preparation(peft_config, model_config)}
    sizes = {
        name: filled.get(name, getattr(peft_config, name))
        for name in ("num_layers", "token_dim", "num_attention_heads")
    }
    refuse_misfit(peft_config, sizes, model_config)
    refuse_submodules(peft_config, model_config)
    for name, value in filled.items():
        setattr(peft_config, name, value)
    if filled and not hasattr(peft_config, "_filled_for"):
        # Not a field: lets a misfit on another model name its cause.
        peft_config._filled_for = cache_sizes(model_config)
    return peft_config


def explain_preparation(peft_config: PromptLearningConfig, model_config: Any) -> list[Filled]:
    """Each field that preparation sets, its value, and the name in the model's config that it came from.

    Changes nothing: `prepare_prompt_learning_config` carries it out. Raises `ValueError` as that does.
    """
    known = text_config(model_config)
    rows = sizes_of_model(peft_config, model_config) if own(peft_config, "sizes") == "model" else []
    done = {row.field: row.value for row in rows}

    def size(field: str, names: tuple[str, ...]) -> int:
        value = done.get(field, getattr(peft_config, field))
        if value is None:
            rows.append(first_known(field, names, known))
            value = rows[-1].value
        return value

    size("num_layers", NUM_LAYERS)
    token_dim, heads = size("token_dim", TOKEN_DIM), size("num_attention_heads", NUM_ATTENTION_HEADS)
    if known.get("num_key_value_heads") is not None and not done:
        # Grouped-query attention: fewer heads are cached than ask.
        kv_heads, head_dim, source = widest(known)
        if head_dim is None:
            head_dim, source = token_dim // heads, "token_dim / num_attention_heads"
        token_dim = kv_heads * head_dim
        rows = [row for row in rows if row.field not in ("token_dim", "num_attention_heads")]
        rows.append(Filled("token_dim", token_dim, f"num_key_value_heads · {source}"))
        rows.append(Filled("num_attention_heads", kv_heads, "num_key_value_heads"))
    if getattr(peft_config, "encoder_hidden_size", None) is None:
        rows.append(Filled("encoder_hidden_size", token_dim, "token_dim"))
    if own(peft_config, "layout") == "paper" and peft_config.encoder_layers is None:
        rows.append(first_known("encoder_layers", ("encoder_layers", *NUM_LAYERS), known))
    return rows


def widest(known: Mapping[str, Any]) -> tuple[int, int | None, str]:
    """Cached heads, head_dim where the config has one, and its name; where layers differ, those of the widest heads.

    Gemma 4: the prefix is made for the widest, and narrower layers read a part of it.
    """
    kv_heads, head_dim, source = known["num_key_value_heads"], known.get("head_dim"), "head_dim"
    if known.get("global_head_dim") is not None:
        return known.get("num_global_key_value_heads") or kv_heads, known["global_head_dim"], "global_head_dim"
    for layer in (known.get("per_layer_config") or {}).values():
        if (layer.get("head_dim") or 0) > (head_dim or 0):
            kv_heads, head_dim = layer.get("num_key_value_heads", known["num_key_value_heads"]), layer["head_dim"]
            source = "the widest layer's head_dim"
    return kv_heads, head_dim, source


def own(peft_config: PromptLearningConfig, name: str) -> str | None:
    """A choice that PEFT does not have, and that its configs lack."""
    return getattr(peft_config, name, None)


def sizes_of_model(peft_config: PromptLearningConfig, model_config: Any) -> list[Filled]:
    """`sizes="model"`: what the cache really takes, where PEFT's tables miss it. Fields that are set stay as they are.

    Raises `ValueError` when the model's config does not say.
    """
    expected = cache_sizes(model_config)
    per_layer = layer_sizes(model_config)
    if per_layer is not None:
        heads, head_dim = max(per_layer, key=lambda size: size[0] * size[1])
        expected = CacheSizes(len(per_layer), heads, head_dim)
    if None in expected:
        raise ValueError("sizes='model', but the model's config does not say layers, heads and head_dim. Set them.")
    found = {
        "num_layers": expected.layers,
        "num_attention_heads": expected.heads,
        "token_dim": expected.heads * expected.head_dim,
        "layer_sizes": per_layer,
    }
    return [
        Filled(field, value, "the sizes of the model's cache")
        for field, value in found.items()
        if value is not None and getattr(peft_config, field) is None
    ]


def layer_sizes(model_config: Any) -> list[list[int]] | None:
    """[heads, head_dim] of each layer's cache, for a model whose layers differ; None for all others."""
    if not text_config(model_config).get("per_layer_config") or not hasattr(model_config, "get_text_config"):
        return None  # transformers' configs have the attribute in any case, and in their dict when it says something
    sizes = [cache_sizes(layer.to_dict()) for layer in model_config.get_text_config().per_layer_config]
    return [[size.heads, size.head_dim] for size in sizes]


def text_config(model_config: Any) -> Mapping[str, Any]:
    """The language model's sizes by name; the config of a model that also sees or hears has them one level down.

    Raises `TypeError` for what is neither a transformers config nor a dict.
    """
    if not hasattr(model_config, "to_dict") and not isinstance(model_config, Mapping):
        raise TypeError(
            f"model_config={model_config!r} is a {type(model_config).__name__}, expected a transformers config or a "
            "dict of sizes. Set model.config to one."
        )
    known = dict(model_config.to_dict()) if hasattr(model_config, "to_dict") else dict(model_config)
    if "text_config" in known:
        known = known["text_config"]
    if hasattr(model_config, "num_hidden_layers"):
        known = {**known, "num_hidden_layers": model_config.num_hidden_layers}  # some configs compute it
    return known


def sliding_config(model_config: Any) -> Any:
    """The config of a Gemma 2, 3 or 4 language model, whose cache has windows; None for every other model."""
    kind = getattr(model_config, "model_type", None) or ""
    if any(name in kind for name in ("gemma2", "gemma3_text", "gemma4")):
        return model_config.get_text_config()
    return None


def heads_of(model_config: Any) -> int:
    """How many heads ask; with grouped-query attention, more than are cached."""
    return first_known("num_attention_heads", NUM_ATTENTION_HEADS, text_config(model_config)).value


def first_known(field: str, names: tuple[str, ...], known: Mapping[str, Any]) -> Filled:
    """The first of `names` that the model's config has.

    Raises `ValueError` when it has none, and as `check_size` does when that is no size.
    """
    for name in names:
        if known.get(name) is not None:
            check_size(name, known[name])
            return Filled(field, known[name], name)
    raise ValueError(
        f"{field} cannot be found: the model's config has none of {', '.join(names)}. "
        f"Set {field} in the PrefixTuningConfig yourself."
    )


class CacheSizes(NamedTuple):
    """What the attention layers that read the prefix expect; None where the model's config does not say."""

    layers: int | None
    heads: int | None
    head_dim: int | None


def cache_sizes(model_config: Any) -> CacheSizes:
    """Layers, heads and head_dim of the cache that the model will read: its decoder's, if it has an encoder too.

    A family that caches otherwise than its config suggests, or differently in each layer, gives None.
    """
    known = text_config(model_config)
    if known.get("per_layer_config") or known.get("global_head_dim"):
        return CacheSizes(None, None, None)

    def first(*names: str) -> int | None:
        return next((known[name] for name in names if known.get(name) is not None), None)

    layers = first("num_decoder_layers", "decoder_layers", *NUM_LAYERS)
    asking = first("decoder_attention_heads", *NUM_ATTENTION_HEADS)
    heads = first("num_key_value_heads") or asking
    if known.get("new_decoder_architecture"):
        heads = asking  # Falcon repeats its few heads before it caches them
    elif known.get("multi_query"):
        heads = 1
    width = first(*TOKEN_DIM)
    head_dim = first("d_kv", "head_dim") or (width // asking if width and asking else None)
    return CacheSizes(layers, heads, head_dim)


def refuse_submodules(peft_config: PromptLearningConfig, model_config: Any) -> None:
    """Raise `ValueError` for a kind of cache that the model does not read.

    With 1, an encoder-decoder's cross-attention would read the cache of its self-attention: PEFT mixes the two, and
    fails inside torch once there is a mask. With 2, a stack of layers can read its half only if it could have
    cross-attention, as GPT-2 and BERT could.
    """
    known, given = text_config(model_config), peft_config.num_transformer_submodules
    two = known.get("is_encoder_decoder")
    one_stack = two is False and "add_cross_attention" not in known
    if one_stack and given in (None, 2) and peft_config.task_type == TaskType.SEQ_2_SEQ_LM:
        raise ValueError(
            "task_type='SEQ_2_SEQ_LM' needs an encoder and a decoder, but this model has one stack of layers. Use "
            "task_type='CAUSAL_LM'."
        )
    if two and given == 1 and peft_config.task_type == TaskType.SEQ_2_SEQ_LM:
        raise ValueError("num_transformer_submodules=1, but this model has an encoder and a decoder. Leave it out.")
    if one_stack and given == 2:
        raise ValueError("num_transformer_submodules=2, but this model has one stack of layers. Leave it out.")


def refuse_misfit(peft_config: PromptLearningConfig, sizes: Mapping[str, int], model_config: Any) -> None:
    """Raise `ValueError` when the prefix would not fit the model's cache; PEFT finds out inside torch."""
    layers, token_dim, heads = sizes["num_layers"], sizes["token_dim"], sizes["num_attention_heads"]
    expected = cache_sizes(model_config)
    reuse = ""
    if getattr(peft_config, "_filled_for", expected) != expected:
        reuse = " This config was filled for another model: make a new PrefixTuningConfig for each model."

    if expected.heads is not None and heads != expected.heads:
        raise ValueError(
            f"num_attention_heads={heads}, but this model caches {expected.heads} heads.{reuse} "
            f"Leave it out, or set num_attention_heads={expected.heads}."
        )
    if expected.head_dim is not None and token_dim != heads * expected.head_dim:
        # With grouped-query attention the user's token_dim is that of all heads, not only of those that are cached.
        asking = peft_config.num_attention_heads or heads_of(model_config)
        given = peft_config.token_dim or token_dim
        raise ValueError(
            f"token_dim={given} over {asking} heads gives head_dim {given / asking:g}, but this model's heads are "
            f"{expected.head_dim} wide.{reuse} Set token_dim={asking * expected.head_dim} (heads · head_dim)."
        )
    if token_dim % heads:
        raise ValueError(
            f"token_dim={token_dim} does not divide by num_attention_heads={heads}.{reuse} Set a multiple of {heads}."
        )
    if expected.layers is None or layers == expected.layers:
        return
    if layers < expected.layers:
        if sliding_config(model_config) is not None:
            return  # its cache has a place for every layer, and the last ones stay empty
        raise ValueError(
            f"num_layers={layers}, but {expected.layers} layers of this model read a prefix.{reuse} "
            f"Set num_layers={expected.layers}."
        )
    if reuse or sliding_config(model_config) is not None:
        raise ValueError(
            f"num_layers={layers}, but only {expected.layers} layers of this model read a prefix.{reuse} "
            f"Set num_layers={expected.layers}."
        )
    warnings.warn(
        f"num_layers={layers}, but only {expected.layers} layers of this model read a prefix: the prefixes of layers "
        f"{expected.layers} to {layers - 1} are not used. Set num_layers={expected.layers}.",
        stacklevel=3,
    )
