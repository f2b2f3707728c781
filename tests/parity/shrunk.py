"""Any of transformers' models, tiny and random: its own default config with every size made small.

There is no list of families here: sizes are known by their names, in the config and in the configs inside it. What
cannot be made tiny this way raises what it met.
"""

import copy
import re
from typing import Any

import torch
from transformers import PreTrainedConfig, PreTrainedModel

from tests.tiny_models import SPECIAL, VOCAB, random_weights

LAYERS, MOST_PARAMETERS = 2, 30_000_000

SMALL: dict[str, int] = {
    r".*vocab_size.*|num_embeddings": VOCAB,
    r".*max_position_embeddings|.*max_(source|target|seq|sequence)_?(positions|len|length)|n_positions|n_ctx": 64,
    r"((.*_)?(num|n)_(.*_)?|encoder_|decoder_)layers?|depth|layers": LAYERS,
    r"(.*_)?(hidden_size|d_model|n_embd|embed_dim|embedding_size|width|dim)": 32,
    r".*(intermediate_size|ffn_dim|d_ff|n_inner|ffn_hidden_size|inner_dim|feedforward.*)": 40,
    r".*attention_heads|(.*_)?num_heads|n_heads?": 4,
    r"(.*_)?(head_dim|d_kv|head_size|kv_channels)|hidden_size_per_layer_input": 8,
    r"qk_rope_head_dim|rotary_dim|rotary_ndims|.*d_state|(.*_)?state_size|.*_rank": 4,
    r"(q|kv|o)_lora_rank": 16,
    r"n_routed_experts|num_(local_)?experts|moe_num_experts": 4,
    r"num_experts_per_tok(en)?|moe_topk|moe_k|num_selected_experts|top_k_experts|.*layers_per_stage": 2,
    r"n_group|topk_group|num_expert_group": 1,
    r"sliding_window|attention_window|local_window_size|window_size": 6,
    r"mamba_n_heads|mamba_num_heads|mamba_d_head": 8,
}
"""A field's whole name → its small value; the last that fits counts."""

GROUPS = r".*(key_value_heads|kv_heads)"

BY_HAND: dict[str, dict[str, Any]] = {
    **{name: {"head_dim": 8} for name in ("ministral", "hunyuan_v1_dense", "hunyuan_v1_moe")},
    **{name: {"global_head_dim": 16} for name in ("gemma4_text", "gemma4_unified_text")},  # layers of two head sizes
    "nemotron": {"num_key_value_heads": 2},
    "esm": {"vocab_size": VOCAB, "pad_token_id": 0},
    "gemma3n_text": {"num_kv_shared_layers": 0},
    "dots1": {"n_routed_experts": 4, "n_shared_experts": 1, "num_experts_per_tok": 2},
    "reformer": {"is_decoder": True, "axial_pos_shape": [8, 8], "axial_pos_embds_dim": [16, 16]},
    "mamba2": {"num_heads": 8, "head_dim": 8},
    "xmod": {"default_language": "en_XX"},
    "gemma4_assistant": {"text_config": {"model_type": "gemma4_text", "hidden_size_per_layer_input": 0}},
    "lfm2_moe": {"layer_types": ["conv", "full_attention"]},
}
"""What a family's default leaves out, and cannot do without once it is small."""


def tiny_model(cls: type[PreTrainedModel], config_class: type[PreTrainedConfig]) -> PreTrainedModel:
    """A random model of this class, in eval mode."""
    config = shrunk(config_class)
    for part in (config, config.get_text_config()):
        if getattr(part, "pad_token_id", None) is None:
            part.pad_token_id = 0
        if part.is_encoder_decoder and getattr(part, "decoder_start_token_id", None) is None:
            part.decoder_start_token_id = 0
    with torch.device("meta"):
        count = sum(parameter.numel() for parameter in cls(copy.deepcopy(config)).parameters())
    if count > MOST_PARAMETERS:
        raise ValueError(f"still {count:,} parameters")
    return random_weights(lambda: cls(config))


def shrunk(config_class: type[PreTrainedConfig]) -> PreTrainedConfig:
    """A small config of this class. Raises whatever the class finds wrong with it."""
    return config_class(**changes(config_class()))


def changes(config: PreTrainedConfig) -> dict[str, Any]:
    """The fields of a config that say sizes, with small values instead."""
    given = config.to_dict()
    found: dict[str, Any] = {}
    for name, value in given.items():
        inner = vars(config).get(name)
        if isinstance(inner, PreTrainedConfig):
            found[name] = {"model_type": inner.model_type, **changes(inner)}
        elif name in SPECIAL or name == "decoder_start_token_id":
            if value is not None:
                found[name] = SPECIAL.get(name, 0) if isinstance(value, int) else [SPECIAL[name]]
        elif isinstance(value, bool) or value is None:
            continue
        elif isinstance(value, dict) and "mrope_section" in value:
            found[name] = value | {"mrope_section": [2, 1, 1]}  # half a head, in three
        elif isinstance(value, int):
            small = small_value(name, given)
            if small is not None and (small < value or value == 0):
                found[name] = small if value else value
            elif name.endswith("token_id") and value >= VOCAB:
                found[name] = 3
        elif isinstance(value, list | tuple) and len(value) == layers_of(config) and len(value) > LAYERS:
            kinds = list(dict.fromkeys(map(repr, value)))
            last = next((one for one in reversed(value) if repr(one) != kinds[0]), value[-1])
            found[name] = [*value[: LAYERS - 1], last]
    return found | BY_HAND.get(config.model_type, {})


def layers_of(config: PreTrainedConfig) -> int | None:
    names = ("num_hidden_layers", "n_layer", "num_layers")
    return next((layers for name in names if (layers := vars(config).get(name))), None)


def small_value(name: str, given: dict[str, Any]) -> int | None:
    if re.fullmatch(GROUPS, name):
        heads = next(
            (given[other] for other in ("num_attention_heads", "n_head", "num_heads", "n_heads") if given.get(other)),
            None,
        )
        return 4 if given[name] == heads else min(given[name], 2)
    return next((small for pattern, small in reversed(SMALL.items()) if re.fullmatch(pattern, name)), None)
