"""The file that a recording is saved to: asked about before the script runs, written after it."""

import os
import shlex
from pathlib import Path
from typing import TextIO

from prefix_lab.debugger import Recording
from prefix_lab.debugger.storage import MAGIC
from prefix_lab.terminal.command import SUFFIX
from prefix_lab.terminal.visible import count_of, visible_outline


class Output:
    """Where to save. Raises `ValueError` when nothing can be saved there, or something else would be lost."""

    def __init__(self, name: str):
        self.name = name
        self.path = Path(name).resolve()  # the script may go to another folder
        folder = self.path.parent
        if self.path.is_dir():
            raise ValueError(f"argument --output: {name!r} is a folder. Give the name of a file")
        if not folder.is_dir():
            raise ValueError(f"argument --output: there is no folder {str(folder)!r}. Make it first")
        if not os.access(folder, os.W_OK):
            raise ValueError(f"argument --output: nothing can be written into {str(folder)!r}. Give a file elsewhere")
        if self.path.exists() and not is_recording(self.path):
            raise ValueError(
                f"argument --output: {name!r} is there, and is not a recording, so it is left alone. Give another "
                "name, with --output FILE"
            )

    def save(self, recording: Recording, stderr: TextIO) -> bool:
        """Save, and say what there is and what comes next; False if it could not be saved."""
        if stderr.isatty():
            print("saving …", end="\r", file=stderr, flush=True)  # a million steps take half a minute
        try:
            recording.save(self.path)
        except (OSError, ValueError) as error:
            print(f"prefix-lab record: the recording could not be saved: {error}", file=stderr)
            return False
        print(visible_outline(recording), file=stderr)
        steps, name = count_of(len(recording), "step"), shlex.quote(self.name)
        print(f"saved {steps} to {name}; prefix-lab replay {name}", file=stderr)
        return True


def default_name(program: str, is_module: bool) -> str:
    """The program's own name, with another suffix, in the folder where the command is run."""
    return (program.rpartition(".")[2] if is_module else Path(program).stem) + SUFFIX


def is_recording(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC
