"""One class a task: how inputs, masks and labels change when a prefix stands before them.

Mirrors the `PeftModelFor…` classes of `peft.peft_model`. The prefix needs no place in `input_ids` or `labels`: it is a
past, so the model reads it through the cache, and only the attention mask grows by prefix_len.
"""

import warnings
from typing import Any

from jaxtyping import Float, Int, Shaped
from torch import Tensor, nn
from transformers.cache_utils import Cache

from prefix_lab.config import PeftConfig
from prefix_lab.models import Mask, PeftModel
from prefix_lab.paper_layout import encoder_prefix
from prefix_lab.refusals import can_generate, prefix_is_read

Ids = Int[Tensor, "batch tokens"] | None
Embeds = Float[Tensor, "batch tokens hidden"] | None
TargetIds = Int[Tensor, "batch target"] | None
TargetMask = Shaped[Tensor, "batch target"] | None
TargetEmbeds = Float[Tensor, "batch target hidden"] | None


class GenerativeModel(PeftModel):
    """What the two language-model tasks share: `generate` runs the base model's loop with our preparation of a step."""

    hands_on = False  # whether an assigned generation config reaches the base model, as PEFT has it

    def __init__(
        self,
        model: nn.Module,
        peft_config: PeftConfig,
        adapter_name: str = "default",
        *args: Any,
        **kwargs: Any,
    ):
        prepare_inputs = model.prepare_inputs_for_generation  # first, so that a model without it is left as it was
        super().__init__(model, peft_config, adapter_name, *args, **kwargs)
        self.base_model_prepare_inputs_for_generation = prepare_inputs

    def generate(self, *args: Any, **kwargs: Any) -> Any:
        """As the base model's `generate`, with the prefix before the first token.

        Raises `ValueError` for `use_cache=False` where the prefix would be lost: PEFT lets it pass, and T5 and BART
        are then silently wrong from the second token on. A decoder alone reads a fresh prefix for each token.
        Source: `peft.peft_model.PeftModelForCausalLM.generate`.
        """
        self.hand_on_generation_config()
        if not self.active_peft_config.is_prompt_learning:
            return self.base_model.generate(*args, **kwargs)
        self.base_model.prepare_inputs_for_generation = self.prepare_inputs_for_generation
        try:
            with can_generate(self, kwargs):
                return self.base_model.generate(*args, **kwargs)
        finally:
            self.base_model.prepare_inputs_for_generation = self.base_model_prepare_inputs_for_generation

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
        Source: `peft.peft_model.PeftModelForSeq2SeqLM.forward`.
        """
        cache = kwargs["past_key_values"] = self.get_prompt(get_batch_size(input_ids, inputs_embeds))
        kwargs |= outputs_asked_for(output_attentions, output_hidden_states, return_dict)
        self.shift_position_ids(kwargs)
        with prefix_is_read(self, cache, either(input_ids, inputs_embeds)), encoder_prefix(self):
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

    def generate(self, **kwargs: Any) -> Any:
        """As the base model's `generate`. Raises `ValueError` without `input_ids`, as PEFT does.

        Source: `peft.peft_model.PeftModelForSeq2SeqLM.generate`.
        """
        if not self.active_peft_config.is_prompt_learning:
            return super().generate(**kwargs)
        if "input_ids" not in kwargs:
            raise ValueError("input_ids must be provided for Peft model generation: pass generate(input_ids=...).")
        self.shift_position_ids(kwargs)
        with encoder_prefix(self):
            return super().generate(**kwargs)

    def prepare_inputs_for_generation(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Before the first token, put the prefix in the cache; the loop keeps it from there.

        Source: `peft.peft_model.PeftModelForSeq2SeqLM.prepare_inputs_for_generation`.
        """
        model_kwargs = self.base_model_prepare_inputs_for_generation(*args, **kwargs)
        if kwargs.get("is_first_iteration"):
            model_kwargs["past_key_values"] = self.get_prompt(model_kwargs["decoder_input_ids"].shape[0])
        return model_kwargs


