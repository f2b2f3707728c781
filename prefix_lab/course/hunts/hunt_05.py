"""The stage `wrap` of a BERT that sorts texts.

Compare `peft.peft_model.PeftModelForSequenceClassification.__init__`.
"""

from prefix_lab.beside import heads
from prefix_lab.beside.adapters import PeftModel
from prefix_lab.config import PrefixTuningConfig


class PeftModelForSequenceClassification(heads.PeftModelForSequenceClassification):
    """One answer for a text, with a prefix before it."""

    def add_adapter(
        self, adapter_name: str, peft_config: PrefixTuningConfig, autocast_adapter_dtype: bool = True
    ) -> None:
        """Attach a prefix, and a copy of every module that `modules_to_save` names."""
        PeftModel.add_adapter(self, adapter_name, peft_config, autocast_adapter_dtype)
        self.name_the_head(peft_config)
