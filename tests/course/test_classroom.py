"""A class from its passports: who stands where, where most are stuck; a bad file is named, and never run."""

import csv
import json
import os
import pickle

import pytest

from prefix_lab.course.checking import OTHER_ORDER
from prefix_lab.course.classroom import LARGEST, Learner, read_class
from prefix_lab.course.lessons.lesson_00 import check_what_is_added
from prefix_lab.course.passport import Missed, Passport, Stamp, checksum, show_passport
from prefix_lab.terminal.commands import main

SOLVED = ("what_is_added", "first_shape", "attend_with_prefix")
STAMP = Stamp("encode", "first_shape", "f", "f.py", 3, {}, ["p x"], ["6"], "hand", "2026-11-28T10:00:00+00:00")


def passport(*missed, solved=SOLVED, stamps=(STAMP,)):
    return Passport(stamps, solved, tuple(Missed(*one) for one in missed))


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "handed in"
    folder.mkdir()
    passport(("prefix_share", OTHER_ORDER, 2)).save(folder / "mia.json")
    passport(("prefix_share", OTHER_ORDER, 1), ("order", "mine \x1b[2J", 1), stamps=()).save(folder / "Ada.html")
    (folder / "王小明_17").mkdir()
    passport(("first_shape", OTHER_ORDER, 5)).save(folder / "王小明_17" / "passport.txt")
    return folder


