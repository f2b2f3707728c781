"""Where a prefix may start, other than from random numbers: from real words, or from what P-tuning v2 has trained.

Real words: `peft.tuners.cartridge.utils.initialize_kv_prefix_from_text` takes the keys and values that the model itself
computes for a text. Li & Liang 2021, section 7.4: with little data, they are a far better start.

P-tuning v2: Liu et al. 2021 (arXiv 2110.07602); THUDM/P-tuning-v2, model/prefix_encoder.py. PEFT's encoder came from
there, with other names: theirs are pre_seq_len, prefix_hidden_size, `trans`. P-tuning v2 also drops keys and values at
random while it trains, which neither PEFT nor this encoder does.
"""

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from prefix_lab.beside.adapters import PeftModel
from prefix_lab.beside.configs import PrefixTuningConfig
from prefix_lab.encoder import PrefixEncoder


@torch.no_grad()
def initialize_kv_prefix_from_text(
    model: PeftModel,
    tokenizer: Any,
    *,
    text: str,
    adapter_name: str | None = None,
    num_virtual_tokens: int | None = None,
    use_chat_template: bool = True,
    max_length: int | None = None,
) -> Float[Tensor, "prefix_len prefix_width"]:
    """Run the base model on `text` and copy the cache of its first tokens into the prefix; returns what was copied.

    Raises `ValueError` with projection, which cannot be inverted, and for a text shorter than the prefix.
    Source: `peft.tuners.cartridge.utils.initialize_kv_prefix_from_text`.
    """
    name = adapter_name or model.active_adapter
    model.require_adapter(name)
    config = model.peft_config[name]
    if not config.is_prompt_learning or config.prefix_projection:
        raise ValueError(
            f"Adapter {name!r} is no direct prefix: keys and values of a text go into a table, not through a "
            "projection or a LoRA. Use a PrefixTuningConfig with prefix_projection=False."
        )
    prefix_len = num_virtual_tokens or config.num_virtual_tokens
    input_ids = token_ids(tokenizer, text, use_chat_template, max_length)[:, :max_length].to(model.device)
    if input_ids.shape[1] < prefix_len:
        raise ValueError(
            f"text has {input_ids.shape[1]} tokens, and the prefix needs at least {prefix_len}. Give a longer text."
        )
    with model.disable_adapter():
        cache = model(input_ids=input_ids, attention_mask=torch.ones_like(input_ids), use_cache=True).past_key_values
    rows = [
        tensor[0, :, :prefix_len].transpose(0, 1) for layer in cache.layers for tensor in (layer.keys, layer.values)
    ]
    prefix = torch.stack(rows, dim=1).flatten(
        1
    )  # (prefix_len, 2·layers, heads, head_dim) → (prefix_len, 2·layers·hidden)
    model.prompt_encoder[name].load_prompt_embeddings(prefix)
    return prefix


def token_ids(tokenizer: Any, text: str, chat: bool, max_length: int | None) -> Tensor:
    """(1, tokens): the text as a system message where the tokenizer knows chats, else as it is."""
    if chat and hasattr(tokenizer, "apply_chat_template"):
        try:
            message = [{"role": "system", "content": text}]
            return tokenizer.apply_chat_template(message, tokenize=True, return_dict=False, return_tensors="pt")
        except (TypeError, ValueError):
            pass  # as PEFT: a tokenizer without a template takes the text plainly
    return tokenizer(text, return_tensors="pt", truncation=max_length is not None, max_length=max_length)["input_ids"]


@torch.no_grad()
def from_ptuning_v2(config: Any, checkpoint: Mapping[str, Tensor] | None = None) -> PrefixEncoder:
    """An encoder from a P-tuning v2 config (an object or a dict), with its checkpoint's weights where given.

    The config has pre_seq_len, hidden_size, num_hidden_layers, prefix_projection, and with projection
    prefix_hidden_size. The weights are `embedding` and `trans`, with or without `prefix_encoder.` before the names.
    Raises `ValueError` that names a missing size, and for weights that are missing or do not fit.
    """
    encoder = PrefixEncoder(ptuning_v2_config(config))
    if checkpoint is None:
        return encoder
    found = {name.rpartition("prefix_encoder.")[2]: tensor for name, tensor in checkpoint.items()}
    wanted = {name.replace("transform.", "trans."): place for name, place in encoder.state_dict().items()}
    for name, place in wanted.items():
        if name not in found:
            raise ValueError(f"checkpoint has no {name}, expected {', '.join(wanted)}. Is it from P-tuning v2?")
        if found[name].shape != place.shape:
            raise ValueError(
                f"checkpoint: {name} has shape {tuple(found[name].shape)}, expected {tuple(place.shape)}. Give the "
                "config that it was trained with."
            )
        place.copy_(found[name])
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
