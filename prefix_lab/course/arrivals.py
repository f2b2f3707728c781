"""What arrives at a model's door: the inputs that PEFT hands over, heard by a hook while a call runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn


def listen(peft_model: nn.Module, inputs: Mapping[str, Tensor]) -> tuple[str, dict[str, Any], Any]:
    """Run the model, and listen at two doors: that of the base model, and that of the backbone inside it.

    Returns which of the two PEFT knocked at, what was handed over there, and the output.
    """
    doors = {"the base model": peft_model.get_base_model()}
    if backbone := getattr(peft_model, "transformer_backbone_name", None):
        doors[f"the backbone, {backbone}"] = doors["the base model"].get_submodule(backbone)
    arrived: dict[str, dict[str, Any]] = {}
    listeners = [
        module.register_forward_pre_hook(
            lambda module, args, kwargs, door=door: arrived.setdefault(door, dict(kwargs)) and None, with_kwargs=True
        )
        for door, module in doors.items()
    ]
    try:
        output = peft_model(**inputs)
    finally:
        for listener in listeners:
            listener.remove()
    door = next(iter(arrived))  # the first one that was opened
    return door, arrived[door], output


def arriving(model: nn.Module, name: str, call: Any) -> list[Any]:
    """What comes in at a model's door under this name, at each of its calls, while `call()` runs; also if it fails
    behind the door."""
    seen: list[Any] = []
    hook = model.register_forward_pre_hook(lambda _, args, kwargs: seen.append(kwargs.get(name)), with_kwargs=True)
    try:
        call()
    except Exception:
        if not seen:
            raise
    finally:
        hook.remove()
    return seen
