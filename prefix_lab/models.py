"""The wrapped model: the base frozen, a prefix encoder beside it, and a forward pass that hands the prefix over.

Mirrors `peft.peft_model.PeftModel`. Li & Liang 2021, section 4: only the prefix learns.
"""

import inspect
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.cache_utils import Cache
from transformers.utils import PushToHubMixin

from prefix_lab import refusals
from prefix_lab.config import PeftConfig, PeftType, PromptLearningConfig, TaskType
from prefix_lab.encoder import PrefixEncoder
from prefix_lab.keywords import sort_out
from prefix_lab.lora import LoraModel
from prefix_lab.paper_layout import paper_cache
from prefix_lab.past import past_key_values, to_devices, uneven_cache
from prefix_lab.prepare import prepare_prompt_learning_config, sliding_config
from prefix_lab.trained_copies import ModulesToSaveWrapper, check_modules, wrap_modules
from prefix_lab.trainer import make_known

Mask = Shaped[Tensor, "batch tokens"] | None
"""1 where a token may be read, 0 where it is padding; as whole numbers, floats or booleans."""


class PeftModel(PushToHubMixin, nn.Module):
    """A frozen base model and its adapters by name; for prefix tuning, an adapter is a prefix encoder.

    `prompt_encoder[name]` makes the prefix, `prompt_tokens[name]` are the numbers 0, 1, 2, … that it looks up.
    Source: `peft.peft_model.PeftModel`.
    """

    forgets: tuple[str, ...] = ()  # what this task's forward takes and uses nowhere

    def __init__(
        self,
        model: nn.Module,
        peft_config: PeftConfig,
        adapter_name: str = "default",
        autocast_adapter_dtype: bool = True,
        low_cpu_mem_usage: bool = False,
    ):
        super().__init__()
        self.active_adapter: str | list[str] = adapter_name
        self.peft_type = peft_config.peft_type
        self.peft_config: dict[str, PeftConfig] = {}
        self._adapters_disabled = False
        if peft_config.is_prompt_learning:
            self.base_model = model
        else:
            refusals.refuse_wrapped(model)
            if hasattr(model, "peft_config"):
                warnings.warn(
                    "Already found a `peft_config` attribute in the model. This will lead to having multiple adapters "
                    "in the model. Make sure to know what you are doing!",
                    stacklevel=3,
                )
            self.base_model = LoraModel(model)
            self.forward = self.run_base  # there is no prefix to hand over: the call goes straight through
        self.add_adapter(adapter_name, peft_config, autocast_adapter_dtype=autocast_adapter_dtype)
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
        if adapter_name in self.peft_config:
            raise ValueError(f"Adapter with name '{adapter_name}' already exists. Choose another adapter_name.")
        refuse_name(adapter_name)
        warn_of_name(adapter_name, peft_config.peft_type)
        if peft_config.peft_type != self.peft_type:
            raise ValueError(
                "Cannot combine adapters with different peft types. "
                f"Found {self.peft_type} and {peft_config.peft_type}. Wrap a second copy of the base model instead."
            )
        check_modules(self.base_model, peft_config.modules_to_save)
        if peft_config.is_prompt_learning:
            refusals.check(self.base_model, peft_config)
            prepare_prompt_learning_config(peft_config, self.base_model.config)
            self._setup_prompt_encoder(adapter_name, peft_config)
        else:
            self.base_model.add_adapter(adapter_name, peft_config, autocast_adapter_dtype)
            self.base_model.set_adapter(self.active_adapter, train=not peft_config.inference_mode)
        wrap_modules(self.base_model, adapter_name, peft_config.modules_to_save, train=not peft_config.inference_mode)
        self.peft_config[adapter_name] = peft_config

    def _setup_prompt_encoder(self, adapter_name: str, config: PromptLearningConfig) -> None:
        """Freeze the base model, find its word embeddings, make the encoder and the numbers it looks up.

        Source: `peft.peft_model.PeftModel._setup_prompt_encoder`.
        """
        if not hasattr(self, "prompt_encoder"):
            self.prompt_encoder = nn.ModuleDict()
            self.prompt_tokens: dict[str, Int[Tensor, " virtual_tokens"]] = {}
        for name, child in self.base_model.named_children():
            child.requires_grad_(False)
            if isinstance(child, PreTrainedModel) and not hasattr(self, "transformer_backbone_name"):
                self.transformer_backbone_name = name
        if config.num_transformer_submodules is None:
            config.num_transformer_submodules = 2 if config.task_type == TaskType.SEQ_2_SEQ_LM else 1
        self.word_embeddings = find_word_embeddings(self.base_model)  # unused here, but its name is in the state dict
        encoder = PrefixEncoder(config)
        self.prompt_encoder[adapter_name] = encoder.to(next(self.base_model.parameters()).device)
        # An encoder-decoder gets twice as many numbers as it looks up; PEFT's other methods need them.
        self.prompt_tokens[adapter_name] = torch.arange(config.num_virtual_tokens * config.num_transformer_submodules)

    def set_adapter(self, adapter_name: str, inference_mode: bool = False) -> None:
        """Use this adapter from now on; its trained modules train, unless in inference mode, and the others' do not.

        Raises `ValueError` for a name that does not exist. Source: `peft.peft_model.PeftModel.set_adapter`.
        """
        self.require_adapter(adapter_name)
        self.active_adapter = adapter_name
        if not self.active_peft_config.is_prompt_learning:
            self.base_model.set_adapter(adapter_name, train=not inference_mode)
        for module in self.modules():
            if isinstance(module, ModulesToSaveWrapper):
                module.use(adapter_name, train=not inference_mode)

    def delete_adapter(self, adapter_name: str) -> None:
        """Forget an adapter. If it was in use, the oldest one left is used instead, with a warning.

        Raises `ValueError` for a name that does not exist. Source: `peft.peft_model.PeftModel.delete_adapter`.
        """
        self.require_adapter(adapter_name)
        if self.peft_config.pop(adapter_name).is_prompt_learning:
            del self.prompt_encoder[adapter_name], self.prompt_tokens[adapter_name]
            left = next(iter(self.peft_config), None)
        else:
            left = self.base_model.delete_adapter(adapter_name)
        for module in self.modules():
            if isinstance(module, ModulesToSaveWrapper):
                module.forget(adapter_name, left)
        if adapter_name in self.active_adapters:
            if left is not None:
                warnings.warn(
                    f"Adapter {adapter_name} was active which is now deleted. Setting active adapter to {left}.",
                    stacklevel=2,
                )
            self.active_adapter = [] if left is None else left

    @contextmanager
    def disable_adapter(self) -> Iterator[None]:
        """Within, the model answers as the base model does, prefix and generate included; trained heads stay.

        Works for every task; PEFT raises `UnboundLocalError` for tasks that cannot generate.
        Source: `peft.peft_model.PeftModel.disable_adapter`.
        """
        was_disabled, self._adapters_disabled = self._adapters_disabled, True
        try:
            with self._without_adapter():
                yield
        finally:
            self._adapters_disabled = was_disabled

    @contextmanager
    def _without_adapter(self) -> Iterator[None]:
        if not self.active_peft_config.is_prompt_learning:
            with self.base_model.disabled():
                yield
            return
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
        if self.active_peft_config.is_prompt_learning:
            raise ValueError(
                "merge_and_unload: a prefix is a past that the model reads, and no weight stands for it. Save it with "
                "save_pretrained, and take the base model back with get_base_model()."
            )
        return self.base_model.merge_and_unload()

    def require_adapter(self, adapter_name: str) -> None:
        """Raise `ValueError`, with the names that there are, for an adapter that the model does not have."""
        if adapter_name not in self.peft_config:
            names = ", ".join(self.peft_config) or "none"
            raise ValueError(f"Adapter {adapter_name} not found. The model's adapters are: {names}.")

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Raises `ValueError`: only a task's class knows where a prefix goes. PEFT runs the base model, without it."""
        raise ValueError(self._no_place_for_a_prefix())

    def generate(self, *args: Any, **kwargs: Any) -> Any:
        """As the base model's `generate`. Raises `ValueError` for a prefix, which PEFT leaves out in silence."""
        if self.active_peft_config.is_prompt_learning:
            raise ValueError(self._no_place_for_a_prefix())
        return self.base_model.generate(*args, **kwargs)

    def _no_place_for_a_prefix(self) -> str:
        return (
            f"{type(self).__name__} would run the base model without its prefix. Wrap the model by "
            "get_peft_model(model, config), or by the class of its task: PeftModelForCausalLM to go on with a text, "
            "PeftModelForSeq2SeqLM to answer one."
        )

    def get_prompt(self, batch_size: int) -> Cache:
        """The prefix as the cache that the base model reads: per layer (batch, heads, prefix_len, head_dim), twice.

        Source: `peft.peft_model.PeftModel.get_prompt`.
        """
        config = self.active_peft_config
        prefix = self.encode_prefix(1 if config.encode == "once" else batch_size)
        if config.layout == "paper":
            return paper_cache(prefix, config, batch_size)
        if config.layer_sizes is not None:
            return uneven_cache(prefix, config.layer_sizes, batch_size)
        cache = past_key_values(
            prefix,
            config.num_layers,
            config.num_attention_heads,
            config.num_transformer_submodules,
            batch_size,
            sliding_config(self.base_model.config),
        )
        return to_devices(cache, getattr(self.base_model, "hf_device_map", None))

    def encode_prefix(self, rows: int) -> Float[Tensor, "rows prefix_len width"]:
        """What the prefix encoder makes, in the base model's precision; the same row `rows` times.

        Source: `peft.peft_model.PeftModel.get_prompt`.
        """
        config, encoder = self.active_peft_config, self.prompt_encoder[self.active_adapter]
        if config.inference_mode:
            prefix = encoder.embedding.weight.repeat(rows, 1, 1)  # → (rows, prefix_len, 2·layers·hidden)
        else:
            prompt_tokens = self.prompt_tokens[self.active_adapter][: config.num_virtual_tokens]  # (prefix_len,)
            prompt_tokens = prompt_tokens.expand(rows, -1)  # → (rows, prefix_len)
            prefix = encoder(prompt_tokens.to(encoder.embedding.weight.device))
        if config.prefix_dropout:
            prefix = nn.functional.dropout(prefix, config.prefix_dropout, self.training)
        dtype = getattr(self.base_model, "dtype", None)
        return prefix if dtype is None else prefix.to(dtype)  # trained in float32, read in the base's precision

    def prepend_prefix(self, mask: Mask) -> Float[Tensor, "batch prefix_len_and_tokens"] | None:
        """(batch, tokens) → (batch, prefix_len+tokens), float32: every virtual token may be read. None stays None."""
        if mask is None:
            return None
        virtual = torch.ones(mask.shape[0], self.active_peft_config.num_virtual_tokens, device=mask.device)
        return torch.cat((virtual, mask), dim=1)

    def get_nb_trainable_parameters(self) -> tuple[int, int]:
        """How many numbers train, and how many there are.

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

    def get_prompt_embedding_to_save(self, adapter_name: str) -> Float[Tensor, "prefix_len width"]:
        """The computed keys and values of an adapter, whatever made them.

        Source: `peft.peft_model.PeftModel.get_prompt_embedding_to_save`.
        """
        config, encoder = self.peft_config[adapter_name], self.prompt_encoder[adapter_name]
        if config.inference_mode:
            return encoder.embedding.weight.detach()
        prompt_tokens = self.prompt_tokens[adapter_name][: config.num_virtual_tokens].unsqueeze(0)  # (1, prefix_len)
        prompt_embeddings = encoder(prompt_tokens.to(encoder.embedding.weight.device))
        return prompt_embeddings[0].detach().cpu()

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
        """Write the adapters and their configs to a folder: see `checkpoint.save_pretrained`, and for what is not here
        `keywords.ONLY`.
        """
        from prefix_lab.checkpoint import save_pretrained  # checkpoint reads this class

        options["path_initial_model_for_weight_conversion"] = path_initial_model_for_weight_conversion
        sort_out("save_pretrained", options)
        save_pretrained(
            self,
            save_directory,
            safe_serialization,
            selected_adapters,
            is_main_process,
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
        """Wrap `model` with the adapter saved at `model_id`: see `checkpoint.from_pretrained` and `keywords`."""
        from prefix_lab.checkpoint import from_pretrained

        hub = sort_out("from_pretrained", options)
        return from_pretrained(cls, model, model_id, adapter_name, is_trainable, config, autocast_adapter_dtype, **hub)

    def load_adapter(
        self,
        model_id: str | Path,
        adapter_name: str,
        is_trainable: bool = False,
        torch_device: str | None = None,
        autocast_adapter_dtype: bool = True,
        ignore_mismatched_sizes: bool = False,
        **options: Any,
    ) -> Any:
        """Add the adapter saved at `model_id` under a name: see `checkpoint.load_adapter` and `keywords`."""
        from prefix_lab.checkpoint import load_adapter

        hub = sort_out("load_adapter", options)
        return load_adapter(
            self, model_id, adapter_name, is_trainable, autocast_adapter_dtype, ignore_mismatched_sizes, **hub
        )

    def create_or_update_model_card(self, output_dir: str | Path) -> None:
        """Write the README.md of a saved adapter, or mend the one that is there: see `card.model_card`."""
        from prefix_lab.card import CARD_NAME, model_card
        from prefix_lab.files import write_together

        write_together({Path(output_dir) / CARD_NAME: model_card(self, Path(output_dir)).encode()})

    @property
    def active_peft_config(self) -> PeftConfig:
        """The configuration of the adapter in use."""
        return self.peft_config[self.active_adapter]

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
        return not self.active_peft_config.is_prompt_learning

    def set_requires_grad(self, adapter_names: str | list[str], requires_grad: bool = True) -> None:
        """Train these LoRA adapters, or do not. Raises `TypeError` for a prefix, as PEFT does.

        Source: `peft.peft_model.PeftModel.set_requires_grad`.
        """
        if self.active_peft_config.is_prompt_learning:
            raise TypeError(
                "Setting `requires_grad` is not supported for prompt learning methods like PREFIX_TUNING. Call "
                "model.prompt_encoder.requires_grad_(...)."
            )
        names = [adapter_names] if isinstance(adapter_names, str) else adapter_names
        for name, parameter in self.named_parameters():
            kind, _, adapter = name.rpartition(".")[0].rpartition(".")
            inside = any(f".modules_to_save.{one}." in name for one in names)
            if inside or (".lora_" in kind and adapter in names):
                parameter.requires_grad_(requires_grad)

    def get_base_model(self) -> nn.Module:
        """The model that was wrapped."""
        return self.base_model if self.active_peft_config.is_prompt_learning else self.base_model.model

    def run_base(self, *args: Any, **kwargs: Any) -> Any:
        """The base model's forward, with all that this task's own forward names, given or not: as PEFT."""
        places = inspect.signature(type(self).forward).parameters.values()
        names = [place.name for place in places if place.kind == place.POSITIONAL_OR_KEYWORD][1:]  # without self
        named = dict.fromkeys(names) | dict(zip(names, args, strict=False)) | kwargs
        return self.base_model(
            *args[len(names) :], **{name: value for name, value in named.items() if name not in self.forgets}
        )

    def __getattr__(self, name: str) -> Any:
        """What this class does not have, the base model may."""
        try:
            return super().__getattr__(name)
        except AttributeError:
            if name == "base_model":  # not set yet: asking it would ask again without end
                raise
            return getattr(self.base_model, name)

    def shift_position_ids(self, kwargs: dict[str, Any], drop_token_types: bool = True) -> None:
        """Positions begin after the prefix; token types are dropped, except where a task keeps them.

        Source: `peft.peft_model.PeftModel._adjust_prompt_learning_kwargs`.
        """
        if kwargs.get("position_ids") is not None:
            kwargs["position_ids"] = kwargs["position_ids"] + self.active_peft_config.num_virtual_tokens
        if drop_token_types and kwargs.get("token_type_ids") is not None:
            warnings.warn(
                "Token type ids are not supported for parameter efficient tuning. Ignoring token type ids", stacklevel=3
            )
            kwargs["token_type_ids"] = None


def refuse_name(adapter_name: str) -> None:
    """Raise `ValueError` for a name that torch cannot keep a module under; PEFT meets its KeyError half-way."""
    if not adapter_name or "." in adapter_name or hasattr(nn.ModuleDict(), adapter_name):
        raise ValueError(
            f"adapter_name={adapter_name!r} cannot name a module: it is empty, has a dot, or is an attribute of "
            "torch's ModuleDict. Choose another adapter_name, 'default' say."
        )


def warn_of_name(adapter_name: str, peft_type: str) -> None:
    """PEFT finds an adapter's parameters by their names, and a name inside the method's own confuses it."""
    prefix = {PeftType.PREFIX_TUNING: "prefix_tuning_", PeftType.LORA: "lora_"}[peft_type]
    if adapter_name in prefix:
        warnings.warn(
            f"Adapter name '{adapter_name}' should not be contained in the prefix '{prefix}'. "
            "This may lead to reinitialization of the adapter weights during loading.",
            stacklevel=4,
        )


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
    backbone = next((child for child in model.children() if isinstance(child, PreTrainedModel)), model)
    for name, parameter in backbone.named_parameters():
        if parameter.shape[:1] == (vocab_size,):
            return backbone.get_submodule(name.removesuffix(".weight"))
    return None


make_known(PeftModel)
