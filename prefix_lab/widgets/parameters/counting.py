"""Parameters counted by arithmetic, from a model's config alone: the whole model, a prefix, LoRA, a soft prompt.

A test holds each count, for every size that ships, against transformers and PEFT on torch's meta device.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from prefix_lab.widgets.sizes import FAMILIES, Sizes

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
