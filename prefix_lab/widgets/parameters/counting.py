"""What each way of training trains, counted from sizes alone, or in a module of one's own; and the bars that say it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from prefix_lab.locale import N_, _
from prefix_lab.widgets.sizes import FAMILIES, Sizes, whole

if TYPE_CHECKING:
    from torch import nn


Fields = Mapping[str, Any]
LORA_LAYERS = {
    "t5": "q, v",
    "bart": "q_proj, v_proj",
    "gpt2": "c_attn",
    "llama": "q_proj, v_proj",
    "bert": "query, value",
}
"""What LoRA changes if it is not told: PEFT's choice for each family. GPT-2 has q, k and v in one matrix."""


def prefix_parts(prefix_len: int, layers: int, token_dim: int, encoder_hidden: int | None = None) -> dict[str, int]:
    """The tensors of PEFT's prefix encoder → their parameters; `encoder_hidden` is None without a projection."""
    row = 2 * layers * token_dim  # a key and a value for every layer
    if encoder_hidden is None:
        return {"embedding": prefix_len * row}
    return {
        "embedding": prefix_len * token_dim,
        "transform.0 (Linear)": (token_dim + 1) * encoder_hidden,
        "transform.2 (Linear)": (encoder_hidden + 1) * row,
    }


def base_parameters(config: Fields | None) -> int | None:
    """All parameters of the model with this config, tied ones once; None for own sizes or a family not known here."""
    if config is None or config.get("model_type") not in FAMILIES:
        return None
    return {"t5": t5, "bart": bart, "gpt2": gpt2, "llama": llama, "bert": bert}[config["model_type"]](config)


def t5(config: Fields) -> int:
    hidden, inner = config["d_model"], config["num_heads"] * config["d_kv"]
    attention = 4 * hidden * inner
    feed_forward = (3 if str(config.get("feed_forward_proj")).startswith("gated") else 2) * hidden * config["d_ff"]
    encoder = config["num_layers"] * (attention + feed_forward + 2 * hidden)
    readers = config.get("num_decoder_layers") or config["num_layers"]
    decoder = readers * (2 * attention + feed_forward + 3 * hidden)
    places = 2 * config.get("relative_attention_num_buckets", 32) * config["num_heads"]
    tables = (1 if config.get("tie_word_embeddings", True) else 2) * config["vocab_size"] * hidden
    return tables + places + encoder + decoder + 2 * hidden


def bart(config: Fields) -> int:
    hidden = config["d_model"]
    attention, norm = 4 * (hidden * hidden + hidden), 2 * hidden

    def layer(attentions: int, ff: int) -> int:
        return attentions * (attention + norm) + 2 * hidden * ff + ff + hidden + norm

    encoder = config["encoder_layers"] * layer(1, config["encoder_ffn_dim"])
    decoder = config["decoder_layers"] * layer(2, config["decoder_ffn_dim"])
    places = 2 * (config["max_position_embeddings"] + 2) * hidden  # BART leaves the first two unused
    return config["vocab_size"] * hidden + places + 2 * norm + encoder + decoder


def gpt2(config: Fields) -> int:
    hidden = config["n_embd"]
    ff = config.get("n_inner") or 4 * hidden
    attention = 4 * (hidden * hidden + hidden)
    layer = attention + 2 * hidden * ff + ff + hidden + 4 * hidden
    return (config["vocab_size"] + config["n_positions"]) * hidden + config["n_layer"] * layer + 2 * hidden


def llama(config: Fields) -> int:
    hidden, asking = config["hidden_size"], config["num_attention_heads"]
    head_dim = config.get("head_dim") or hidden // asking
    cached = config.get("num_key_value_heads") or asking
    attention = 2 * hidden * (asking + cached) * head_dim
    layer = attention + 3 * hidden * config["intermediate_size"] + 2 * hidden
    tables = (1 if config.get("tie_word_embeddings") else 2) * config["vocab_size"] * hidden
    return tables + config["num_hidden_layers"] * layer + hidden


def bert(config: Fields) -> int:
    hidden, ff = config["hidden_size"], config["intermediate_size"]
    tables = config["vocab_size"] + config["max_position_embeddings"] + config.get("type_vocab_size", 2)
    attention = 4 * (hidden * hidden + hidden)
    layer = attention + 2 * hidden * ff + ff + hidden + 4 * hidden
    pooler = hidden * hidden + hidden
    return tables * hidden + 2 * hidden + config["num_hidden_layers"] * layer + pooler


def lora_parameters(sizes: Sizes, r: int) -> int:
    """Two thin matrices, A and B, for each layer of `LORA_LAYERS`: r · (inputs + outputs) parameters each."""
    config, hidden = sizes.config, sizes.hidden
    asking, cached = sizes.heads * sizes.head_dim, sizes.token_dim
    if config["model_type"] == "gpt2":
        return sizes.layers * r * (hidden + 3 * hidden)
    if sizes.encoder_decoder:
        encoder = config.get("num_layers") or config["encoder_layers"]
        attentions = encoder + 2 * sizes.readers  # a decoder layer has cross-attention too
    else:
        attentions = sizes.layers
    return attentions * r * ((hidden + asking) + (hidden + cached))


def soft_prompt_parameters(sizes: Sizes, prompt_len: int) -> int:
    """Prompt tuning's vectors at the input; PEFT makes them twice for an encoder-decoder."""
    return prompt_len * sizes.hidden * (2 if sizes.encoder_decoder else 1)


