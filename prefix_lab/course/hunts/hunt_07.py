"""The stage `attend` of a T5, with labels. Compare `peft.peft_model.PeftModelForSeq2SeqLM.forward`."""

from typing import Any

import torch
from torch import Tensor

from prefix_lab import tasks
from prefix_lab.tasks import get_batch_size


def next_tokens(labels: Tensor | None) -> Tensor | None:
    """(batch, target) → (batch, target): for each place the token after it, and -100 for the last."""
    if labels is None:
        return None
    nothing = torch.full_like(labels[:, :1], -100)
    return torch.cat((labels[:, 1:], nothing), dim=1)


class PeftModelForSeq2SeqLM(tasks.PeftModelForSeq2SeqLM):
    """Text to text, with a prefix for the decoder."""

    def forward(
        self,
        input_ids: Any = None,
        attention_mask: Any = None,
        inputs_embeds: Any = None,
        decoder_attention_mask: Any = None,
        labels: Any = None,
        **kwargs: Any,
    ) -> Any:
        """The base model's forward, with the prefix in the decoder's cache."""
        kwargs["past_key_values"] = self.get_prompt(get_batch_size(input_ids, inputs_embeds))
        return self.base_model(
            input_ids=input_ids,
            attention_mask=attention_mask,
            inputs_embeds=inputs_embeds,
            decoder_attention_mask=self.prepend_prefix(decoder_attention_mask),
            labels=next_tokens(labels),
            **kwargs,
        )
