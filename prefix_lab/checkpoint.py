"""What is kept of a trained prefix: the computed keys and values, and the configuration.

Mirrors `peft.utils.save_and_load` and the saving and loading of `peft.peft_model.PeftModel`. With projection the MLP
is not kept: Li & Liang 2021, section 4.3, drop it after training.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from safetensors.torch import load_file, save
from torch import Tensor, nn

from prefix_lab.config import CONFIG_NAME, PrefixTuningConfig, write_whole
from prefix_lab.mapping import MODEL_TYPE_TO_PEFT_MODEL_MAPPING, choose_task_class
from prefix_lab.models import PeftModel

WEIGHTS_NAME = "adapter_model.safetensors"

StateDict = dict[str, Float[Tensor, "..."]]


@torch.no_grad()
def get_peft_model_state_dict(model: PeftModel, adapter_name: str = "default") -> StateDict:
    """`prompt_embeddings`, (prefix_len, 2·layers·hidden): the adapter's own name is in no key.

    Source: `peft.utils.save_and_load.get_peft_model_state_dict`.
    """
    return {"prompt_embeddings": model.get_prompt_embedding_to_save(adapter_name)}


def save_pretrained(
    model: PeftModel,
    save_directory: str | Path,
    adapter_name: str = "default",
    weights: Mapping[str, bytes] | None = None,
    **fields: Any,
) -> None:
    """Write `adapter_model.safetensors` and `adapter_config.json`, with `inference_mode=True`, which PEFT can load.

    `weights` is by file what to write in place of the computed prefix; `fields` changes what the config says.
    Source: `peft.peft_model.PeftModel.save_pretrained`.
    """
    if weights is None:
        weights = {WEIGHTS_NAME: as_safetensors(get_peft_model_state_dict(model, adapter_name))}
    config = replace(model.peft_config[adapter_name], inference_mode=True, **fields)
    files = {**weights, CONFIG_NAME: config.to_json().encode()}
    write_whole({Path(save_directory) / name: content for name, content in files.items()})


def from_pretrained(
    model: nn.Module,
    save_directory: str | Path,
    adapter_name: str = "default",
    classes: Mapping[str, type[PeftModel]] = MODEL_TYPE_TO_PEFT_MODEL_MAPPING,
) -> PeftModel:
    """Wrap `model` with a saved adapter, ours or PEFT's; in evaluation mode.

    Source: `peft.peft_model.PeftModel.from_pretrained`.
    """
    config = PrefixTuningConfig.from_pretrained(save_directory)
    peft_model = choose_task_class(config, classes)(model, config, adapter_name)
    set_peft_model_state_dict(peft_model, load_peft_weights(save_directory), adapter_name)
    return peft_model.eval()


def set_peft_model_state_dict(model: PeftModel, state_dict: StateDict, adapter_name: str = "default") -> None:
    """Put a saved prefix into the adapter. Source: `peft.utils.save_and_load.set_peft_model_state_dict`."""
    model.prompt_encoder[adapter_name].embedding.load_state_dict({"weight": state_dict["prompt_embeddings"]})


def load_peft_weights(save_directory: str | Path) -> StateDict:
    """The tensors of a saved adapter, by name. Source: `peft.utils.save_and_load.load_peft_weights`."""
    return load_file(Path(save_directory) / WEIGHTS_NAME)


def as_safetensors(tensors: StateDict) -> bytes:
    """A weights file's content, as PEFT writes it: contiguous, nothing shared."""
    alone = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in tensors.items()}
    return save(alone, metadata={"format": "pt"})
