"""Start a prefix from real words: the keys and values that the model itself computes for a text.

Mirrors `peft.tuners.cartridge.utils.initialize_kv_prefix_from_text`. Li & Liang 2021, section 7.4: with little data,
real words are a far better start than random numbers.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from prefix_lab.beside.adapters import PeftModel


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
) -> Float[Tensor, "prefix_len two_layers_hidden"]:
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
