"""The names of the standard walks, kept on disk between sessions: a few tens of milliseconds instead of seconds.

They lie in the cache folder of the user: `$PREFIX_LAB_CACHE` if that is set (empty: nothing is kept), else
`~/Library/Caches` on macOS, `%LOCALAPPDATA%` on Windows, `$XDG_CACHE_HOME` or `~/.cache` elsewhere. A file holds for
one Python, one torch, transformers and PEFT, and the very text of all files that its names lead through; anything
else in its place is ignored and written anew. It is JSON alone, plain lists in which files, functions and the calls
that lead somewhere stand once, and appears whole or not at all. Where nothing can be written, nothing is kept, and
nothing fails.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import re
import sys
import tempfile
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from prefix_lab.shapes.names import Count, Names
from prefix_lab.shapes.sightings import CallLine, KnownAxes, Spot

FORMAT = 1
PACKAGES = ("torch", "transformers", "peft")
OWN = ("*.py", "shapes/*.py", "debugger/*.py")  # what a walk runs, and what finds its names


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
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError):
        return None


def save(names: Names, walk: str, runs: tuple) -> bool:
    """Write the names whole or not at all; whether it could be done."""
    path = path_of(walk)
    if path is None:
        return False
    body = json.dumps(as_json(names), ensure_ascii=False, separators=(",", ":")).encode()
    written = ""
    try:
        files = {file: digest_of(file) for file in files_in(names)}
        head = {"key": key_of(walk, runs), "digest": hashlib.sha256(body).hexdigest(), "files": files}
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, written = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".part")
        with os.fdopen(handle, "wb") as file:
            file.write(json.dumps(head).encode() + b"\n" + body)
        os.replace(written, path)
    except OSError:
        if written and os.path.exists(written):
            os.unlink(written)
        return False
    return True


def folder() -> Path | None:
    """Where the files lie; None when nothing is to be kept, or this user has no home."""
    chosen = os.environ.get("PREFIX_LAB_CACHE")
    if chosen is not None:
        return Path(chosen).expanduser() if chosen else None
    try:
        if sys.platform == "darwin":
            base = Path.home() / "Library" / "Caches"
        elif sys.platform == "win32":
            base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
        else:
            xdg = Path(os.environ.get("XDG_CACHE_HOME", ""))
            base = xdg if xdg.is_absolute() else Path.home() / ".cache"
    except RuntimeError:
        return None
    return base / "prefix_lab"


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


def key_of(walk: str, runs: tuple) -> list[Any]:
    """All that the names of a walk depend on, as JSON gives it back."""
    key = [FORMAT, walk, runs, surroundings(), [version_of(package) for package in PACKAGES], own_digest()]
    return json.loads(json.dumps(key))


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


class Table:
    """Things in the order in which they were first met, each with its number."""

    def __init__(self):
        self.numbers: dict[Any, int] = {}

    def number(self, thing: Any) -> int:
        return self.numbers.setdefault(thing, len(self.numbers))


def as_json(names: Names) -> dict[str, Any]:
    """Lists, texts and numbers that say all there is in `names`."""
    texts, ways, axes = Table(), Table(), Table()

    def way_number(way: tuple[CallLine, ...]) -> int:
        """Ways share their outer ends: each is one call and the number of the rest, -1 for none."""
        rest = -1
        for file, function, line in reversed(way):
            rest = ways.number((texts.number(file), texts.number(function), line, rest))
        return rest

    places = [
        [
            *(texts.number(spot.file), texts.number(spot.function), spot.line, texts.number(spot.event)),
            texts.number(name),
            [[way_number(one.way), list(one.visits.items()), axes.number(one.axes)] for one in entries],
        ]
        for (spot, name), entries in names.places.items()
    ]
    return {
        "places": places,
        "texts": list(texts.numbers),
        "ways": list(ways.numbers),
        "axes": list(axes.numbers),
        "counts": {package: vars(count) for package, count in names.counts.items()},
        "given": names.axes,
        "same": names.same,
    }


def from_json(told: Any) -> Names:
    """What `as_json` made. Raises `ValueError`, `KeyError`, `TypeError` or `IndexError` for anything else."""
    texts = [exactly(str, text) for text in told["texts"]]
    axes = [tuple(exactly(str, text) for text in one) for one in told["axes"]]
    ways: list[tuple[CallLine, ...]] = []
    item = picked(texts)
    for file, function, line, rest in told["ways"]:
        ways.append(((item(file), item(function), exactly(int, line)), *(picked(ways)(rest) if rest != -1 else ())))
    names = Names(axes=tuple(told["given"]), same=dict(told["same"]))
    way_of, axes_of = picked(ways), picked(axes)
    for file, function, line, event, name, entries in told["places"]:
        spot = Spot(item(file), item(function), exactly(int, line), item(event))
        names.places[spot, item(name)] = [
            KnownAxes(
                way_of(way) if way != -1 else (), {exactly(int, at): exactly(int, n) for at, n in visits}, axes_of(one)
            )
            for way, visits, one in entries
        ]
    for package, count in told["counts"].items():
        names.counts[package] = Count(**{name: exactly(int, number) for name, number in count.items()})
    return names


def files_in(names: Names) -> list[str]:
    """The files that the names lead through."""
    spots = {spot.file for spot, _ in names.places}
    ways = {one.way for entries in names.places.values() for one in entries}
    return sorted((spots | {file for way in ways for file, _, _ in way}) - {"*"})


def exactly(kind: type, value: Any) -> Any:
    if type(value) is not kind:
        raise ValueError(f"{value!r} where a {kind.__name__} belongs")
    return value


def picked(things: list[Any]) -> Callable[[int], Any]:
    """The thing of a number; a negative number is refused."""

    def pick(number: int) -> Any:
        if exactly(int, number) < 0:
            raise IndexError(number)
        return things[number]

    return pick
