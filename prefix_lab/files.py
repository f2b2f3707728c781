"""Reading and writing adapter files: PEFT's two names, a hub where there is one, and never a file half written."""

import io
import os
import pickle
import shutil
import warnings
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from prefix_lab.config import CONFIG_NAME

WEIGHTS_NAME = "adapter_model.safetensors"
PICKLED_NAME = "adapter_model.bin"
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


def tensors_as_bytes(tensors: dict[str, Tensor], safe: bool = True) -> bytes:
    """A weights file's content, as PEFT writes it: safetensors, contiguous, nothing shared; or else torch's pickle."""
    alone = {name: tensor.detach().cpu().clone() for name, tensor in tensors.items()}
    if safe:
        return save(alone, metadata={"format": "pt"})
    torch.save(alone, file := io.BytesIO())
    return file.getvalue()


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
