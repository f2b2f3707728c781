"""What a prefix costs, by arithmetic: what trains, its share of the whole, the cache, and the half that is dead."""

from __future__ import annotations

from typing import NamedTuple

from prefix_lab.widgets.flow.setting import DTYPES, Setting
from prefix_lab.widgets.parameters.counting import base_parameters, prefix_parts

TRAINING_BYTES = 16
"""A float32 number that trains: itself, its gradient, and the two moments that Adam keeps of it."""


class Cost(NamedTuple):
    """Parameters are counted, bytes are bytes. `total` and `share` (in per cent) are None where no model is known."""

    parts: dict[str, int]
    trainable: int
    total: int | None
    share: float | None
    cache_bytes: int
    rows: int
    dead_rows: tuple[int, ...]
    dead_parameters: int
    dead_bytes: int


def cost(setting: Setting) -> Cost:
    """Count for PEFT's own way: its layout, its `batch` equal rows, Adam in float32."""
    sizes = setting.sizes
    hidden = setting.axes["encoder_hidden"] if setting.projection else None
    parts = prefix_parts(setting.prefix_len, sizes.layers, sizes.token_dim, hidden)
    trainable = sum(parts.values())
    base = base_parameters(sizes.config)
    dead = dead_rows(sizes.layers, sizes.readers, sizes.encoder_decoder)
    # One row of the prefix, for every virtual token: in the table, or in the last Linear's weight and bias.
    row = sizes.token_dim * (setting.prefix_len if hidden is None else hidden + 1)
    return Cost(
        parts=parts,
        trainable=trainable,
        total=None if base is None else base + trainable,
        share=None if base is None else 100 * trainable / (base + trainable),
        cache_bytes=2 * sizes.layers * setting.batch * setting.prefix_len * sizes.token_dim * DTYPES[setting.dtype],
        rows=2 * sizes.layers,
        dead_rows=dead,
        dead_parameters=len(dead) * row,
        dead_bytes=len(dead) * row * TRAINING_BYTES,
    )


def rows_of_layer(layer: int, layers: int, encoder_decoder: bool) -> tuple[int, int]:
    """The rows of the prefix, of 2·layers, that are a layer's key and value.

    An encoder-decoder's are doubled first and then cut in fours, so that its layers go over them in steps of four.
    """
    if not encoder_decoder:
        return 2 * layer, 2 * layer + 1
    return 4 * layer % (2 * layers), (4 * layer + 1) % (2 * layers)


def readers_of_rows(layers: int, readers: int, encoder_decoder: bool) -> dict[int, list[int]]:
    """Each row that is read → the layers that read it."""
    found: dict[int, list[int]] = {}
    for layer in range(readers):
        for row in rows_of_layer(layer, layers, encoder_decoder):
            found.setdefault(row, []).append(layer)
    return found


def dead_rows(layers: int, readers: int, encoder_decoder: bool) -> tuple[int, ...]:
    """The rows of the prefix that no layer reads, and so never get a gradient."""
    read = readers_of_rows(layers, readers, encoder_decoder)
    return tuple(row for row in range(2 * layers) if row not in read)