class PeftModelForCausalLM(GenerativeModel):
    """Text that goes on, with one stack of layers. Source: `peft.peft_model.PeftModelForCausalLM`."""

    hands_on = True

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
        """The base model's forward; `attention_mask` grows from (batch, tokens) to (batch, prefix_len+tokens).

        Labels stay as they are: the cache makes no logits. Source: `peft.peft_model.PeftModelForCausalLM.forward`.
        """
        batch_size = get_batch_size(input_ids, inputs_embeds)
        self.shift_position_ids(kwargs)
        kwargs |= outputs_asked_for(output_attentions, output_hidden_states, return_dict)
        cache = kwargs["past_key_values"] = self.get_prompt(batch_size)
        with prefix_is_read(self, cache, either(input_ids, inputs_embeds)):
            return self.base_model(
                input_ids=input_ids,
                attention_mask=self.prepend_prefix(attention_mask),
                inputs_embeds=inputs_embeds,
                labels=labels,
                **kwargs,
            )

    def prepare_inputs_for_generation(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """For each token: only the newest id, the mask grown by prefix_len, positions after the prefix.

        Source: `peft.peft_model.PeftModelForCausalLM.prepare_inputs_for_generation`.
        """
        model_kwargs = self.base_model_prepare_inputs_for_generation(*args, **kwargs)
        cache: Cache | None = model_kwargs.get("past_key_values")
        filled = 0 if cache is None else cache.get_seq_length()
        if filled and filled >= model_kwargs["input_ids"].shape[1]:
            model_kwargs["input_ids"] = model_kwargs["input_ids"][:, -1:]  # the cache knows the others
        model_kwargs["attention_mask"] = self.prepend_prefix(model_kwargs.get("attention_mask"))
        self.shift_position_ids(model_kwargs)
        if not filled:
            model_kwargs["past_key_values"] = self.get_prompt(model_kwargs["input_ids"].shape[0])
        return model_kwargs


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
        if (
            attention_mask is not None
            and getattr(self.config, "is_encoder_decoder", False)
            and not attention_mask.all()
        ):
            raise ValueError(
                "attention_mask would mask the encoder, which does not see the prefix: run texts of one length "
                "together, without padding."
            )
        batch_size = get_batch_size(input_ids, inputs_embeds)
        self.shift_position_ids(kwargs)
        kwargs |= outputs_asked_for(output_attentions, output_hidden_states, return_dict)
        cache = kwargs["past_key_values"] = self.get_prompt(batch_size)
        with prefix_is_read(self, cache, either(input_ids, inputs_embeds)):
            return self.base_model(
                input_ids=input_ids,
                attention_mask=self.prepend_prefix(attention_mask),
                inputs_embeds=inputs_embeds,
                **kwargs,
            )


def either(input_ids: Ids, inputs_embeds: Embeds) -> Tensor:
    """The text, by its ids or by its vectors. Raises `ValueError` when neither is given."""
    if input_ids is None and inputs_embeds is None:
        raise ValueError("You have to provide either input_ids or inputs_embeds")
    return inputs_embeds if input_ids is None else input_ids


def get_batch_size(input_ids: Ids, inputs_embeds: Embeds) -> int:
    """How many texts at once. Raises `ValueError` when neither is given. Source: `peft.utils.other._get_batch_size`."""
    return either(input_ids, inputs_embeds).shape[0]


def outputs_asked_for(attentions: bool | None, hidden_states: bool | None, as_dict: bool | None) -> dict[str, Any]:
    """What the caller said of the outputs, by the base model's names for it. PEFT hands a None on, too, and
    transformers takes it for "no": what the base model's own config asks for is not given then."""
    return {"output_attentions": attentions, "output_hidden_states": hidden_states, "return_dict": as_dict}
