"""A recording as one file: compressed, versioned, checked, and safe to open whoever wrote it.

The file is a first line that says what it is, then sections: their length before and after compression, a checksum,
and the zlib-compressed bytes. The first section is JSON (tables of names, functions, values, texts of files), the
others are arrays of numbers. Nothing in it is run; every size and every number is checked before it is used.
"""

from __future__ import annotations

import json
import os
import struct
import sys
import tempfile
import zlib
from array import array
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

from prefix_lab.debugger.decode import EVENTS, NONE, Columns
from prefix_lab.debugger.recording import Recording
from prefix_lab.debugger.summary import Summary

MAGIC = b"prefix_lab recording, version "
VERSION = 2
HEADER = struct.Struct("<QQI")  # bytes in memory, bytes in the file, checksum
LIMIT = 4 * 2**30  # bytes of one section in memory
RATIO = 1100  # no honest zlib stream grows more than this
DEPTH = 12  # of summaries inside summaries
STEP_ARRAYS = tuple(f"step_{name}" for name in Columns.STEP_ARRAYS)
FRAME_ARRAYS = tuple(f"frame_{name}" for name in Columns.FRAME_ARRAYS)
OTHER_ARRAYS = ("runs", "binding_name", "binding_value", "binding_flag", "turn_first", "turn_thread")


class Damaged(ValueError):
    """A file that is no recording, or no longer one."""


def save(recording: Recording, path: str | Path) -> None:
    """Write the file, whole or not at all. The same recording gives the same bytes.

    Raises `RuntimeError` for a recording that is not finished, `ValueError` when the folder is not there.
    """
    columns, path = recording.columns, Path(path)
    if not path.parent.is_dir():
        raise ValueError(f"path={str(path)!r}: there is no folder {str(path.parent)!r}. Make it first.")
    if path.is_dir():
        raise ValueError(f"path={str(path)!r} is a folder. Give the name of a file.")
    entries = sorted(columns.entries.items())
    snapshots = sorted(columns.snapshots.items())
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
        "exception": None if recording.exception is None else packed(recording.exception),
        "entries": [[frame, list(steps), list(callers)] for frame, (steps, callers) in entries],
        "snapshots": [[step, list(pairs)] for step, pairs in snapshots],
    }
    text = json.dumps(tables, ensure_ascii=True, separators=(",", ":"), sort_keys=True)
    sections = [text.encode()]
    for name in (*STEP_ARRAYS, *FRAME_ARRAYS, *OTHER_ARRAYS):
        sections.append(little_endian(differences(name, getattr(columns, name))).tobytes())
    written = [MAGIC + str(VERSION).encode() + b"\n"]
    for section in sections:
        small = zlib.compress(section, 6)
        written += [HEADER.pack(len(section), len(small), zlib.crc32(section)), small]
    write_whole(path, b"".join(written))


def write_whole(path: Path, content: bytes) -> None:
    """Beside it first, then in its place, so that a crash leaves the old file or the new one."""
    descriptor, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(beside, 0o666 & ~current_umask())
        os.replace(beside, path)
    except BaseException:
        os.unlink(beside)
        raise


