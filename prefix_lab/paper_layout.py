"""Beside PEFT's layout, the paper's: encoder, decoder and cross-attention each read a prefix of their own.

Li & Liang 2021, Figure 2 (below): an encoder-decoder has a prefix before x and one before y. PEFT fills only the
decoder's self-attention, and half of its rows are dead (see `past.encoder_decoder_cache`). Here the vector of a virtual
token is encoder layers, then decoder layers, then the decoder's cross-attention; every row is read by one layer.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from transformers.cache_utils import DynamicCache, EncoderDecoderCache

from prefix_lab.config import PrefixTuningConfig
from prefix_lab.past import Rows, share

if TYPE_CHECKING:
    from prefix_lab.models import PeftModel

ENCODER_ATTENTION = ("SelfAttention", "self_attn")
CROSS_ATTENTION = ("EncDecAttention", "encoder_attn")


def paper_cache(
    prefix: Float[Tensor, "rows prefix_len width"], config: PrefixTuningConfig, batch: int
) -> EncoderDecoderCache:
    """The decoder's two caches; the cross-attention's has the prefix before the encoder's output comes to join it."""
    rows = slots(prefix, config, batch)[2 * config.encoder_layers :]  # 4·layers × (batch, heads, prefix_len, head_dim)
    own, cross = rows[: 2 * config.num_layers], rows[2 * config.num_layers :]
    cache = EncoderDecoderCache(DynamicCache(in_pairs(own)), DynamicCache(in_pairs(cross)))
    cache.is_updated = dict.fromkeys(range(config.num_layers), False)  # "the encoder's output is still to come"
    return cache


def slots(prefix: Float[Tensor, "rows prefix_len width"], config: PrefixTuningConfig, batch: int) -> Rows:
    """Every key and every value: (2·encoder_layers + 4·layers) × (batch, heads, prefix_len, head_dim)."""
    heads = config.num_attention_heads
    rows = prefix.view(*prefix.shape[:2], -1, heads, config.token_dim // heads)
    return share(rows.permute(2, 0, 3, 1, 4), batch)


def in_pairs(rows: Rows) -> list[tuple[Tensor, Tensor]]:
    """key, value, key, value, … → (key, value) for each layer."""
    return list(zip(rows[0::2], rows[1::2], strict=True))


class OneLayerPast:
    """The least of a cache: what one encoder layer's attention asks for."""

    def __init__(self, key: Tensor, value: Tensor):
        self.key, self.value = key, value  # (batch, heads, prefix_len, head_dim)

    def get_seq_length(self, layer: int | None = None) -> int:
        """prefix_len."""
        return self.key.shape[2]

    def update(self, key: Tensor, value: Tensor, *ignored: Any) -> tuple[Tensor, Tensor]:
        """The prefix, then what the layer computed from its input."""
        return torch.cat([self.key, key], dim=2), torch.cat([self.value, value], dim=2)  # prefix_len+source


def refuse_unknown_attention(model: nn.Module) -> None:
    """Raise `ValueError` for a base model whose attention layers are not where T5's and BART's are."""
    try:
        found = layers_named(model.get_encoder(), ENCODER_ATTENTION), layers_named(model.get_decoder(), CROSS_ATTENTION)
    except AttributeError:
        found = ([], [])
    if not all(found):
        raise ValueError(
            f"layout='paper' knows the attention layers of T5 and BART, and {type(model).__name__} has none of them. "
            "Leave layout out."
        )


@contextmanager
def encoder_prefix(model: "PeftModel") -> Iterator[None]:
    """Within, the base model's encoder layers read their prefix, and cross-attention's mask leaves room for its own.

    transformers gives an encoder no cache, but each of its attention layers takes one; so it is handed over at the
    layers' doors, by hooks that are gone afterwards.
    """
    if model.active_peft_config.layout != "paper":
        yield
        return
    encoder, decoder = model.base_model.get_encoder(), model.base_model.get_decoder()
    past: list[OneLayerPast] = []

    def before_encoder(stack: nn.Module, args: tuple, kwargs: dict[str, Any]) -> None:
        tokens = next(
            value for value in (*args, kwargs.get("input_ids"), kwargs.get("inputs_embeds")) if value is not None
        )
        rows = slots(model.encode_prefix(1), model.active_peft_config, tokens.shape[0])
        past[:] = [OneLayerPast(key, value) for key, value in in_pairs(rows)]

    def before_layer(number: int) -> Callable:
        return lambda layer, args, kwargs: (args, grown_mask(kwargs, model) | {"past_key_values": past[number]})

    hooks = [(encoder, before_encoder)]
    hooks += [(layer, before_layer(number)) for number, layer in enumerate(layers_named(encoder, ENCODER_ATTENTION))]
    for layer in layers_named(decoder, CROSS_ATTENTION):
        hooks.append((layer, lambda layer, args, kwargs: (args, grown_mask(kwargs, model))))
    handles = [layer.register_forward_pre_hook(hook, with_kwargs=True) for layer, hook in hooks]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def layers_named(stack: nn.Module, names: tuple[str, ...]) -> list[nn.Module]:
    """The attention layers of a stack, in their order."""
    return [module for name, module in stack.named_modules() if name.rpartition(".")[2] in names]


def grown_mask(kwargs: dict[str, Any], model: "PeftModel") -> dict[str, Any]:
    """The attention's mask, (batch, 1, queries, keys), with prefix_len more keys that may be read. None stays None."""
    name = "mask" if "mask" in kwargs else "attention_mask"
    mask = kwargs.get(name)
    if mask is None:
        return kwargs
    readable = True if mask.dtype == torch.bool else 0.0
    new = mask.new_full((*mask.shape[:-1], model.active_peft_config.num_virtual_tokens), readable)
    return kwargs | {name: torch.cat([new, mask], dim=-1)}
