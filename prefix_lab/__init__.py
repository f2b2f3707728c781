"""Prefix tuning as PEFT does it, written to be read: `get_peft_model(model, PrefixTuningConfig(...))`.

The names are PEFT's, so that `from peft import ...` can be swapped for `from prefix_lab import ...`. Start reading in
`stages.py`, then follow the data: config, mapping, prepare, models, encoder, past, tasks.
"""

from prefix_lab.checkpoint import get_peft_model_state_dict, set_peft_model_state_dict
from prefix_lab.config import PeftConfig, PeftType, PrefixTuningConfig, PromptLearningConfig, TaskType
from prefix_lab.encoder import PrefixEncoder
from prefix_lab.heads import (
    PeftModelForQuestionAnswering,
    PeftModelForSequenceClassification,
    PeftModelForTokenClassification,
)
from prefix_lab.lora import LoraConfig
from prefix_lab.mapping import get_peft_config, get_peft_model
from prefix_lab.models import PeftModel
from prefix_lab.prepare import prepare_prompt_learning_config
from prefix_lab.tasks import PeftModelForCausalLM, PeftModelForFeatureExtraction, PeftModelForSeq2SeqLM

__all__ = [
    "LoraConfig",
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
    "prepare_prompt_learning_config",
    "set_peft_model_state_dict",
]
