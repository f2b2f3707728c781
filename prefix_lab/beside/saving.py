"""Adapters as files, of every kind: trained modules and embeddings too, in one folder each, pickled if need be.

Around `checkpoint`. Mirrors the rest of `peft.utils.save_and_load` and of the saving and loading of
`peft.peft_model.PeftModel`.
"""

import copy
import io
import warnings
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.modules.module import _IncompatibleKeys

from prefix_lab import checkpoint
from prefix_lab.beside.configs import PeftConfig
from prefix_lab.beside.fitting import prepare_prompt_learning_config
from prefix_lab.beside.hub_and_trainer import PICKLED_NAME, read_weights, sort_out, whereabouts
from prefix_lab.beside.modules_to_save import matching
from prefix_lab.checkpoint import WEIGHTS_NAME, as_safetensors
from prefix_lab.models import PeftModel

StateDict = dict[str, Float[Tensor, "..."]]


@torch.no_grad()
def get_peft_model_state_dict(
    model: PeftModel,
    state_dict: StateDict | None = None,
    adapter_name: str = "default",
    unwrap_compiled: bool = False,
    save_embedding_layers: bool | str = "auto",
) -> StateDict:
    """`prompt_embeddings`, (prefix_len, 2·layers·hidden), and the adapter's heads; for LoRA its A and B matrices.

    Heads and matrices are taken from `state_dict` where it is given, the whole model's, as distributed training
    gathers it. The adapter's own name is in none of the keys, so that it can be loaded under another.
    `save_embedding_layers` adds the word embeddings; "auto" does when the vocabulary is not its base model's.

    Raises `ValueError` for an adapter that the model does not have, or a `state_dict` that lacks a part of it.
    Source: `peft.utils.save_and_load.get_peft_model_state_dict`.
    """
    if unwrap_compiled:
        model = getattr(model, "_orig_mod", model)
    model.require_adapter(adapter_name)
    if isinstance(state_dict, str):
        raise TypeError(f"state_dict={state_dict!r} is a str. The adapter's name is adapter_name={state_dict!r}.")
    config, kept = model.peft_config[adapter_name], {}
    if config.is_prompt_learning:
        kept |= checkpoint.get_peft_model_state_dict(model, adapter_name)
    everything = model.state_dict() if state_dict is None else state_dict
    for saved, own in names_of(model, adapter_name).items():
        if own not in everything:
            raise ValueError(f"state_dict has no {own}. Give model.state_dict(), or leave state_dict out.")
        kept[saved] = everything[own]
    if save_embedding_layers is True or (save_embedding_layers == "auto" and vocabulary_changed(model, config)):
        kept |= {name: everything[name] for name in embedding_names(model) if name in everything}
    return kept


def names_of(model: PeftModel, adapter_name: str) -> dict[str, str]:
    """Name in a file → name in the model, for each tensor of the adapter that stands in the model's state dict."""
    inside, end = f".modules_to_save.{adapter_name}.", f".{adapter_name}.weight"
    names = list(model.state_dict())
    found = {f"{n.removesuffix(end)}.weight": n for n in names if ".lora_" in n and n.endswith(end)}
    return found | {n.replace(inside, "."): n for n in names if inside in n}


def embedding_names(model: nn.Module) -> list[str]:
    """The base model's tensors of word embeddings, those of the input and of the output, by their names in `model`."""
    if not hasattr(model, "get_input_embeddings"):
        return []
    layers = [layer for layer in (model.get_input_embeddings(), model.get_output_embeddings()) if layer is not None]
    places = [next(name for name, module in model.named_modules() if module is layer) for layer in layers]
    return [name for name in model.state_dict() if name.startswith(tuple(f"{place}." for place in places))]


def vocabulary_changed(model: PeftModel, config: PeftConfig) -> bool:
    """Whether rows were added to or taken from the word embeddings of the base model that the config names.

    They are then a part of what was made, and are saved, with a warning. The base model's own config is looked for on
    this machine alone, where loading the model left it.
    """
    size, name = getattr(getattr(model, "config", None), "vocab_size", None), config.base_model_name_or_path
    if not size or not name:
        return False
    try:
        unchanged = type(model.config).from_pretrained(name, local_files_only=True).vocab_size == size
    except OSError:  # not here: as PEFT, which warns each time, and goes on
        return False
    if not unchanged:
        warnings.warn(
            "Setting `save_embedding_layers` to `True` as the embedding layer has been resized during finetuning.",
            stacklevel=3,
        )
    return not unchanged


