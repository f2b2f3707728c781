"""What a prefix costs: parameters, bytes, and the rows that never learn; as figures, and in words."""

from __future__ import annotations

from typing import NamedTuple

from prefix_lab.widgets.flow.journey import DTYPES, Setting, dead_rows
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
    encoder_hidden = setting.axes["encoder_hidden"] if setting.projection else None
    parts = prefix_parts(setting.prefix_len, sizes.layers, sizes.token_dim, encoder_hidden)
    trainable = sum(parts.values())
    base = base_parameters(sizes.config)
    dead = dead_rows(sizes.layers, sizes.readers, sizes.encoder_decoder)
    # One row of the prefix, for every virtual token: in the table, or in the last Linear's weight and bias.
    row = sizes.token_dim * (setting.prefix_len if encoder_hidden is None else encoder_hidden + 1)
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


def amount(number: float) -> str:
    """Bytes as one reads them: `2.8 MiB`."""
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if number < 1024 or unit == "GiB":
            break
        number /= 1024
    return f"{number:.0f} bytes" if unit == "bytes" else f"{number:.1f} {unit}"


def facts(setting: Setting, cost: Cost) -> list[tuple[str, str]]:
    """What it costs, as (question, answer)."""
    said = [("Width of a key", width_said(setting)), ("Trainable parameters", f"{cost.trainable:,}")]
    if setting.projection:
        said.append(("… of them", ", ".join(f"{name} {count:,}" for name, count in cost.parts.items())))
    if cost.total is None:
        said.append(("Share of the whole", "choose a real model to see it"))
    else:
        said.append(("Share of the whole", f"{cost.share:.4f} % of {cost.total:,}, the prefix included"))
    texts = "one text" if setting.batch == 1 else f"a batch of {setting.batch}"
    each = f", {amount(cost.cache_bytes / setting.batch)} a text" if setting.batch > 1 else ""
    said.append((f"Cache, {setting.dtype}", f"{amount(cost.cache_bytes)} for {texts}{each}"))
    said.append(("Dead rows", dead_said(setting, cost)))
    return said


def width_said(setting: Setting) -> str:
    """How the heads make up the width: `hidden = heads · head_dim = 12 · 64 = 768`."""
    sizes = setting.sizes
    product = f"{setting.cached_heads} · head_dim = {sizes.kv_heads} · {sizes.head_dim} = {sizes.token_dim}"
    return f"hidden = {product}" if setting.width == "hidden" else f"{product}, while hidden = {sizes.hidden}"


def dead_said(setting: Setting, cost: Cost) -> str:
    """How much of the prefix no layer reads, and what that costs."""
    sizes = setting.sizes
    if not cost.dead_rows:
        why = (
            "an odd number of layers goes over every row" if sizes.encoder_decoder else "every layer reads its own two"
        )
        return f"none of {cost.rows}: {why}"
    shared = sizes.layers % 2 == 0 and sizes.readers == sizes.layers
    return (
        f"{len(cost.dead_rows)} of {cost.rows}: {cost.dead_parameters:,} of the trainable parameters never get a "
        f"gradient, and take {amount(cost.dead_bytes)} in training (float32: weight, gradient, Adam's two moments)"
        + (f"; layers i and i+{sizes.layers // 2} read the same rows" if shared else "")
    )


def rows_said(setting: Setting, cost: Cost) -> str:
    """The rows in one sentence, for those who do not see the picture of them."""
    dead = ", ".join(map(str, cost.dead_rows))
    return f"Of rows 0 to {cost.rows - 1}, " + (f"these are read by no layer: {dead}." if dead else "each is read.")
