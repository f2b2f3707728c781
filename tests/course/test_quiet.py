"""A learner's own notebook, in a fresh kernel: nothing in red that the learner could do nothing about."""

import nbformat
from nbclient import NotebookClient

FIRST = """
import warnings
from prefix_lab.course import record_walk
from prefix_lab.widgets import Stepper, predict

before = list(warnings.filters)
recording = record_walk("peft")
view = Stepper(recording), predict(recording, at="encode", name="past_key_values")
"""
THEN = "assert warnings.filters == before\nwarnings.warn('yours to mend', FutureWarning)"


def test_the_first_recording_in_a_notebook_says_nothing_in_red_and_hides_nothing_else(tmp_path, monkeypatch):
    monkeypatch.setenv("PREFIX_LAB_CACHE", "")  # as on the first day: the names of axes are found anew
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in (FIRST, THEN)])
    NotebookClient(book, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}).execute()
    first, then = ["".join(one.get("text", "") for one in cell.outputs) for cell in book.cells]
    assert first == ""
    assert "yours to mend" in then