@torch.no_grad()
def set_peft_model_state_dict(
    model: PeftModel,
    peft_model_state_dict: StateDict,
    adapter_name: str = "default",
    ignore_mismatched_sizes: bool = False,
    low_cpu_mem_usage: bool = False,
) -> _IncompatibleKeys:
    """Put saved tensors into the adapter of that name. All of them fit, or nothing is changed.

    Returns, as torch's `load_state_dict` does, which keys of the model were not given and which given are not the
    model's. With `ignore_mismatched_sizes`, heads and matrices of another shape are left as they are, with a warning;
    `low_cpu_mem_usage` changes nothing. Raises `ValueError` for a missing or foreign key, a wrong shape, and for NaN
    or infinite numbers. Source: `peft.utils.save_and_load.set_peft_model_state_dict`.
    """
    model.require_adapter(adapter_name)
    config, own = model.peft_config[adapter_name], model.state_dict(keep_vars=True)
    names = names_of(model, adapter_name)
    names |= {name: name for name in embedding_names(model) if name in peft_model_state_dict}
    places = {saved: own[name] for saved, name in names.items()}
    given = dict(peft_model_state_dict)
    if ignore_mismatched_sizes:
        odd = [name for name, place in places.items() if name in given and given[name].shape != place.shape]
        if odd:
            warnings.warn(f"Left as they are, since the saved shapes are others: {odd}.", stacklevel=2)
        for name in odd:
            del places[name], given[name]
    if config.is_prompt_learning:
        encoder = model.prompt_encoder[adapter_name]
        if hasattr(encoder, "transform"):
            raise ValueError(
                "prefix_projection=True: this adapter still trains its projection (the MLP), and a saved prefix holds "
                "only the keys and values that the projection computed, as in PEFT, so nothing can be put back into "
                "it. To use the saved prefix, load it beside this one or into a new base model: "
                "PeftModel.from_pretrained(base, folder). To train on from a checkpoint, keep model.state_dict() as "
                "well, and leave load_best_model_at_end and resume_from_checkpoint out, or train with "
                "prefix_projection=False."
            )
        places["prompt_embeddings"] = encoder.embedding.weight
    refuse_misfit(given, {name: tuple(place.shape) for name, place in places.items()}, "peft_model_state_dict")
    for name, place in places.items():
        place.copy_(given[name])
    filled = {names[saved] for saved in places if saved in names}
    beside = [name for name in places if name not in names]
    return _IncompatibleKeys([name for name in own if name not in filled], beside)


def save_adapters(
    model: PeftModel,
    save_directory: str | Path,
    safe_serialization: bool = True,
    selected_adapters: list[str] | None = None,
    **options: Any,
) -> None:
    """Write weights and config of each adapter, and a README.md, which PEFT can load.

    An adapter that is not named "default" goes to a folder of its name. `options` are `get_peft_model_state_dict`'s.
    `safe_serialization=False` writes `adapter_model.bin`, a pickle. Raises `ValueError` when `save_directory` is empty
    or a file, or for a selected adapter that does not exist. Source: `peft.peft_model.PeftModel.save_pretrained`.
    """
    top = Path(save_directory)
    if not str(save_directory):
        raise ValueError("save_directory='' names no folder. Give one; '.' is the one that Python runs in.")
    if top.is_file():
        raise ValueError(f"Provided path save_directory={str(top)!r} should be a directory, not a file. Give a folder.")
    names = list(model.peft_config) if selected_adapters is None else selected_adapters
    if not set(names) <= set(model.peft_config):
        raise ValueError(
            f"You passed an invalid `selected_adapters` argument, current supported adapter names are "
            f"{list(model.peft_config)} - got {selected_adapters}."
        )
    for adapter_name in names:
        tensors = get_peft_model_state_dict(model, adapter_name=adapter_name, **options)
        weights = {WEIGHTS_NAME: as_safetensors(tensors)} if safe_serialization else {PICKLED_NAME: pickled(tensors)}
        fields = said_of_base(model, model.peft_config[adapter_name])
        directory = top if adapter_name == "default" else top / adapter_name
        checkpoint.save_pretrained(model, directory, adapter_name, weights, **fields)
    model.create_or_update_model_card(top)


