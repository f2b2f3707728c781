"""An environment for an old PEFT: made once by pip, in the user's cache folder, with the torch that is there.

A virtual environment sees this one's packages behind its own, so that torch and numpy are not fetched again; an old
PEFT and the transformers of its month stand before today's. Its folder is named by what it is made of, appears whole or
not at all, and is never made anew while it is whole; of two who want it at once, one makes it and the other waits.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import uuid
import venv
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple, TextIO

from filelock import FileLock

from prefix_lab.locale import N_, _, paragraph
from prefix_lab.shapes.cache import folder as cache_folder

MEGABYTES = 130
"""On disk, of peft 0.4.0 with transformers 4.31.0; 12 of them come over the net, since torch does not."""

TRANSFORMERS = {
    **{"0.3": "4.30.2", "0.4": "4.31.0", "0.5": "4.33.3", "0.6": "4.35.2", "0.7": "4.36.2", "0.8": "4.37.2"},
    **{"0.9": "4.38.2", "0.10": "4.39.3", "0.11": "4.41.2", "0.12": "4.43.4", "0.13": "4.45.2", "0.14": "4.47.1"},
    **{"0.15": "4.51.3", "0.16": "4.53.3", "0.17": "4.55.4", "0.18": "4.57.3"},
}
"""PEFT's series → a transformers of its months; each pair was walked through."""

RELEASE = re.compile(r"\d+(\.\d+){1,2}")
ASKED = N_("peft=={peft} and transformers=={transformers} are not here yet. They take about {size} MB in {folder}.")
REFUSED = N_("Nothing was installed. Try again and answer y, or install them in a terminal: {command}")
MAKING = N_("Installing peft=={peft} and transformers=={transformers} into {folder}: about half a minute …")
FAILED = N_(
    "It could not be installed. {said} (pip needs a network the first time; old releases of tokenizers are there for "
    "some versions of Python only: 3.11 has all of them.)"
)
NO_FOLDER = N_("An old PEFT needs a folder for its environment, and PREFIX_LAB_CACHE is empty. Set it to a folder.")
NOT_WRITTEN = N_("{folder} cannot be written: {said}. Set PREFIX_LAB_CACHE.")


class CannotHave(RuntimeError):
    """A release that cannot be had here, and why."""


class Release(NamedTuple):
    """A PEFT, and the transformers that it runs with."""

    peft: str
    transformers: str

    @property
    def folder(self) -> Path:
        """Where its environment lies, one for each Python and torch that it may be made of.

        Raises `CannotHave` where nothing may be kept.
        """
        where = cache_folder()
        if where is None:
            raise CannotHave(_(NO_FOLDER))
        here = map(os.path.realpath, (sys.executable, sysconfig.get_path("purelib")))  # however one came to them
        made_of = hashlib.sha256(repr((*here, *sys.version_info[:2], version("torch"))).encode()).hexdigest()
        return where.absolute() / "years" / f"peft-{self.peft}-transformers-{self.transformers}-{made_of[:8]}"

    @property
    def python(self) -> Path:
        """The environment's own interpreter."""
        return self.folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

    @property
    def is_here(self) -> bool:
        """Whether it was made."""
        return self.python.exists()


def release(asked: str) -> Release:
    """The release that a text such as "peft==0.4.0" or "peft==0.4.0 transformers==4.31.0" asks for.

    Without transformers, that of PEFT's month. Raises `ValueError` for another text, and for a PEFT of a series that
    is not known, where transformers has to be said.
    """
    said = [word.partition("==") for word in re.split(r"[\s,]+", asked.strip())]
    words = {name: number for name, _, number in said}
    if not {"peft"} <= words.keys() <= {"peft", "transformers"} or not all(map(RELEASE.fullmatch, words.values())):
        raise ValueError(
            f"where={asked!r}, expected a release of PEFT, and of transformers where it is to be another than that of "
            "its month: 'peft==0.4.0', or 'peft==0.4.0 transformers==4.31.0'."
        )
    series = ".".join(words["peft"].split(".")[:2])
    if "transformers" not in words and series not in TRANSFORMERS:
        raise ValueError(
            f"where={asked!r}: of PEFT {series} it is not known which transformers it ran with. Say it, too: "
            f"'peft=={words['peft']} transformers==4.57.3'."
        )
    return Release(words["peft"], words.get("transformers") or TRANSFORMERS[series])


def have(wanted: Release, agreed: Callable[[str], bool]) -> Release:
    """The same release, and its environment is there: made now if `agreed(what it takes)` says so.

    Raises `CannotHave` when it does not, and when pip cannot get it: with pip's own last words.
    """
    if wanted.is_here:
        return wanted
    said = {**wanted._asdict(), "folder": wanted.folder, "size": MEGABYTES}
    if not agreed(_(ASKED).format(**said)):
        command = f"prefix-lab walk --peft {wanted.peft} --yes"
        raise CannotHave(paragraph(_(ASKED).format(**said), _(REFUSED).format(command=command)))
    try:
        wanted.folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{wanted.folder}.lock"):
            if not wanted.is_here:
                print(_(MAKING).format(**said), file=page())
                make(wanted)
    except OSError as error:
        raise CannotHave(_(NOT_WRITTEN).format(folder=wanted.folder, said=error.strerror or error)) from None
    return wanted


def page() -> TextIO:
    """Where to say what goes on: beside what a command prints; in a notebook with it, where red would mean an error."""
    ipython = sys.modules.get("IPython")
    return sys.stdout if ipython and ipython.get_ipython() else sys.stderr


def make(wanted: Release) -> None:
    """Make the environment: beside its place first, then in it."""
    target = wanted.folder
    beside = target.with_name(f".{target.name}-{uuid.uuid4().hex[:8]}")
    for left in target.parent.glob(f".{target.name}-*"):  # by one that was killed: nobody else is at it now
        shutil.rmtree(left, ignore_errors=True)
    try:
        beside.mkdir()
        venv.create(beside, symlinks=os.name != "nt")
        python = beside / wanted.python.relative_to(target)
        packages = Path(run([python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]).strip())
        # Behind its own packages, with the links of editable installs; by its real path, since a link may go.
        line = f"import site; site.addsitedir({os.path.realpath(sysconfig.get_path('purelib'))!r})"
        (packages / "the_torch_that_is_here.pth").write_text(line + "\n", encoding="utf-8")
        kept = beside / "kept.txt"
        kept.write_text("".join(f"{name}=={version(name)}\n" for name in ("torch", "numpy")), encoding="utf-8")
        pins = [f"peft=={wanted.peft}", f"transformers=={wanted.transformers}"]
        run([sys.executable, "-m", "pip", "--python", python, *INSTALL, "-c", kept, *pins])
        shutil.rmtree(target, ignore_errors=True)
        os.replace(beside, target)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


INSTALL = ("install", "--quiet", "--disable-pip-version-check", "--no-warn-conflicts", "--only-binary", ":all:")


def run(command: list[object]) -> str:
    """What a command prints. Raises `CannotHave` with its last words when it fails."""
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, env=environment)
    if done.returncode:
        words = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or done.stderr.splitlines()
        raise CannotHave(_(FAILED).format(said=" ".join(words[-2:])))
    return done.stdout
