"""The journey of the prefix, step by step, as PEFT takes it: what happens, the axes that come out, sizes and cost.

Truth is `peft.peft_model.PeftModel.get_prompt`; a test holds every shape against a real run of it. Nothing is built
here: a shape is what its names are worth.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Any, NamedTuple

from prefix_lab.shapes import evaluate
from prefix_lab.widgets.parameters.counting import base_parameters, prefix_parts
from prefix_lab.widgets.sizes import Sizes, whole

DTYPES = {"float32": 4, "bfloat16": 2}


@dataclass(frozen=True)
class Setting:
    """A model's sizes and the choices of prefix tuning. `encoder_hidden` None is PEFT's choice: the prefix's width.

    `tokens` are those of the text that reads the prefix; `dtype` is the model's, and so the cache's.
    Raises `ValueError` for what is no size and for a dtype that is not offered.
    """

    sizes: Sizes
    prefix_len: int = 20
    projection: bool = False
    batch: int = 2
    encoder_hidden: int | None = None
    tokens: int = 10
    dtype: str = "float32"

    def __post_init__(self) -> None:
        for name in ("prefix_len", "batch", "tokens"):
            object.__setattr__(self, name, whole(name, getattr(self, name)))
        if self.encoder_hidden is not None:
            object.__setattr__(self, "encoder_hidden", whole("encoder_hidden", self.encoder_hidden))
        if not isinstance(self.projection, bool):
            raise ValueError(f"projection={self.projection!r}, expected True or False.")
        if self.dtype not in DTYPES:
            raise ValueError(f"dtype={self.dtype!r}, expected one of {', '.join(DTYPES)}: the type of the cache.")

    @property
    def axes(self) -> dict[str, int]:
        """Every axis by name, for `prefix_lab.shapes.evaluate`."""
        sizes = self.sizes
        return {
            "batch": self.batch,
            "prefix_len": self.prefix_len,
            "layers": sizes.layers,
            "heads": sizes.heads,
            "kv_heads": sizes.kv_heads,
            "head_dim": sizes.head_dim,
            "hidden": sizes.hidden,
            sizes.text_axis: self.tokens,
            "encoder_hidden": sizes.token_dim if self.encoder_hidden is None else self.encoder_hidden,
        }

    @property
    def cached_heads(self) -> str:
        """The axis of the heads that are cached."""
        return "heads" if self.sizes.kv_heads == self.sizes.heads else "kv_heads"

    @property
    def width(self) -> str:
        """The axis of one key of all heads: hidden where it is that, else the product that it is."""
        return "hidden" if self.sizes.token_dim == self.sizes.hidden else f"{self.cached_heads}·head_dim"


class JourneyStep(NamedTuple):
    """What happens, and the tensors that come out: `count` of them with these axes. `copies` is False for a view."""

    key: str
    operation: str
    sentence: str
    axes: tuple[str, ...]
    shape: tuple[int, ...]
    count_axis: str
    count: int
    dtype: str
    copies: bool

    @property
    def bytes(self) -> int:
        """What the tensors of this step take."""
        return self.count * prod(self.shape) * DTYPES.get(self.dtype, 8)

    @property
    def names(self) -> str:
        """`24 × (batch, prefix_len)`, by name."""
        return f"{self.count_axis + ' × ' if self.count_axis else ''}({', '.join(self.axes)})"

    @property
    def numbers(self) -> str:
        """The same, by number."""
        return f"{f'{self.count} × ' if self.count_axis else ''}({', '.join(map(str, self.shape))})"


def journey(setting: Setting) -> list[JourneyStep]:
    """Every step from the numbers of the virtual tokens to the mask of attention, in PEFT's order."""
    return [*encoder_steps(setting), *split_steps(setting), *attention_steps(setting)]


def step(
    setting: Setting,
    key: str,
    operation: str,
    axes: str,
    sentence: str,
    count: str = "",
    dtype: str = "float32",
    copies: bool = True,
) -> JourneyStep:
    """A step whose numbers are what the names of its axes are worth in this setting."""
    names, known = tuple(axes.split()), setting.axes
    shape: Any = tuple(evaluate(name, known) for name in names)
    return JourneyStep(key, operation, sentence, names, shape, count, evaluate(count or "1", known), dtype, copies)


