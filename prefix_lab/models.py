"""The wrapped model: the base frozen, a prefix encoder beside it, and the prefix that is handed over.

Mirrors `peft.peft_model.PeftModel`. Li & Liang 2021, section 4: only the prefix learns.
"""

import warnings
from typing import Any

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor, nn
from transformers.cache_utils import Cache

from prefix_lab.config import PeftConfig, PromptLearningConfig, TaskType
from prefix_lab.encoder import PrefixEncoder
from prefix_lab.past import past_key_values
from prefix_lab.prepare import prepare_prompt_learning_config

Mask = Shaped[Tensor, "batch tokens"] | None  # 1 where a token may be read, 0 where it is padding


class PeftModel(nn.Module):
    """A frozen base model and a prefix encoder; only a task's class, in `tasks`, knows where the prefix goes.

    `prompt_encoder[name]` makes the prefix, `prompt_tokens[name]` are the numbers 0, 1, 2, … that it looks up.
    Source: `peft.peft_model.PeftModel`, whose methods have the same names.
    """

    def __init__(self, model: nn.Module, peft_config: PeftConfig, adapter_name: str = "default", **options: Any):
        super().__init__()
        self.active_adapter = adapter_name
        self.peft_type = peft_config.peft_type
        self.peft_config: dict[str, PeftConfig] = {}
        self.base_model = model
        self.add_adapter(adapter_name, peft_config, **options)

    def add_adapter(self, adapter_name: str, peft_config: PromptLearningConfig) -> None:
        """Prepare the config, then wrap the model."""
        prepare_prompt_learning_config(peft_config, self.base_model.config)
        self._setup_prompt_encoder(adapter_name, peft_config)
        self.peft_config[adapter_name] = peft_config

    def _setup_prompt_encoder(self, adapter_name: str, config: PromptLearningConfig) -> None:
        """Freeze the base model, make the encoder and the numbers that it looks up."""
        if not hasattr(self, "prompt_encoder"):
            self.prompt_encoder = nn.ModuleDict()
            self.prompt_tokens: dict[str, Int[Tensor, " virtual_tokens"]] = {}
        for child in self.base_model.children():
            child.requires_grad_(False)
        if config.num_transformer_submodules is None:
            config.num_transformer_submodules = 2 if config.task_type == TaskType.SEQ_2_SEQ_LM else 1
        encoder = PrefixEncoder(config)
        self.prompt_encoder[adapter_name] = encoder.to(next(self.base_model.parameters()).device)
        # An encoder-decoder gets twice as many numbers as it looks up; PEFT's other methods need them.
        self.prompt_tokens[adapter_name] = torch.arange(config.num_virtual_tokens * config.num_transformer_submodules)

    def get_prompt(self, batch_size: int) -> Cache:
        """The prefix as the cache that the base model reads: per layer (batch, heads, prefix_len, head_dim), twice."""
        config = self.active_peft_config
        prefix = self.encode_prefix(batch_size)
        return past_key_values(prefix, config.num_layers, config.num_attention_heads, config.num_transformer_submodules)

    def encode_prefix(self, batch_size: int) -> Float[Tensor, "batch prefix_len prefix_width"]:
        """What the prefix encoder makes, in the base's precision, one for each text: half of PEFT's `get_prompt`."""
        config, encoder = self.active_peft_config, self.prompt_encoder[self.active_adapter]
        if config.inference_mode:
            prefix = encoder.embedding.weight.repeat(batch_size, 1, 1)  # → (batch, prefix_len, 2·layers·hidden)
        else:
            prompt_tokens = self.prompt_tokens[self.active_adapter][: config.num_virtual_tokens]  # (prefix_len,)
            prompt_tokens = prompt_tokens.expand(batch_size, -1)  # → (batch, prefix_len)
            prefix = encoder(prompt_tokens.to(encoder.embedding.weight.device))
        dtype = getattr(self.base_model, "dtype", None)
        return prefix if dtype is None else prefix.to(dtype)  # trained in float32, read in the base's precision

    def prepend_prefix(self, mask: Mask) -> Float[Tensor, "batch prefix_len_and_tokens"] | None:
        """(batch, tokens) → (batch, prefix_len+tokens), float32: every virtual token may be read. None stays None."""
        if mask is None:
            return None
        virtual = torch.ones(mask.shape[0], self.active_peft_config.num_virtual_tokens, device=mask.device)
        return torch.cat((virtual, mask), dim=1)

    def shift_position_ids(self, kwargs: dict[str, Any], drop_token_types: bool = True) -> None:
        """Shift positions, drop token types: `peft.peft_model.PeftModel._adjust_prompt_learning_kwargs`."""
        if kwargs.get("position_ids") is not None:
            kwargs["position_ids"] = kwargs["position_ids"] + self.active_peft_config.num_virtual_tokens
        if drop_token_types and kwargs.get("token_type_ids") is not None:
            warnings.warn(
                "Token type ids are not supported for parameter efficient tuning. Ignoring token type ids", stacklevel=3
            )
            kwargs["token_type_ids"] = None

    def get_prompt_embedding_to_save(self, adapter_name: str) -> Float[Tensor, "prefix_len prefix_width"]:
        """The computed keys and values of an adapter, whatever made them."""
        config, encoder = self.peft_config[adapter_name], self.prompt_encoder[adapter_name]
        if config.inference_mode:
            return encoder.embedding.weight.detach()
        prompt_tokens = self.prompt_tokens[adapter_name][: config.num_virtual_tokens].unsqueeze(0)  # (1, prefix_len)
        prompt_embeddings = encoder(prompt_tokens.to(encoder.embedding.weight.device))
        return prompt_embeddings[0].detach().cpu()

    @property
    def active_peft_config(self) -> PeftConfig:
        """The configuration of the adapter in use."""
        return self.peft_config[self.active_adapter]
