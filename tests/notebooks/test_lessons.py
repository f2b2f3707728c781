"""Every lesson runs top to bottom in a real kernel as it is opened, with its stubs; test_run_again runs it solved."""

from nbclient import NotebookClient
from nbformat import NotebookNode

from notebooks.build import HERE, build


def run(notebook: NotebookNode) -> NotebookNode:
    return NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(HERE / "en")}}).execute()


def outputs(notebook: NotebookNode) -> list[NotebookNode]:
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]


def verdicts(notebook: NotebookNode) -> list[str]:
    texts = [output["data"]["text/plain"] for output in outputs(notebook) if output.output_type == "execute_result"]
    return [text for text in texts if text.startswith(("right: ", "not yet: "))]


def test_a_lesson_runs_without_an_error_or_a_warning(lesson):
    notebook = run(build(lesson, "en"))
    complaints = [
        output.get("text") or output.get("evalue")
        for output in outputs(notebook)
        if output.output_type == "error" or output.get("name") == "stderr"
    ]
    assert complaints == []
    exercises = sum("exercise" in cell.metadata.get("tags", []) for cell in notebook.cells)
    assert [text.startswith("not yet: ") for text in verdicts(notebook)] == [True] * exercises