def said_of_base(model: PeftModel, config: PeftConfig) -> dict[str, Any]:
    """What a saved config is to say of the base model and does not yet: its name, and without a task its class."""
    base = model.get_base_model()
    fields: dict[str, Any] = {}
    if not config.base_model_name_or_path:
        fields["base_model_name_or_path"] = base.__dict__.get("name_or_path") or None
    if config.task_type is None:
        kind = type(base)
        fields["auto_mapping"] = {"base_model_class": kind.__name__, "parent_library": kind.__module__}
    return fields


def pickled(tensors: StateDict) -> bytes:
    """A weights file's content, as torch pickles it."""
    torch.save({name: tensor.detach().cpu().clone() for name, tensor in tensors.items()}, file := io.BytesIO())
    return file.getvalue()


def find(
    model_id: str | Path, config: PeftConfig | None, is_trainable: bool, hub: dict[str, Any]
) -> tuple[Path, PeftConfig]:
    """The folder of a saved adapter, and its config, set to inference mode unless it is to train."""
    directory = whereabouts(model_id, **hub)
    config = config or PeftConfig.from_pretrained(directory)
    if config.is_prompt_learning and is_trainable:
        raise ValueError(
            "Cannot set a prompt learning adapter to trainable when loading pretrained adapter. The file holds the "
            "computed prefix: leave is_trainable out, or make a new prefix and copy it with load_prompt_embeddings."
        )
    config.inference_mode = not is_trainable
    return directory, config


def load_peft_weights(model_id: str | Path, device: str | None = None, **hub: Any) -> StateDict:
    """The tensors of a saved adapter, by name, on `device`. Source: `peft.utils.save_and_load.load_peft_weights`.

    Raises `ValueError` when there are none.
    """
    tensors = read_weights(whereabouts(model_id, **sort_out("load_peft_weights", hub)))
    return {name: tensor.to(device or "cpu") for name, tensor in tensors.items()}


def read_fitting(kind: type[PeftModel], model: nn.Module, config: PeftConfig, directory: Path) -> StateDict:
    """The saved tensors, known to fit before the model is touched; `kind` is the class that will wrap it."""
    tensors, inside = read_weights(directory), "base_model" if config.is_prompt_learning else "base_model.model"
    ready = copy.copy(config)
    if config.is_prompt_learning:
        ready = prepare_prompt_learning_config(ready, model.config)
    expected = kind.saved_shapes(model, ready)
    for name, module in matching(model, config.modules_to_save).items():
        original = getattr(module, "original_module", module)
        expected |= {f"{inside}.{name}.{key}": tuple(t.shape) for key, t in original.state_dict().items()}
    own = model.state_dict()
    beside = {f"{inside}.{name}": tuple(own[name].shape) for name in embedding_names(model)}
    expected |= {name: shape for name, shape in beside.items() if name in tensors}
    refuse_misfit(tensors, expected, str(directory / WEIGHTS_NAME))
    return tensors


def refuse_misfit(tensors: StateDict, expected: dict[str, tuple[int, ...]], where: str) -> None:
    """Raise `ValueError` for the first tensor that is missing, foreign, mis-shaped, or not finite."""
    missing, foreign = sorted(set(expected) - set(tensors)), sorted(set(tensors) - set(expected))
    way_out = "Load it with the config and the base model that it was saved with."
    if missing or foreign:
        missing, foreign = missing or "nothing", foreign or "nothing"
        raise ValueError(f"{where} does not fit this adapter: missing {missing}, not expected {foreign}. {way_out}")
    for name, shape in expected.items():
        tensor = tensors[name]
        if tuple(tensor.shape) != shape:
            raise ValueError(f"{where}: {name} has shape {tuple(tensor.shape)}, expected {shape}. {way_out}")
        if not torch.isfinite(tensor).all():
            bad = int((~torch.isfinite(tensor)).sum())
            raise ValueError(f"{where}: {bad} numbers of {name} are NaN or infinite. Train again with a smaller rate.")
