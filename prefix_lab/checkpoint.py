"""What is kept of a trained prefix: the computed keys and values, and the configuration.

Mirrors `peft.utils.save_and_load.get_peft_model_state_dict` and `peft.peft_model.PeftModel.save_pretrained`. With
projection the MLP is not kept: Li & Liang 2021, section 4.3, drop it after training.
"""

import copy
from pathlib import Path

import torch
from jaxtyping import Float
from safetensors.torch import save_file
from torch import Tensor

from prefix_lab.models import PeftModel

WEIGHTS_NAME = "adapter_model.safetensors"


@torch.no_grad()
def get_peft_model_state_dict(
    model: PeftModel, adapter_name: str = "default"
) -> dict[str, Float[Tensor, "prefix_len two_layers_hidden"]]:
    """`{"prompt_embeddings": ...}`, (prefix_len, 2·layers·hidden): one row a virtual token, whatever the batch.

    Raises `ValueError` for an adapter that the model does not have.
    Source: `peft.utils.save_and_load.get_peft_model_state_dict`.
    """
    if adapter_name not in model.peft_config:
        raise ValueError(
            f"adapter_name={adapter_name!r} is not in the model, which has {', '.join(model.peft_config)}."
        )
    config, encoder = model.peft_config[adapter_name], model.prompt_encoder[adapter_name]
    if config.inference_mode:
        return {"prompt_embeddings": encoder.embedding.weight.detach()}
    prompt_tokens = model.prompt_tokens[adapter_name][: config.num_virtual_tokens]  # (prefix_len,)
    prefix = encoder(prompt_tokens.unsqueeze(0).to(encoder.embedding.weight.device))  # (1, prefix_len, 2·layers·hidden)
    return {"prompt_embeddings": prefix[0].cpu()}


def save_pretrained(model: PeftModel, save_directory: str | Path) -> None:
    """Write `adapter_model.safetensors` and `adapter_config.json`, which PEFT can load; each whole or not at all.

    The config is written with `inference_mode=True`. An adapter that is not named "default" goes to a folder of its
    name. Raises `ValueError` when `save_directory` is a file. Source: `peft.peft_model.PeftModel.save_pretrained`.
    """
    top = Path(save_directory)
    if top.is_file():
        raise ValueError(f"save_directory={str(top)!r} is a file. Give a folder; it is made if need be.")
    for adapter_name, config in model.peft_config.items():
        tensors = {name: tensor.contiguous() for name, tensor in get_peft_model_state_dict(model, adapter_name).items()}
        directory = top if adapter_name == "default" else top / adapter_name
        directory.mkdir(parents=True, exist_ok=True)
        unfinished = directory / (WEIGHTS_NAME + ".tmp")
        save_file(tensors, unfinished, metadata={"format": "pt"})
        unfinished.replace(directory / WEIGHTS_NAME)
        kept = copy.copy(config)
        kept.inference_mode = True
        kept.save_pretrained(directory)
