"""The stage `attend` of a GPT-2 that writes. Compare `peft.peft_model.PeftModelForCausalLM`."""

from typing import Any

from prefix_lab import tasks


class PeftModelForCausalLM(tasks.PeftModelForCausalLM):
    """Text that goes on, with a prefix before it."""

    def prepare_inputs_for_generation(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """What the base model is called with for each new token."""
        model_kwargs = self.base_model_prepare_inputs_for_generation(*args, **kwargs)
        cache = model_kwargs.get("past_key_values")
        filled = 0 if cache is None else cache.get_seq_length()
        if filled and filled >= model_kwargs["input_ids"].shape[1]:
            model_kwargs["input_ids"] = model_kwargs["input_ids"][:, -1:]
        model_kwargs["attention_mask"] = self.prepend_prefix(model_kwargs.get("attention_mask"))
        if not filled:
            self.shift_position_ids(model_kwargs)
            model_kwargs["past_key_values"] = self.get_prompt(model_kwargs["input_ids"].shape[0])
        return model_kwargs
