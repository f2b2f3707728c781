"""Run one lesson with nobody there: `python -m website.execute LESSON zh RECORDINGS FILE` writes it with its outputs.

What differs from run to run is taken out: where objects lie in memory, and how long something took. Steppers become
what `live.py` makes of them; their recordings are written beside the site's pages.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

from notebooks.build import HERE, build, lessons
from website.steady import cleaned

BEGIN = "--IPKernelApp.exec_lines=__import__('website.live').live.begin()"


def execute(source: Path, language: str, folder: Path, progress: Path) -> NotebookNode:
    """The lesson's notebook with what its cells put out; the learner's progress is a file that nobody has yet."""
    notebook = build(source, language)
    book = HERE / language
    environment = os.environ | {
        "PREFIX_LAB_LIVE": "0",
        "PREFIX_LAB_PROGRESS": str(progress),
        "PREFIX_LAB_LANGUAGE": language,
        "JPY_SESSION_NAME": str(book / f"{source.stem}.ipynb"),
        "PREFIX_LAB_SITE": str(folder),
        "PYTHONPATH": str(HERE.parent),
        "PYTHONHASHSEED": "0",
        "OMP_NUM_THREADS": "1",
    }
    client = NotebookClient(
        notebook, timeout=600, allow_errors=True, resources={"metadata": {"path": str(book)}}, extra_arguments=[BEGIN]
    )
    client.execute(env=environment)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.execution_count = None
            cell.metadata.pop("execution", None)
            cell.outputs = [steady(one) for one in together(cell.outputs) if has_something(one)]
    notebook.metadata.pop("widgets", None)
    return notebook


def together(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """One text, in however many pieces it came."""
    found: list[NotebookNode] = []
    for one in outputs:
        if one.output_type == "stream" and found and found[-1].get("name") == one.name:
            found[-1].text += one.text
        else:
            found.append(one)
    return found


def has_something(output: NotebookNode) -> bool:
    """Not a line on how far something is, which came and went."""
    if output.output_type in ("stream", "error"):
        return bool(output.get("text", "error").strip())
    return any(str(text).strip() for text in output.data.values())


def steady(output: NotebookNode) -> NotebookNode:
    """The same at each run. The widget itself is taken out: it lives only in a kernel."""
    output.pop("execution_count", None)
    if output.output_type == "stream":
        output.text = cleaned(output.text)
    elif output.output_type == "error":
        output.traceback = [cleaned(one) for one in output.traceback]
    else:
        output.data.pop("application/vnd.jupyter.widget-view+json", None)
        for kind, text in output.data.items():
            if kind.startswith("text/"):
                output.data[kind] = cleaned(text)
    if output.output_type == "execute_result":
        output.execution_count = None
    return output


def main() -> None:
    name, language, folder, to = sys.argv[1:]
    [source] = [path for path in lessons() if path.stem == name]
    with tempfile.TemporaryDirectory() as own:
        notebook = execute(source, language, Path(folder), Path(own, "progress.json"))
    errors = [
        f"{cell.id}: {one.evalue}"
        for cell in notebook.cells
        for one in cell.get("outputs", ())
        if one.output_type == "error"
    ]
    if errors:
        sys.exit(f"{source.stem}, {language}: " + "; ".join(errors))
    Path(to).parent.mkdir(parents=True, exist_ok=True)
    Path(to).write_text(nbformat.writes(notebook) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
