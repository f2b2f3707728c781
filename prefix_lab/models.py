"""The wrapped model: the base frozen, a prefix encoder beside it, and a forward pass that hands the prefix over.

Mirrors `peft.peft_model.PeftModel`. Li & Liang 2021, section 4: only the prefix learns.
"""

import warnings
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.cache_utils import Cache

from prefix_lab.config import PromptLearningConfig, TaskType
from prefix_lab.encoder import PrefixEncoder
from prefix_lab.past import past_key_values
from prefix_lab.prepare import prepare_prompt_learning_config

Mask = Shaped[Tensor, "batch tokens"] | None
"""1 where a token may be read, 0 where it is padding; as whole numbers, floats or booleans."""


class PeftModel(nn.Module):
    """A frozen base model and its adapters; here, prefix encoders by name.

    `prompt_encoder[name]` makes the prefix, `prompt_tokens[name]` are the numbers 0, 1, 2, … that it looks up.
    Source: `peft.peft_model.PeftModel`.
    """

    def __init__(self, model: nn.Module, peft_config: PromptLearningConfig, adapter_name: str = "default"):
        super().__init__()
        self.active_adapter = adapter_name
        self.peft_type = peft_config.peft_type
        self.base_model = model
        self.peft_config: dict[str, PromptLearningConfig] = {}
        self.add_adapter(adapter_name, peft_config)
        if hasattr(getattr(model, "config", None), "pretraining_tp"):
            model.config.pretraining_tp = 1  # a simulation of tensor parallelism that changes the numbers

    def add_adapter(self, adapter_name: str, peft_config: PromptLearningConfig) -> None:
        """Prepare the config and attach a prefix encoder under this name.

        Raises `ValueError` for a name that exists, a config that does not fit, a model without a config, or one with
        gradient checkpointing on, which does not go with a cache. Nothing is changed then.
        Source: `peft.peft_model.PeftModel.add_adapter`.
        """
        if adapter_name in self.peft_config:
            raise ValueError(f"Adapter with name '{adapter_name}' already exists. Choose another adapter_name.")
        if not hasattr(self.base_model, "config"):
            raise ValueError(
                f"model is a {type(self.base_model).__name__} without a `.config`, from which the sizes of the prefix "
                "are read. Give it one (a transformers config or a dict)."
            )
        if any(getattr(module, "gradient_checkpointing", False) for module in self.base_model.modules()):
            raise ValueError(
                "PREFIX_TUNING does not work with gradient checkpointing. Call model.gradient_checkpointing_disable()."
            )
        if peft_config.modules_to_save:
            raise ValueError(
                f"modules_to_save={peft_config.modules_to_save}: prefix_lab trains the prefix and nothing beside it. "
                "Leave modules_to_save out, or use PEFT."
            )
        prepare_prompt_learning_config(peft_config, self.base_model.config)
        self._setup_prompt_encoder(adapter_name, peft_config)
        self.peft_config[adapter_name] = peft_config

    def _setup_prompt_encoder(self, adapter_name: str, config: PromptLearningConfig) -> None:
        """Freeze the base model, find its word embeddings, make the encoder and the numbers it looks up.

        Source: `peft.peft_model.PeftModel._setup_prompt_encoder`.
        """
        if not hasattr(self, "prompt_encoder"):
            self.prompt_encoder = nn.ModuleDict()
            self.prompt_tokens: dict[str, Int[Tensor, " virtual_tokens"]] = {}
        for child in self.base_model.children():
            child.requires_grad_(False)
        if config.num_transformer_submodules is None:
            config.num_transformer_submodules = 2 if config.task_type == TaskType.SEQ_2_SEQ_LM else 1
        self.word_embeddings = find_word_embeddings(self.base_model)  # unused here, but its name is in the state dict
        encoder = PrefixEncoder(config)
        self.prompt_encoder[adapter_name] = encoder.to(next(self.base_model.parameters()).device)
        # An encoder-decoder gets twice as many numbers as it looks up; PEFT's other methods need them.
        self.prompt_tokens[adapter_name] = torch.arange(config.num_virtual_tokens * config.num_transformer_submodules)

    def get_prompt(self, batch_size: int) -> Cache:
        """The prefix as the cache that the base model reads: per layer (batch, heads, prefix_len, head_dim), twice.

        Source: `peft.peft_model.PeftModel.get_prompt`.
        """
        config, encoder = self.active_peft_config, self.prompt_encoder[self.active_adapter]
        if config.inference_mode:
            prefix = encoder.embedding.weight.repeat(batch_size, 1, 1)  # → (batch, prefix_len, 2·layers·hidden)
        else:
            prompt_tokens = self.prompt_tokens[self.active_adapter][: config.num_virtual_tokens]  # (prefix_len,)
            prompt_tokens = prompt_tokens.expand(batch_size, -1)  # → (batch, prefix_len)
            prefix = encoder(prompt_tokens.to(encoder.embedding.weight.device))
        if (dtype := getattr(self.base_model, "dtype", None)) is not None:
            prefix = prefix.to(dtype)  # trained in float32, read in the base model's own precision
        return past_key_values(prefix, config.num_layers, config.num_attention_heads, config.num_transformer_submodules)

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

    def save_pretrained(self, save_directory: str | Path) -> None:
        """Write the prefix and its config to a folder: see `checkpoint.save_pretrained`."""
        from prefix_lab.checkpoint import save_pretrained  # checkpoint reads this class

        save_pretrained(self, save_directory)

    @property
    def active_peft_config(self) -> PromptLearningConfig:
        """The configuration of the adapter in use."""
        return self.peft_config[self.active_adapter]

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

    def shift_position_ids(self, kwargs: dict[str, Any]) -> None:
        """Positions begin after the prefix; token types have no value for virtual tokens and are dropped.

        Source: `peft.peft_model.PeftModel._adjust_prompt_learning_kwargs`.
        """
        if kwargs.get("position_ids") is not None:
            kwargs["position_ids"] = kwargs["position_ids"] + self.active_peft_config.num_virtual_tokens
        if kwargs.get("token_type_ids") is not None:
            warnings.warn(
                "Token type ids are not supported for parameter efficient tuning. Ignoring token type ids", stacklevel=3
            )
            kwargs["token_type_ids"] = None


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
