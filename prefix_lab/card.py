"""The README.md beside a saved adapter, by which a hub and Trainer know that it is one for PEFT.

Mirrors `peft.peft_model.PeftModel.create_or_update_model_card`. The text around it is huggingface_hub's own template.
"""

from pathlib import Path
from typing import Any

from prefix_lab.config import MIRRORED_PEFT, PeftType, TaskType
from prefix_lab.files import CARD_NAME

FRAMEWORKS = "### Framework versions"


def model_card(model: Any, directory: Path) -> str:
    """The card for this model: a new one, or the one in the folder with what a hub needs to know written anew."""
    from huggingface_hub import ModelCard, ModelCardData

    path = directory / CARD_NAME
    card = ModelCard.load(path) if path.exists() else ModelCard.from_template(ModelCardData())
    card.data["library_name"] = "peft"  # whose loader reads these files
    if tags := tags_of(model):
        card.data["tags"] = tags
    if not card.data.pipeline_tag and model.active_peft_config.task_type == TaskType.CAUSAL_LM:
        card.data.pipeline_tag = "text-generation"
    config = getattr(model, "config", None)
    known = config.to_dict() if hasattr(config, "to_dict") else config
    if known is not None and "_name_or_path" in known:
        card.data["base_model"] = known["_name_or_path"]
    lines = card.text.splitlines()
    version = f"- PEFT {MIRRORED_PEFT}"
    if version not in lines and FRAMEWORKS in lines:
        lines.insert(lines.index(FRAMEWORKS) + 2, version)
    elif version not in lines:
        lines.append(f"{FRAMEWORKS}\n\n{version}")
    card.text = "\n".join(lines)
    return str(card)


def tags_of(model: Any) -> list[str]:
    """What a hub files the adapter under. Source: `peft.peft_model.PeftModel._get_peft_specific_model_tags`."""
    from transformers import PreTrainedModel

    tags = set(getattr(model.get_base_model(), "model_tags", None) or ())
    if isinstance(getattr(model.base_model, "model", None), PreTrainedModel):
        tags.add("transformers")
    if model.active_peft_config.peft_type == PeftType.LORA:
        tags.add("lora")
    if hasattr(model.base_model, "name_or_path"):
        tags.add(f"base_model:adapter:{model.base_model.name_or_path}")
    return sorted(tags)
