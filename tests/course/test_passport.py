"""A stop that answers an exercise stamps the passport; a check sees whether a thing was seen, and says what is not."""

import json
from importlib import import_module

import pytest

from prefix_lab.breakpoints import stop_at
from prefix_lab.course import passport, progress, show_passport
from prefix_lab.course.checking import exercise, seen_there
from prefix_lab.course.passport import read_passport
from prefix_lab.course.progress import EXERCISES
from prefix_lab.stages import STAGES
from prefix_lab.terminal.commands import main
from tests.tiny_models import refuses

pytestmark = pytest.mark.usefixtures("no_tracer")

ENCODE, SPLIT = (one.key for one in EXERCISES[6][:2])


def inner(x):
    y = x * 2
    return y


def outer(x):
    return inner(x) + 1


@exercise(ENCODE, stage="encode")
def check_inner(stop, answer=...):
    seen_there(stop, "inner", "6", {"3": "That is x; you were asked for y."})
    return "So it is."


@exercise(SPLIT, stage="split")
def check_outer(stop):
    seen_there(stop, "outer")
    return "So it is."


@pytest.fixture
def no_tracer():
    """Coverage may watch the test run itself."""
    import sys

    before = sys.gettrace()
    sys.settrace(None)
    yield
    sys.settrace(before)


@pytest.fixture(autouse=True)
def notes(tmp_path, monkeypatch):
    path = tmp_path / "progress.json"
    monkeypatch.setenv("PREFIX_LAB_PROGRESS", str(path))
    return path


def stopped(*commands, **named):
    with stop_at(inner, debugger="pdb", **({"commands": commands} | named)) as stop:
        outer(3)
    return stop


@pytest.mark.parametrize(
    ("check", "commands", "words"),
    [
        (check_inner, ["c"], "You came to inner and left without asking anything"),
        (check_inner, ["ll", "n", "c"], "left without asking anything"),
        (check_inner, ["p y", "n", "c"], "In `inner` you typed `p y` at line"),
        (check_inner, ["u", "p x * 2", "c"], "You saw it in `outer`, with `p x * 2`"),
        (check_inner, ["u", "p x", "c"], "You have not stood in `inner` yet: you asked in `outer`"),
        (check_inner, ["p x", "c"], "That is x"),
        (check_inner, ["n", "p y + 10", "c"], "what is to be seen was not printed there. You asked: `p y + 10`"),
        (check_outer, ["p x", "c"], "You have not stood in `outer` yet"),
        (check_inner, ["n", "p y", "c"], ""),
        (check_inner, ["n", "print(f'{y=}')", "c"], ""),
        (check_inner, ["p 1", "n", "!y", "c"], ""),
        (check_outer, ["u", "c"], ""),
    ],
)
def test_a_check_asks_whether_it_was_seen_and_tells_what_is_missing(check, commands, words, capsys):
    verdict = check(stopped(*commands))
    assert verdict.passed == (not words)
    assert words in verdict.text


def test_a_stop_that_never_was_or_that_the_lesson_typed_at_is_told(capsys):
    assert "Put your answer" in check_inner(...).text
    assert "Give the check the stop itself" in check_inner(3).text
    assert "has not come to a stop" in check_inner(stop_at(inner)).text
    assert "the lesson typed, and you watched" in check_inner(stopped(commands=None, suggest=["n", "p y"])).text


def test_what_a_person_saw_when_the_cell_ran_before_counts_when_they_correct_their_answer(capsys):
    looked, left_at_once = stopped("n", "p y", "c"), stopped("c")
    looked.by = left_at_once.by = "hand"
    check_inner(looked)
    assert check_inner(left_at_once).passed
    assert show_passport().stamps[0].asked == ["n", "p y", "c", "c"]
    assert not check_inner(stopped("c")).passed


