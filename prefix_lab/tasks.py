"""One class a task, here the two that generate: how inputs, masks and labels change when a prefix stands before them.

Mirrors the `PeftModelFor…` classes of `peft.peft_model`, whose methods have the same names. The prefix needs no place
in `input_ids` or `labels`: it is a past, so the model reads it through the cache, and only the attention mask grows.
"""

from typing import Any

from jaxtyping import Float, Int, Shaped
from torch import Tensor

from prefix_lab.models import Mask, PeftModel

Ids = Int[Tensor, "batch tokens"] | None
Embeds = Float[Tensor, "batch tokens hidden"] | None
TargetIds = Int[Tensor, "batch target"] | None
TargetMask = Shaped[Tensor, "batch target"] | None
TargetEmbeds = Float[Tensor, "batch target hidden"] | None


class GenerativeModel(PeftModel):
    """What the two language-model tasks share: `generate` runs the base model's loop with our preparation of a step."""

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.base_model_prepare_inputs_for_generation = self.base_model.prepare_inputs_for_generation

    def generate(self, *args: Any, **kwargs: Any) -> Any:
        """As the base model's `generate`, with the prefix before the first token."""
        self.base_model.prepare_inputs_for_generation = self.prepare_inputs_for_generation
        try:
            return self.base_model.generate(*args, **kwargs)
        finally:
            self.base_model.prepare_inputs_for_generation = self.base_model_prepare_inputs_for_generation


class PeftModelForSeq2SeqLM(GenerativeModel):
    """Text to text, with an encoder and a decoder. Source: `peft.peft_model.PeftModelForSeq2SeqLM`."""

    def forward(
        self,
        input_ids: Ids = None,
        attention_mask: Mask = None,
        inputs_embeds: Embeds = None,
        decoder_input_ids: TargetIds = None,
        decoder_attention_mask: TargetMask = None,
        decoder_inputs_embeds: TargetEmbeds = None,
        labels: TargetIds = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
        **kwargs: Any,
    ) -> Any:
        """The base model's forward, with the prefix in the decoder's cache.

        `attention_mask` stays (batch, source): the encoder never sees the prefix. `decoder_attention_mask` grows from
        (batch, target) to (batch, prefix_len+target). A cache that the caller passes is replaced, as in PEFT.
        """
        kwargs["past_key_values"] = self.get_prompt(get_batch_size(input_ids, inputs_embeds))
        kwargs |= {"output_attentions": output_attentions, "output_hidden_states": output_hidden_states}
        kwargs["return_dict"] = return_dict  # a None is handed on, too, and transformers takes it for "no": as PEFT
        self.shift_position_ids(kwargs)
        return self.base_model(
            input_ids=input_ids,
            attention_mask=attention_mask,
            inputs_embeds=inputs_embeds,
            decoder_input_ids=decoder_input_ids,
            decoder_attention_mask=self.prepend_prefix(decoder_attention_mask),
            decoder_inputs_embeds=decoder_inputs_embeds,
            labels=labels,
            **kwargs,
        )

    def prepare_inputs_for_generation(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Before the first token, put the prefix in the cache; the loop keeps it from there, or asks again."""
        model_kwargs = self.base_model_prepare_inputs_for_generation(*args, **kwargs)
        if kwargs.get("is_first_iteration", not model_kwargs.get("past_key_values")):
            model_kwargs["past_key_values"] = self.get_prompt(model_kwargs["decoder_input_ids"].shape[0])
        return model_kwargs


class PeftModelForCausalLM(GenerativeModel):
    """Text that goes on, with one stack of layers. Source: `peft.peft_model.PeftModelForCausalLM`."""

    def forward(
        self,
        input_ids: Ids = None,
        attention_mask: Mask = None,
        inputs_embeds: Embeds = None,
        labels: Ids = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
        **kwargs: Any,
    ) -> Any:
        """The base's forward; the mask grows to (batch, prefix_len+tokens), labels do not: a past has no logits."""
        batch_size = get_batch_size(input_ids, inputs_embeds)
        self.shift_position_ids(kwargs)
        kwargs |= {"output_attentions": output_attentions, "output_hidden_states": output_hidden_states}
        kwargs["return_dict"] = return_dict  # a None is handed on, too, and transformers takes it for "no": as PEFT
        kwargs["past_key_values"] = self.get_prompt(batch_size)
        return self.base_model(
            input_ids=input_ids,
            attention_mask=self.prepend_prefix(attention_mask),
            inputs_embeds=inputs_embeds,
            labels=labels,
            **kwargs,
        )

    def prepare_inputs_for_generation(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """For each token: only the newest id, the mask grown by prefix_len, positions after the prefix."""
        model_kwargs = self.base_model_prepare_inputs_for_generation(*args, **kwargs)
        cache = model_kwargs.get("past_key_values")
        filled = 0 if cache is None else cache.get_seq_length()
        if filled and filled >= model_kwargs["input_ids"].shape[1]:
            model_kwargs["input_ids"] = model_kwargs["input_ids"][:, -1:]  # the cache knows the others
        model_kwargs["attention_mask"] = self.prepend_prefix(model_kwargs.get("attention_mask"))
        self.shift_position_ids(model_kwargs)
        if not filled:
            model_kwargs["past_key_values"] = self.get_prompt(model_kwargs["input_ids"].shape[0])
        return model_kwargs


def get_batch_size(input_ids: Ids, inputs_embeds: Embeds) -> int:
    """How many texts at once. Raises `ValueError` when neither is given. Source: `peft.utils.other._get_batch_size`."""
    if input_ids is None and inputs_embeds is None:
        raise ValueError("You have to provide either input_ids or inputs_embeds")
    return (inputs_embeds if input_ids is None else input_ids).shape[0]
