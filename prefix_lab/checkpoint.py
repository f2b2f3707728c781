"""What is kept of a trained prefix: the computed keys and values, the trained heads, and the configuration.

Mirrors `peft.utils.save_and_load` and the saving and loading of `peft.peft_model.PeftModel`. With projection the MLP
is not kept: Li & Liang 2021, section 4.3, drop it after training.
"""

import copy
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from prefix_lab.config import CONFIG_NAME, PeftConfig
from prefix_lab.files import WEIGHTS_NAME, read_weights, tensors_as_bytes, whereabouts, write_together
from prefix_lab.lora import LoraModel
from prefix_lab.mapping import choose_task_class
from prefix_lab.models import PeftModel
from prefix_lab.prepare import prepare_prompt_learning_config
from prefix_lab.trained_copies import ModulesToSaveWrapper, matching

StateDict = dict[str, Float[Tensor, "..."]]


@torch.no_grad()
def get_peft_model_state_dict(model: PeftModel, adapter_name: str = "default") -> StateDict:
    """`prompt_embeddings`, (prefix_len, 2·layers·hidden), and the adapter's heads; for LoRA its A and B matrices.

    The adapter's own name is in none of the keys, so that it can be loaded under another. Raises `ValueError` for an
    adapter that the model does not have. Source: `peft.utils.save_and_load.get_peft_model_state_dict`.
    """
    model.require_adapter(adapter_name)
    config, kept = model.peft_config[adapter_name], {}
    if not config.is_prompt_learning:
        kept = lora_places(model, adapter_name)
    elif config.inference_mode:
        kept["prompt_embeddings"] = model.prompt_encoder[adapter_name].embedding.weight.detach()
    else:
        encoder = model.prompt_encoder[adapter_name]
        prompt_tokens = model.prompt_tokens[adapter_name][: config.num_virtual_tokens].unsqueeze(0)  # (1, prefix_len)
        kept["prompt_embeddings"] = encoder(prompt_tokens.to(encoder.embedding.weight.device))[0].cpu()
    for name, wrapper in model.named_modules():
        if isinstance(wrapper, ModulesToSaveWrapper) and adapter_name in wrapper.modules_to_save:
            trained = wrapper.modules_to_save[adapter_name].state_dict()
            kept |= {f"{name}.{key}": tensor for key, tensor in trained.items()}
    return kept


def lora_places(model: PeftModel, adapter_name: str) -> StateDict:
    """The adapter's A and B matrices themselves, by their names without the adapter's."""
    end = f".{adapter_name}.weight"
    weights = model.state_dict(keep_vars=True).items()
    return {f"{n.removesuffix(end)}.weight": w for n, w in weights if ".lora_" in n and n.endswith(end)}


@torch.no_grad()
def set_peft_model_state_dict(model: PeftModel, state_dict: StateDict, adapter_name: str = "default") -> None:
    """Put saved tensors into the adapter of that name. All of them fit, or nothing is changed.

    Raises `ValueError` for a missing or foreign key, a wrong shape, and for NaN or infinite numbers.
    Source: `peft.utils.save_and_load.set_peft_model_state_dict`.
    """
    model.require_adapter(adapter_name)
    config = model.peft_config[adapter_name]
    places: StateDict = {}
    if config.is_prompt_learning:
        places["prompt_embeddings"] = model.prompt_encoder[adapter_name].embedding.weight
    else:
        places = lora_places(model, adapter_name)
    for name, tensor in model.state_dict(keep_vars=True).items():
        if f".modules_to_save.{adapter_name}." in name:
            places[name.replace(f".modules_to_save.{adapter_name}.", ".")] = tensor
    refuse_misfit(dict(state_dict), {name: tuple(place.shape) for name, place in places.items()}, "state_dict")
    for name, place in places.items():
        place.copy_(state_dict[name])


def save_pretrained(model: PeftModel, save_directory: str | Path, selected_adapters: list[str] | None = None) -> None:
    """Write `adapter_model.safetensors` and `adapter_config.json`, which PEFT can load; all files, or none.

    The config is written with `inference_mode=True`. An adapter that is not named "default" goes to a folder of its
    name. Raises `ValueError` when `save_directory` is a file, or for a selected adapter that does not exist.
    Source: `peft.peft_model.PeftModel.save_pretrained`.
    """
    top = Path(save_directory)
    if top.is_file():
        raise ValueError(f"Provided path save_directory={str(top)!r} should be a directory, not a file. Give a folder.")
    files: dict[Path, bytes] = {}
    for adapter_name in list(model.peft_config) if selected_adapters is None else selected_adapters:
        if adapter_name not in model.peft_config:
            raise ValueError(
                f"You passed an invalid `selected_adapters` argument, current supported adapter names are "
                f"{list(model.peft_config)} - got {selected_adapters}."
            )
        directory = top if adapter_name == "default" else top / adapter_name
        kept = copy.copy(model.peft_config[adapter_name])
        kept.inference_mode = True
        kept.base_model_name_or_path = kept.base_model_name_or_path or name_of(model.get_base_model())
        files[directory / WEIGHTS_NAME] = tensors_as_bytes(get_peft_model_state_dict(model, adapter_name))
        files[directory / CONFIG_NAME] = kept.to_json().encode()
    write_together(files)


