"""What a journey begins with: a model's sizes, and the choices of prefix tuning, checked."""

from __future__ import annotations

from dataclasses import dataclass

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
