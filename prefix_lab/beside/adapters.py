"""The wrapped model as users have it: several adapters by name, switched off and on, saved and loaded.

Mirrors what `peft.peft_model.PeftModel` does beside making one prefix, which is `models.PeftModel`.
"""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.modules.module import _IncompatibleKeys
from transformers import PreTrainedModel
from transformers.cache_utils import Cache
from transformers.utils import PushToHubMixin

from prefix_lab import models
from prefix_lab.beside import saving
from prefix_lab.beside.fitting import fill, sliding_cache, sliding_config, to_devices
from prefix_lab.beside.hub_and_trainer import CARD_NAME, make_known, model_card, sort_out
from prefix_lab.beside.modules_to_save import ModulesToSaveWrapper, wrap_modules
from prefix_lab.beside.refusals import backbone, check, prefix_is_read, remember
from prefix_lab.checkpoint import write_whole
from prefix_lab.config import PeftConfig

MODEL_TYPE_TO_PEFT_MODEL_MAPPING: dict[str, type["PeftModel"]] = {}
"""Task type → the class that wraps the model; written out in `wrapping.py`, which knows the classes."""


class PeftModel(models.PeftModel, PushToHubMixin):
    """A frozen base model and its adapters by name; for prefix tuning, an adapter is a prefix encoder.

    Source: `peft.peft_model.PeftModel`.
    """

    forgets: tuple[str, ...] = ()  # what this task's forward takes and uses nowhere
    parameter_prefix = "prefix_tuning_"  # PEFT finds an adapter's parameters by it
    other_wrappers: ClassVar[list[Callable[[type["PeftModel"], Any], type["PeftModel"] | None]]] = []
    """Each says which class stands in for one with such a config, or None. LoRA and the paper's layout add theirs."""

    def __new__(cls, model: Any = None, peft_config: Any = None, *args: Any, **kwargs: Any) -> "PeftModel":
        return super().__new__(cls.wrapper_for(peft_config))

    @classmethod
    def wrapper_for(cls, peft_config: Any) -> type["PeftModel"]:
        """This class, or the one that does the same task in the way that the config asks for."""
        return next((found for other in cls.other_wrappers if (found := other(cls, peft_config))), cls)

    def __init__(
        self,
        model: nn.Module,
        peft_config: PeftConfig,
        adapter_name: str = "default",
        autocast_adapter_dtype: bool = True,
        low_cpu_mem_usage: bool = False,
    ):
        self._adapters_disabled = False
        super().__init__(model, peft_config, adapter_name, autocast_adapter_dtype=autocast_adapter_dtype)
        if hasattr(getattr(model, "config", None), "pretraining_tp"):
            model.config.pretraining_tp = 1  # a simulation of tensor parallelism that changes the numbers

    def add_adapter(
        self,
        adapter_name: str,
        peft_config: PeftConfig,
        low_cpu_mem_usage: bool = False,
        autocast_adapter_dtype: bool = True,
    ) -> None:
        """Attach one more adapter under this name; the first one is in use at once, a later one is not.

        Raises `ValueError` for a name that exists, another method than the first adapter's, a config that does not
        fit, a model without a config, or one with gradient checkpointing on, which does not go with a cache. Nothing
        is changed then. Source: `peft.peft_model.PeftModel.add_adapter`.
        """
        self.check_adapter(adapter_name, peft_config)
        self.__class__ = self.wrapper_for(peft_config)  # the paper's may join; it reads PEFT's layout as before
        warn_of_name(adapter_name, self.parameter_prefix)
        self.attach(adapter_name, peft_config, autocast_adapter_dtype)
        wrap_modules(self.base_model, adapter_name, peft_config.modules_to_save, train=not peft_config.inference_mode)
        self.peft_config[adapter_name] = peft_config

    def check_adapter(self, adapter_name: str, peft_config: PeftConfig) -> None:
        """Raise for an adapter that could not be added: see `refusals.check`."""
        check(self.get_base_model(), peft_config, adapter_name, self.peft_config)

    def attach(self, adapter_name: str, peft_config: PeftConfig, autocast_adapter_dtype: bool) -> None:
        """Make the prefix encoder, and note which part of the base model is a model without the head."""
        fill(peft_config, self.base_model.config)
        self._setup_prompt_encoder(adapter_name, peft_config)
        names = [name for name, child in self.base_model.named_children() if isinstance(child, PreTrainedModel)]
        if names:
            self.transformer_backbone_name = names[0]
        self.word_embeddings = find_word_embeddings(self.base_model)  # unused, but its name is in the state dict

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        with prefix_is_read(self, args, kwargs):
            return super().__call__(*args, **kwargs)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Raises `ValueError`: only a task's class knows where a prefix goes. PEFT runs the base model, without it."""
        raise ValueError(
            f"{type(self).__name__} would run the base model without its prefix. Wrap the model by "
            "get_peft_model(model, config), or by the class of its task: PeftModelForCausalLM to go on with a text, "
            "PeftModelForSeq2SeqLM to answer one."
        )

    generate = forward

    def get_prompt(self, batch_size: int) -> Cache:
        """As `models.PeftModel.get_prompt`, fitted to base models with windows, and to those on several devices."""
        cache, windows = super().get_prompt(batch_size), sliding_config(self.base_model.config)
        if windows is not None:
            cache = sliding_cache(cache, windows)
        return remember(to_devices(cache, getattr(self.base_model, "hf_device_map", None)))

    def encode_prefix(self, batch_size: int) -> Float[Tensor, "batch prefix_len prefix_width"]:
        """As `models.PeftModel.encode_prefix`; with encode="once", made for one text and read by all of them."""
        if getattr(self.active_peft_config, "encode", "each") == "once":
            return super().encode_prefix(1).expand(batch_size, -1, -1)
        return super().encode_prefix(batch_size)

    def get_nb_trainable_parameters(self) -> tuple[int, int]:
        """How many parameters train, and how many there are.

        Source: `peft.peft_model.PeftModel.get_nb_trainable_parameters`.
        """
        sizes = [(parameter.numel(), parameter.requires_grad) for parameter in self.parameters()]
        return sum(size for size, trains in sizes if trains), sum(size for size, _ in sizes)

    def print_trainable_parameters(self) -> None:
        """Print both counts and their ratio, in PEFT's words."""
        trainable, total = self.get_nb_trainable_parameters()
        print(
            f"trainable params: {trainable:,d} || all params: {total:,d} || trainable%: {100 * trainable / total:.4f}"
        )

    def set_adapter(self, adapter_name: str, inference_mode: bool = False) -> None:
        """Use this adapter from now on; its trained modules train, unless in inference mode, and the others' do not.

        Raises `ValueError` for a name that does not exist. Source: `peft.peft_model.PeftModel.set_adapter`.
        """
        self.require_adapter(adapter_name)
        self.active_adapter = adapter_name
        for module in self.trained_modules():
            module.use(adapter_name, train=not inference_mode)

    def delete_adapter(self, adapter_name: str) -> None:
        """Forget an adapter. If it was in use, the oldest one left is used instead, with a warning.

        Raises `ValueError` for a name that does not exist. Source: `peft.peft_model.PeftModel.delete_adapter`.
        """
        self.require_adapter(adapter_name)
        del self.peft_config[adapter_name]
        left = self.detach(adapter_name)
        for module in self.trained_modules():
            module.forget(adapter_name, left)
        if adapter_name in self.active_adapters:
            if left is not None:
                warnings.warn(
                    f"Adapter {adapter_name} was active which is now deleted. Setting active adapter to {left}.",
                    stacklevel=2,
                )
            self.active_adapter = [] if left is None else left

    def detach(self, adapter_name: str) -> str | None:
        """Drop the prefix encoder; which adapter is the oldest one left."""
        del self.prompt_encoder[adapter_name], self.prompt_tokens[adapter_name]
        return next(iter(self.peft_config), None)

    def trained_modules(self) -> list[ModulesToSaveWrapper]:
        """The modules that train beside the adapters."""
        return [module for module in self.modules() if isinstance(module, ModulesToSaveWrapper)]

    @contextmanager
    def disable_adapter(self) -> Iterator[None]:
        """Within, the model answers as the base model does, prefix and generate included; trained heads stay.

        Works for every task; PEFT raises `UnboundLocalError` for tasks that cannot generate.
        Source: `peft.peft_model.PeftModel.disable_adapter`.
        """
        was_disabled, self._adapters_disabled = self._adapters_disabled, True
        try:
            with self.without_adapter():
                yield
        finally:
            self._adapters_disabled = was_disabled

    @contextmanager
    def without_adapter(self) -> Iterator[None]:
        """Within, the base model's own methods stand in for the wrapper's."""
        names = ("forward", "generate", "prepare_inputs_for_generation")
        names = [name for name in names if hasattr(type(self), name) and hasattr(self.base_model, name)]
        shadowed = {name: self.__dict__[name] for name in names if name in self.__dict__}  # disabled within disabled
        for name in names:
            self.__dict__[name] = getattr(self.base_model, name)
        try:
            yield
        finally:
            for name in names:
                del self.__dict__[name]
            self.__dict__.update(shadowed)

    def merge_and_unload(self) -> nn.Module:
        """LoRA's base model with the adapter merged in. Raises `ValueError` for a prefix, which no weight can hold."""
        raise ValueError(
            "merge_and_unload: a prefix is a past that the model reads, and no weight stands for it. Save it with "
            "save_pretrained, and take the base model back with get_base_model()."
        )

    def require_adapter(self, adapter_name: str) -> None:
        """Raise `ValueError`, with the names that there are, for an adapter that the model does not have."""
        if adapter_name not in self.peft_config:
            names = ", ".join(self.peft_config) or "none"
            raise ValueError(f"Adapter {adapter_name} not found. The model's adapters are: {names}.")

    def save_pretrained(
        self,
        save_directory: str | Path,
        safe_serialization: bool = True,
        selected_adapters: list[str] | None = None,
        save_embedding_layers: bool | str = "auto",
        is_main_process: bool = True,
        path_initial_model_for_weight_conversion: str | None = None,
        state_dict: dict[str, Tensor] | None = None,
        **options: Any,
    ) -> None:
        """Write the adapters and their configs to a folder: see `saving.save_adapters`, and for what is not here
        `hub.ONLY`.
        """
        options["path_initial_model_for_weight_conversion"] = path_initial_model_for_weight_conversion
        sort_out("save_pretrained", options)
        if is_main_process:
            saving.save_adapters(
                self,
                save_directory,
                safe_serialization,
                selected_adapters,
                state_dict=state_dict,
                save_embedding_layers=save_embedding_layers,
            )

    @classmethod
    def from_pretrained(
        cls,
        model: nn.Module,
        model_id: str | Path,
        adapter_name: str = "default",
        is_trainable: bool = False,
        config: PeftConfig | None = None,
        autocast_adapter_dtype: bool = True,
        **options: Any,
    ) -> "PeftModel":
        """Wrap `model` with a saved adapter, ours or PEFT's, from a folder or a hub name; in evaluation mode.

        The config's task type chooses the class; without one it is `cls`. Raises `ValueError`, and leaves the model as
        it was, when the files are missing, damaged, of another method or shape, or hold NaN, and for
        `is_trainable=True`, as PEFT does: what was saved is the computed prefix. For `options` see `hub`.
        Source: `peft.peft_model.PeftModel.from_pretrained`.
        """
        directory, config = saving.find(model_id, config, is_trainable, sort_out("from_pretrained", options))
        kind = MODEL_TYPE_TO_PEFT_MODEL_MAPPING.get(config.task_type, cls).wrapper_for(config)
        tensors = saving.read_fitting(kind, model, config, directory)
        wrapped = kind(model, config, adapter_name, autocast_adapter_dtype)
        saving.set_peft_model_state_dict(wrapped, tensors, adapter_name)
        return wrapped if is_trainable else wrapped.eval()

    def load_adapter(
        self,
        model_id: str | Path,
        adapter_name: str,
        is_trainable: bool = False,
        torch_device: str | None = None,
        autocast_adapter_dtype: bool = True,
        ignore_mismatched_sizes: bool = False,
        **options: Any,
    ) -> _IncompatibleKeys:
        """Add a saved adapter under a new name, or put its numbers into the one that has the name; it is not switched
        to.

        Returns the adapter's keys that are missing, of which there are none, and those that are not the model's own.
        Raises `ValueError` as `from_pretrained` does, with the model unchanged.
        Source: `peft.peft_model.PeftModel.load_adapter`.
        """
        hub = sort_out("load_adapter", options)
        if adapter_name in self.peft_config:
            tensors = saving.load_peft_weights(model_id, **hub)
        else:
            directory, config = saving.find(model_id, None, is_trainable, hub)
            tensors = saving.read_fitting(type(self), self.get_base_model(), config, directory)
            self.add_adapter(adapter_name, config, autocast_adapter_dtype=autocast_adapter_dtype)
            if is_trainable:
                self.set_requires_grad(adapter_name)
        keys = saving.set_peft_model_state_dict(self, tensors, adapter_name, ignore_mismatched_sizes)
        if not is_trainable:
            self.eval()
        return _IncompatibleKeys([], keys.unexpected_keys)

    def create_or_update_model_card(self, output_dir: str | Path) -> None:
        """Write the README.md of a saved adapter, or mend the one that is there: see `hub.model_card`."""
        write_whole(Path(output_dir) / CARD_NAME, model_card(self, Path(output_dir)).encode())

    @classmethod
    def saved_shapes(cls, model: nn.Module, config: PeftConfig) -> dict[str, tuple[int, ...]]:
        """Name → shape of each tensor that a file of this adapter has, beside the trained modules."""
        return {"prompt_embeddings": (config.num_virtual_tokens, config.prefix_width)}

    @property
    def active_adapters(self) -> list[str]:
        """The adapter in use, in a list; empty when the last one was deleted."""
        return [self.active_adapter] if isinstance(self.active_adapter, str) else self.active_adapter

    @property
    def modules_to_save(self) -> set[str] | None:
        """The names of all modules that train beside the adapters; None when there are none.

        Source: `peft.peft_model.PeftModel.modules_to_save`.
        """
        names = {
            name for config in self.peft_config.values() for name in getattr(config, "modules_to_save", None) or ()
        }
        return names or None

    @property
    def has_active_enabled_adapter(self) -> bool:
        """Whether the prefix, or LoRA's addition, is in use: not within `disable_adapter`."""
        return not self._adapters_disabled

    @property
    def base_model_torch_dtype(self) -> torch.dtype | None:
        """The precision of the model that was wrapped."""
        return getattr(self.base_model, "dtype", None)

    def supports_lora_conversion(self, adapter_name: str = "default") -> bool:
        """Whether weights could stand for the adapter: for LoRA they do, for a prefix none can."""
        return False

    def set_requires_grad(self, adapter_names: str | list[str], requires_grad: bool = True) -> None:
        """Train these LoRA adapters, or do not. Raises `TypeError` for a prefix, as PEFT does.

        Source: `peft.peft_model.PeftModel.set_requires_grad`.
        """
        raise TypeError(
            "Setting `requires_grad` is not supported for prompt learning methods like PREFIX_TUNING. Call "
            "model.prompt_encoder.requires_grad_(...)."
        )

    def get_base_model(self) -> nn.Module:
        """The model that was wrapped."""
        return self.base_model

    def __getattr__(self, name: str) -> Any:
        """What this class does not have, the base model may."""
        try:
            return super().__getattr__(name)
        except AttributeError:
            if name == "base_model":  # not set yet: asking it would ask again without end
                raise
            return getattr(self.base_model, name)


def find_word_embeddings(model: nn.Module) -> nn.Module | None:
    """The table of word vectors: `embeddings.word_embeddings`, or the first parameter as long as the vocabulary.

    Source: `peft.peft_model.PeftModel._setup_prompt_encoder`.
    """
    try:
        return model.get_submodule("embeddings.word_embeddings")
    except AttributeError:
        pass
    text_config = model.config.get_text_config() if hasattr(model.config, "get_text_config") else model.config
    vocab_size = getattr(text_config, "vocab_size", None)
    inner = backbone(model)
    names = [name for name, parameter in inner.named_parameters() if parameter.shape[:1] == (vocab_size,)]
    return inner.get_submodule(names[0].removesuffix(".weight")) if names else None


def warn_of_name(adapter_name: str, prefix: str) -> None:
    """PEFT finds an adapter's parameters by their names, and a name inside the method's own confuses it."""
    if adapter_name and adapter_name in prefix:  # an empty one stands in every text, and is refused
        warnings.warn(
            f"Adapter name '{adapter_name}' should not be contained in the prefix '{prefix}'. "
            "This may lead to reinitialization of the adapter weights during loading.",
            stacklevel=4,
        )


make_known(PeftModel)
