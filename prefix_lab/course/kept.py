"""A training that loses nothing: its state in one file, and a Ctrl-C that is heard between two steps."""

from __future__ import annotations

import io
import signal
import threading
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch import nn

from prefix_lab.course.history import History
from prefix_lab.debugger.storage import write_whole
from prefix_lab.locale import N_, _

NAME = "training.pt"
OTHER = (
    "folder={folder!r} holds a training with {name}={kept!r}, and this one has {name}={given!r}. Give another folder, "
    "or call train as it was called then."
)
STOPPED = N_(
    "Stopped at step {step} of {steps}. What was learnt until now is in the model, and the history in this exception's "
    "`history`. With train(..., folder='a folder') the same call would go on from here."
)
STOPPED_AND_KEPT = N_(
    "Stopped at step {step} of {steps}. All of it is kept in {folder!r}: the same call goes on from here."
)


class Interrupted(KeyboardInterrupt):
    """Ctrl-C, heard at the end of a step; `history` is what there was until then."""

    def __init__(self, history: History, folder: str | Path | None):
        template = STOPPED if folder is None else STOPPED_AND_KEPT
        super().__init__(_(template).format(step=len(history), steps=history.steps, folder=str(folder)))
        self.history = history


class Kept:
    """What trains, its optimizer, the history and the random numbers, in a file of `folder`; without one, nowhere.

    `made_with` are the arguments that have to be the same for the training to go on.
    """

    def __init__(
        self,
        folder: str | Path | None,
        trained: dict[str, nn.Parameter],
        optimizer: Any,
        history: History,
        made_with: dict[str, Any],
    ):
        self.folder, self.trained, self.optimizer = folder, trained, optimizer
        self.history, self.made_with = history, made_with

    def read(self) -> None:
        """Go on where the file stopped. Raises `ValueError` where it holds another training; no file is nothing."""
        if self.folder is None or not (file := Path(self.folder) / NAME).is_file():
            return
        state = torch.load(file, map_location="cpu", weights_only=True)
        for name, given in self.made_with.items():
            if state["made_with"].get(name) != given:
                kept = state["made_with"].get(name)
                raise ValueError(OTHER.format(folder=str(self.folder), name=name, kept=kept, given=given))
        with torch.no_grad():
            for name, parameter in self.trained.items():
                parameter.copy_(state["trained"][name])
        self.optimizer.load_state_dict(state["optimizer"])
        self.history.extend(state["losses"])
        self.history.scores.extend(state["scores"])
        torch.set_rng_state(state["random"])
        if state["random_of_gpus"]:
            torch.cuda.set_rng_state_all(state["random_of_gpus"])

    def write(self) -> None:
        """All of it, or the file stays as it was."""
        if self.folder is None:
            return
        state = {
            "made_with": self.made_with,
            "trained": {name: parameter.detach() for name, parameter in self.trained.items()},
            "optimizer": self.optimizer.state_dict(),
            "losses": list(self.history),
            "scores": list(self.history.scores),
            "random": torch.get_rng_state(),
            "random_of_gpus": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        }
        content = io.BytesIO()
        torch.save(state, content)
        Path(self.folder).mkdir(parents=True, exist_ok=True)
        write_whole(Path(self.folder) / NAME, content.getvalue())


class Stop:
    """Inside, the first Ctrl-C sets `asked`, so that a step is done wholly or not at all; a second one stops at once.

    Only the main thread can hear it; elsewhere Ctrl-C is as always.
    """

    def __init__(self, heard: bool = True):
        self.asked = False
        self.heard = heard and threading.current_thread() is threading.main_thread()

    def __enter__(self) -> Stop:
        if self.heard:
            self.before = signal.signal(signal.SIGINT, self.hear)
        return self

    def __exit__(self, *error: object) -> None:
        if self.heard:
            signal.signal(signal.SIGINT, self.before)

    def hear(self, number: int, frame: FrameType | None) -> None:
        """Remember it."""
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
