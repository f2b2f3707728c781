"""The names of standard walks on disk: found again without a run, never trusted further than they reach."""

import os
import subprocess
import sys
from pathlib import Path

import platformdirs
import pytest
import torch

from prefix_lab.debugger import record
from prefix_lab.shapes import cache, name_axes, with_kept_names
from prefix_lab.shapes.finding import proven_names
from prefix_lab.shapes.names import Names
from prefix_lab.shapes.walks import STANDARD_RUNS as RUNS
from prefix_lab.shapes.walks import WALKS

WALK = "BERT, direct"
SAID = """
import sys
from prefix_lab.shapes import name_axes
names = name_axes("BERT, direct")
print(sorted({"torch", "transformers", "peft"} & set(sys.modules)))
print(sorted(map(str, names.places.items())))
"""


@pytest.fixture(scope="module")
def names():
    return proven_names(WALKS[WALK], (), RUNS)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("PREFIX_LAB_CACHE", str(tmp_path))
    cache.digest_of.cache_clear()
    return tmp_path


def file_in(folder: Path) -> Path:
    [path] = folder.iterdir()
    return path


def test_names_come_back_as_they_were(names, folder):
    assert cache.load(WALK, RUNS) is None
    for one in (Names(), names):
        assert cache.save(one, WALK, RUNS)
        assert cache.load(WALK, RUNS) == one
    assert file_in(folder).name.startswith("names-bert-direct-")


def test_another_session_reads_them_without_importing_what_the_walk_needs(names, folder):
    assert cache.save(names, WALK, RUNS)
    environment = os.environ | {"PREFIX_LAB_CACHE": str(folder)}
    done = subprocess.run([sys.executable, "-c", SAID], env=environment, capture_output=True, text=True, check=True)
    modules, report = done.stdout.split("\n", 1)
    assert modules == "[]"
    assert report.strip() == str(sorted(map(str, names.places.items())))


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[: len(data) // 2],
        lambda data: data.replace(b"hidden", b"source", 1) + b" ",
        lambda data: data.replace(b"batch", b"watch"),
        lambda data: b"not json\n" + data,
        lambda data: b"[]\n[]",
        lambda data: b'{"key": 1}\n{}',
        lambda data: b"\xff\xfe" * 100,
        lambda data: b"[" * 200_000,
    ],
)
def test_a_damaged_or_foreign_file_is_ignored_and_written_anew(names, folder, damage):
    cache.save(names, WALK, RUNS)
    path = file_in(folder)
    whole = path.read_bytes()
    path.write_bytes(damage(whole))
    assert cache.load(WALK, RUNS) is None
    assert cache.save(names, WALK, RUNS)
    assert path.read_bytes() == whole
    assert list(folder.iterdir()) == [path]


@pytest.mark.parametrize("what", ["version", "own source", "a file on the way", "sizes", "walk"])
def test_names_of_other_code_or_sizes_are_not_taken(names, monkeypatch, what):
    cache.save(names, WALK, RUNS)
    walk, runs = WALK, RUNS
    match what:
        case "version":
            monkeypatch.setattr(cache, "version_of", lambda package: "0.0")
        case "own source":
            monkeypatch.setattr(cache, "own_digest", lambda: "other")
        case "a file on the way":
            monkeypatch.setattr(cache, "digest_of", lambda file: "other")
        case "sizes":
            runs = (RUNS[1], RUNS[0], *RUNS[2:])
        case "walk":
            os.rename(cache.path_of(WALK), cache.path_of("T5, direct"))
            walk = "T5, direct"
    assert cache.load(walk, runs) is None


def test_where_nothing_can_be_written_nothing_fails(names, tmp_path, monkeypatch):
    blocked = tmp_path / "a file"
    blocked.write_text("")
    monkeypatch.setenv("PREFIX_LAB_CACHE", str(blocked))
    assert not cache.save(names, WALK, RUNS)
    assert cache.load(WALK, RUNS) is None
    monkeypatch.setenv("PREFIX_LAB_CACHE", "")
    assert cache.folder() is None
    assert not cache.save(names, WALK, RUNS)
    assert cache.load(WALK, RUNS) is None


def test_a_disk_that_fills_up_leaves_no_part_behind(names, folder, monkeypatch):
    def full(*paths):
        raise OSError("No space left on device")

    monkeypatch.setattr(os, "replace", full)
    assert not cache.save(names, WALK, RUNS)
    assert list(folder.iterdir()) == []


def test_the_folder_is_the_users_own_or_the_one_that_is_set(monkeypatch):
    assert cache.folder() == Path(os.environ["PREFIX_LAB_CACHE"])
    monkeypatch.delenv("PREFIX_LAB_CACHE")
    assert cache.folder() == platformdirs.user_cache_path("prefix_lab", appauthor=False, opinion=False)


def test_a_recording_gets_the_names_that_were_kept_for_what_ran_in_it():
    def makes(axes):
        made = torch.zeros(axes["batch"], axes["source"])
        return made

    with record([makes]) as recording:
        makes({"batch": 3, "source": 5})
    assert with_kept_names(recording) is recording
    assert cache.save(name_axes(makes), "GPT-2, projected", RUNS)
    assert repr(with_kept_names(recording).steps[-1].value) == "Tensor (batch 3, source 5) float32"
    with record([print_nothing := lambda: None]) as other:
        print_nothing()
    assert with_kept_names(other) is other
