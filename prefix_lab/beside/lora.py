"""The contrast: LoRA is no prompt learning. It changes layers, so inputs, masks and caches stay as they are.

Mirrors the plain case of `peft.tuners.lora`: a chosen linear layer W gets a low-rank addition, W x + (alpha/r) B A x
(Hu et al. 2021, section 4.1, arXiv 2106.09685). The addition is a matrix like W, so it can be merged into W. A prefix
cannot: no weight of the model stands for a position that was never read.
"""

import functools
import inspect
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from prefix_lab.beside.adapters import PeftModel
from prefix_lab.beside.configs import PEFT_TYPE_TO_CONFIG_MAPPING, PeftConfig, check_size
from prefix_lab.beside.modules_to_save import ModulesToSaveWrapper
from prefix_lab.config import PeftType

OFF = {
    **dict.fromkeys(("fan_in_fan_out", "use_rslora", "use_dora", "use_qalora"), False),
    **dict.fromkeys(("lora_bias", "ensure_weight_tying"), False),
    **{name: {} for name in ("rank_pattern", "alpha_pattern", "loftq_config")},
    **dict.fromkeys(("exclude_modules", "layers_to_transform", "layers_pattern", "layer_replication")),
    **dict.fromkeys(("target_parameters", "trainable_token_indices", "alora_invocation_tokens", "use_bdlora")),
    **dict.fromkeys(("arrow_config", "corda_config", "eva_config", "kasa_config", "lora_ga_config")),
    **dict.fromkeys(("megatron_config", "monteclora_config", "velora_config")),
    **{"bias": "none", "init_lora_weights": True, "megatron_core": "megatron.core", "qalora_group_size": 16},
}
"""PEFT's other LoRA fields, at the values that leave them off: they stand in the JSON, and no other value is taken."""


@dataclass
class LoraConfig(PeftConfig):
    """Which linear layers change, and how. The fields of `peft.LoraConfig` that the plain case needs."""

    r: int = 8
    target_modules: list[str] | None = None
    lora_alpha: int = 8
    lora_dropout: float = 0.0
    modules_to_save: list[str] | None = None

    def __post_init__(self):
        super().__post_init__()
        self.peft_type = PeftType.LORA

    def check(self) -> None:
        super().check()
        check_size("r", self.r)
        if not 0 <= self.lora_dropout < 1:
            raise ValueError(f"lora_dropout={self.lora_dropout}, expected a share from 0 up to, but not, 1.")

    def to_dict(self) -> dict[str, Any]:
        return super().to_dict() | OFF

    @classmethod
    def plain(cls, given: dict[str, Any]) -> dict[str, Any]:
        """The fields without those of `OFF`. Raises `ValueError` for one that is on: the numbers would be others."""
        for name, off in OFF.items():
            if given.get(name, off) != off:
                raise ValueError(
                    f"{name}={given[name]!r}, expected {off!r}: this LoRA is the plain case, and leaves {name} out. "
                    "Leave it out too, or use peft for this adapter."
                )
        return {name: value for name, value in given.items() if name not in OFF}


def accept_off(init: Any) -> Any:
    """`LoraConfig.__init__`, with the fields of `OFF` too, each at the value that leaves it off."""

    @functools.wraps(init)
    def __init__(self: LoraConfig, *args: Any, **given: Any) -> None:
        init(self, *args, **LoraConfig.plain(given))

    return __init__


LoraConfig.__init__ = accept_off(LoraConfig.__init__)


