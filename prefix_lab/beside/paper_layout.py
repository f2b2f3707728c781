"""Beside PEFT's layout, the paper's: encoder, decoder and cross-attention each read a prefix of their own.

Li & Liang 2021, Figure 2 (below): an encoder-decoder has a prefix before x and one before y; their published code
(seq2seq/prefixTuning.py, `use_cross_prefix`) has one in cross-attention, too. PEFT fills only the decoder's
self-attention, and with an even number of layers half of its rows are dead (see `past.encoder_decoder_cache`). Here the
vector of a virtual token is encoder layers, then decoder layers, then the decoder's cross-attention; every row is read
by one layer.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from transformers.cache_utils import DynamicCache, EncoderDecoderCache

from prefix_lab.beside import task_classes
from prefix_lab.beside.adapters import PeftModel
from prefix_lab.beside.refusals import ATTENTION_OF_PAPER, layers_named, remember
from prefix_lab.config import PrefixTuningConfig

Rows = tuple[Float[Tensor, "batch heads prefix_len head_dim"], ...]
"""key, value, key, value, …, one pair for each attention layer."""


class PeftModelForSeq2SeqLM(task_classes.PeftModelForSeq2SeqLM):
    """Text to text, with a prefix in all three places; an adapter in PEFT's layout is read as PEFT does."""

    def get_prompt(self, batch_size: int) -> EncoderDecoderCache:
        """The decoder's two caches; the cross-attention's has the prefix before the encoder's output joins it."""
        config = self.active_peft_config
        if config.layout != "paper":
            return super().get_prompt(batch_size)
        rows = slots(self.encode_prefix(batch_size), config, batch_size)[2 * config.encoder_layers :]
        own, cross = rows[: 2 * config.num_layers], rows[2 * config.num_layers :]
        cache = EncoderDecoderCache(DynamicCache(in_pairs(own)), DynamicCache(in_pairs(cross)))
        cache.is_updated = dict.fromkeys(range(config.num_layers), False)  # "the encoder's output is still to come"
        return remember(cache)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """As in PEFT's layout, with the encoder's prefix before what the encoder reads."""
        with encoder_prefix(self):
            return super().forward(*args, **kwargs)

    def generate(self, **kwargs: Any) -> Any:
        """As in PEFT's layout, with the encoder's prefix before what the encoder reads."""
        with encoder_prefix(self):
            return super().generate(**kwargs)


def slots(prefix: Float[Tensor, "some prefix_len prefix_width"], config: PrefixTuningConfig, batch: int) -> Rows:
    """Every key and every value: (2·encoder_layers + 4·layers) × (batch, heads, prefix_len, head_dim)."""
    heads = config.num_attention_heads
    rows = prefix.view(*prefix.shape[:2], -1, heads, config.token_dim // heads)
    return tuple(row.expand(batch, -1, -1, -1) for row in rows.permute(2, 0, 3, 1, 4))


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


@contextmanager
def encoder_prefix(model: PeftModel) -> Iterator[None]:
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

    own_names, cross_names = ATTENTION_OF_PAPER
    hooks = [(encoder, before_encoder)]
    hooks += [(layer, before_layer(number)) for number, layer in enumerate(layers_named(encoder, own_names))]
    for layer in layers_named(decoder, cross_names):
        hooks.append((layer, lambda layer, args, kwargs: (args, grown_mask(kwargs, model))))
    handles = [layer.register_forward_pre_hook(hook, with_kwargs=True) for layer, hook in hooks]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def grown_mask(kwargs: dict[str, Any], model: PeftModel) -> dict[str, Any]:
    """The attention's mask, (batch, 1, queries, keys), with prefix_len more keys that may be read. None stays None."""
    name = "mask" if "mask" in kwargs else "attention_mask"
    mask = kwargs.get(name)
    if mask is None:
        return kwargs
    readable = True if mask.dtype == torch.bool else 0.0
    new = mask.new_full((*mask.shape[:-1], model.active_peft_config.num_virtual_tokens), readable)
    return kwargs | {name: torch.cat([new, mask], dim=-1)}


def wants_paper(task_class: type[PeftModel], peft_config: Any) -> type[PeftModel] | None:
    """The wrapper for `layout="paper"`; None for every other layout and task."""
    asked = getattr(peft_config, "layout", "peft") == "paper"
    return PeftModelForSeq2SeqLM if asked and task_class is task_classes.PeftModelForSeq2SeqLM else None


PeftModel.other_wrappers.append(wants_paper)
