"""Where the walk starts: a table of classes, and the function that reads it.

Mirrors `peft.mapping_func.get_peft_model` and the table in `peft.auto`; two of its six classes are here.
"""

from collections.abc import Mapping
from typing import Any

from torch import nn

from prefix_lab.config import PeftConfig, TaskType
from prefix_lab.models import PeftModel
from prefix_lab.tasks import PeftModelForCausalLM, PeftModelForSeq2SeqLM

MODEL_TYPE_TO_PEFT_MODEL_MAPPING: dict[str, type[PeftModel]] = {
    TaskType.SEQ_2_SEQ_LM: PeftModelForSeq2SeqLM,
    TaskType.CAUSAL_LM: PeftModelForCausalLM,
}
"""Task type → the class that wraps the model. Source: `peft.auto.MODEL_TYPE_TO_PEFT_MODEL_MAPPING`."""


def get_peft_model(
    model: nn.Module,
    peft_config: PeftConfig,
    adapter_name: str = "default",
    classes: Mapping[str | None, type[PeftModel]] = MODEL_TYPE_TO_PEFT_MODEL_MAPPING,
    **options: Any,
) -> PeftModel:
    """Choose the class for the task; made of the model, it prepares the config, then wraps the model, in place.

    `classes` is the table to choose from, and `options` go to the class. Source: `peft.mapping_func.get_peft_model`.
    """
    task_class = choose_task_class(peft_config, classes)
    peft_config.base_model_name_or_path = model.__dict__.get("name_or_path") or None  # "" if built from a config
    return task_class(model, peft_config, adapter_name, **options)  # prepare, wrap: see PeftModel.add_adapter


def choose_task_class(
    peft_config: PeftConfig, classes: Mapping[str | None, type[PeftModel]] = MODEL_TYPE_TO_PEFT_MODEL_MAPPING
) -> type[PeftModel]:
    """The class for the config's task type. Raises `ValueError` when there is none."""
    if peft_config.task_type not in classes:
        known = ", ".join(key for key in classes if key is not None)
        raise ValueError(f"task_type={peft_config.task_type!r} chooses no class. Set task_type to one of {known}.")
    return classes[peft_config.task_type]
