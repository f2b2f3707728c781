"""The stages `wrap` and `encode`, before a base model in bfloat16. Compare `peft.peft_model.PeftModel.get_prompt`."""

import torch
from torch import Tensor, nn

from prefix_lab import tasks
from prefix_lab.beside.adapters import find_word_embeddings
from prefix_lab.config import PrefixTuningConfig
from prefix_lab.encoder import PrefixEncoder


class PeftModelForSeq2SeqLM(tasks.PeftModelForSeq2SeqLM):
    """Text to text, with a prefix for the decoder."""

    def _setup_prompt_encoder(self, adapter_name: str, config: PrefixTuningConfig) -> None:
        """The prefix lives on the base model's device."""
        for child in self.base_model.children():
            child.requires_grad_(False)
        config.num_transformer_submodules = 2
        self.word_embeddings = find_word_embeddings(self.base_model)
        self.prompt_encoder = nn.ModuleDict()
        encoder = PrefixEncoder(config)
        self.prompt_encoder[adapter_name] = encoder.to(next(self.base_model.parameters()))
        self.prompt_tokens = {adapter_name: torch.arange(2 * config.num_virtual_tokens)}

    def encode_prefix(self, rows: int) -> Tensor:
        """(rows, prefix_len, 2·layers·hidden), in the base model's precision."""
        config, encoder = self.active_peft_config, self.prompt_encoder[self.active_adapter]
        prompt_tokens = self.prompt_tokens[self.active_adapter][: config.num_virtual_tokens].expand(rows, -1)
        prefix = encoder(prompt_tokens.to(encoder.embedding.weight.device))
        return prefix.to(self.base_model.dtype)
