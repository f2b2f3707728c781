"""The bars of ParameterBars: what each way of training trains, from sizes alone; or what a module of one's own does."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from prefix_lab.widgets.parameters.counting import (
    LORA_LAYERS,
    base_parameters,
    lora_parameters,
    prefix_parts,
    soft_prompt_parameters,
)
from prefix_lab.widgets.sizes import FAMILIES, Sizes, whole

if TYPE_CHECKING:
    from torch import nn

NO_PART = "the model itself"


class Bar(NamedTuple):
    """`count` parameters of `total`: those that train, or, in a module's picture, one group that trains or does not."""

    label: str
    count: int
    total: int
    trains: bool = True
    prefix: bool = False
    """Whether it is the prefix, which is drawn in its colour."""

    @property
    def percent(self) -> float:
        return 100 * self.count / self.total

    @property
    def figures(self) -> str:
        """`368,640 · 0.1651 %`: as PEFT prints them."""
        return f"{self.count:,} · {self.percent:.4f} %"


def ways_to_train(sizes: Sizes, prefix_len: int, r: int, encoder_hidden: int | None = None) -> list[Bar]:
    """A bar for each way, its total with what it adds; `encoder_hidden` None is PEFT's choice, the prefix's width.

    Raises `ValueError` for what is no size, and for a family whose parameters are not counted here.
    """
    prefix_len, r = whole("prefix_len", prefix_len), whole("r", r)
    encoder_hidden = sizes.token_dim if encoder_hidden is None else whole("encoder_hidden", encoder_hidden)
    base = base_parameters(sizes.config)
    if base is None:
        raise ValueError(
            f"model={sizes.name!r} is of a family whose parameters are not counted here; those are "
            f"{', '.join(FAMILIES)}. Give the model itself instead of its config, and they are counted one by one."
        )

    def bar(label: str, added: int, prefix: bool = False) -> Bar:
        return Bar(label, added, base + added, prefix=prefix)

    direct = sum(prefix_parts(prefix_len, sizes.layers, sizes.token_dim).values())
    projected = sum(prefix_parts(prefix_len, sizes.layers, sizes.token_dim, encoder_hidden).values())
    return [
        bar(f"prompt tuning, {prefix_len} tokens", soft_prompt_parameters(sizes, prefix_len)),
        bar(f"prefix, prefix_len {prefix_len}", direct, prefix=True),
        bar(f"LoRA, r={r} on {LORA_LAYERS[sizes.config['model_type']]}", lora_parameters(sizes, r)),
        bar(f"prefix, projected, encoder_hidden {encoder_hidden}", projected, prefix=True),
        Bar("full fine-tuning", base, base),
    ]


def parts_of(module: nn.Module) -> list[Bar]:
    """A bar for each part of a module that trains or is frozen, what trains first; tied parameters count once.

    Raises `ValueError` when it has no parameters, or some that have no shape yet.
    """
    from torch.nn.parameter import is_lazy

    counts: dict[tuple[bool, str], int] = {}
    parameters = list(module.named_parameters())
    lazy = next((name for name, parameter in parameters if is_lazy(parameter)), None)
    if lazy is not None:
        raise ValueError(f"model has a parameter without a shape yet, {lazy!r}: run the model once, and count then.")
    if not parameters:
        raise ValueError(f"model={type(module).__name__} has no parameters, so nothing trains and nothing is frozen.")
    roots = common_root([name for name, _ in parameters if adapter_of(module, name) is None])
    for name, parameter in parameters:
        label = adapter_of(module, name) or part_of(module, name, roots)
        key = (parameter.requires_grad, label)
        counts[key] = counts.get(key, 0) + parameter.numel()
    total = sum(counts.values())
    if not total:
        raise ValueError(f"model={type(module).__name__} has no parameters, so nothing trains and nothing is frozen.")
    ordered = sorted(counts.items(), key=lambda item: not item[0][0])
    return [Bar(label, count, total, trains, label.startswith("prefix")) for (trains, label), count in ordered if count]


def adapter_of(module: nn.Module, name: str) -> str | None:
    """What PEFT added, by a parameter's name; None for a parameter of the base model."""
    parts = name.split(".")
    if "prompt_encoder" in parts[:-2]:
        place = parts.index("prompt_encoder") + 1
        which, encoder = parts[place], module.get_submodule(".".join(parts[: place + 1]))
        kind = "prefix" if type(encoder).__name__ == "PrefixEncoder" else "prompt"
        return f"{kind} (prompt_encoder.{which})"
    if "modules_to_save" in parts[1:]:
        return f"trained copy of {parts[parts.index('modules_to_save') - 1]}"
    if any(part.startswith("lora_") for part in parts):
        return "LoRA (lora_A, lora_B)"
    return None


def common_root(names: Iterable[str]) -> int:
    """How many leading parts all names share: `base_model.model.` of a wrapped model says nothing."""
    split = [name.split(".")[:-1] for name in names]
    if not split:
        return 0
    shared = 0
    while all(len(parts) > shared for parts in split) and len({parts[shared] for parts in split}) == 1:
        shared += 1
    return shared


def part_of(module: nn.Module, name: str, roots: int) -> str:
    """The module below the common root that a parameter belongs to, with its class: `decoder (T5Stack)`."""
    parts = name.split(".")[:-1][: roots + 1]
    if not parts:
        return NO_PART
    return f"{'.'.join(parts[roots:]) or parts[-1]} ({type(module.get_submodule('.'.join(parts))).__name__})"
