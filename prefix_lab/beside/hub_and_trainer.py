"""What scripts written for PEFT rely on around it: a hub (its keywords, folders and README.md), transformers' Trainer.

Mirrors `peft.utils.save_and_load.load_peft_weights` and `peft.peft_model.PeftModel.create_or_update_model_card`.

Trainer asks `isinstance(model, peft.PeftModel)` before it saves an adapter rather than the whole model, reads the
base model's columns rather than the wrapper's, and loads an adapter when it resumes. It has no list to register with,
so our class is added to the name that it asks for: in `transformers.trainer_utils` and `transformers.trainer`, when
they are imported and not before. PEFT itself is neither imported nor changed, and need not be installed.
"""

import pickle
import sys
import warnings
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from transformers import PreTrainedModel

from prefix_lab.checkpoint import WEIGHTS_NAME
from prefix_lab.config import CONFIG_NAME, MIRRORED_PEFT, PeftType, TaskType

PICKLED_NAME = "adapter_model.bin"
CARD_NAME = "README.md"
FRAMEWORKS = "### Framework versions"

HUB = (
    *("subfolder", "revision", "token", "use_auth_token", "cache_dir", "local_files_only", "force_download"),
    *("proxies", "etag_timeout", "user_agent", "endpoint", "repo_type", "local_dir"),
)
"""What a hub is asked with; a folder on this machine is read without them."""

IDLE = (
    *("torch_dtype", "dtype", "trust_remote_code", "load_in_8bit", "load_in_4bit", "quantization_config"),
    *("torch_device", "device_map", "max_memory", "offload_folder", "offload_dir", "offload_index"),
    *("low_cpu_mem_usage", "use_safetensors", "max_shard_size", "variant"),
    *("attn_implementation", "return_dict", "inference_mode"),
    *("save_function", "commit_message", "repo_id", "save_peft_format"),
)
"""Taken with any value, for none changes a number: the first two rows are for the base model, which is loaded already
and is where it is; the next is for files larger than an adapter's; the last two PEFT does nothing with either."""

ONLY = {
    "path_initial_model_for_weight_conversion": (None, "it undoes PiSSA, CorDA and OLoRA, which are not here"),
    "push_to_hub": (False, "PEFT's save_pretrained does not push either. Call model.push_to_hub(repo_id) after it"),
    "ephemeral_gpu_offload": (False, "it belongs to DoRA, which is not here"),
    "ignore_mismatched_sizes": (False, "an adapter of other sizes is not this model's. load_adapter takes it"),
    "key_mapping": (None, "rename the keys of load_peft_weights(...) and give them to set_peft_model_state_dict"),
}
"""Taken at the one value that changes nothing; with another it is refused, for this reason."""


def sort_out(function: str, given: dict[str, Any]) -> dict[str, Any]:
    """Those of the given keywords that a hub is asked with; every other one is checked, and left out.

    Raises `ValueError` for one whose value would change what happens, `TypeError` for one that PEFT does not know.
    """
    for name, value in given.items():
        if name not in (*HUB, *IDLE, *ONLY):
            raise TypeError(f"{function} got an unexpected keyword argument {name!r}.")
        allowed, reason = ONLY.get(name, (value, ""))
        if value != allowed and (value or name != "key_mapping"):
            raise ValueError(f"{function}({name}={value!r}): only {allowed!r} is taken here: {reason}.")
    return {name: value for name, value in given.items() if name in HUB and value is not None}


def whereabouts(model_id: str | Path, subfolder: str | None = None, **hub: Any) -> Path:
    """The folder of an adapter: a local one, or what the hub has under that name, asked with `hub`'s keywords.

    Raises `ValueError` when it is neither.
    """
    local = Path(model_id) / (subfolder or "")
    if local.is_dir():
        return local
    from huggingface_hub import snapshot_download

    hub["token"] = hub.get("token", hub.pop("use_auth_token", None))
    try:
        top = snapshot_download(str(model_id), allow_patterns=[f"{subfolder or ''}*"], **hub)
    except Exception as error:  # whatever a hub or a missing network raises, the way out is the same
        raise ValueError(
            f"Can't find {CONFIG_NAME!r} at {str(model_id)!r}: it is no folder here, and no hub gave it "
            f"({type(error).__name__}). Give a folder with {CONFIG_NAME} and {WEIGHTS_NAME}, or a name on a hub that "
            "this machine reaches."
        ) from error
    return Path(top) / (subfolder or "")


def read_weights(directory: Path) -> dict[str, Tensor]:
    """The tensors of an adapter, by name. A pickle is read only as far as torch's weights-only loading allows.

    Raises `ValueError` when there is no file, or it is truncated or something else.
    """
    safe, pickled = directory / WEIGHTS_NAME, directory / PICKLED_NAME
    try:
        if safe.is_file():
            return load_file(safe)
        if pickled.is_file():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of pickles by other programs, which are refused in our words below
                tensors = torch.load(pickled, map_location="cpu", weights_only=True)
            if not isinstance(tensors, dict) or not all(isinstance(value, Tensor) for value in tensors.values()):
                raise RuntimeError(f"a {type(tensors).__name__}")
            return tensors
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError, OSError) as error:
        raise ValueError(
            f"{safe if safe.is_file() else pickled} is damaged, or holds something else than tensors; code in a pickle "
            f"is never run ({' '.join(str(error).split())[:80]}). Save the adapter again."
        ) from error
    raise ValueError(f"{directory} has no {WEIGHTS_NAME}. Give a folder that an adapter was saved to.")


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
    tags = set(getattr(model.get_base_model(), "model_tags", None) or ())
    if isinstance(getattr(model.base_model, "model", None), PreTrainedModel):
        tags.add("transformers")
    if model.active_peft_config.peft_type == PeftType.LORA:
        tags.add("lora")
    if hasattr(model.base_model, "name_or_path"):
        tags.add(f"base_model:adapter:{model.base_model.name_or_path}")
    return sorted(tags)


ASKING = ("transformers.trainer_utils", "transformers.trainer")
"""The modules that ask, each by the name `PeftModel`."""


class Introduction(MetaPathFinder):
    """Adds a class to what the asking modules take for PEFT's, as soon as each is imported."""

    def __init__(self, kind: type):
        self.kind = kind

    def find_spec(self, fullname: str, path: Any, target: ModuleType | None = None) -> ModuleSpec | None:
        """The module's own spec, which introduces the class after it has run; None for every other module."""
        spec = PathFinder.find_spec(fullname, path, target) if fullname in ASKING else None
        if spec is None or spec.loader is None:
            return None
        run = spec.loader.exec_module

        def run_and_introduce(module: ModuleType) -> None:
            run(module)
            introduce(module, self.kind)

        spec.loader.exec_module = run_and_introduce  # the loader is made anew for each spec
        return spec


def introduce(module: ModuleType, kind: type) -> None:
    """Let `isinstance(model, PeftModel)` in this module be true for `kind`, and still for PEFT's own class."""
    known = getattr(module, "PeftModel", ())
    module.PeftModel = (known, kind)  # isinstance takes tuples, one in another too
    if known == ():  # without PEFT, the module would not ask at all
        module.PeftMixedModel = ()
        module.is_peft_available = lambda: True


def make_known(kind: type) -> None:
    """Introduce `kind` to the asking modules, those that are imported already and those still to come."""
    for name in ASKING:
        if name in sys.modules:
            introduce(sys.modules[name], kind)
    sys.meta_path.insert(0, Introduction(kind))
