"""The recording of a walk through an old PEFT: made in its environment, brought back, its axes named."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from prefix_lab.debugger import Recording
from prefix_lab.debugger.storage import write_whole
from prefix_lab.locale import N_, _
from prefix_lab.shapes.cache import as_json, from_json, own_digest
from prefix_lab.shapes.finding import by_place, names_from
from prefix_lab.shapes.names import Names
from prefix_lab.shapes.sightings import sightings
from prefix_lab.shapes.walks import STANDARD_RUNS
from prefix_lab.years.environment import CannotHave, Release, have, release

OURS = Path(__file__).parents[2]
WALK_FAILED = N_(
    "The walk through peft=={peft} with transformers=={transformers} failed: {said}. Try the transformers of another "
    "month."
)
INSTALL_NOW = N_("Install them now? [y/N] ")


def record_old_walk(asked: str, install: bool | None, **request: Any) -> Recording:
    """The walk through the PEFT that a text such as "peft==0.4.0" names: see `course.record_walk`.

    `request` is what `inside.walk` reads, and `named`. Whether what is not here yet is installed, `install` says, or
    with None the person in front of this.

    Raises `ValueError` for a text that names no release, `CannotHave` (a `RuntimeError`) for one that cannot be had or
    whose walk fails.
    """
    wanted = have(release(asked), ask if install is None else lambda _: install)
    known = kept(wanted, request["projection"]) if request["named"] else Names()
    with tempfile.TemporaryDirectory() as folder:
        runs = [] if known is not None else [dict(run) for run in STANDARD_RUNS]
        recorded(wanted, Path(folder), {**request, "runs": runs})
        recording = Recording.load(Path(folder) / "walk.recording")
        if known is None:
            known = found(Path(folder))
            keep(known, wanted, request["projection"])
    return recording.with_names(known) if request["named"] else recording


def recorded(wanted: Release, folder: Path, request: dict[str, Any]) -> None:
    """Run `inside` there. Raises `CannotHave` with the last line of what it said when it fails."""
    (folder / "request.json").write_text(json.dumps(request), encoding="utf-8")
    surroundings = {**os.environ, "PYTHONPATH": str(OURS), "HF_HUB_OFFLINE": "1"}
    command = [str(wanted.python), "-W", "ignore", "-m", "prefix_lab.years.inside", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, env=surroundings)
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["nothing was said"])[-1]
        raise CannotHave(_(WALK_FAILED).format(**wanted._asdict(), said=said))


def found(folder: Path) -> Names:
    """The names that the runs bear out."""
    seen = [by_place(list(sightings(Recording.load(path)))) for path in sorted(folder.glob("run_*.recording"))]
    return names_from(seen, STANDARD_RUNS)


def kept_in(wanted: Release, projection: bool) -> Path:
    return wanted.folder / f"names-{'projected' if projection else 'direct'}-{own_digest()[:12]}.json"


def kept(wanted: Release, projection: bool) -> Names | None:
    """The names as they were found before; they lie in the environment that they hold for."""
    try:
        return from_json(json.loads(kept_in(wanted, projection).read_bytes()))
    except (OSError, ValueError, LookupError, TypeError):
        return None


def keep(names: Names, wanted: Release, projection: bool) -> None:
    write_whole(kept_in(wanted, projection), json.dumps(as_json(names), separators=(",", ":")).encode())


def ask(question: str) -> bool:
    """Whether the person in front of this agrees; no where there is none."""
    if sys.stdin is not None and sys.stdin.isatty():
        print(question, file=sys.stderr)
        question = ""
    try:  # in a notebook the whole question stands above the line to type into
        return input(f"{question} {_(INSTALL_NOW)}".lstrip()).strip().lower() in ("y", "yes")
    except (EOFError, RuntimeError, NotImplementedError):  # nobody can type: no terminal, or a kernel without input
        return False