def current_umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def load(path: str | Path) -> Recording:
    """Read a file that `save` wrote. Raises `ValueError` that says what is wrong with one that it did not."""
    path = Path(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ValueError(
            f"path={str(path)!r} cannot be read: {error.strerror}. Give a file that save() wrote."
        ) from None
    try:
        return read(content)
    except Damaged as error:
        raise ValueError(f"path={str(path)!r}: {error}") from None


def read(content: bytes) -> Recording:
    end = content.find(b"\n", 0, 80)
    if not content.startswith(MAGIC) or end < 0:
        raise Damaged("this is not a recording of prefix_lab. Give a file that Recording.save wrote.")
    version = content[len(MAGIC) : end]
    if version != str(VERSION).encode():
        raise Damaged(
            f"it is of version {version.decode(errors='replace')}, this prefix_lab reads version {VERSION}. Record "
            "again, or use the prefix_lab that wrote it."
        )
    sections, at = [], end + 1
    for _ in range(1 + len(STEP_ARRAYS) + len(FRAME_ARRAYS) + len(OTHER_ARRAYS)):
        section, at = read_section(content, at)
        sections.append(section)
    if at != len(content):
        raise Damaged("there is more in the file than a recording. It is damaged; save it again.")
    try:
        tables = json.loads(sections[0])
    except (ValueError, RecursionError) as error:
        raise Damaged(f"its tables cannot be read ({type(error).__name__}). It is damaged; save it again.") from None
    return Builder(tables, sections[1:]).recording()


def read_section(content: bytes, at: int) -> tuple[bytes, int]:
    """One section, unpacked with care: no more memory than it says, and no more than its size allows."""
    if at + HEADER.size > len(content):
        raise Damaged("it ends too early. It is damaged or was cut short; copy or save it again.")
    size, packed_size, checksum = HEADER.unpack_from(content, at)
    at += HEADER.size
    if size > LIMIT or size > RATIO * (packed_size + 1) or at + packed_size > len(content):
        raise Damaged("it ends too early, or says sizes that cannot be. It is damaged; copy or save it again.")
    try:
        opened = zlib.decompressobj()
        section = opened.decompress(content[at : at + packed_size], size + 1)
    except zlib.error:
        section, opened = b"", None
    if opened is None or len(section) != size or not opened.eof or zlib.crc32(section) != checksum:
        raise Damaged("a part of it does not match its checksum. It is damaged; copy or save it again.")
    return section, at + packed_size


class Builder:
    """A recording from tables and arrays that a stranger may have written: each number is checked."""

    def __init__(self, tables: Any, sections: list[bytes]):
        self.tables, self.sections = tables, sections
        self.columns = Columns()

    def recording(self) -> Recording:
        try:
            self.fill_tables()
            self.fill_arrays()
            self.check_numbers()
        except Damaged:
            raise
        except (KeyError, TypeError, ValueError, IndexError, ArithmeticError, AttributeError) as error:
            raise Damaged(f"its tables do not make sense ({type(error).__name__}). Save it again.") from None
        found = Recording()
        found.state, found._columns = "closed", self.columns
        found.sources = dict(expect({str: str}, self.tables["sources"]))
        found.notes = list(expect([str], self.tables["notes"]))
        exception = self.tables["exception"]
        found.exception = None if exception is None else unpacked(exception)
        return found

    def fill_tables(self) -> None:
        columns, tables = self.columns, self.tables
        expect(dict, tables)
        columns.functions = [
            (expect(str, file), expect(str, name), within(line, 2**31)) for file, name, line in tables["functions"]
        ]
        columns.places = [
            (within(event, len(EVENTS)), within(function, len(columns.functions)), within(line, 2**31))
            for event, function, line in tables["places"]
        ]
        columns.names = expect([str], tables["names"])
        columns.watches = {within(name, len(columns.names)) for name in tables["watches"]}
        columns.values = [unpacked(value) for value in tables["values"]]
        columns.threads = expect([str], tables["threads"])
        columns.left_out = within(tables["left_out"], 2**62)

    def fill_arrays(self) -> None:
        names = (*STEP_ARRAYS, *FRAME_ARRAYS, *OTHER_ARRAYS)
        for name, section in zip(names, self.sections, strict=True):
            numbers = array(getattr(self.columns, name).typecode)
            numbers.frombytes(section)
            setattr(self.columns, name, sums(name, little_endian(numbers)))

    def check_numbers(self) -> None:
        columns = self.columns
        steps, frames = len(columns.step_place), len(columns.frame_function)
        same_length(steps, *(getattr(columns, name) for name in STEP_ARRAYS))
        same_length(frames, *(getattr(columns, name) for name in FRAME_ARRAYS))
        bindings = len(columns.binding_name)
        same_length(bindings, columns.binding_value, columns.binding_flag)
        all_within(columns.step_place, len(columns.places))
        columns.steps_at = [array("I") for _ in columns.places]
        for step, place in enumerate(columns.step_place):
            columns.steps_at[place].append(step)
        all_within(columns.step_frame, frames)
        for name in ("step_bound", "step_before", "step_after"):
            all_within(getattr(columns, name), len(columns.runs) if name == "step_bound" else steps, or_none=True)
        all_within(columns.frame_function, len(columns.functions))
        for name in ("caller", "first", "last"):
            all_within(getattr(columns, f"frame_{name}"), steps, or_none=True)
        all_within(columns.binding_name, len(columns.names))
        all_within(columns.binding_value, len(columns.values), or_none=True)
        self.check_turns(steps)
        self.check_links(steps)
        self.check_runs(bindings)
        for frame, entered, callers in self.tables["entries"]:
            if len(entered) != len(callers):
                raise Damaged("its frames do not match. It is damaged; save it again.")
            columns.entries[within(frame, frames)] = (array("I", entered), array("I", callers))
            all_within(columns.entries[frame][0], steps)
            all_within(columns.entries[frame][1], steps, or_none=True)
            if any(caller != NONE and caller >= step for step, caller in zip(entered, callers, strict=True)):
                raise Damaged("a frame is called from later on. It is damaged; save it again.")
        for step, pairs in self.tables["snapshots"]:
            columns.snapshots[within(step, steps)] = array("I", pairs)
            all_within(columns.snapshots[step][::2], len(columns.names))
            all_within(columns.snapshots[step][1::2], len(columns.values))
            if len(pairs) % 2:
                raise Damaged("a snapshot is not whole. It is damaged; save it again.")

    def check_turns(self, steps: int) -> None:
        """The turns of threads follow one another, from the first step on."""
        columns = self.columns
        same_length(len(columns.turn_first), columns.turn_thread)
        all_within(columns.turn_thread, len(columns.threads))
        firsts = [*columns.turn_first, steps]
        if firsts[0] != 0 or any(first >= after for first, after in pairwise(firsts)):
            raise Damaged("its threads are out of order. It is damaged; save it again.")

    def check_links(self, steps: int) -> None:
        """Each step's neighbours in its frame lie on the right side of it, so that no walk goes round for ever."""
        columns = self.columns
        for step in range(steps):
            before, after = columns.step_before[step], columns.step_after[step]
            wrong = (before != NONE and before >= step) or (after != NONE and after <= step)
            if wrong or (before != NONE and columns.step_after[before] != step):
                raise Damaged("its steps are out of order. It is damaged; save it again.")
            if before != NONE and columns.step_frame[before] != columns.step_frame[step]:
                raise Damaged("its steps are out of order. It is damaged; save it again.")
        for first, caller in zip(columns.frame_first, columns.frame_caller, strict=True):
            if caller != NONE and first != NONE and caller >= first:
                raise Damaged("a frame is called from later on. It is damaged; save it again.")

    def check_runs(self, bindings: int) -> None:
        """The runs of bindings follow one another, each as long as it says."""
        columns, at = self.columns, 0
        starts = set()
        while at < len(columns.runs):
            starts.add(at)
            end = at + 1 + columns.runs[at]
            all_within(columns.runs[at + 1 : end], bindings)
            if end > len(columns.runs):
                raise Damaged("a run of values is not whole. It is damaged; save it again.")
            at = end
        if any(start != NONE and start not in starts for start in columns.step_bound):
            raise Damaged("a step's values are not where it says. It is damaged; save it again.")


RISING = {"step_bound", "turn_first", "frame_first", "frame_last", "frame_begun", "frame_ended"}  # each near the last
NEAR = {"step_before", "step_after"}  # each near its own index


def differences(name: str, numbers: array) -> array:
    """Numbers by how far they are from where they are expected, which repeats itself and so compresses well.

    Small distances, whichever their sign, become small numbers: 0 is NONE, 1 no distance, 2 one back, 3 one on.
    """
    if name not in RISING | NEAR:
        return numbers
    found, last = array(numbers.typecode), 0
    if numbers.typecode == "q":
        for number in numbers:
            found.append(number - last)
            last = number
        return found
    for index, number in enumerate(numbers):
        if number == NONE:
            found.append(0)
            continue
        distance = number - (index if name in NEAR else last)
        found.append(2 * distance + 1 if distance >= 0 else -2 * distance)
        last = number
    return found


def sums(name: str, numbers: array) -> array:
    """What `differences` came from. Raises `OverflowError` for what cannot have been made by it."""
    if name not in RISING | NEAR:
        return numbers
    found, last = array(numbers.typecode), 0
    for index, number in enumerate(numbers):
        if numbers.typecode == "q":
            last += number
        elif number == 0:
            found.append(NONE)
            continue
        else:
            distance = (number - 1) // 2 if number % 2 else -number // 2
            last = distance + (index if name in NEAR else last)
        found.append(last)
    return found


def little_endian(numbers: array) -> array:
    if sys.byteorder == "big":
        numbers = numbers[:]
        numbers.byteswap()
    return numbers


def packed(value: Any) -> Any:
    """A value as JSON: a list whose first item says what it is, but for what JSON has itself."""
    match value:
        case None | bool() | str():
            return value
        case int():
            return value if abs(value) < 2**53 else ["int", hex(value)]
        case float():
            return ["float", value.hex()]
        case complex():
            return ["complex", value.real.hex(), value.imag.hex()]
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
    """What `packed` made, and nothing else. Raises `Damaged`."""
    if depth > DEPTH:
        raise Damaged("a value lies too deep. It is damaged; save it again.")
    match value:
        case None | bool() | str() | int():
            return value
        case ["int", str(text)]:
            return int(text, 16)
        case ["float", str(text)]:
            return float.fromhex(text)
        case ["complex", str(real), str(imaginary)]:
            return complex(float.fromhex(real), float.fromhex(imaginary))
        case ["bytes", str(text)]:
            return bytes.fromhex(text)
        case ["fraction", str(over), str(under)] if int(under, 16) > 0:
            return Fraction(int(over, 16), int(under, 16))
        case ["decimal", str(text)]:
            return Decimal(text)
        case ["list", *items]:
            return tuple(unpacked(item, depth + 1) for item in items)
        case ["summary", str(kind), str(text), list(facts), list(parts), int() | None as number]:
            return Summary(
                kind,
                text,
                {expect(str, name): unpacked(fact, depth + 1) for name, fact in facts},
                tuple((expect(str, name), unpacked(part, depth + 1)) for name, part in parts),
                number,
            )
    raise Damaged("a value is of no known kind. It is damaged; save it again.")


def expect(kind: Any, value: Any) -> Any:
    """The value, if it is of that type; `[str]` is a list of texts, `{str: str}` a table of them."""
    if isinstance(kind, list):
        return [expect(kind[0], one) for one in expect(list, value)]
    if isinstance(kind, dict):
        [(key, item)] = kind.items()
        return {expect(key, name): expect(item, one) for name, one in expect(dict, value).items()}
    if type(value) is not kind:
        raise Damaged(f"it has a {type(value).__name__} where a {kind.__name__} belongs. Save it again.")
    return value


def within(number: Any, limit: int) -> int:
    if type(number) is not int or not 0 <= number < limit:
        raise Damaged("a number is out of its range. It is damaged; save it again.")
    return number


def all_within(numbers: array, limit: int, or_none: bool = False) -> None:
    if not len(numbers):
        return
    most = max((one for one in numbers if one != NONE), default=0) if or_none else max(numbers)
    if most >= max(limit, 1) or (limit == 0 and any(one != NONE for one in numbers)):
        raise Damaged("a number is out of its range. It is damaged; save it again.")


def same_length(count: int, *arrays: array) -> None:
    if any(len(one) != count for one in arrays):
        raise Damaged("its columns are not equally long. It is damaged; save it again.")