class LoraLinear(nn.Module):
    """A linear layer with its low-rank additions, one for each adapter. Source: `peft.tuners.lora.layer.Linear`."""

    def __init__(self, base_layer: nn.Linear):
        super().__init__()
        self.base_layer = base_layer
        self.lora_dropout, self.lora_A, self.lora_B = nn.ModuleDict(), nn.ModuleDict(), nn.ModuleDict()
        self.scaling: dict[str, float] = {}
        self.active_adapter: str | None = None  # None, or one that the layer has not: it answers as it was

    def add(self, adapter_name: str, config: LoraConfig, autocast: bool = True) -> None:
        """A for the way down to r, B for the way back up. B starts at zero, so the layer starts unchanged."""
        wide_in, wide_out, weight = self.base_layer.in_features, self.base_layer.out_features, self.base_layer.weight
        self.lora_dropout[adapter_name] = nn.Dropout(config.lora_dropout) if config.lora_dropout else nn.Identity()
        down, up = nn.Linear(wide_in, config.r, bias=False), nn.Linear(config.r, wide_out, bias=False)
        nn.init.kaiming_uniform_(down.weight, a=math.sqrt(5))
        nn.init.zeros_(up.weight)
        # As PEFT: rounded to W's precision, yet trained in at least float32, unless asked not to.
        dtype = torch.promote_types(weight.dtype, torch.float32) if autocast else weight.dtype
        self.lora_A[adapter_name], self.lora_B[adapter_name] = (one.to(weight).to(dtype) for one in (down, up))
        self.scaling[adapter_name] = config.lora_alpha / config.r

    def use(self, adapter_name: str | None, train: bool = True) -> None:
        """Add this adapter's addition from now on, if the layer has one, and train it alone, or none."""
        self.active_adapter = adapter_name
        for name in self.lora_A:
            self.lora_A[name].requires_grad_(train and name == adapter_name)
            self.lora_B[name].requires_grad_(train and name == adapter_name)

    def forget(self, adapter_name: str) -> None:
        """Drop an adapter's addition, if the layer has one; if it was in use, the oldest one left here is."""
        for additions in (self.lora_dropout, self.lora_A, self.lora_B, self.scaling):
            if adapter_name in additions:
                del additions[adapter_name]
        if adapter_name == self.active_adapter:
            self.use(next(iter(self.lora_A), None))

    def forward(self, x: Float[Tensor, "*batch wide_in"]) -> Float[Tensor, "*batch wide_out"]:
        """W x + (alpha/r) · B A x, computed in the precision of A and B, returned in that of W."""
        result = self.base_layer(x)
        name = self.active_adapter
        if name not in self.lora_A:
            return result
        down, up = self.lora_A[name], self.lora_B[name]
        x = self.lora_dropout[name](x.to(down.weight.dtype))
        return (result + up(down(x)) * self.scaling[name]).to(result.dtype)

    @torch.no_grad()
    def merged(self) -> nn.Linear:
        """The plain layer with the active adapter added into its weight, in place."""
        if self.active_adapter in self.lora_A:
            down, up = self.lora_A[self.active_adapter].weight, self.lora_B[self.active_adapter].weight
            self.base_layer.weight += (up @ down) * self.scaling[self.active_adapter]
        return self.base_layer


