"""A saved recording: the same when it is loaded, the same bytes when it is saved again, and safe whoever wrote it."""

from __future__ import annotations

import io
import json
import os
import random
import zipfile
from array import array

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefix_lab.debugger import Recording, record
from prefix_lab.debugger.storage import MAGIC, TABLES, VERSION
from tests.debugger.programs import programs
from tests.debugger.recorded import drawn, in_thread, recorded, refuses
from tests.debugger.test_against_interpreter import functions, loaded, outcome


def gives(n):
    for i in range(n):
        got = yield i
    return got


def works(n):
    values = [n, -1, 2.5, float("nan"), float("inf"), -0.0, 10**30, "text", b"bytes", None, True, 1 + 2j]
    held = {"a": values, "b": {"c": (1, "x")}}
    for i in range(300):
        n += i
    in_thread(lambda: sum(gives(2)))
    held["d"] = sum(gives(4)) + n
    raise ValueError(held)


@pytest.fixture(scope="module")
def recording():
    return recorded(lambda: works(3), [works, gives], watch=["n * 2"])


def said(recording):
    steps = [
        (repr(step), step.depth, step.thread, step.in_place, repr(step.locals), repr(step.watches))
        for step in recording.steps
    ]
    return steps, recording.sources, recording.notes, repr(recording.exception), recording.left_out


def test_what_is_loaded_says_the_same_and_is_saved_to_the_same_bytes(recording, tmp_path):
    recording.save(tmp_path / "one")
    recording.save(tmp_path / "two")
    again = Recording.load(tmp_path / "one")
    assert said(again) == said(recording)
    assert recording.diff(again) is None
    again.save(tmp_path / "three")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes() == (tmp_path / "three").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "three", "two"]