NO_PART = N_("the model itself")


class Bar(NamedTuple):
    """`count` parameters of `total`: those that train, or, in a module's picture, one group that trains or does not."""

    label: str
    count: int
    total: int
    trains: bool = True
    prefix: bool = False
    """Whether it is the prefix, which is drawn in its colour."""

    @property
    def percent(self) -> float:
        return 100 * self.count / self.total

    @property
    def figures(self) -> str:
        """`368,640 · 0.1651 %`: as PEFT prints them."""
        return f"{self.count:,} · {self.percent:.4f} %"


def ways_to_train(sizes: Sizes, prefix_len: int, r: int, encoder_hidden: int | None = None) -> list[Bar]:
    """A bar for each way, its total with what it adds; `encoder_hidden` None is PEFT's choice, the prefix's width.

    Raises `ValueError` for what is no size, and for a family whose parameters are not counted here.
    """
    prefix_len, r = whole("prefix_len", prefix_len), whole("r", r)
    encoder_hidden = sizes.token_dim if encoder_hidden is None else whole("encoder_hidden", encoder_hidden)
    base = base_parameters(sizes.config)
    if base is None:
        raise ValueError(
            f"model={sizes.name!r} is of a family whose parameters are not counted here; those are "
            f"{', '.join(FAMILIES)}. Give the model itself instead of its config, and they are counted one by one."
        )

    def bar(label: str, added: int, prefix: bool = False) -> Bar:
        return Bar(label, added, base + added, prefix=prefix)

    direct = sum(prefix_parts(prefix_len, sizes.layers, sizes.token_dim).values())
    projected = sum(prefix_parts(prefix_len, sizes.layers, sizes.token_dim, encoder_hidden).values())
    return [
        bar(
            _("prompt tuning, {prefix_len} tokens").format(prefix_len=prefix_len),
            soft_prompt_parameters(sizes, prefix_len),
        ),
        bar(_("prefix, prefix_len {prefix_len}").format(prefix_len=prefix_len), direct, prefix=True),
        bar(
            _("LoRA, r={r} on {layers}").format(r=r, layers=LORA_LAYERS[sizes.config["model_type"]]),
            lora_parameters(sizes, r),
        ),
        bar(_("prefix, projected, encoder_hidden {width}").format(width=encoder_hidden), projected, prefix=True),
        Bar(_("full fine-tuning"), base, base),
    ]


def parts_of(module: nn.Module) -> list[Bar]:
    """A bar for each part of a module that trains or is frozen, what trains first; tied parameters count once.

    Raises `ValueError` when it has no parameters, or some that have no shape yet.
    """
    from torch.nn.parameter import is_lazy

    counts: dict[tuple[bool, str], int] = {}
    parameters = list(module.named_parameters())
    lazy = next((name for name, parameter in parameters if is_lazy(parameter)), None)
    if lazy is not None:
        raise ValueError(f"model has a parameter without a shape yet, {lazy!r}: run the model once, and count then.")
    if not parameters:
        raise ValueError(f"model={type(module).__name__} has no parameters, so nothing trains and nothing is frozen.")
    roots = common_root([name for name, parameter in parameters if adapter_of(module, name) is None])
    for name, parameter in parameters:
        label = adapter_of(module, name) or part_of(module, name, roots)
        key = (parameter.requires_grad, label)
        counts[key] = counts.get(key, 0) + parameter.numel()
    total = sum(counts.values())
    if not total:
        raise ValueError(f"model={type(module).__name__} has no parameters, so nothing trains and nothing is frozen.")
    ordered = sorted(counts.items(), key=lambda item: not item[0][0])
    return [
        Bar(label, count, total, trains, label.startswith(_("prefix (prompt_encoder.{name})").partition("(")[0]))
        for (trains, label), count in ordered
        if count
    ]


def adapter_of(module: nn.Module, name: str) -> str | None:
    """What PEFT added, by a parameter's name; None for a parameter of the base model."""
    parts = name.split(".")
    if "prompt_encoder" in parts[:-2]:
        place = parts.index("prompt_encoder") + 1
        which, encoder = parts[place], module.get_submodule(".".join(parts[: place + 1]))
        is_prefix = type(encoder).__name__ == "PrefixEncoder"
        kind = _("prefix (prompt_encoder.{name})") if is_prefix else _("prompt (prompt_encoder.{name})")
        return kind.format(name=which)
    if "modules_to_save" in parts[1:]:
        return _("trained copy of {module}").format(module=parts[parts.index("modules_to_save") - 1])
    if any(part.startswith("lora_") for part in parts):
        return "LoRA (lora_A, lora_B)"
    return None


def common_root(names: Iterable[str]) -> int:
    """How many leading parts all names share: `base_model.model.` of a wrapped model says nothing."""
    split = [name.split(".")[:-1] for name in names]
    if not split:
        return 0
    shared = 0
    while all(len(parts) > shared for parts in split) and len({parts[shared] for parts in split}) == 1:
        shared += 1
    return shared


def part_of(module: nn.Module, name: str, roots: int) -> str:
    """The module below the common root that a parameter belongs to, with its class: `decoder (T5Stack)`."""
    parts = name.split(".")[:-1][: roots + 1]
    if not parts:
        return _(NO_PART)
    return f"{'.'.join(parts[roots:]) or parts[-1]} ({type(module.get_submodule('.'.join(parts))).__name__})"