class LoraModel(nn.Module):
    """The base model with its target layers replaced. Source: `peft.tuners.lora.model.LoraModel`."""

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model

    def add_adapter(self, adapter_name: str, config: LoraConfig, autocast: bool = True) -> None:
        """Put an addition beside each layer whose name ends in one of `target_modules`, and freeze the rest.

        Raises `ValueError`, before anything is changed, when a name fits no layer or one that is not linear.
        """
        config.check()
        targets = self.targets(config)
        for name, layer in targets.items():
            if not isinstance(layer, LoraLinear):
                layer = LoraLinear(layer)
                parent, _, child = name.rpartition(".")
                setattr(self.model.get_submodule(parent), child, layer)
            layer.add(adapter_name, config, autocast)
        for name, parameter in self.model.named_parameters():
            if ".lora_A." not in name and ".lora_B." not in name:
                parameter.requires_grad_(False)

    def targets(self, config: LoraConfig) -> dict[str, nn.Module]:
        """Name → layer, for each layer that the config means."""
        wanted, apart = config.target_modules, ["lora_A", "lora_B", "lora_dropout", *(config.modules_to_save or [])]
        if not wanted or isinstance(wanted, str):
            raise ValueError(f"target_modules={wanted!r}, expected a list of layer names: ['q', 'v'] for a T5, say.")
        layers = {
            name: layer
            for name, layer in self.model.named_modules()
            if fits(name, wanted) and not any(part in apart for part in name.split("."))
        }
        missing = [end for end in wanted if not any(fits(name, [end]) for name in layers)]
        foreign = sorted({type(layer).__name__ for layer in layers.values()} - {"Linear", "LoraLinear"})
        if missing or foreign:
            linear = sorted({n.rpartition(".")[2] for n, m in self.model.named_modules() if isinstance(m, nn.Linear)})
            problem = f"{missing} fit no layer" if missing else f"they fit layers of type {foreign}, expected Linear"
            raise ValueError(f"target_modules={wanted}: {problem}. The linear layers here are {', '.join(linear)}.")
        return layers

    def set_adapter(self, adapter_name: str, train: bool = True) -> None:
        """Use this adapter in every layer, and train it alone, or none."""
        for layer in self.modules():
            if isinstance(layer, LoraLinear):
                layer.use(adapter_name, train)

    def delete_adapter(self, adapter_name: str) -> str | None:
        """Forget an adapter; what the first changed layer uses then.

        Source: `peft.tuners.tuners_utils.delete_adapter`.
        """
        layers = [layer for layer in self.modules() if isinstance(layer, LoraLinear)]
        for layer in layers:
            layer.forget(adapter_name)
        return layers[0].active_adapter

    @contextmanager
    def disabled(self) -> Iterator[None]:
        """Within, every layer and every trained head answers as it was."""
        layers = [one for one in self.modules() if isinstance(one, LoraLinear | ModulesToSaveWrapper)]
        before = [layer.active_adapter for layer in layers]
        try:
            for layer in layers:
                layer.active_adapter = None
            yield
        finally:
            for layer, name in zip(layers, before, strict=True):
                layer.active_adapter = name

    def merge_and_unload(self) -> nn.Module:
        """The base model alone, the active adapter merged into its weights: same answers, no LoRA left, no way back."""
        for name, layer in list(self.model.named_modules()):
            if isinstance(layer, LoraLinear | ModulesToSaveWrapper):
                parent, _, child = name.rpartition(".")
                plain = layer.merged() if isinstance(layer, LoraLinear) else layer.in_use
                setattr(self.model.get_submodule(parent), child, plain)
        return self.model

    def forward(self, *args: object, **kwargs: object) -> object:
        """The changed model's own forward: LoRA asks nothing of the inputs."""
        return self.model(*args, **kwargs)

    def __getattr__(self, name: str) -> object:
        """What this class does not have, the model may."""
        try:
            return super().__getattr__(name)
        except AttributeError:
            if name == "model":
                raise
            return getattr(self.model, name)


def fits(name: str, ends: list[str]) -> bool:
    """Whether a dotted name is one of `ends`, or ends in one of them. Source: `peft.tuners.tuners_utils`."""
    return any(name == end or name.endswith(f".{end}") for end in ends)


