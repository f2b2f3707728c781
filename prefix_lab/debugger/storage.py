"""A recording as one file: compressed, versioned, checked, and safe to open whoever wrote it.

The file is a first line that says what it is, then a zip: JSON with tables of names, functions, values and texts of
files, and arrays of numbers. Nothing in it is run; every number is checked before it is used.
"""

from __future__ import annotations

import io
import json
import os
import uuid
import zipfile
from array import array
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

from prefix_lab.debugger.steps import EVENTS, NONE, Columns, RecordedSteps
from prefix_lab.debugger.summary import Summary

MAGIC = b"prefix_lab recording, version "
VERSION = 3
FILES = "Give a file that `prefix-lab record` or recording.save(path) wrote."
DEPTH = 12  # of summaries inside summaries
TABLES = "tables.json"
OF_STEPS = ("step_place", "step_frame", "step_depth", "step_bound")
OF_FRAMES = ("frame_function", "frame_caller", "frame_begun", "frame_ended")
OF_BINDINGS = ("binding_name", "binding_value", "binding_flag")
ARRAYS = (*OF_STEPS, *OF_FRAMES, *OF_BINDINGS, "runs", "turn_first", "turn_thread")


class Damaged(ValueError):
    """A recording's file is not as it was written."""


def write(recording: RecordedSteps, path: str | Path) -> None:
    """Write the file: see `Recording.save`."""
    columns, path = recording.columns, Path(path)
    must_be_for_a_file(path)
    tables = {
        "functions": columns.functions,
        "places": columns.places,
        "names": columns.names,
        "watches": sorted(columns.watches),
        "values": [packed(value) for value in columns.values],
        "threads": columns.threads,
        "left_out": columns.left_out,
        "sources": recording.sources,
        "notes": recording.notes,
        "exception": packed(recording.exception),
        "entries": [[frame, *map(list, both)] for frame, both in sorted(columns.entries.items())],
        "snapshots": [[step, list(pairs)] for step, pairs in sorted(columns.snapshots.items())],
    }
    text = json.dumps(tables, ensure_ascii=True, separators=(",", ":"), sort_keys=True)
    parts = {TABLES: text.encode()} | {name: getattr(columns, name).tobytes() for name in ARRAYS}
    content = io.BytesIO()
    content.write(MAGIC + f"{VERSION}\n".encode())
    with zipfile.ZipFile(content, "w") as file:
        for name, part in parts.items():
            # A date of its own, and not today's: the same recording gives the same bytes.
            file.writestr(zipfile.ZipInfo(name), part, zipfile.ZIP_DEFLATED, 6)
    write_whole(path, content.getvalue())


def must_be_for_a_file(path: Path, example: str = "") -> None:
    """Raises `ValueError` where no file can be written, or something else would be lost."""
    if not path.parent.is_dir():
        raise ValueError(f"path={str(path)!r}: there is no folder {str(path.parent)!r}. Make it first.")
    if path.exists() and not path.is_file():
        what = "a folder" if path.is_dir() else "a device or a pipe"
        raise ValueError(f"path={str(path)!r} is {what}. Give the name of a file{example}.")


