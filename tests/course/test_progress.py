"""What a learner has done is noted in a small local file, and only there."""

import re
import subprocess
import sys

import pytest

from prefix_lab.course import progress
from prefix_lab.course.lessons.lesson_00 import check_what_is_added
from prefix_lab.course.progress import LESSONS, lesson, show_progress
from prefix_lab.terminal.commands import main


@pytest.fixture
def notes(tmp_path, monkeypatch):
    path = tmp_path / "folder" / "progress.json"
    monkeypatch.setenv("PREFIX_LAB_PROGRESS", str(path))
    return path


def solve():
    assert check_what_is_added("c").passed


def test_a_solved_exercise_is_noted_once(notes):
    solve()
    solve()
    assert progress.done() == {"what_is_added"}


def test_of_a_wrong_answer_the_hint_is_noted_until_another_comes_and_of_an_open_one_nothing(notes):
    check_what_is_added(...)
    assert not notes.exists()
    for answer in ("a", "a", "b", "secret", "a"):
        check_what_is_added(answer)
    assert progress.done() == set()
    said = [cause for _, cause in progress.missed()]
    assert [cause[:14] for cause in said] == ["No word was ad", "That is prompt", "Choose one of ", "No word was ad"]
    assert "secret" not in notes.read_text()
    progress.reset(1)
    assert len(progress.missed()) == 4
    progress.reset(0)
    assert progress.missed() == []


def test_a_lesson_is_forgotten_alone(notes):
    for solved in ("prefix_share", "order", "what_is_added"):
        progress.note(solved)
    progress.reset(2)
    assert progress.done() == {"what_is_added"}
    progress.reset()
    assert progress.done() == set()


@pytest.mark.parametrize("text", ["", "no json", "[]", '{"solved": 3}', '{"solved": [1, {}]}', '{"done": {"1": [1]}}'])
def test_a_file_that_is_none_of_ours_says_nothing_and_is_written_to_all_the_same(notes, text):
    notes.parent.mkdir()
    notes.write_text(text)
    assert progress.done() == set()
    solve()
    assert progress.done() == {"what_is_added"}


def test_a_home_that_cannot_be_written_to_is_no_obstacle(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("PREFIX_LAB_PROGRESS", str(tmp_path / "file" / "progress.json"))
    solve()
    assert progress.done() == set()


def test_a_user_without_a_home_learns_all_the_same(monkeypatch):
    monkeypatch.delenv("PREFIX_LAB_PROGRESS")
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr("os.getuid", lambda: 987654)  # no account has this number
    solve()
    assert progress.done() == set()


def test_lessons_that_are_open_at_once_lose_no_notes(notes):
    program = "import sys; from prefix_lab.course.progress import note; [note(sys.argv[1] + str(n)) for n in range(20)]"
    open_lessons = [subprocess.Popen([sys.executable, "-c", program, str(lesson)]) for lesson in range(4)]
    assert [one.wait() for one in open_lessons] == [0] * 4
    assert progress.done() == {f"{lesson}{number}" for lesson in range(4) for number in range(20)}


def test_no_notes_are_kept_where_none_are_wanted(monkeypatch):
    monkeypatch.setenv("PREFIX_LAB_PROGRESS", "")
    solve()
    assert progress.done() == set()


def test_progress_says_what_is_left_in_lines_that_fit_a_terminal(notes):
    solve()
    assert repr(show_progress(0)).splitlines()[1:] == [
        "✓  1 · what is a prefix?",
        "○  2 · say a shape before it is there",
        "Left in this lesson: 1 of 2. What you have solved stays noted when you close the notebook.",
    ]
    assert "2 · say a shape before it is there" in show_progress()._repr_html_()
    assert "attend with a prefix" not in repr(show_progress())  # of a lesson that was not begun, the number is enough
    progress.note("hunt_1")
    assert max(map(len, repr(show_progress()).splitlines())) < 100
    progress.note("first_shape")
    assert "All exercises of this lesson are solved." in repr(show_progress(0))


def test_the_command_shows_and_forgets(notes, capsys):
    solve()
    assert main(["progress"]) == 0
    assert re.search(r"00 · Start here +1 of 2 +2 · say a shape before it is there", capsys.readouterr().out)
    assert main(["progress", "--reset", "0"]) == 0
    assert progress.done() == set()
    with pytest.raises(SystemExit):
        main(["progress", "--reset", "99"])
    assert "expected one of 0, 1, 2" in capsys.readouterr().err


def test_every_lesson_has_a_number_of_its_own_and_an_unknown_one_is_refused():
    assert [one.number for one in LESSONS] == list(range(len(LESSONS)))
    with pytest.raises(ValueError, match="lesson=99, expected one of 0, 1"):
        lesson(99)
