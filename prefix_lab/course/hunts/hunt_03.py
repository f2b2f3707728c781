"""The stage `attend` of a GPT-2. Compare `peft.peft_model.PeftModelForCausalLM.forward`."""

from typing import Any

from prefix_lab import tasks
from prefix_lab.tasks import get_batch_size


class PeftModelForCausalLM(tasks.PeftModelForCausalLM):
    """Text that goes on, with a prefix before it."""

    def forward(
        self,
        input_ids: Any = None,
        attention_mask: Any = None,
        inputs_embeds: Any = None,
        labels: Any = None,
        **kwargs: Any,
    ) -> Any:
        """The base model's forward, with the prefix as its past."""
        batch_size = get_batch_size(input_ids, inputs_embeds)
        self.shift_position_ids(kwargs)
        kwargs["past_key_values"] = self.get_prompt(batch_size)
        return self.base_model(
            input_ids=input_ids,
            attention_mask=attention_mask,
            inputs_embeds=inputs_embeds,
            labels=labels,
            **kwargs,
        )
