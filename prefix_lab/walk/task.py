"""Which task a model is for, read from its config: the user of PEFT says it, the terminal walk finds it."""

from typing import Any

from transformers.models.auto.modeling_auto import (
    MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
    MODEL_FOR_MASKED_LM_MAPPING_NAMES,
)

from prefix_lab.config import TaskType


def choose_task(model_config: Any) -> tuple[str, str]:
    """The task type, and the reason: what the config says of encoder and decoder, its architecture, or its family."""
    architecture = (getattr(model_config, "architectures", None) or [""])[0]
    family = getattr(model_config, "model_type", "")
    if getattr(model_config, "is_encoder_decoder", False):
        return TaskType.SEQ_2_SEQ_LM.value, "the model's config says is_encoder_decoder=True"
    if architecture.endswith(("ForCausalLM", "LMHeadModel")):
        return TaskType.CAUSAL_LM.value, f"the model's architecture is {architecture}"
    if family in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES and family not in MODEL_FOR_MASKED_LM_MAPPING_NAMES:
        return TaskType.CAUSAL_LM.value, f"model_type {family} is a decoder alone"
    if family in MODEL_FOR_MASKED_LM_MAPPING_NAMES:
        return TaskType.FEATURE_EXTRACTION.value, f"model_type {family} is an encoder alone"
    return TaskType.FEATURE_EXTRACTION.value, f"model_type {family} has no language-model head that generates"