def from_pretrained(
    model: nn.Module,
    model_id: str | Path,
    adapter_name: str = "default",
    is_trainable: bool = False,
    config: PeftConfig | None = None,
    subfolder: str | None = None,
) -> PeftModel:
    """Wrap `model` with a saved adapter, ours or PEFT's, from a folder or a hub name; in evaluation mode.

    Raises `ValueError`, and leaves the model as it was, when the files are missing, damaged, of another method or
    shape, or hold NaN, and for `is_trainable=True`, as PEFT does: what was saved is the computed prefix.
    Source: `peft.peft_model.PeftModel.from_pretrained`.
    """
    directory = whereabouts(model_id, subfolder)
    config = config or PeftConfig.from_pretrained(directory)
    tensors = read_checked(model, config, directory, is_trainable)
    wrapped = choose_task_class(config)(model, config, adapter_name)
    set_peft_model_state_dict(wrapped, tensors, adapter_name)
    return wrapped if is_trainable else wrapped.eval()


def load_adapter(
    model: PeftModel,
    model_id: str | Path,
    adapter_name: str,
    is_trainable: bool = False,
    subfolder: str | None = None,
) -> None:
    """Add a saved adapter under a new name, or put its numbers into the one that has the name; it is not switched to.

    Raises `ValueError` as `from_pretrained` does, with the model unchanged.
    Source: `peft.peft_model.PeftModel.load_adapter`.
    """
    directory = whereabouts(model_id, subfolder)
    if adapter_name in model.peft_config:
        set_peft_model_state_dict(model, read_weights(directory), adapter_name)
    else:
        config = PeftConfig.from_pretrained(directory)
        tensors = read_checked(model.get_base_model(), config, directory, is_trainable)
        model.add_adapter(adapter_name, config)
        set_peft_model_state_dict(model, tensors, adapter_name)
    if not is_trainable:
        model.eval()


def read_checked(model: nn.Module, config: PeftConfig, directory: Path, is_trainable: bool) -> StateDict:
    """The saved tensors, known to fit before the model is touched; the config is set to inference mode."""
    if config.is_prompt_learning and is_trainable:
        raise ValueError(
            "Cannot set a prompt learning adapter to trainable when loading pretrained adapter. The file holds the "
            "computed prefix: leave is_trainable out, or make a new prefix and copy it with load_prompt_embeddings."
        )
    tensors = read_weights(directory)
    config.inference_mode = not is_trainable
    if config.is_prompt_learning and not hasattr(model, "config"):
        return tensors  # wrapping it will be refused
    if config.is_prompt_learning:
        ready, inside = prepare_prompt_learning_config(copy.copy(config), model.config), "base_model"
        expected = {"prompt_embeddings": (ready.num_virtual_tokens, ready.prefix_width)}
    else:
        expected, inside = {}, "base_model.model"
        for name, layer in LoraModel(model).targets(config).items():
            layer = getattr(layer, "base_layer", layer)
            expected[f"{inside}.{name}.lora_A.weight"] = (config.r, layer.in_features)
            expected[f"{inside}.{name}.lora_B.weight"] = (layer.out_features, config.r)
    for name, module in matching(model, config.modules_to_save).items():
        original = getattr(module, "original_module", module)
        expected |= {f"{inside}.{name}.{key}": tuple(t.shape) for key, t in original.state_dict().items()}
    refuse_misfit(tensors, expected, str(directory / WEIGHTS_NAME))
    return tensors


def refuse_misfit(tensors: StateDict, expected: dict[str, tuple[int, ...]], where: str) -> None:
    """Raise `ValueError` for the first tensor that is missing, foreign, mis-shaped, or not finite."""
    missing, foreign = sorted(set(expected) - set(tensors)), sorted(set(tensors) - set(expected))
    if missing or foreign:
        raise ValueError(
            f"{where} does not fit this adapter: missing {missing or 'nothing'}, not expected {foreign or 'nothing'}. "
            "Load it with the config and the base model that it was saved with."
        )
    for name, shape in expected.items():
        tensor = tensors[name]
        if tuple(tensor.shape) != shape:
            raise ValueError(
                f"{where}: {name} has shape {tuple(tensor.shape)}, expected {shape}. Load it with the config and the "
                "base model that it was saved with."
            )
        if not torch.isfinite(tensor).all():
            bad = int((~torch.isfinite(tensor)).sum())
            raise ValueError(f"{where}: {bad} numbers of {name} are NaN or infinite. Train again with a smaller rate.")


def name_of(model: nn.Module) -> str | None:
    """The name that the base model was loaded by; None for one that was built from a config."""
    return model.__dict__.get("name_or_path") or None
