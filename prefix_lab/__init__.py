"""Prefix tuning as PEFT does it, written to be read: `get_peft_model(model, PrefixTuningConfig(...))`.

The names are PEFT's, so that `from peft import ...` can be swapped for `from prefix_lab import ...`. Start reading in
`stages.py`, then follow the data: config, mapping, prepare, models, encoder, past, tasks.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from prefix_lab.auto import (
        AutoPeftModel,
        AutoPeftModelForCausalLM,
        AutoPeftModelForFeatureExtraction,
        AutoPeftModelForQuestionAnswering,
        AutoPeftModelForSeq2SeqLM,
        AutoPeftModelForSequenceClassification,
        AutoPeftModelForTokenClassification,
    )
    from prefix_lab.checkpoint import (
        get_peft_model_state_dict,
        load_peft_weights,
        set_peft_model_state_dict,
    )
    from prefix_lab.config import (
        PeftConfig,
        PeftType,
        PrefixTuningConfig,
        PromptLearningConfig,
        TaskType,
    )
    from prefix_lab.encoder import (
        PrefixEncoder,
    )
    from prefix_lab.from_text import (
        initialize_kv_prefix_from_text,
    )
    from prefix_lab.heads import (
        PeftModelForQuestionAnswering,
        PeftModelForSequenceClassification,
        PeftModelForTokenClassification,
    )
    from prefix_lab.lora import (
        LoraConfig,
        LoraModel,
    )
    from prefix_lab.mapping import (
        MODEL_TYPE_TO_PEFT_MODEL_MAPPING,
        PEFT_TYPE_TO_CONFIG_MAPPING,
        get_peft_config,
        get_peft_model,
    )
    from prefix_lab.models import (
        PeftModel,
    )
    from prefix_lab.prepare import (
        prepare_prompt_learning_config,
    )
    from prefix_lab.tasks import (
        PeftModelForCausalLM,
        PeftModelForFeatureExtraction,
        PeftModelForSeq2SeqLM,
    )

# Where each name is; looked up when it is used, so that `prefix_lab.debugger` can be had without torch.
_HOMES = {
    "AutoPeftModel": "auto",
    "AutoPeftModelForCausalLM": "auto",
    "AutoPeftModelForFeatureExtraction": "auto",
    "AutoPeftModelForQuestionAnswering": "auto",
    "AutoPeftModelForSeq2SeqLM": "auto",
    "AutoPeftModelForSequenceClassification": "auto",
    "AutoPeftModelForTokenClassification": "auto",
    "LoraConfig": "lora",
    "LoraModel": "lora",
    "MODEL_TYPE_TO_PEFT_MODEL_MAPPING": "mapping",
    "PEFT_TYPE_TO_CONFIG_MAPPING": "mapping",
    "PeftConfig": "config",
    "PeftModel": "models",
    "PeftModelForCausalLM": "tasks",
    "PeftModelForFeatureExtraction": "tasks",
    "PeftModelForQuestionAnswering": "heads",
    "PeftModelForSeq2SeqLM": "tasks",
    "PeftModelForSequenceClassification": "heads",
    "PeftModelForTokenClassification": "heads",
    "PeftType": "config",
    "PrefixEncoder": "encoder",
    "PrefixTuningConfig": "config",
    "PromptLearningConfig": "config",
    "TaskType": "config",
    "get_peft_config": "mapping",
    "get_peft_model": "mapping",
    "get_peft_model_state_dict": "checkpoint",
    "initialize_kv_prefix_from_text": "from_text",
    "load_peft_weights": "checkpoint",
    "prepare_prompt_learning_config": "prepare",
    "set_peft_model_state_dict": "checkpoint",
}

__all__ = [
    "MODEL_TYPE_TO_PEFT_MODEL_MAPPING",
    "PEFT_TYPE_TO_CONFIG_MAPPING",
    "AutoPeftModel",
    "AutoPeftModelForCausalLM",
    "AutoPeftModelForFeatureExtraction",
    "AutoPeftModelForQuestionAnswering",
    "AutoPeftModelForSeq2SeqLM",
    "AutoPeftModelForSequenceClassification",
    "AutoPeftModelForTokenClassification",
    "LoraConfig",
    "LoraModel",
    "PeftConfig",
    "PeftModel",
    "PeftModelForCausalLM",
    "PeftModelForFeatureExtraction",
    "PeftModelForQuestionAnswering",
    "PeftModelForSeq2SeqLM",
    "PeftModelForSequenceClassification",
    "PeftModelForTokenClassification",
    "PeftType",
    "PrefixEncoder",
    "PrefixTuningConfig",
    "PromptLearningConfig",
    "TaskType",
    "get_peft_config",
    "get_peft_model",
    "get_peft_model_state_dict",
    "initialize_kv_prefix_from_text",
    "load_peft_weights",
    "prepare_prompt_learning_config",
    "set_peft_model_state_dict",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        found = version("prefix-lab")
    elif name in _HOMES:
        found = getattr(importlib.import_module(f"prefix_lab.{_HOMES[name]}"), name)
    else:
        from prefix_lab.other_methods import stand_in

        found = stand_in(name)
        if found is None:
            raise AttributeError(f"module 'prefix_lab' has no attribute {name!r}")
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
