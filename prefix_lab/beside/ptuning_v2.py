"""P-tuning v2's names for the same encoder: pre_seq_len, prefix_hidden_size, `trans`.

Liu et al. 2021 (arXiv 2110.07602); THUDM/P-tuning-v2, model/prefix_encoder.py. PEFT's encoder came from there, with
other names. P-tuning v2 also drops keys and values at random while it trains, which neither PEFT nor this encoder does.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from prefix_lab.beside.configs import PrefixTuningConfig
from prefix_lab.encoder import PrefixEncoder


def from_ptuning_v2(config: Any, checkpoint: Mapping[str, Tensor] | None = None) -> PrefixEncoder:
    """An encoder from a P-tuning v2 config (an object or a dict), with its checkpoint's weights where given.

    The config has pre_seq_len, hidden_size, num_hidden_layers, prefix_projection, and with projection
    prefix_hidden_size. Raises `ValueError` that names a missing one, and for weights that are missing or do not fit.
    """
    encoder = PrefixEncoder(ptuning_v2_config(config))
    if checkpoint is not None:
        load_ptuning_v2(encoder, checkpoint)
    return encoder


def ptuning_v2_config(config: Any, **fields: Any) -> PrefixTuningConfig:
    """P-tuning v2's names in ours; `fields` sets what it does not say, task_type say."""
    given = config if isinstance(config, Mapping) else vars(config)

    def need(name: str) -> Any:
        if given.get(name) is None:
            raise ValueError(f"The P-tuning v2 config has no {name}. Set it, as its model/prefix_encoder.py reads it.")
        return given[name]

    projection = bool(given.get("prefix_projection", False))
    return PrefixTuningConfig(
        num_virtual_tokens=need("pre_seq_len"),
        token_dim=need("hidden_size"),
        num_layers=need("num_hidden_layers"),
        num_attention_heads=given.get("num_attention_heads"),
        encoder_hidden_size=need("prefix_hidden_size") if projection else None,
        prefix_projection=projection,
        **fields,
    )


@torch.no_grad()
def load_ptuning_v2(encoder: PrefixEncoder, checkpoint: Mapping[str, Tensor]) -> None:
    """Copy `embedding` and `trans` from a P-tuning v2 checkpoint, with or without `prefix_encoder.` before the names.

    Raises `ValueError`, with nothing copied, for a weight that is missing or has another shape.
    """
    found = {name.rpartition("prefix_encoder.")[2]: tensor for name, tensor in checkpoint.items()}
    wanted = {name.replace("transform.", "trans."): place for name, place in encoder.state_dict().items()}
    for name, place in wanted.items():
        if name not in found:
            raise ValueError(f"checkpoint has no {name}, expected {', '.join(wanted)}. Is it from P-tuning v2?")
        if found[name].shape != place.shape:
            raise ValueError(
                f"checkpoint: {name} has shape {tuple(found[name].shape)}, expected {tuple(place.shape)}. Make the "
                "encoder from the config that the checkpoint was trained with."
            )
    for name, place in wanted.items():
        place.copy_(found[name])
