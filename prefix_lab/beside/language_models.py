"""The public classes of the tasks without a head of their own; the paths of their forwards are `tasks`.

Mirrors `peft.peft_model.PeftModelForCausalLM`, `PeftModelForSeq2SeqLM` and `PeftModelForFeatureExtraction`.
"""

import warnings
from typing import Any

from prefix_lab import tasks
from prefix_lab.beside.adapters import PeftModel
from prefix_lab.beside.check import can_generate
from prefix_lab.models import Mask
from prefix_lab.tasks import Embeds, Ids, get_batch_size


class Generates:
    """What the two language-model tasks share beside the essence: what keeps a prefix from being read is refused."""

    hands_on = False  # whether an assigned generation config reaches the base model, as PEFT has it

    def generate(self, *args: Any, **kwargs: Any) -> Any:
        """As the base model's `generate`, with the prefix before the first token.

        Raises `ValueError` for `use_cache=False` where the prefix would be lost: PEFT lets it pass, and T5 and BART
        are then silently wrong from the second token on. A decoder alone reads a fresh prefix for each token.
        """
        self.hand_on_generation_config()
        with can_generate(self, kwargs):
            return super().generate(*args, **kwargs)

    def hand_on_generation_config(self) -> None:
        """A generation config that was assigned to this model is the base model's, where PEFT hands it on.

        For an encoder-decoder PEFT does not, and what is assigned there has no effect: a warning says so, as it does
        for a base model whose own `model` gets it instead (Llama's, say), where `generate` does not look.
        """
        assigned = self.__dict__.get("generation_config")
        if assigned is None:
            return
        if self.hands_on:
            inner = getattr(self.base_model, "model", self.base_model)
            inner.generation_config = assigned
        if self.get_base_model().generation_config is not assigned:
            warnings.warn(
                "The generation_config that was assigned to the wrapped model has no effect, as in PEFT. Assign it to "
                "model.base_model, or pass generate(generation_config=...).",
                stacklevel=4,
            )


class PeftModelForSeq2SeqLM(Generates, tasks.PeftModelForSeq2SeqLM, PeftModel):
    """Text to text, with an encoder and a decoder. Source: `peft.peft_model.PeftModelForSeq2SeqLM`."""

    def generate(self, **kwargs: Any) -> Any:
        """As the base model's `generate`. Raises `ValueError` without `input_ids`, as PEFT does."""
        if "input_ids" not in kwargs:
            raise ValueError("input_ids must be provided for Peft model generation: pass generate(input_ids=...).")
        self.shift_position_ids(kwargs)
        return super().generate(**kwargs)


class PeftModelForCausalLM(Generates, tasks.PeftModelForCausalLM, PeftModel):
    """Text that goes on, with one stack of layers. Source: `peft.peft_model.PeftModelForCausalLM`."""

    hands_on = True


class PeftModelForFeatureExtraction(PeftModel):
    """Hidden states, for use elsewhere. Source: `peft.peft_model.PeftModelForFeatureExtraction`."""

    def forward(
        self,
        input_ids: Ids = None,
        attention_mask: Mask = None,
        inputs_embeds: Embeds = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
        **kwargs: Any,
    ) -> Any:
        """The base model's forward; `attention_mask` grows from (batch, tokens) to (batch, prefix_len+tokens).

        Raises `ValueError` for padding in the mask of an encoder-decoder, whose encoder has no prefix to mask: PEFT
        fails inside torch there. Source: `peft.peft_model.PeftModelForFeatureExtraction.forward`.
        """
        two = getattr(self.config, "is_encoder_decoder", False)
        if attention_mask is not None and two and not attention_mask.all():
            raise ValueError(
                "attention_mask would mask the encoder, which does not see the prefix: run texts of one length "
                "together, without padding."
            )
        batch_size = get_batch_size(input_ids, inputs_embeds)
        self.shift_position_ids(kwargs)
        kwargs |= {"output_attentions": output_attentions, "output_hidden_states": output_hidden_states}
        kwargs["return_dict"] = return_dict
        kwargs["past_key_values"] = self.get_prompt(batch_size)
        return self.base_model(
            input_ids=input_ids,
            attention_mask=self.prepend_prefix(attention_mask),
            inputs_embeds=inputs_embeds,
            **kwargs,
        )