def write_whole(path: Path, content: bytes) -> None:
    """Beside it first, then in its place, so that a crash leaves the old file or the new one."""
    beside = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        with open(beside, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def is_recording(path: Path) -> bool:
    """Whether a file begins as `write` begins one."""
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def read(path: str | Path) -> tuple[Columns, dict[str, str], list[str], Summary | None]:
    """The columns, texts, notes and last exception of a file: see `Recording.load`."""
    path = Path(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ValueError(f"path={str(path)!r} cannot be read: {error.strerror}. {FILES}") from None
    first, _, _ = content[:80].partition(b"\n")
    if not first.startswith(MAGIC):
        raise ValueError(f"path={str(path)!r}: this is not a recording of prefix_lab. {FILES}")
    version = first.removeprefix(MAGIC).decode(errors="replace")
    if version != str(VERSION):
        raise ValueError(
            f"path={str(path)!r}: it is of version {version!r}, and this prefix_lab reads version {VERSION}. Record "
            "again, or use the prefix_lab that wrote it."
        )
    try:
        tables, parts = unzipped(content)
        columns, exception = columns_of(tables, parts), unpacked(tables["exception"])
        if not isinstance(exception, Summary | None):
            raise Damaged
        return columns, expect({str: str}, tables["sources"]), expect([str], tables["notes"]), exception
    except Exception:  # of many kinds; which one says nothing to a person
        raise ValueError(
            f"path={str(path)!r}: this recording cannot be opened. It is damaged or was cut short: copy it or save it "
            "again, or record anew."
        ) from None


def unzipped(content: bytes) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The tables, and the bytes of each array."""
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        return expect(dict, json.loads(file.read(TABLES))), {name: file.read(name) for name in ARRAYS}


def columns_of(tables: dict[str, Any], parts: dict[str, bytes]) -> Columns:
    """Columns from what a stranger may have written: each number is checked."""
    columns = Columns()
    functions = tables["functions"]
    columns.functions = [(expect(str, file), expect(str, name), within(line, 2**31)) for file, name, line in functions]
    columns.places = [
        (within(event, len(EVENTS)), within(function, len(columns.functions)), within(line, 2**31))
        for event, function, line in tables["places"]
    ]
    columns.names = expect([str], tables["names"])
    columns.watches = {within(name, len(columns.names)) for name in tables["watches"]}
    columns.values = [unpacked(value) for value in tables["values"]]
    columns.threads = expect([str], tables["threads"])
    columns.left_out = within(tables["left_out"], 2**62)
    for name, part in parts.items():
        getattr(columns, name).frombytes(part)
    for names in (OF_STEPS, OF_FRAMES, OF_BINDINGS, ("turn_first", "turn_thread")):
        if len({len(getattr(columns, name)) for name in names}) > 1:
            raise Damaged
    steps, frames = len(columns), len(columns.frame_function)
    all_within(columns.step_place, len(columns.places))
    all_within(columns.step_frame, frames)
    all_within(columns.frame_function, len(columns.functions))
    all_within(columns.frame_caller, steps, or_none=True)
    all_within(columns.binding_name, len(columns.names))
    all_within(columns.binding_value, len(columns.values), or_none=True)
    all_within(columns.turn_thread, len(columns.threads))
    check_runs(columns)
    firsts = [*columns.turn_first, steps]
    if firsts[0] != 0 or any(first >= after for first, after in pairwise(firsts)):
        raise Damaged
    for frame, *both in tables["entries"]:
        entered, callers = columns.entries[within(frame, frames)] = tuple(array("I", one) for one in both)
        all_within(entered, steps)
        check_callers(entered, callers)
    for step, pairs in tables["snapshots"]:
        noted = columns.snapshots[within(step, steps)] = array("I", pairs)
        all_within(noted[::2], len(columns.names))
        all_within(noted[1::2], len(columns.values))
        if len(noted) % 2:
            raise Damaged
    columns.link()
    check_callers(columns.frame_first, columns.frame_caller)
    return columns


def check_runs(columns: Columns) -> None:
    """The runs of bindings follow one another, each as long as it says, and steps point at them."""
    starts, at = {NONE}, 0
    while at < len(columns.runs):
        starts.add(at)
        end = at + 1 + columns.runs[at]
        all_within(columns.runs[at + 1 : end], len(columns.binding_name))
        at = end
    if at != len(columns.runs) or not starts.issuperset(columns.step_bound):
        raise Damaged


def check_callers(steps: array, callers: array) -> None:
    """Each is called from before it, so that no walk outwards goes round for ever."""
    for step, caller in zip(steps, callers, strict=True):
        if caller != NONE and caller >= step:
            raise Damaged


def packed(value: Any) -> Any:
    """A value as JSON: a list whose first item says what it is, but for what JSON has itself."""
    match value:
        case None | bool() | str() | float():
            return value
        case int():
            return value if abs(value) < 2**53 else ["int", hex(value)]
        case complex():
            return ["complex", value.real, value.imag]
        case bytes():
            return ["bytes", value.hex()]
        case Fraction():
            return ["fraction", hex(value.numerator), hex(value.denominator)]
        case Decimal():
            return ["decimal", str(value)]
        case Summary():
            facts = [[name, packed(fact)] for name, fact in value.facts.items()]
            parts = [[name, packed(part)] for name, part in value.parts]
            return ["summary", value.type, value.text, facts, parts, value.number]
        case list() | tuple():
            return ["list", *map(packed, value)]
    return ["summary", type(value).__name__, f"<{type(value).__name__}>", [], [], None]


def unpacked(value: Any, depth: int = 0) -> Any:
    """What `packed` made, and nothing else."""
    if depth > DEPTH:
        raise Damaged
    match value:
        case None | bool() | str() | int() | float():
            return value
        case ["int", str(text)]:
            return int(text, 16)
        case ["complex", float(real), float(imaginary)]:
            return complex(real, imaginary)
        case ["bytes", str(text)]:
            return bytes.fromhex(text)
        case ["fraction", str(over), str(under)]:
            return Fraction(int(over, 16), int(under, 16))
        case ["decimal", str(text)]:
            return Decimal(text)
        case ["list", *items]:
            return tuple(unpacked(item, depth + 1) for item in items)
        case ["summary", str(kind), str(text), list(facts), list(parts), int() | None as number]:
            known = {expect(str, name): unpacked(fact, depth + 1) for name, fact in facts}
            inside = tuple((expect(str, name), unpacked(part, depth + 1)) for name, part in parts)
            return Summary(kind, text, known, inside, number)
    raise Damaged


def expect(kind: Any, value: Any) -> Any:
    """The value, if it is of that type; `[str]` is a list of texts, `{str: str}` a table of them."""
    if isinstance(kind, list):
        return [expect(kind[0], one) for one in expect(list, value)]
    if isinstance(kind, dict):
        [(key, item)] = kind.items()
        return {expect(key, name): expect(item, one) for name, one in expect(dict, value).items()}
    if type(value) is not kind:
        raise Damaged
    return value


def within(number: Any, limit: int) -> int:
    if type(number) is not int or not 0 <= number < limit:
        raise Damaged
    return number


def all_within(numbers: array, limit: int, or_none: bool = False) -> None:
    most = max((one for one in numbers if not (or_none and one == NONE)), default=-1)
    if most >= limit:
        raise Damaged
