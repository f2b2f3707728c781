"""The names of the standard walks, kept on disk between sessions: a few tens of milliseconds instead of seconds.

They lie in `$PREFIX_LAB_CACHE` if that is set (empty: nothing is kept), else in the user's own cache folder. A file
holds for one Python, one torch, transformers and PEFT, and the very text of all files that its names lead through;
anything else in its place is ignored and written anew. It is JSON alone, and appears whole or not at all. Where nothing
can be written, nothing is kept, and nothing fails.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import re
import sys
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from prefix_lab.debugger.recording import Recording
from prefix_lab.debugger.storage import write_whole
from prefix_lab.debugger.summary import Summary
from prefix_lab.shapes.names import Names
from prefix_lab.shapes.sightings import KnownAxes, Spot
from prefix_lab.shapes.walks import STANDARD_RUNS

FAMILIES = {"t5": "T5", "mt5": "T5", "bart": "BART", "gpt2": "GPT-2", "llama": "Llama", "bert": "BERT"}
"""transformers' word for a kind of model → the family of standard walks."""
IN_TRANSFORMERS = re.compile(r"[/\\]transformers[/\\]models[/\\](\w+)[/\\]")
FORMAT = 3
PACKAGES = ("torch", "transformers", "peft")
OWN = ("*.py", "shapes/*.py", "debugger/*.py")  # what a walk runs, and what finds its names


def with_kept_names(recording: Recording) -> Recording:
    """The recording with names for the axes of its tensors, as earlier sessions found them for the models in it.

    A recording that has names already, or no tensors, or only code that no walk leads through, is given back as it is.
    Raises `TypeError` for what is no recording.
    """
    if not isinstance(recording, Recording):
        raise TypeError(f"recording={recording!r} is none. Make one: with record(...) as recording: ...")
    tensors = [one for one in recording.columns.values if isinstance(one, Summary) and "shape" in one.facts]
    if not tensors or any("axes" in one.facts for one in tensors):
        return recording
    kinds = {found[1] for file in recording.sources if (found := IN_TRANSFORMERS.search(file))}
    names = kept_names({FAMILIES[kind] for kind in kinds & FAMILIES.keys()} or set(FAMILIES.values()))
    if names is None or not {spot.file for spot, _ in names.places} & recording.sources.keys():
        return recording
    return recording.with_names(names)


def kept_names(families: Iterable[str], projected: bool | None = None) -> Names | None:
    """The names of these families' standard walks, as far as they are on disk; None where none are.

    `projected` tells which of a family's two walks; without it, both.
    """
    kinds = {True: ["projected"], False: ["direct"], None: ["projected", "direct"]}[projected]
    found = [load(f"{family}, {kind}", STANDARD_RUNS) for family in sorted(families) for kind in kinds]
    names = Names()
    for one in filter(None, found):
        names.join(one)
    return names if any(found) else None


def load(walk: str, runs: tuple) -> Names | None:
    """The names of a standard walk at these sizes, or None when they are not there, not whole, or not for this code."""
    path = path_of(walk)
    try:
        head, _, body = path.read_bytes().partition(b"\n") if path else (b"", b"", b"")
        told = json.loads(head)
        if told["key"] != key_of(walk, runs) or told["digest"] != hashlib.sha256(body).hexdigest():
            return None
        if any(digest_of(file) != digest for file, digest in told["files"].items()):
            return None
        return from_json(json.loads(body))
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return None


def save(names: Names, walk: str, runs: tuple) -> bool:
    """Write the names whole or not at all; whether it could be done."""
    path = path_of(walk)
    if path is None:
        return False
    body = json.dumps(as_json(names), ensure_ascii=False, separators=(",", ":")).encode()
    try:
        files = {file: digest_of(file) for file in files_in(names)}
        head = {"key": key_of(walk, runs), "digest": hashlib.sha256(body).hexdigest(), "files": files}
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps(head).encode() + b"\n" + body)
    except OSError:
        return False
    return True


def folder() -> Path | None:
    """Where the files lie; None when nothing is to be kept, or this user has no home."""
    chosen = os.environ.get("PREFIX_LAB_CACHE")
    if chosen is not None:
        return Path(chosen).expanduser() if chosen else None
    from platformdirs import user_cache_path

    try:
        return user_cache_path("prefix_lab", appauthor=False, opinion=False)
    except RuntimeError:
        return None


def path_of(walk: str) -> Path | None:
    """One file for each walk and each place that the packages lie in, so that an older version's is replaced."""
    where = folder()
    if where is None:
        return None
    name = re.sub(r"[^a-z0-9]+", "-", walk.lower())
    return where / f"names-{name}-{hashlib.sha256(repr(surroundings()).encode()).hexdigest()[:12]}.json"


@functools.cache
def surroundings() -> tuple[Any, ...]:
    """Which Python this is, and where the packages lie; looked up without importing them."""
    python = (sys.implementation.name, *sys.version_info[:3])
    specs = [find_spec(package) for package in (*PACKAGES, "prefix_lab")]
    return (*python, *(spec.origin if spec else None for spec in specs))


def key_of(walk: str, runs: tuple) -> str:
    """A number for all that the names of a walk depend on, but for the files that they lead through."""
    key = [FORMAT, walk, runs, surroundings(), [version_of(package) for package in PACKAGES], own_digest()]
    return hashlib.sha256(json.dumps(key).encode()).hexdigest()


@functools.cache
def version_of(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


@functools.cache
def own_digest() -> str:
    """A number for the text of prefix_lab's own code."""
    own = Path(__file__).parent.parent
    files = sorted(path for pattern in OWN for path in own.glob(pattern))
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


@functools.cache
def digest_of(file: str) -> str:
    return hashlib.sha256(Path(file).read_bytes()).hexdigest()


def as_json(names: Names) -> list[Any]:
    """All there is in `names`: a list in which each thing stands once, a tuple as the numbers of what is in it."""
    told: list[Any] = []
    numbers: dict[Any, int] = {}

    def number_of(thing: Any) -> int:
        if thing not in numbers:
            told.append([number_of(one) for one in thing] if isinstance(thing, tuple) else thing)
            numbers[thing] = len(told) - 1
        return numbers[thing]

    places = (
        (*key, tuple((one.way, tuple(one.visits.items()), one.axes) for one in entries))
        for key, entries in names.places.items()
    )
    number_of((tuple(places), tuple(names.same.items())))
    return told


def from_json(told: list[Any]) -> Names:
    """What `as_json` made."""
    things: list[Any] = []
    for one in told:
        things.append(tuple(things[number] for number in one) if isinstance(one, list) else one)
    places, same = things[-1]
    names = Names(same=dict(same))
    for spot, name, entries in places:
        names.places[Spot(*spot), name] = [KnownAxes(way, dict(visits), axes) for way, visits, axes in entries]
    return names


def files_in(names: Names) -> list[str]:
    """The files that the names lead through."""
    spots = {spot.file for spot, _ in names.places}
    ways = {one.way for entries in names.places.values() for one in entries}
    return sorted((spots | {file for way in ways for file, _, _ in way}) - {"*"})
