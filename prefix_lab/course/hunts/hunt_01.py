"""The stage `wrap`: a T5, and a prefix encoder beside it. Compare `peft.peft_model.PeftModel._setup_prompt_encoder`."""

import torch
from torch import nn

from prefix_lab import tasks
from prefix_lab.beside.adapters import find_word_embeddings
from prefix_lab.config import PrefixTuningConfig
from prefix_lab.encoder import PrefixEncoder


class PeftModelForSeq2SeqLM(tasks.PeftModelForSeq2SeqLM):
    """Text to text, with a prefix for the decoder."""

    def _setup_prompt_encoder(self, adapter_name: str, config: PrefixTuningConfig) -> None:
        """The prefix trains, the base model does not."""
        config.num_transformer_submodules = 2
        self.word_embeddings = find_word_embeddings(self.base_model)
        self.prompt_encoder = nn.ModuleDict()
        self.prompt_encoder[adapter_name] = PrefixEncoder(config)
        self.prompt_tokens = {adapter_name: torch.arange(2 * config.num_virtual_tokens)}
        for child in self.children():
            child.requires_grad_(False)
