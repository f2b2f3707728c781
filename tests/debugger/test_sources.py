"""The text beside each step is what ran; where it may not be, the recording says so."""

from __future__ import annotations

import importlib
import linecache
import os
import runpy
import sys

import pytest

from prefix_lab.debugger import Recording, record
from tests.debugger.recorded import every_hook, recorded
from tests.debugger.test_scope import MODULE, elsewhere, written  # noqa: F401

LINES = ["a = 1", "return a"]
CHANGED = "was changed after it was imported"


def lines(recording: Recording) -> list[str]:
    return [step.text for step in recording.steps if step.event == "line"]


@pytest.fixture
def module(elsewhere):  # noqa: F811
    """A module of a file that can be edited."""
    written(elsewhere, "edited")
    sys.path.insert(0, str(elsewhere))
    return importlib.import_module("edited")


class Loader:
    def __init__(self, text: str = MODULE, error: type[Exception] | None = None):
        self.text, self.error = text, error

    def get_source(self, name):
        if self.error is not None:
            raise self.error(name)
        return self.text


def made(loader: Loader, file: str = "<made>") -> dict:
    space = {"__name__": "made", "__loader__": loader}
    exec(compile(MODULE, file, "exec"), space)
    return space


@every_hook
@pytest.mark.parametrize("file", ["<made>", "made by a template", "<made>.0"])
def test_the_text_that_only_a_loader_has_is_shown(file, hooks):
    main = made(Loader(), file)["main"]
    assert lines(recorded(main, [main], hooks=hooks)) == LINES


@pytest.mark.parametrize(
    "loader", [Loader("def other(): pass"), Loader("{% for %}"), Loader(None), Loader(error=OSError), Loader("x\0")]
)
def test_a_loaders_text_that_is_not_what_ran_is_not_shown(loader):
    recording = recorded(main := made(loader)["main"], [main])
    assert (lines(recording), recording.notes) == (["", ""], [])


def test_what_is_generated_in_a_module_does_not_get_the_modules_text(module):
    exec("def generated():\n    return 1", vars(module))
    assert lines(recorded(module.generated, [module])) == [""]


@every_hook
@pytest.mark.parametrize(
    ("text", "known", "shown"),
    [
        (MODULE, False, LINES),  # written anew, but the same
        ("import os\n" + MODULE, False, None),
        (MODULE.replace("1", "2"), False, None),
        ("def main():", False, None),
        ("def other():\n    pass\n", False, None),
        ("import os\n" + MODULE, True, LINES),
        (None, True, LINES),
        (None, False, ["", ""]),
    ],
)
def test_a_file_that_changed_after_its_import_is_told_of_unless_its_text_is_known(
    text,
    known,
    shown,
    hooks,
    module,
    elsewhere,  # noqa: F811
):
    path = elsewhere / "edited.py"
    if known:
        linecache.getlines(str(path))  # as a traceback, `inspect` or a recording does
    path.unlink() if text is None else written(elsewhere, "edited", text)
    for _ in range(2):
        recording = recorded(module.main, [module], hooks=hooks)
        assert len(recording) == 4
        assert [note.startswith(f"{path} {CHANGED}") for note in recording.notes] == [True] * (shown is None)
        assert shown in (None, lines(recording))


def test_a_module_that_was_loaded_anew_shows_its_new_text(module, elsewhere):  # noqa: F811
    recorded(module.main, [module])
    written(elsewhere, "edited", "import os\n\n" + MODULE.replace("a = 1", "a = 22"))
    importlib.reload(module)
    recording = recorded(module.main, [module])
    assert (lines(recording), recording.notes) == (["a = 22", "return a"], [])


def test_an_edit_from_before_the_recorder_was_there_is_known_by_the_compiled_file(elsewhere, monkeypatch):  # noqa: F811
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    path = written(elsewhere, "edited")
    os.utime(path, (1, 1))
    sys.path.insert(0, str(elsewhere))
    module = importlib.import_module("edited")
    monkeypatch.setattr("prefix_lab.debugger.sources.BEGAN", float("inf"))
    assert recorded(module.main, [module]).notes == []
    path.write_text("\n" + MODULE)
    linecache.clearcache()
    assert CHANGED in recorded(module.main, [module]).notes[0]


def test_a_script_that_changes_while_it_runs_is_told_of(elsewhere):  # noqa: F811
    path = written(
        elsewhere,
        "script",
        "from pathlib import Path\nfrom prefix_lab.debugger import record\n"
        "with record() as it:\n    Path(__file__).write_text('nothing')\n",
    )
    notes = runpy.run_path(str(path))["it"].notes
    assert [CHANGED in note for note in notes] == [True]


@pytest.mark.parametrize("file", ["/tmp/ipykernel_1/1234.py", "cell 3", "<doctest one[0]>"])
def test_a_cell_of_a_notebook_is_no_file_and_cannot_have_changed(file):
    linecache.cache[file] = (len(MODULE), None, MODULE.splitlines(keepends=True), file)
    space = {"__name__": "__main__"}
    exec(compile(MODULE, file, "exec"), space)
    with record([space["main"]]) as recording:
        space["main"]()
    assert (lines(recording), recording.notes) == (LINES, [])