def test_what_was_seen_stands_in_the_passport_and_what_was_not_says_where_it_is_to_be_seen(capsys):
    check_inner(stopped("p x", "c"), answer=5)  # not yet
    assert show_passport().stamps == ()
    check_inner(stopped("n", "p y", "c"), answer=6)
    check_inner(stopped("n", "p y", "c"), answer=7)
    text = repr(show_passport())
    assert "1 of 8 stages seen, 0 of them with my own hands." in text
    for words in (
        "✓ encode: ",
        "inner, ",
        "asked: n  ·  p y  ·  c",
        "answered: 7",
        "typed from a list of commands, 20",
    ):
        assert words in text
    assert "answered: 6" not in text
    assert "○ keep: " in text
    assert "Not seen yet. Lesson 11 leads there: Save, load, serve." in text
    assert main(["passport"]) == 0
    assert text in capsys.readouterr().out


def test_a_stage_that_was_not_seen_names_the_first_lesson_whose_exercise_stamps_it():
    stamping: dict[str, int] = {}
    for number, exercises in EXERCISES.items():
        module = import_module(f"prefix_lab.course.lessons.lesson_{number:02}")
        for one in exercises:
            stage = getattr(getattr(module, f"check_{one.key}", None), "stage", None)
            if stage is not None:
                stamping.setdefault(stage, number)
    assert {stage.name: stamping.get(stage.name) for stage in STAGES} == passport.OPENED_BY


def test_damaged_lines_are_passed_over_and_a_lesson_that_is_forgotten_takes_its_stamps_along(notes, capsys):
    check_inner(stopped("n", "p y", "c"))
    check_outer(stopped("u", "c"))
    [good] = [line for line in progress.lines() if "passport" in line and line["passport"]["stage"] == "encode"]
    for change in ({"line": "5"}, {"shapes": [1]}, {"by": "magic"}, {"stage": "nowhere"}, {"more": 1}, {"asked": [3]}):
        progress.add({"passport": good["passport"] | {"exercise": "other"} | change})
    progress.add({"passport": None})
    with notes.open("a") as file:
        file.write('{"passport": {"sta\n[1]\n')
    assert [one.stage for one in show_passport().stamps] == ["encode", "split"]
    progress.note("row_width")
    progress.reset(1)
    assert [one.stage for one in show_passport().stamps] == ["encode", "split"]
    progress.reset(6)
    assert show_passport().stamps == ()


@pytest.mark.parametrize("ending", ["html", "txt", "json"])
def test_a_saved_passport_can_be_read_by_a_program_and_tells_when_it_was_altered(tmp_path, ending, capsys):
    check_inner(stopped("n", "p '</script><b>'", "p y", "c"), answer="<b>")
    path = tmp_path / f"my passport.{ending}"
    assert main(["passport", "--save", str(path)]) == 0
    found = read_passport(path)
    assert found == show_passport()
    assert found.solved == (ENCODE,)
    assert "<b>'" not in path.read_text() or ending != "html"
    path.write_text(path.read_text().replace('"by": "list"', '"by": "hand"'))
    with refuses(ValueError, "altered after it was saved"):
        read_passport(path)
    path.write_text(path.read_text().replace('"checksum"', '"checks'))
    with refuses(ValueError, "damaged"):
        read_passport(path)
    path.write_text("something else")
    with refuses(ValueError, "no saved passport"):
        read_passport(path)


def test_it_is_saved_in_no_other_way_and_in_no_folder_that_is_not_there(tmp_path, capsys):
    assert main(["passport", "--save", str(tmp_path / "passport.pdf")]) == 2
    assert main(["passport", "--save", str(tmp_path / "none" / "passport.txt")]) == 2
    said = capsys.readouterr().err
    assert ".html, .txt or .json" in said
    assert "No such file" in said


def test_the_page_keeps_a_line_that_json_reads(tmp_path):
    line = next(one for one in show_passport().page().splitlines() if one.startswith(passport.FIRST))
    assert set(json.loads(line)) == {"prefix_lab_passport", "solved", "stamps", "missed", "checksum"}
