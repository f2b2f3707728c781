"""Modules that train beside the prefix: a classifier starts at random, so no prefix could make up for a frozen one.

Mirrors `peft.utils.other.ModulesToSaveWrapper` and `_set_trainable`. Each adapter gets a copy of its own; the
original stays frozen.
"""

import copy
from collections.abc import Iterable
from typing import Any

from torch import nn


class ModulesToSaveWrapper(nn.Module):
    """The original module, and one trained copy for each adapter. Source: `peft.utils.other.ModulesToSaveWrapper`."""

    def __init__(self, module: nn.Module):
        super().__init__()
        self.original_module = module.requires_grad_(False)
        self.modules_to_save = nn.ModuleDict()
        self.active_adapter: str | None = None  # None: the original is used

    def add(self, adapter_name: str) -> None:
        """A copy of the original, frozen until it is used."""
        if adapter_name not in self.modules_to_save:
            self.modules_to_save[adapter_name] = copy.deepcopy(self.original_module)

    def use(self, adapter_name: str | None, train: bool = True) -> None:
        """Answer with this adapter's copy from now on; an adapter without one gets the original."""
        if self.active_adapter in self.modules_to_save:
            self.modules_to_save[self.active_adapter].requires_grad_(False)
        self.active_adapter = adapter_name if adapter_name in self.modules_to_save else None
        self.in_use.requires_grad_(train and self.active_adapter is not None)

    def forget(self, adapter_name: str, successor: str | None) -> None:
        """Drop an adapter's copy; if it was in use, use the successor's."""
        if adapter_name in self.modules_to_save:
            if adapter_name == self.active_adapter:
                self.use(successor)
            del self.modules_to_save[adapter_name]

    @property
    def in_use(self) -> nn.Module:
        return self.original_module if self.active_adapter is None else self.modules_to_save[self.active_adapter]

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self.in_use(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        """What a caller wants to know of the module (its weight, its sizes), the copy in use answers."""
        try:
            return super().__getattr__(name)
        except AttributeError:
            if "modules_to_save" not in self.__dict__.get("_modules", {}):
                raise
            return getattr(self.in_use, name)


def matching(model: nn.Module, names: Iterable[str] | None) -> dict[str, nn.Module]:
    """Name → module, for each module whose name ends in one of `names`."""
    ends = tuple(names or ())
    return {name: module for name, module in model.named_modules(remove_duplicate=False) if name.endswith(ends)}


def check_modules(model: nn.Module, names: Iterable[str] | None) -> None:
    """Raise `TypeError` for a module that no copy could stand in for, before anything is changed."""
    for name, module in matching(model, names).items():
        if isinstance(module, nn.ModuleDict | nn.ModuleList | nn.ParameterDict | nn.ParameterList):
            kind = type(module).__name__
            raise TypeError(
                f"modules_to_save names {name!r}, a {kind}, which cannot be called. Name a layer inside it."
            )


def wrap_modules(model: nn.Module, adapter_name: str, names: Iterable[str] | None, train: bool) -> None:
    """Give the adapter its copy of every module whose name ends in one of `names`. Names that fit none are let be.

    Source: `peft.utils.other._set_trainable`.
    """
    for name, module in matching(model, names).items():
        if isinstance(module, ModulesToSaveWrapper):
            module.add(adapter_name)
            module.use(module.active_adapter, train)  # as PEFT: the newest adapter decides whether the old copy trains
            continue
        wrapper = ModulesToSaveWrapper(module)
        wrapper.add(adapter_name)
        wrapper.use(adapter_name, train)
        parent, _, child = name.rpartition(".")
        setattr(model.get_submodule(parent), child, wrapper)
