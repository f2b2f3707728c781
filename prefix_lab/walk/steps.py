"""The eight steps of the walk, each written once and done with both libraries.

A step takes a side (one library, and what its earlier steps made) and returns what it made. It calls the library's own
functions; around them stand only hooks that look.
"""

import copy
import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from safetensors.torch import load_file
from torch import Tensor, nn
from transformers.cache_utils import Cache

from prefix_lab.walk.libraries import LOSS_TYPE_UNSAID, Library, on_meta, same_random_numbers, without_log


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


def choose(side: Side, run: Run) -> type:
    return side.library.choose(side.config)


def prepare(side: Side, run: Run) -> Any:
    return side.library.prepare(copy.copy(side.config), side.base.config)


def wrap(side: Side, run: Run) -> nn.Module:
    """The one call that users make; it chooses and prepares once more, from the user's own config."""
    return side.library.wrap(side.base, copy.copy(side.config))


def encode(side: Side, run: Run) -> Encoded:
    prompt_tokens = side.model.prompt_tokens[side.model.active_adapter]  # twice prefix_len for an encoder-decoder
    prompt_tokens = prompt_tokens[: side.config.num_virtual_tokens].expand(run.batch_size, -1)  # (batch, prefix_len)
    return Encoded(prompt_tokens, side.encoder(prompt_tokens.to(side.encoder.embedding.weight.device)))


def split(side: Side, run: Run) -> Cache:
    return side.model.get_prompt(run.batch_size)


def attend(side: Side, run: Run) -> Attended:
    seen, vectors = {}, []

    def look(module: nn.Module, args: tuple, kwargs: dict) -> None:
        seen.update(kwargs)

    def keep_gradient(module: nn.Module, args: tuple, output: Tensor) -> None:
        output.retain_grad()
        vectors.append(output)

    hooks = [
        side.model.get_base_model().register_forward_pre_hook(look, with_kwargs=True),
        side.encoder.register_forward_hook(keep_gradient),
    ]
    try:
        outputs = call(side.model, run)
    finally:
        for hook in hooks:
            hook.remove()
    return Attended(seen, vectors[0], outputs, loss_of(outputs))


def call(model: nn.Module, run: Run) -> Mapping[str, Any]:
    """The model's forward on the batch."""
    with without_log(LOSS_TYPE_UNSAID):
        return model(**run.batch)


def loss_of(outputs: Mapping[str, Any]) -> Tensor:
    """The model's own loss. Hidden states alone have none, and their mean size stands in, as an example.

    Not their mean: after a fresh layer norm that is zero whatever the prefix, and so is its gradient.
    """
    loss = outputs.get("loss")
    return outputs["last_hidden_state"].abs().mean() if loss is None else loss


def learn(side: Side, run: Run) -> Learned:
    base = side.model.get_base_model().parameters()
    without = [parameter for parameter in base if parameter.grad is None]
    side.made["attend"].loss.backward()
    return Learned(
        gradients={name: weight.grad for name, weight in side.model.named_parameters() if weight.requires_grad},
        vectors=side.made["attend"].vectors.grad,
        reached_base=sum(parameter.grad is not None for parameter in without),
    )


def keep(side: Side, run: Run) -> Kept:
    vectors = []
    hook = side.encoder.register_forward_hook(lambda module, args, output: vectors.append(output.detach()))
    try:
        with tempfile.TemporaryDirectory(prefix="prefix-lab-") as folder:
            files, tensors = write(side, Path(folder))
            config = json.loads((Path(folder) / "adapter_config.json").read_text(encoding="utf-8"))
    finally:
        hook.remove()
    return Kept(tensors, config, files, vectors[0])


def write(side: Side, folder: Path) -> tuple[dict[str, int], dict[str, Tensor]]:
    """Save, and read back. Without values no safetensors file can be written: only the config is, and shapes return."""
    if on_meta(side.base):
        kept = copy.copy(side.model.active_peft_config)
        kept.inference_mode = True
        kept.save_pretrained(folder)
        return {}, side.library.state_dict(side.model)
    side.library.save(side.model, folder)
    files = {path.name: path.stat().st_size for path in sorted(folder.iterdir())}
    return files, load_file(folder / "adapter_model.safetensors")


STEPS: dict[str, Callable[[Side, Run], Any]] = {
    step.__name__: step for step in (choose, prepare, wrap, encode, split, attend, learn, keep)
}
"""By the names of `prefix_lab.stages.STAGES`."""


class Outcome(NamedTuple):
    """What a step made, or the error that it ended in."""

    value: Any = None
    error: Exception | None = None


def attempt(name: str, side: Side, run: Run) -> Outcome:
    """Do the step of that name, and keep on the side what it made."""
    try:
        with same_random_numbers(side.base, run.seed):
            value = STEPS[name](side, run)
    except Exception as error:  # whatever a model family raises: the walk tells it and ends
        return Outcome(error=error)
    side.made[name] = value
    return Outcome(value)


def error_in_words(error: Exception) -> str:
    """`ValueError: the first line of what it says`"""
    first = next(iter(str(error).strip().splitlines()), "")
    return f"{type(error).__name__}: {first}" if first else type(error).__name__
