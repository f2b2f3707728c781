"""The notebooks that people open are what the sources make, and hold nothing else."""

import ast
import re
from pathlib import Path

import nbformat
import peft
import pytest
from nbconvert import HTMLExporter

from notebooks.build import HERE, WHERE_EXPORTED, build, built, languages_of, lessons
from prefix_lab.course.progress import LESSONS


def write(tmp_path, text: str):
    path = tmp_path / "09_probe.py"
    path.write_text(text)
    return path


def test_the_committed_notebooks_are_what_the_sources_make():
    for path, text in built().items():
        assert path.read_text(encoding="utf8") == text, f"{path.name} is out of date: run `make notebooks`"


def test_no_notebook_is_left_over():
    assert set(HERE.glob("??/*.ipynb")) == set(built())


def test_notebooks_are_valid_and_hold_no_outputs(lesson):
    notebook = build(lesson, "en")
    nbformat.validate(notebook)
    for cell in notebook.cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


def test_the_first_code_cell_only_imports_and_first_of_all_sees_what_is_missing(lesson):
    first = next(cell for cell in build(lesson, "en").cells if cell.cell_type == "code")
    statements = ast.parse(first.source).body
    rest = [ast.unparse(one) for one in statements if not isinstance(one, ast.Import | ast.ImportFrom)]
    ready = [one for one in rest if one.startswith("make_ready(")]
    assert ready in (["make_ready()"], ["make_ready(live=True)"])
    assert {*rest} - {*ready} <= {"torch.set_num_threads(1)", "transformers.utils.logging.disable_progress_bar()"}
    assert [ast.unparse(one) for one in statements[:2]] == ["from prefix_lab.course import make_ready", *ready]
    names = [alias.name for one in statements if isinstance(one, ast.ImportFrom) for alias in one.names]
    assert "*" not in names


def test_a_stub_is_shown_and_its_solution_is_folded(tmp_path):
    source = write(tmp_path, '# %% tags=["exercise"]\nx = ...\n\n# %% tags=["solution"]\nx = 1\n')
    stub, solution = build(source, "en").cells
    assert stub.source == "x = ..."
    assert solution.cell_type == "markdown"
    assert solution.source.startswith("<details><summary>Solution</summary>")
    assert "x = 1" in solution.source


def test_a_line_break_between_chinese_signs_is_no_blank_on_the_page(tmp_path):
    text = '# %% [markdown] lang="en"\n# a\n# b\n\n# %% [markdown] lang="zh"\n# 一，\n# 二\n# c\n#\n# - 三\n'
    assert build(write(tmp_path, text), "zh").cells[0].source == "一，二\nc\n\n- 三"
    assert build(write(tmp_path, text), "en").cells[0].source == "a\nb"


def test_hints_in_a_row_are_numbered_and_two_quick_clicks_do_not_open_their_markup(tmp_path):
    hint = '# %% [markdown] lang="en" tags=["hint"]\n# Look.\n\n'
    cells = build(write(tmp_path, f"# %%\nx = 1\n\n{hint * 2}# %%\ny = 1\n\n{hint}"), "en").cells
    titles = [cell.source.partition("</summary>")[0] for cell in cells if cell.cell_type == "markdown"]
    assert titles == [f"<details><summary>{title}" for title in ("Hint 1 of 2", "Hint 2 of 2", "Hint")]
    assert all(cell.metadata["editable"] is False for cell in cells if cell.cell_type == "markdown")


def test_a_lesson_begins_with_what_to_do_and_ends_with_what_is_left_and_the_way_on(lesson):
    cells = build(lesson, "en").cells
    number = int(lesson.stem[:2])
    assert "Shift + Enter" in cells[0].source
    assert f"It takes about {LESSONS[number].minutes} minutes" in " ".join(cells[0].source.split())
    last = "\n".join(cell.source for cell in cells[-6:])
    assert ("## What you have seen" in last) == (number > 0)  # lesson 00 ends with the way through the course
    assert cells[-2].source == f"show_progress({number})"
    [file] = re.findall(r'href="(\w+\.ipynb)"', cells[-1].source)
    assert (HERE / "en" / file).is_file()


def test_in_pages_of_nbconvert_the_link_leads_to_the_next_page():
    page, _ = HTMLExporter().from_notebook_node(build(lessons()[0], "en"))
    link = f'<a href="01_step_into_get_peft_model.ipynb" onclick="{WHERE_EXPORTED}">'
    assert f"{link}01 · Step into get_peft_model</a>" in page


def test_the_files_that_a_lesson_sends_its_reader_to_are_there(lesson):
    named = re.findall(r"`((?:prefix_lab|tests|docs|peft)/[\w/.-]+)`", lesson.read_text(encoding="utf8"))
    roots = {"peft": Path(peft.__file__).parents[1]}
    assert [path for path in named if not (roots.get(path.partition("/")[0], HERE.parent) / path).exists()] == []


def test_the_solved_notebook_has_the_solution_in_the_stubs_place(tmp_path):
    source = write(tmp_path, '# %% tags=["exercise"]\nx = ...\n\n# %% tags=["solution"]\nx = 1\n')
    assert build(source, "en", solved=True).cells[0].source == "x = 1"


def test_each_language_gets_its_own_text_and_the_same_code(tmp_path):
    source = write(
        tmp_path, '# %% [markdown] lang="en"\n# Hello\n\n# %% [markdown] lang="zh"\n# 你好\n\n# %%\nprint(1)\n'
    )
    assert [cell.source for cell in build(source, "en").cells] == ["Hello", "print(1)"]
    assert [cell.source for cell in build(source, "zh").cells] == ["你好", "print(1)"]
    assert languages_of(source) == ["en", "zh"]


def test_a_half_translated_lesson_is_refused(tmp_path):
    source = write(
        tmp_path,
        '# %% [markdown] lang="en"\n# a\n\n# %% [markdown] lang="zh"\n# b\n\n# %% [markdown] lang="en"\n# c\n',
    )
    with pytest.raises(ValueError, match="2 English text cells and 1 Chinese"):
        languages_of(source)


def test_a_text_cell_without_a_language_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"09_probe.py, cell 1: a text cell needs lang"):
        build(write(tmp_path, "# %% [markdown]\n# Hello\n"), "en")


def test_a_solution_without_an_exercise_is_refused(tmp_path):
    with pytest.raises(ValueError, match="right behind its exercise"):
        build(write(tmp_path, '# %%\nx = 0\n\n# %% tags=["solution"]\nx = 1\n'), "en")
