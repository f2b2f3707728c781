"""What is kept of a trained prefix: the computed keys and values, and the configuration. Loading is `beside.saving`.

Mirrors `peft.utils.save_and_load` and the saving of `peft.peft_model.PeftModel`. With projection the MLP is not kept:
Li & Liang 2021, section 4.3, drop it after training. So PEFT reads what we write, as an adapter in inference mode.
"""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

from prefix_lab.config import CONFIG_NAME
from prefix_lab.models import PeftModel

WEIGHTS_NAME = "adapter_model.safetensors"


@torch.no_grad()
def get_peft_model_state_dict(model: PeftModel, adapter_name: str = "default") -> dict[str, Tensor]:
    """`prompt_embeddings`, (prefix_len, prefix_width). Source: `peft.utils.save_and_load.get_peft_model_state_dict`."""
    return {"prompt_embeddings": model.get_prompt_embedding_to_save(adapter_name)}


def save_pretrained(
    model: PeftModel, save_directory: str | Path, adapter_name: str = "default", weights: Any = None, **fields: Any
) -> None:
    """Write `adapter_model.safetensors`, then `adapter_config.json` with `inference_mode=True`.

    `weights` is by file what to write in place of the computed prefix; `fields` changes what the config says.
    Source: `peft.peft_model.PeftModel.save_pretrained`.
    """
    if weights is None:
        weights = {WEIGHTS_NAME: as_safetensors(get_peft_model_state_dict(model, adapter_name))}
    config = replace(model.peft_config[adapter_name], inference_mode=True, **fields)
    for name, content in {**weights, CONFIG_NAME: config.to_json().encode()}.items():
        write_whole(Path(save_directory) / name, content)


def as_safetensors(tensors: dict[str, Tensor]) -> bytes:
    """A weights file's content, as PEFT writes it: contiguous, nothing shared."""
    return save({name: tensor.detach().cpu().clone() for name, tensor in tensors.items()}, metadata={"format": "pt"})


def write_whole(path: Path, content: bytes) -> None:
    """Write the file beside its place, then move it there: it is never half there. A link stays a link."""
    place = path.resolve()
    place.parent.mkdir(parents=True, exist_ok=True)
    unfinished = place.with_name(f".{place.name}.unfinished")
    unfinished.write_bytes(content)
    os.replace(unfinished, place)
