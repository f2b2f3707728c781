"""The parity tests are worth something: each planted mistake makes one of them fail."""

import subprocess
import sys

import pytest

from tests.parity.mutations import HERE, NONE, REPOSITORY, Mistake, Verdict, mistakes, plant
from tests.tiny_models import refuses

LIST = mistakes((HERE / "mistakes.txt").read_text())


def test_every_planted_mistake_is_caught():
    command = [sys.executable, "-m", "tests.parity.mutations"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(LIST)} of {len(LIST)} mistakes caught" in done.stdout


def test_there_are_enough_mistakes_and_each_has_a_name_of_its_own():
    assert len(LIST) >= 25
    assert len({one.name for one in LIST}) == len(LIST)
    assert {one.file for one in LIST} >= {"past.py", "encoder.py", "prepare.py", "models.py", "tasks.py", "mapping.py"}
    assert all(one.old and one.old != one.new and "::test_" in one.test for one in LIST)


def test_the_list_is_read_as_it_says():
    text = (
        "How it is written.\n\n== past.py\n-- prompt::test_x\nkey lost\n<a\n<  b\n>c\n\n-- prompt::test_y\nrow lost\n"
    )
    assert mistakes(text + "<d\n>\n") == [
        Mistake("key lost", "past.py", "prompt::test_x", "a\n  b", "c"),
        Mistake("row lost", "past.py", "prompt::test_y", "d", ""),
    ]


@pytest.mark.parametrize("old", ["not there", "rows"])
def test_a_mistake_whose_text_is_not_there_once_is_stale(old, tmp_path):
    with refuses(LookupError, "mutation is stale", repr(old), "expected once"):
        plant(Mistake("stale", "past.py", "prompt::test_x", old, "new"), tmp_path)


def test_a_mistake_is_planted_into_the_copy_alone(tmp_path):
    before = (REPOSITORY / "prefix_lab" / "past.py").read_text()
    plant(LIST[0], tmp_path)
    planted = (tmp_path / "prefix_lab" / "past.py").read_text()
    assert planted == before.replace(LIST[0].old, LIST[0].new) != before
    assert (REPOSITORY / "prefix_lab" / "past.py").read_text() == before


def test_a_row_of_the_table_says_what_became_of_a_mistake():
    assert str(Verdict(LIST[0], "SURVIVED", "")).split() == ["SURVIVED", LIST[0].file, *LIST[0].name.split()]
    assert str(Verdict(NONE, "passes", "")).split() == ["passes", "no", "mistake"]