class LoraPeftModel(PeftModel):
    """The wrapper around a `LoraModel`: nothing is handed over, so a call goes straight through."""

    parameter_prefix = "lora_"

    def __init__(self, model: nn.Module, peft_config: LoraConfig, *args: Any, **kwargs: Any):
        super().__init__(LoraModel(model), peft_config, *args, **kwargs)

    def __reduce__(self) -> tuple:
        return blank, (type(self).__bases__[1],), self.__dict__  # its class is made when it is asked for

    def attach(self, adapter_name: str, peft_config: LoraConfig, autocast_adapter_dtype: bool) -> None:
        """Put an addition beside each layer that the config names."""
        if not self.peft_config and hasattr(self.base_model.model, "peft_config"):
            warnings.warn(
                "Already found a `peft_config` attribute in the model. This will lead to having multiple adapters "
                "in the model. Make sure to know what you are doing!",
                stacklevel=5,
            )
        self.base_model.add_adapter(adapter_name, peft_config, autocast_adapter_dtype)
        self.base_model.set_adapter(self.active_adapter, train=not peft_config.inference_mode)

    def set_adapter(self, adapter_name: str, inference_mode: bool = False) -> None:
        super().set_adapter(adapter_name, inference_mode)
        self.base_model.set_adapter(adapter_name, train=not inference_mode)

    def detach(self, adapter_name: str) -> str | None:
        return self.base_model.delete_adapter(adapter_name)

    def without_adapter(self) -> Any:
        return self.base_model.disabled()

    def merge_and_unload(self) -> nn.Module:
        """The base model with the active adapter merged into its weights."""
        return self.base_model.merge_and_unload()

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """The base model's forward, with all that this task's own forward names, given or not: as PEFT."""
        places = inspect.signature(super().forward).parameters.values()
        names = [place.name for place in places if place.kind == place.POSITIONAL_OR_KEYWORD]
        named = dict.fromkeys(names) | dict(zip(names, args, strict=False)) | kwargs
        return self.base_model(
            *args[len(names) :], **{name: value for name, value in named.items() if name not in self.forgets}
        )

    def generate(self, *args: Any, **kwargs: Any) -> Any:
        """As the base model's `generate`."""
        if hasattr(type(self), "hand_on_generation_config"):
            self.hand_on_generation_config()
        return self.base_model.generate(*args, **kwargs)

    def get_base_model(self) -> nn.Module:
        return self.base_model.model

    def supports_lora_conversion(self, adapter_name: str = "default") -> bool:
        return True

    def set_requires_grad(self, adapter_names: str | list[str], requires_grad: bool = True) -> None:
        """Train these adapters, or do not. Source: `peft.peft_model.PeftModel.set_requires_grad`."""
        names = [adapter_names] if isinstance(adapter_names, str) else adapter_names
        for name, parameter in self.named_parameters():
            kind, _, adapter = name.rpartition(".")[0].rpartition(".")
            inside = any(f".modules_to_save.{one}." in name for one in names)
            if inside or (".lora_" in kind and adapter in names):
                parameter.requires_grad_(requires_grad)

    @classmethod
    def saved_shapes(cls, model: nn.Module, config: LoraConfig) -> dict[str, tuple[int, ...]]:
        shapes = {}
        for name, layer in LoraModel(model).targets(config).items():
            layer = getattr(layer, "base_layer", layer)
            shapes[f"base_model.model.{name}.lora_A.weight"] = (config.r, layer.in_features)
            shapes[f"base_model.model.{name}.lora_B.weight"] = (layer.out_features, config.r)
        return shapes


@functools.cache
def with_lora(task_class: type[PeftModel]) -> type[LoraPeftModel]:
    """The class of the same task and name, with LoRA in place of a prefix."""
    return type(
        task_class.__name__, (LoraPeftModel, task_class), {"__doc__": task_class.__doc__, "__module__": __name__}
    )


def blank(task_class: type[PeftModel]) -> LoraPeftModel:
    """What a copy or a pickle is filled into."""
    return nn.Module.__new__(with_lora(task_class))


def wants_lora(task_class: type[PeftModel], peft_config: Any) -> type[PeftModel] | None:
    """The wrapper for a LoRA config; None for every other, and where it is chosen already."""
    if getattr(peft_config, "peft_type", None) == PeftType.LORA and not issubclass(task_class, LoraPeftModel):
        return with_lora(task_class)
    return None


PEFT_TYPE_TO_CONFIG_MAPPING[PeftType.LORA] = LoraConfig
PeftModel.other_wrappers.append(wants_lora)
