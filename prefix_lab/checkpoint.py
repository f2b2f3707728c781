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
from safetensors.torch import save
from torch import Tensor

from prefix_lab.config import write_whole
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
    """Write `adapter_model.safetensors`, then `adapter_config.json` with `inference_mode=True`; PEFT can load them.

    `weights` is by file what to write in place of the computed prefix; `fields` changes what the config says.
    Source: `peft.peft_model.PeftModel.save_pretrained`.
    """
    if weights is None:
        weights = {WEIGHTS_NAME: as_safetensors(get_peft_model_state_dict(model, adapter_name))}
    for name, content in weights.items():
        write_whole(Path(save_directory) / name, content)
    replace(model.peft_config[adapter_name], inference_mode=True, **fields).save_pretrained(save_directory)


def set_peft_model_state_dict(model: PeftModel, state_dict: StateDict, adapter_name: str = "default") -> None:
    """Put a saved prefix into an adapter that was wrapped with its saved config, and so has the flat table alone.

    Source: `peft.utils.save_and_load.set_peft_model_state_dict`.
    """
    model.prompt_encoder[adapter_name].embedding.load_state_dict({"weight": state_dict["prompt_embeddings"]})


def as_safetensors(tensors: StateDict) -> bytes:
    """A weights file's content, as PEFT writes it: contiguous, nothing shared."""
    alone = {name: tensor.detach().cpu().clone() for name, tensor in tensors.items()}
    return save(alone, metadata={"format": "pt"})
