"""Where the walk starts: two tables, and the function that reads them.

Mirrors `peft.mapping_func.get_peft_model`, `peft.mapping.get_peft_config` and the table in `peft.auto`. PEFT fills
its tables with `register_peft_method`, so that a breakpoint on the table shows nothing; here they are written out.
"""

import warnings
from typing import Any

from torch import nn

from prefix_lab.config import PeftConfig, PeftType, PrefixTuningConfig, TaskType
from prefix_lab.heads import (
    PeftModelForQuestionAnswering,
    PeftModelForSequenceClassification,
    PeftModelForTokenClassification,
)
from prefix_lab.lora import LoraConfig, LoraLinear
from prefix_lab.models import PeftModel, refuse_name, warn_of_name
from prefix_lab.tasks import (
    PeftModelForCausalLM,
    PeftModelForFeatureExtraction,
    PeftModelForSeq2SeqLM,
)

MODEL_TYPE_TO_PEFT_MODEL_MAPPING: dict[str, type[PeftModel]] = {
    TaskType.SEQ_CLS: PeftModelForSequenceClassification,
    TaskType.SEQ_2_SEQ_LM: PeftModelForSeq2SeqLM,
    TaskType.CAUSAL_LM: PeftModelForCausalLM,
    TaskType.TOKEN_CLS: PeftModelForTokenClassification,
    TaskType.QUESTION_ANS: PeftModelForQuestionAnswering,
    TaskType.FEATURE_EXTRACTION: PeftModelForFeatureExtraction,
}
"""Task type → the class that wraps the model. Source: `peft.auto.MODEL_TYPE_TO_PEFT_MODEL_MAPPING`."""

PEFT_TYPE_TO_CONFIG_MAPPING: dict[str, type[PeftConfig]] = {
    PeftType.PREFIX_TUNING: PrefixTuningConfig,
    PeftType.LORA: LoraConfig,
}
"""Method → its configuration class. Source: `peft.mapping.PEFT_TYPE_TO_CONFIG_MAPPING`."""


def get_peft_config(config_dict: dict[str, Any]) -> PeftConfig:
    """A config object from a dict; `config_dict["peft_type"]` chooses the class.

    Raises `ValueError` when peft_type is missing or not one of the table's, `TypeError` for a field that the class
    does not have. Source: `peft.mapping.get_peft_config`.
    """
    known = ", ".join(PEFT_TYPE_TO_CONFIG_MAPPING)
    peft_type = config_dict.get("peft_type")
    if peft_type is None:
        raise ValueError(f"config_dict has no 'peft_type', which chooses the method. Set it to one of {known}.")
    if peft_type not in PEFT_TYPE_TO_CONFIG_MAPPING:
        raise ValueError(f"peft_type={peft_type!r} is not a method that prefix_lab has. Set one of {known}.")
    kind = PEFT_TYPE_TO_CONFIG_MAPPING[peft_type]
    return kind(**kind.plain(config_dict))


def get_peft_model(
    model: nn.Module,
    peft_config: PeftConfig,
    adapter_name: str = "default",
    mixed: bool = False,
    autocast_adapter_dtype: bool = True,
    revision: str | None = None,
    low_cpu_mem_usage: bool = False,
) -> PeftModel:
    """Wrap `model` so that a prefix trains and the model itself stays as it is. The model is changed in place.

    `autocast_adapter_dtype=False` trains LoRA in the base's precision. For a prefix it changes nothing, and
    `low_cpu_mem_usage` never does: they are there so that a call to PEFT can be swapped for this one.
    Source: `peft.mapping_func.get_peft_model`.

    Raises `ValueError` for a task type that has no class, for `mixed=True`, and for what `prepare` refuses. Model and
    config are then as they were.
    """
    task_class = choose_task_class(peft_config)
    if mixed:
        raise ValueError("mixed=True mixes layers of several methods; prefix tuning adds no layers. Leave it out.")

    refuse_name(adapter_name)
    old_name, old_revision = peft_config.base_model_name_or_path, peft_config.revision
    new_name = model.__dict__.get("name_or_path") or None  # a model built from a config has the name ""
    if any(isinstance(module, LoraLinear) for module in model.modules()):
        warnings.warn(
            "You are trying to modify a model with PEFT for a second time. If you want to reload the model with a "
            "different config, make sure to call `.unload()` before.",
            stacklevel=2,
        )
    if old_name is not None and old_name != new_name:
        warnings.warn(
            f"The PEFT config's `base_model_name_or_path` was renamed from '{old_name}' to '{new_name}'. "
            "Please ensure that the correct base model is loaded when loading this checkpoint.",
            stacklevel=2,
        )
    if revision is not None and old_revision not in (None, revision):
        warnings.warn(
            f"peft config has already set base model revision to {old_revision}, overwriting with revision {revision}",
            stacklevel=2,
        )
    warn_of_name(adapter_name, peft_config.peft_type)

    peft_config.base_model_name_or_path = new_name
    peft_config.revision = revision or old_revision
    try:
        return task_class(model, peft_config, adapter_name, autocast_adapter_dtype)
    except Exception:
        peft_config.base_model_name_or_path, peft_config.revision = old_name, old_revision
        raise


def choose_task_class(peft_config: PeftConfig) -> type[PeftModel]:
    """The class for the config's task type.

    Raises `ValueError` when there is none or for a peft_type that is not in the table, `TypeError` for an object that
    is not that method's config.
    """
    known = ", ".join(PEFT_TYPE_TO_CONFIG_MAPPING)
    if isinstance(peft_config, PeftConfig) and peft_config.peft_type not in PEFT_TYPE_TO_CONFIG_MAPPING:
        raise ValueError(
            f"peft_type={peft_config.peft_type!r} is not a method that prefix_lab has. Set one of {known}."
        )
    if not isinstance(peft_config, tuple(PEFT_TYPE_TO_CONFIG_MAPPING.values())):
        kind = f"{type(peft_config).__module__}.{type(peft_config).__qualname__}"
        raise TypeError(f"peft_config is a {kind}, expected a PrefixTuningConfig of prefix_lab.")
    task_type = peft_config.task_type
    if task_type is None and not peft_config.is_prompt_learning:
        return PeftModel  # changed layers work in any model; a prefix needs a class that knows where to put it
    if task_type not in MODEL_TYPE_TO_PEFT_MODEL_MAPPING:
        raise ValueError(
            f"task_type={task_type!r} chooses no model class. "
            f"Set task_type to one of {', '.join(MODEL_TYPE_TO_PEFT_MODEL_MAPPING)}."
        )
    return MODEL_TYPE_TO_PEFT_MODEL_MAPPING[task_type]
