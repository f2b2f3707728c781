"""Which rows of a prefix vector each layer reads: the split, run on row numbers in place of values.

A vector has 2·layers rows, each as wide as one key or value. The split moves numbers and computes nothing, so that
numbers which say where they were tell who reads them, also when the model has no values.
"""

from typing import Any

import torch
from torch import nn

from prefix_lab import past
from prefix_lab.walk.results import Fact
from prefix_lab.walk.words import count, listed


def rows_read(config: Any) -> list[tuple[int, int]]:
    """For each layer, the row that is its key and the row that is its value."""
    rows, heads = 2 * config.num_layers, config.num_attention_heads
    numbers = torch.arange(rows, dtype=torch.float32, device="cpu")
    prefix = numbers.repeat_interleave(heads)[None, None]  # (batch, prefix_len, 2·layers·hidden), heads of width 1
    cache = past.past_key_values(prefix, config.num_layers, heads, config.num_transformer_submodules)
    own = getattr(cache, "self_attention_cache", cache)
    return [(int(layer.keys.flatten()[0]), int(layer.values.flatten()[0])) for layer in own.layers]


def unread_rows(config: Any) -> list[int]:
    """The rows that no layer reads."""
    read = {row for pair in rows_read(config) for row in pair}
    return [row for row in range(2 * config.num_layers) if row not in read]


def describe_rows(config: Any) -> list[Fact]:
    """Who reads which row, who shares, and which rows nobody reads."""
    pairs, rows = rows_read(config), 2 * config.num_layers
    facts = [Fact("rows", f"a vector is {rows} rows of {config.token_dim}; {rule(pairs, rows)}", pairs)]
    sharing = [(pairs.index(pair), layer) for layer, pair in enumerate(pairs) if pairs.index(pair) != layer]
    unread = unread_rows(config)
    if sharing:
        first, second = sharing[0]
        more = f", and so do {count(len(sharing) - 1, 'more pair')}" if len(sharing) > 1 else ""
        facts.append(Fact("shared", f"layers {first} and {second} read the same rows{more}", sharing))
    text = "every row is read"
    if unread:
        text = f"no layer reads rows {listed(unread)}: {len(unread)} of {rows} are dead"
        text += ", cut for cross-attention and dropped" * (config.num_transformer_submodules == 2)
    return [*facts, Fact("unread", text, unread)]


def rule(pairs: list[tuple[int, int]], rows: int) -> str:
    """The pattern, if it is one of the two that there are; else the pairs themselves."""
    if pairs == [(2 * layer, 2 * layer + 1) for layer in range(len(pairs))]:
        return "layer i reads row 2i as its key and 2i+1 as its value"
    if pairs == [(4 * layer % rows, (4 * layer + 1) % rows) for layer in range(len(pairs))]:
        return f"layer i reads row 4i as its key and 4i+1 as its value, modulo {rows}"
    return "; ".join(f"layer {layer} reads {key} and {value}" for layer, (key, value) in enumerate(pairs))


def numbers_of_rows(encoder: nn.Module, rows: list[int], of: int) -> int:
    """How many trainable numbers make these rows: columns of the table, or what the last Linear has for them."""
    last = encoder.transform[-1].parameters() if hasattr(encoder, "transform") else [encoder.embedding.weight]
    return sum(weight.numel() for weight in last) * len(rows) // of
