"""Who walks: one run, its two sides, and what the longer steps leave on a side."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from torch import Tensor, nn

from prefix_lab.walk.library import Library


class Run(NamedTuple):
    """What one walk is about; both sides share it."""

    batch: Mapping[str, Tensor]
    batch_size: int
    seed: int
    meta: bool


@dataclass
class Side:
    """One library on its way: the base model it wraps, the user's config, and by stage what was made so far."""

    library: Library
    base: nn.Module
    config: Any
    made: dict[str, Any] = field(default_factory=dict)

    @property
    def model(self) -> Any:
        """The wrapped model, from the stage `wrap` on."""
        return self.made["wrap"]

    @property
    def encoder(self) -> nn.Module:
        """The prefix encoder in use."""
        return self.model.prompt_encoder[self.model.active_adapter]


class Encoded(NamedTuple):
    prompt_tokens: Tensor
    vectors: Tensor


class Attended(NamedTuple):
    """`seen` is what the base model was called with, `vectors` the encoder's output on the way to it."""

    seen: dict[str, Any]
    vectors: Tensor
    outputs: Mapping[str, Any]
    loss: Tensor


class Learned(NamedTuple):
    gradients: dict[str, Tensor | None]
    vectors: Tensor | None
    reached_base: int


class Kept(NamedTuple):
    """`files` is by name how many bytes were written; empty on the meta device, where there is nothing to write."""

    tensors: dict[str, Tensor]
    config: dict[str, Any]
    files: dict[str, int]
    vectors: Tensor