def encoder_steps(setting: Setting) -> Iterator[JourneyStep]:
    """From numbers of virtual tokens to one long vector for each."""
    width = setting.width
    row = f"batch prefix_len 2·layers·{width}"
    yield step(
        setting,
        "ids",
        "prompt_tokens",
        "batch prefix_len",
        "The virtual tokens by number, 0, 1, 2, …: the same for every text.",
        dtype="int64",
        copies=False,
    )
    if not setting.projection:
        yield step(
            setting,
            "lookup",
            "embedding",
            row,
            "A table lookup: each virtual token's row holds its keys and values. It trains.",
        )
        return
    yield step(
        setting, "lookup", "embedding", f"batch prefix_len {width}", "Looks up a short row for each virtual token."
    )
    yield step(
        setting,
        "linear in",
        "Linear",
        "batch prefix_len encoder_hidden",
        "The projection begins: each number meets all.",
    )
    yield step(
        setting, "tanh", "Tanh", "batch prefix_len encoder_hidden", "Bends each number into −1 to 1. Same shape."
    )
    yield step(
        setting, "linear out", "Linear", row, "The projection ends: one long vector, keys and values for every layer."
    )


def split_steps(setting: Setting) -> Iterator[JourneyStep]:
    """From the long vector to a cache: nothing is computed, numbers are only regrouped."""
    heads, dtype, two = setting.cached_heads, setting.dtype, setting.sizes.encoder_decoder
    if dtype != "float32":
        cast = f"batch prefix_len 2·layers·{setting.width}"
        yield step(
            setting,
            "to",
            f"to({dtype})",
            cast,
            "Cast to the model's own type. The table still trains in float32.",
            dtype=dtype,
        )
    cut = f"{heads} head_dim"
    yield step(
        setting,
        "view",
        "view",
        f"batch prefix_len 2·layers {cut}",
        "The long axis is cut in three. Only the borders are new; no number moves.",
        dtype=dtype,
        copies=False,
    )
    rows = "2·layers"
    if two:
        rows = "4·layers"
        yield step(
            setting,
            "cat",
            "cat([x, x], dim=2)",
            f"batch prefix_len 4·layers {cut}",
            "Everything twice: each decoder layer is to get four rows, for self- and for cross-attention.",
            dtype=dtype,
        )
    yield step(
        setting,
        "permute",
        "permute(2, 0, 3, 1, 4)",
        f"{rows} batch {heads} prefix_len head_dim",
        "The rows come first, and heads change places with virtual tokens.",
        dtype=dtype,
        copies=False,
    )
    block = "4" if two else "2"
    yield step(
        setting,
        "split",
        f"split({block})",
        f"{block} batch {heads} prefix_len head_dim",
        "One block for each layer: a key, a value" + (", and two rows for the cross part." if two else "."),
        count="layers",
        dtype=dtype,
        copies=False,
    )
    yield step(
        setting,
        "cache",
        "EncoderDecoderCache" if two else "DynamicCache",
        f"batch {heads} prefix_len head_dim",
        "A key and a value for each layer. "
        + ("The two cross rows of every block are thrown away." if two else "Attention takes them for its past."),
        count="2·layers",
        dtype=dtype,
    )


def attention_steps(setting: Setting) -> Iterator[JourneyStep]:
    """What each attention layer does with its key and value, and what the mask says to it."""
    text, heads = setting.sizes.text_axis, setting.cached_heads
    mask = "decoder_attention_mask" if setting.sizes.encoder_decoder else "attention_mask"
    yield step(
        setting,
        "join",
        "attention: cat",
        f"batch {heads} prefix_len+{text} head_dim",
        f"In every layer the {text}'s own keys and values follow those of the prefix, which every query sees.",
        count="2·layers" if setting.sizes.readers == setting.sizes.layers else f"{2 * setting.sizes.readers}",
        dtype=setting.dtype,
    )
    stays = " The encoder's stays: it never sees a prefix." if setting.sizes.encoder_decoder else ""
    yield step(
        setting, "mask", mask, f"batch prefix_len+{text}", f"The mask, if given, grows by prefix_len ones.{stays}"
    )


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
