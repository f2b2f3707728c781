"""What is not well before a lesson is told with advice; later, a missing name leads to the cell that makes it."""

import importlib
import json

import pytest
from IPython.core.interactiveshell import InteractiveShell

from prefix_lab.course import ready, self_check
from prefix_lab.course.checking import NotYet, called
from prefix_lab.course.ready import cell_to_run

CELLS = [
    ("markdown", "# 02 · A lesson\n\nText."),
    ("code", "from somewhere import *"),
    ("markdown", "## The model\n\nText."),
    ("code", "model, tokenizer = load()\nfor word in ['a']:\n    print(word)"),
    ("markdown", "<details><summary>Solution</summary>\n\n```python\n# a comment, no heading\n```\n\n</details>"),
    ("code", "%matplotlib inline\nbatch = 1"),
    ("code", "def attend(query):\n    inside = query\n    return inside"),
]
MODEL = (
    "`model` is made in the cell that begins with `model, tokenizer = load()`, under “The model”: run that one first. "
)


@pytest.fixture
def kernel():
    """An IPython, as in a notebook's kernel."""
    yield InteractiveShell.instance()
    InteractiveShell.clear_instance()


@pytest.fixture
def notebook(kernel, tmp_path, monkeypatch):
    path = tmp_path / "a folder · 文件夹" / "copied.ipynb"
    path.parent.mkdir()
    cells = [{"cell_type": kind, "source": text.splitlines(keepends=True)} for kind, text in CELLS]
    path.write_text(json.dumps({"cells": cells}), encoding="utf-8")
    monkeypatch.setenv("JPY_SESSION_NAME", str(path))
    return path


def missing(name: str) -> NameError:
    return NameError(f"name {name!r} is not defined", name=name)


def test_a_missing_name_leads_to_the_cell_that_makes_it(notebook):
    assert cell_to_run(missing("model")).startswith(MODEL)
    assert cell_to_run(missing("word")).startswith("`word` is made in the cell that begins with `model, tokenizer")
    assert "begins with `def attend(query):`, under “The model”" in cell_to_run(missing("attend"))


def test_a_name_that_no_cell_makes_is_the_learners_own(notebook):
    assert cell_to_run(missing("modle")) == ""
    assert cell_to_run(missing("inside")) == ""


@pytest.mark.parametrize("error", [None, ValueError("model"), UnboundLocalError("model", name="model")])
def test_other_errors_need_no_other_cell(notebook, error):
    assert cell_to_run(error) == ""


def test_vs_code_says_by_its_own_name_which_notebook_is_open(notebook, kernel, monkeypatch):
    monkeypatch.delenv("JPY_SESSION_NAME")
    kernel.user_ns["__vsc_ipynb_file__"] = str(notebook)
    assert cell_to_run(missing("model")).startswith(MODEL)


def test_elsewhere_the_notebook_is_looked_for_where_the_kernel_is(notebook, monkeypatch):
    importlib.import_module("prefix_lab.course.lessons.lesson_01")
    monkeypatch.delenv("JPY_SESSION_NAME")
    monkeypatch.chdir(notebook.parent)
    assert "made in" not in cell_to_run(missing("model"))
    notebook.rename("01_step_into_get_peft_model.ipynb")
    assert cell_to_run(missing("model")).startswith(MODEL)


@pytest.mark.parametrize("text", ["", "[]", '{"cells": [{}]}', None])
def test_a_notebook_that_cannot_be_read_leaves_a_plain_sentence(notebook, text):
    notebook.unlink() if text is None else notebook.write_text(text)
    assert cell_to_run(missing("model")).startswith("`model` is not there yet: run the cell that makes it first.")


def test_outside_a_notebook_nothing_is_said():
    assert cell_to_run(missing("model")) == ""


def test_a_check_tells_a_learners_function_that_misses_a_name_which_cell_to_run(notebook):
    with pytest.raises(
        NotYet, match=r"Your function raised NameError: name 'model' is not defined\. `model` is made in"
    ):
        called(lambda: model)


def test_everything_is_here():
    found = self_check()
    assert found.below == "Everything is here.", repr(found)
    assert "'reverse: garden' → 'nedrag'" in repr(found)
    assert "✗" not in found._repr_html_()


def test_missing_packages_and_weights_and_another_peft_are_told_with_advice(monkeypatch: pytest.MonkeyPatch):
    def gone():
        raise OSError("<b>gone</b>")

    monkeypatch.setitem(ready.NEEDED, "no-such-package", (1, 0))
    monkeypatch.setattr(ready, "MIRRORED_PEFT", "0.0.1")
    monkeypatch.setattr("prefix_lab.course.small_models.load_tiny_t5", gone)
    found = self_check()
    assert found.below.startswith("Something needs a look")
    assert "no-such-package is not installed" in repr(found)
    assert "ours mirrors 0.0.1" in repr(found)
    assert "OSError: <b>gone" in repr(found)
    assert "<b>gone" not in found._repr_html_()


def test_a_lesson_does_not_begin_without_what_it_needs(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(ready.NEEDED, "torch", (99, 0))
    with pytest.raises(
        ImportError, match=r"torch is .*, and 99\.0 or newer is needed. In a clone of prefix_lab, `make lab`"
    ):
        ready.make_ready()
