"""Beside the essence: every other task, several adapters, LoRA, the paper's layout, and what is refused.

These are the names that `from prefix_lab import ...` gives. They are said here alone, and all are imported together, so
that the tables of classes are complete whichever of them is asked for.
"""
# ruff: noqa: F401  to be imported from here is what they are here for

from prefix_lab.beside.adapters import PeftModel
from prefix_lab.beside.configs import (
    PEFT_TYPE_TO_CONFIG_MAPPING,
    PeftConfig,
    PrefixTuningConfig,
    PromptLearningConfig,
    get_peft_config,
)
from prefix_lab.beside.fitting import prepare_prompt_learning_config
from prefix_lab.beside.initialization import from_ptuning_v2, initialize_kv_prefix_from_text
from prefix_lab.beside.lora import LoraConfig, LoraModel
from prefix_lab.beside.paper_layout import wants_paper as _wants_paper  # enters itself among the wrappers
from prefix_lab.beside.saving import get_peft_model_state_dict, load_peft_weights, set_peft_model_state_dict
from prefix_lab.beside.task_classes import (
    PeftModelForCausalLM,
    PeftModelForFeatureExtraction,
    PeftModelForQuestionAnswering,
    PeftModelForSeq2SeqLM,
    PeftModelForSequenceClassification,
    PeftModelForTokenClassification,
)
from prefix_lab.beside.wrapping import (
    MODEL_TYPE_TO_PEFT_MODEL_MAPPING,
    AutoPeftModel,
    AutoPeftModelForCausalLM,
    AutoPeftModelForFeatureExtraction,
    AutoPeftModelForQuestionAnswering,
    AutoPeftModelForSeq2SeqLM,
    AutoPeftModelForSequenceClassification,
    AutoPeftModelForTokenClassification,
    get_peft_model,
)
from prefix_lab.config import PeftType, TaskType
from prefix_lab.encoder import PrefixEncoder
