"""What a walk is about, before it begins: the model, the config, the texts, and what each axis' name stands for."""

import copy
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
import transformers
from torch import Tensor

from prefix_lab.config import PrefixTuningConfig
from prefix_lab.prepare import prepare_prompt_learning_config
from prefix_lab.shapes import AXES
from prefix_lab.walk.axis_sizes import axis_sizes
from prefix_lab.walk.base import Base
from prefix_lab.walk.library import installed_peft
from prefix_lab.walk.setting import on_meta
from prefix_lab.walk.sides import Run


class About(NamedTuple):
    """The head of a walk, as data."""

    model: str
    model_class: str
    parameters: int
    values: bool  # False on the meta device
    notes: tuple[str, ...]
    config: dict[str, Any]  # what the user set
    texts: tuple[tuple[str, str], ...]  # input and expected output; none when the ids are random
    axes: tuple[tuple[str, int, str], ...]  # name, size, meaning
    seed: int
    versions: dict[str, str | None]  # of peft, None when it is not installed


def about(
    base: Base, config: PrefixTuningConfig, batch: Mapping[str, Tensor], texts: list[tuple[str, str]], seed: int
) -> About:
    """Gather it; nothing is run."""
    peft = installed_peft()
    run = Run(batch, len(batch["input_ids"]), seed, on_meta(base.model))
    inner = inner_width(config, base.model.config) if config.prefix_projection else None
    sizes = axis_sizes(run, config.num_virtual_tokens, base.model.config, inner)
    unset = PrefixTuningConfig()
    return About(
        model=base.name,
        model_class=type(base.model).__name__,
        parameters=sum(weight.numel() for weight in base.model.parameters()),
        values=not run.meta,
        notes=base.notes,
        config={
            name: getattr(value, "value", value)
            for name, value in config.to_dict().items()
            if value != getattr(unset, name)
        },
        texts=tuple(texts),
        axes=tuple((name, sizes[name], meaning) for name, meaning in AXES.items() if name in sizes),
        seed=seed,
        versions={
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            "peft": peft.version if peft else None,
        },
    )


def inner_width(config: PrefixTuningConfig, model_config: Any) -> int | None:
    """The encoder_hidden_size that preparation will find; None when it will refuse the config."""
    try:
        return prepare_prompt_learning_config(copy.copy(config), model_config).encoder_hidden_size
    except (ValueError, TypeError):
        return None
