"""The pages beside the lessons are in step with the code: glossary, cheat sheet, self-test, teacher's guide."""

import contextlib
import io
import itertools
import re
import tempfile
from pathlib import Path

import nbformat
import peft
import pytest

from notebooks import cheat_sheet
from notebooks.build import SOURCE, build
from prefix_lab.breakpoints import stop_at
from prefix_lab.course.progress import EXERCISES, LESSONS
from prefix_lab.course.small_models import small_ids, small_t5
from prefix_lab.stages import STAGES

DOCS = cheat_sheet.PAGE.parent
WHOLE = re.MULTILINE | re.DOTALL
PAGES = ("glossary.md", "cheat-sheet.md", "teachers-guide.md", "before-you-begin.md", "what-is-taught.md")


def text_of(page: str) -> str:
    return (DOCS / page).read_text(encoding="utf8")


@pytest.mark.parametrize("language", cheat_sheet.PAGES)
def test_the_cheat_sheet_is_what_the_stages_make(language):
    path = cheat_sheet.PAGES[language]
    assert path.read_text(encoding="utf8") == cheat_sheet.page(language), "run python -m notebooks.cheat_sheet"
    printed = path.with_suffix(".html").read_text(encoding="utf8")
    assert printed == cheat_sheet.printed(language), "run python -m notebooks.cheat_sheet"
    assert list(cheat_sheet.LOOKS) == [row.name for row in STAGES]


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")  # PEFT asks for it
@pytest.mark.parametrize("name", cheat_sheet.LOOKS)
def test_what_the_cheat_sheet_says_to_type_works_at_its_stage(name, capsys):
    commands = [*cheat_sheet.LOOKS[name].commands, "c"]
    config = peft.PrefixTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=5, prefix_projection=True)
    with tempfile.TemporaryDirectory() as folder, stop_at(name, "peft", commands=commands, debugger="pdb") as stop:
        wrapped = peft.get_peft_model(small_t5(), config)
        wrapped(input_ids=small_ids(), labels=small_ids()).loss.backward()
        wrapped.save_pretrained(folder)
    assert stop.hits == 1
    shown = capsys.readouterr().out
    assert shown.count("(Pdb) ") == len(commands)
    assert "***" not in shown, "pdb marks what it could not do by three stars"


def test_the_glossary_has_every_axis_of_the_stages():
    axes = {
        name
        for row in STAGES
        for flow in (*row.takes, *row.gives)
        for axis in flow.axes or ()
        for name in re.findall(r"[a-z_]+", axis)
    }
    explained = set(re.findall(r"^- \*\*(\w+)\*\*:", text_of("glossary.md"), re.MULTILINE))
    assert axes - explained == set()


def test_a_word_of_the_glossary_does_its_work_in_the_lessons_that_it_names():
    astray = []
    for names, where in re.findall(r"^- \*\*([^*]+)\*\*(?:(?!\n- ).)*?\[([\d, ]+)\]$", text_of("glossary.md"), WHOLE):
        for number in where.split(", "):
            [source] = SOURCE.glob(f"{number}_*.py")
            text = " ".join(source.read_text(encoding="utf8").replace("# ", "").replace("_", " ").split()).lower()
            if not any(name.strip("`").lower().replace("_", " ") in text for name in names.split(", ")):
                astray.append((names, number))
    assert astray == []


def test_the_answers_of_the_self_test_are_what_python_prints():
    page = text_of("before-you-begin.md")
    [questions], [answers] = (re.findall(rf"```{kind}\n(.*?)```", page, re.DOTALL) for kind in ("python", "text"))
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(questions, "self-test", "exec"), {"__name__": "self-test"})
    assert printed.getvalue() == answers


def test_the_teachers_guide_has_each_lesson_with_its_minutes_and_a_path_of_90():
    path, lessons = (
        re.findall(r"^\| (\d+) \| (\d+) \| (.*)", text_of("teachers-guide.md").partition(heading)[2], re.MULTILINE)
        for heading in ("## The short path", "## The lessons")
    )
    assert [(int(number), int(minutes)) for number, minutes, _ in lessons] == [(one[0], one[3]) for one in LESSONS]
    path = path[: -len(lessons)]
    assert sum(int(minutes) for minutes, _, _ in path) == 90
    for (_, number, part), (_, following, _) in itertools.pairwise([*path, ("", "", "")]):
        [source] = SOURCE.glob(f"{number}_*.py")
        text = source.read_text(encoding="utf8")
        assert set(re.findall("“(.*?)”", part)) <= set(re.findall(r"^# #+ (.*)", text, re.MULTILINE))
        assert number == "00" or not following or f"*Short path: go on to lesson {following} from here.*" in text


@pytest.mark.parametrize("one", LESSONS, ids=lambda one: one.file)
def test_each_exercise_says_how_hard_it_is_and_all_together_fit_into_the_lesson(one):
    exercises = EXERCISES[one.number]
    assert all(each.level in (1, 2, 3) for each in exercises)
    assert sum(each.minutes for each in exercises) <= one.minutes
    said = re.findall(r"\*[a-z -]+ · about (\d+) minutes\*", nbformat.writes(build(SOURCE / f"{one.file}.py", "en")))
    assert [int(minutes) for minutes in said] == [each.minutes for each in exercises]


@pytest.mark.parametrize("page", PAGES)
def test_every_link_of_a_page_leads_to_a_file(page):
    links = re.findall(r"\]\(([^)#]+)\)", text_of(page))
    here = [link for link in links if not link.startswith("https://")]
    assert [link for link in here if not (DOCS / link).exists()] == []
    assert all(Path(link).suffix in (".md", ".ipynb", ".html") for link in here)