@drawn(20)
@given(source=programs())
def test_any_program_s_recording_comes_back(source, tmp_path_factory):
    main = loaded(source)
    with record([main.__code__, *functions(main)]) as recording:
        outcome(main)
    path = tmp_path_factory.mktemp("saved") / "recording"
    recording.save(path)
    again = Recording.load(path)
    assert said(again) == said(recording)
    assert [step.index for step in again.cursor(len(again) // 2).stack] == [
        step.index for step in recording.cursor(len(recording) // 2).stack
    ]


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04" + bytes(100), MAGIC, MAGIC + b"1", b"\x80\x04K\x01."])
def test_a_foreign_file_is_refused(content, tmp_path):
    path = tmp_path / "foreign"
    path.write_bytes(content)
    with refuses(ValueError, f"path={str(path)!r}"):
        Recording.load(path)


@pytest.mark.parametrize("version", [1, 2, VERSION + 1])
def test_a_file_of_another_version_is_refused_with_what_to_do(version, recording, tmp_path):
    recording.save(tmp_path / "saved")
    content = (tmp_path / "saved").read_bytes().replace(MAGIC + b"%d" % VERSION, MAGIC + b"%d" % version, 1)
    (tmp_path / "saved").write_bytes(content)
    with refuses(ValueError, f"version '{version}'", f"reads version {VERSION}", "Record again"):
        Recording.load(tmp_path / "saved")


@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_a_damaged_file_is_refused_or_says_the_same(data, recording, tmp_path_factory):
    path = tmp_path_factory.mktemp("damaged") / "recording"
    recording.save(path)
    content = bytearray(path.read_bytes())
    kind = data.draw(st.sampled_from(["cut", "flip", "more", "swap"]))
    at = data.draw(st.integers(0, len(content) - 1))
    if kind == "cut":
        content = content[:at]
    elif kind == "flip":
        content[at] ^= 1 << data.draw(st.integers(0, 7))
    elif kind == "more":
        content[at:at] = bytes(data.draw(st.integers(1, 9)))
    else:
        other = data.draw(st.integers(0, len(content) - 1))
        content[at], content[other] = content[other], content[at]
    path.write_bytes(content)
    again = loaded_or_refused(path)
    assert again is None or said(again) == said(recording)


def loaded_or_refused(path):
    """The recording, or None if it was refused with a message that names the file; nothing else may happen."""
    try:
        return Recording.load(path)
    except ValueError as error:
        if f"path={str(path)!r}" not in str(error):
            raise
        return None


def zipped(path, parts):
    """Write parts as `save` would: their checksums are right."""
    content = io.BytesIO()
    content.write(MAGIC + b"%d\n" % VERSION)
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as file:
        for name, part in parts.items():
            file.writestr(name, part)
    path.write_bytes(content.getvalue())


@pytest.mark.parametrize("seed", range(80))
def test_numbers_and_tables_written_by_a_stranger_are_refused_or_can_be_walked(recording, seed, tmp_path):
    path = tmp_path / "strange"
    recording.save(path)
    with zipfile.ZipFile(path) as file:
        parts = {name: bytearray(file.read(name)) for name in file.namelist()}
    draw = random.Random(seed)
    name = draw.choice(sorted(parts))
    if seed % 4 == 0:
        tables = json.loads(parts[TABLES])
        key = draw.choice(sorted(tables))
        tables[key] = draw.choice(
            [None, 5, -1, "text", [], {}, [[]], [[1, 2, 3]], [[0, [5], [7]]], [["summary"]], [1e9]]
        )
        parts[TABLES][:] = json.dumps(tables).encode()
    elif seed % 11 == 0:
        del parts[name]
    elif parts[name]:
        at = draw.randrange(len(parts[name]))
        parts[name][at] = draw.randrange(256)
        if draw.random() < 0.3:
            del parts[name][at:]
    zipped(path, parts)
    again = loaded_or_refused(path)
    if again is None:
        return
    for step in again.steps:  # whatever it says, nothing fails and nothing goes round for ever
        repr(step), step.locals, step.watches, step.in_place, step.thread
    cursor = again.cursor()
    while cursor.step_in():
        cursor.stack  # noqa: B018
    repr(again), again._repr_html_(), again.calls, again.diff(recording)


@pytest.mark.parametrize(
    "changed",
    [
        {"turn_first": [1], "turn_thread": [0]},
        {"turn_first": [0, 9, 9], "turn_thread": [0, 0, 0]},
        {"turn_first": [0, 10**6], "turn_thread": [0, 0]},
        {"turn_first": [], "turn_thread": []},
        {"turn_first": [0], "turn_thread": [9]},
        {"frame_caller": [600] * 4},
    ],
)
def test_what_cannot_have_been_is_refused(changed, recording, tmp_path):
    named = recording.with_names(NoNames())
    for name, numbers in changed.items():
        setattr(named.columns, name, array("I", numbers))
    named.save(tmp_path / "strange")
    with refuses(ValueError, "strange'", "It is damaged", "save it again"):
        Recording.load(tmp_path / "strange")


class NoNames:
    """Leaves a copy of a recording as it is."""

    def apply(self, recording):
        return recording.columns.values

    def remarks(self, recording):
        return []


def test_a_save_that_fails_leaves_the_old_file(recording, tmp_path, monkeypatch):
    path = tmp_path / "saved"
    recording.save(path)
    before = path.read_bytes()

    def fails(*arguments):
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(OSError, match="disk full"):
        recording.save(path)
    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == ["saved"]


def test_places_that_cannot_be_written_or_read_are_refused(recording, tmp_path):
    with refuses(ValueError, "there is no folder"):
        recording.save(tmp_path / "no" / "file")
    with refuses(ValueError, "is a folder"):
        recording.save(tmp_path)
    with refuses(ValueError, "is a device"):
        recording.save(os.devnull)
    with refuses(ValueError, "cannot be read"):
        Recording.load(tmp_path / "nothing")


def test_an_open_recording_cannot_be_saved(tmp_path):
    with record([works]) as recording, refuses(RuntimeError, "not finished"):
        recording.save(tmp_path / "early")
