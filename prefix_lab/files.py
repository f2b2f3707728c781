"""Reading and writing adapter files: PEFT's two names, a hub where there is one, and never a file half written."""

import os
import shutil
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from prefix_lab.config import CONFIG_NAME

WEIGHTS_NAME = "adapter_model.safetensors"
CARD_NAME = "README.md"


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
    """The tensors of an adapter, by name. Raises `ValueError` when there is no file, or it is truncated or no such."""
    safe = directory / WEIGHTS_NAME
    if not safe.is_file():
        raise ValueError(
            f"{directory} has no {WEIGHTS_NAME}. Give a folder that an adapter was saved to; an adapter_model.bin is a "
            "pickle, which runs code when it is read: save that adapter again with PEFT and safe_serialization=True."
        )
    try:
        return load_file(safe)
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{safe} is damaged or no safetensors file ({error}). Save the adapter again.") from error


def tensors_as_bytes(tensors: dict[str, Tensor]) -> bytes:
    """A safetensors file's content, as PEFT writes it: contiguous, nothing shared, format "pt"."""
    return save({name: tensor.detach().cpu().clone() for name, tensor in tensors.items()}, metadata={"format": "pt"})


def write_together(files: dict[Path, bytes]) -> None:
    """Write each file whole beside its place, then move all of them there, in the order given.

    A link stays a link, and is written through; a file that is there keeps its rights. What a killed save left
    behind has the same names, so that the next one writes over it.
    """
    unfinished: dict[Path, Path] = {}
    try:
        for path, content in files.items():
            place = path.resolve()
            place.parent.mkdir(parents=True, exist_ok=True)
            beside = place.with_name(f".{place.name}.unfinished")
            unfinished[beside] = place
            beside.unlink(missing_ok=True)
            with open(beside, "wb") as file:
                if place.exists():
                    shutil.copymode(place, beside)
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        for beside, place in unfinished.items():
            os.replace(beside, place)
    finally:
        for beside in unfinished:
            beside.unlink(missing_ok=True)
