"""Reading and writing adapter files: PEFT's two names, a hub where there is one, and never a file half written."""

import os
import pickle
import shutil
import tempfile
import warnings
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from prefix_lab.config import CONFIG_NAME

WEIGHTS_NAME = "adapter_model.safetensors"
PICKLED_NAME = "adapter_model.bin"


def whereabouts(model_id: str | Path, subfolder: str | None = None) -> Path:
    """The folder of an adapter: a local one, or what the hub has under that name.

    Raises `ValueError` when it is neither.
    """
    local = Path(model_id) / (subfolder or "")
    if local.is_dir():
        return local
    from huggingface_hub import snapshot_download

    try:
        top = snapshot_download(str(model_id), allow_patterns=[f"{subfolder or ''}*"])
    except Exception as error:  # whatever a hub or a missing network raises, the way out is the same
        raise ValueError(
            f"model_id={str(model_id)!r} is no folder here, and no hub gave it ({type(error).__name__}). Give a folder "
            f"with {CONFIG_NAME} and {WEIGHTS_NAME}, or a name on a hub that this machine reaches."
        ) from error
    return Path(top) / (subfolder or "")


def read_weights(directory: Path) -> dict[str, Tensor]:
    """The tensors of an adapter, by name. A pickle file is read only as far as torch's weights-only loading allows.

    Raises `ValueError` when there is no file, or it is truncated or something else.
    """
    safe, pickled = directory / WEIGHTS_NAME, directory / PICKLED_NAME
    if safe.is_file():
        try:
            return load_file(safe)
        except (SafetensorError, OSError) as error:
            raise ValueError(f"{safe} is damaged or no safetensors file ({error}). Save the adapter again.") from error
    if not pickled.is_file():
        raise ValueError(f"{directory} has no {WEIGHTS_NAME}. Give a folder that an adapter was saved to.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pickles by other programs, which are refused in our words below
            tensors = torch.load(pickled, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError) as error:
        raise ValueError(
            f"{pickled} cannot be read as tensors alone, and code in a pickle is never run. Save the adapter as "
            f"{WEIGHTS_NAME}."
        ) from error
    if not isinstance(tensors, dict) or not all(isinstance(value, Tensor) for value in tensors.values()):
        raise ValueError(f"{pickled} holds something else than tensors by name. Save the adapter again.")
    return tensors


def tensors_as_bytes(tensors: dict[str, Tensor]) -> bytes:
    """A safetensors file's content, as PEFT writes it: contiguous, nothing shared, format "pt"."""
    return save({name: tensor.detach().cpu().clone() for name, tensor in tensors.items()}, metadata={"format": "pt"})


def write_together(files: dict[Path, bytes]) -> None:
    """Write all files or none: each first whole beside its place, then all moved there; a failed move is undone."""
    made: list[Path] = []
    moved: list[tuple[Path, Path | None]] = []
    try:
        for path, content in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, unfinished = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
            made.append(Path(unfinished))
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(unfinished, 0o666 & ~current_umask())
        for path, unfinished in zip(files, list(made), strict=True):
            old = None
            if path.exists():
                old = Path(f"{unfinished}.old")
                made.append(old)
                shutil.copyfile(path, old)  # a link would not do on every file system
            moved.append((path, old))
            os.replace(unfinished, path)
    except BaseException:
        for path, old in moved:
            if old is not None:
                os.replace(old, path)
            else:
                path.unlink(missing_ok=True)
        raise
    finally:
        for leftover in made:
            leftover.unlink(missing_ok=True)


def current_umask() -> int:
    """The rights that new files do not get; the system tells them only by setting them."""
    umask = os.umask(0)
    os.umask(umask)
    return umask