def test_each_learner_has_a_line_and_the_exercise_where_most_are_stuck_comes_first(folder, capsys):
    assert main(["class", str(folder)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split() == ["Ada", "3/79", "0/8", "0", "✓·◐·············", "02", "·", "4"]
    assert lines[2].split() == ["mia", "3/79", "1/8", "1", "✓·◐·············", "02", "·", "2"]
    assert lines[3].split() == ["王小明_17", "3/79", "1/8", "1", "✓·◐·············"]
    stuck = lines[lines.index("Where most are stuck, and on what") + 2 :]
    assert stuck[0].split()[-2:] == ["2", "0"]
    assert stuck[1] == f"     2 of 2: {OTHER_ORDER}"
    assert "The same stamps, to the second: mia, 王小明_17. One may be a copy." in lines
    assert "an answer that this version has no hint for" in "\n".join(stuck)
    assert not any("\x1b" in line or "mine" in line or len(line) > 80 for line in lines)


def test_a_real_check_brings_its_hint_into_the_table(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PREFIX_LAB_PROGRESS", str(tmp_path / "progress.json"))
    check_what_is_added("a")
    (tmp_path / "in").mkdir()
    show_passport().save(tmp_path / "in" / "mia.json")
    assert main(["class", str(tmp_path / "in")]) == 0
    assert "1 of 1: No word was added" in capsys.readouterr().out


def never_run(path):
    """What a pickle would do, if anybody loaded it."""

    class Runs:
        def __reduce__(self):
            return os.mkdir, (str(path / "it was run"),)

    return pickle.dumps(Runs())


def wrong_sum(line):
    return line.replace(b'"by": "hand"', b'"by": "list"')


@pytest.mark.parametrize(
    ("name", "make", "why"),
    [
        ("pickle.pkl", lambda line, path: never_run(path), "it is no text"),
        ("utf16.json", lambda line, path: line.decode().encode("utf-16"), "it is no text"),
        ("half.json", lambda line, path: line[: len(line) // 2], "the line of its passport is damaged"),
        ("deep.json", lambda line, path: b'{"prefix_lab_passport": 1, "a": ' + b"[" * 200_000, "is damaged"),
        ("other.json", lambda line, path: b'{"prefix_lab_passport": 1, "checksum": [], "solved": 3}', "is damaged"),
        ("altered.json", lambda line, path: wrong_sum(line), "altered after it was saved"),
        ("huge.json", lambda line, path: b" " * (LARGEST + 1), "larger than any passport"),
        ("page.html", lambda line, path: b"<script>alert(1)</script>", "no line of a passport"),
        ("empty.json", lambda line, path: b"", "no line of a passport"),
    ],
)
def test_a_file_that_is_no_passport_is_named_and_left_out_and_never_run(folder, name, make, why, capsys):
    line = (folder / "mia.json").read_bytes()
    (folder / name).write_bytes(make(line, folder))
    found = read_class(folder)
    assert [*found.left_out] == [name]
    assert why in " ".join(repr(found).split())
    assert len(found.learners) == 3
    assert not (folder / "it was run").exists()


def test_links_pipes_and_hidden_files_are_not_opened(folder):
    (folder / "link.json").symlink_to(folder / "mia.json")
    (folder / "all").symlink_to("/")
    os.mkfifo(folder / "pipe.json")
    (folder / ".hidden.json").write_text("?")
    found = read_class(folder)
    assert set(found.left_out) == {"link.json", "all", "pipe.json"}


def test_a_forged_page_with_a_script_gives_its_passport_and_nothing_of_it_is_shown(folder):
    text = (folder / "Ada.html").read_text().replace("<body>", "<body><script>alert('x')</script>")
    (folder / "Ada.html").write_text(text)
    held = {"prefix_lab_passport": 1, "solved": ["<script>", "order"], "stamps": [], "missed": [["<b>", "x", 1]]}
    (folder / "eve.json").write_text(json.dumps(held | {"checksum": checksum(held)}))
    found = read_class(folder)
    assert found.left_out == {}
    assert sum(map(Learner.solved, [found.learners[1]] * 16, range(16))) == 1
    assert "script" not in repr(found)


def test_two_of_one_name_are_told_apart_and_a_folder_with_several_names_each_file(folder):
    passport().save(folder / "mia.txt")
    (folder / "tom").mkdir()
    for number in (1, 2):
        passport().save(folder / "tom" / f"{number}.json")
    called = [one.name for one in read_class(folder).learners]
    assert called == ["Ada", "mia.json", "mia.txt", "tom/1", "tom/2", "王小明_17"]


def test_the_table_for_a_spreadsheet_has_a_line_for_each_learner_and_exercise_and_no_formula(folder, tmp_path, capsys):
    passport().save(folder / "=1+1.json")
    assert main(["class", str(folder), "--csv", str(tmp_path / "class.csv")]) == 0
    with open(tmp_path / "class.csv", encoding="utf-8-sig", newline="") as file:
        lines = [*csv.DictReader(file)]
    assert len(lines) == 4 * 79
    assert lines[0]["learner"] == "'=1+1"
    [share] = [one for one in lines if (one["learner"], one["lesson"], one["exercise"]) == ("mia", "2", "2")]
    assert (share["solved"], share["typed"], share["wrong"], share["cause"]) == ("0", "", "2", OTHER_ORDER)


@pytest.mark.parametrize(("ending", "begins"), [("png", b"\x89PNG"), ("svg", b"<?xml")])
def test_it_is_drawn_in_either_way(folder, tmp_path, ending, begins, capsys):
    (folder / "王小明_17").rename(folder / "Tom")  # not every machine has a font for it
    assert main(["class", str(folder), "--plot", str(tmp_path / f"class.{ending}")]) == 0
    drawn = (tmp_path / f"class.{ending}").read_bytes()
    assert drawn.startswith(begins)
    assert ending == "png" or b"the share that the prefix takes" in drawn


def test_what_cannot_be_done_is_said(folder, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "a.txt").write_text("hello")
    for words, said in [
        ([tmp_path / "nowhere"], "is no folder"),
        ([folder / "mia.json"], "is no folder"),
        ([tmp_path / "empty"], "has no passport (it is empty)"),
        ([tmp_path / "none"], "has no passport (a.txt: it has no line of a passport)"),
        ([folder, "--plot", tmp_path / "class.pdf"], "saved as .png or .svg"),
        ([folder, "--csv", tmp_path / "no" / "class.csv"], "No such file"),
    ]:
        assert main(["class", *map(str, words)]) == 2
        assert said in capsys.readouterr().err
