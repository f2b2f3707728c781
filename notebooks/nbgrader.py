"""A lesson as an assignment of nbgrader: `python -m notebooks.nbgrader 2 COURSE/source`; docs/class.md says the rest.

Written is the lesson in one language, with its solutions between nbgrader's marks, and behind each exercise a locked
cell, whose points are how hard the exercise is. It asks what the check said last. Nobody types at a stop while nbgrader
runs the notebook, so what a check of a stop said is read from the passport that the learner's own last cell saved
beside the notebook.
"""

from __future__ import annotations

import argparse
import inspect
import re
from importlib import import_module
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from notebooks.build import LANGUAGES, SOLUTION, SOURCE, build, said
from prefix_lab.course.progress import EXERCISES, lesson

PASSPORT = "passport.json"
SAVES = f'from prefix_lab.course import show_passport\n\nshow_passport().save("{PASSPORT}")  # hand this in as well'
SAYS = "assert {check}.verdict.passed, {check}.verdict.text"
SAID = (
    'from prefix_lab.course.passport import read_passport\n\nassert "{key}" in read_passport("{passport}").solved, '
    '"not solved at a stop, by the passport"'
)


def assignment(number: int, language: str) -> NotebookNode:
    """The notebook that nbgrader makes the learners' one from."""
    source = SOURCE / f"{lesson(number).file}.py"
    notebook, solved = build(source, language), build(source, language, solved=True)
    exercises, cells = iter(EXERCISES[number]), []
    for cell, answer in zip(notebook.cells, solved.cells, strict=True):
        if cell.source.startswith(f"<details><summary>{said(SOLUTION, language)}<"):
            continue
        cells.append(cell)
        if "exercise" not in cell.metadata.get("tags", []):
            continue
        one = next(exercises)
        check = re.findall(r"\bcheck_\w+", cell.source)[-1]
        if anew := runs_anew(number, one.key, check):
            cell.source += f"\n\n### BEGIN SOLUTION\n{answer.source}\n### END SOLUTION"
            cell.metadata["nbgrader"] = marks(one.key, solution=True)
        code = SAYS.format(check=check) if anew else SAID.format(key=one.key, passport=PASSPORT)
        cells.append(nbformat.v4.new_code_cell(code, id=f"{cell.id}-points"))
        cells[-1].metadata["nbgrader"] = marks(f"{one.key}-points", grade=True, locked=True, points=one.level)
    cells.append(nbformat.v4.new_code_cell(SAVES, id=f"{number:02}-saves"))
    notebook.cells = cells
    return notebook


def runs_anew(number: int, key: str, check: str) -> bool:
    """Whether a check can say the same again where nobody types."""
    found = getattr(import_module(f"prefix_lab.course.lessons.lesson_{number:02}"), check)
    return getattr(found, "exercise", "") == key and "stop" not in inspect.signature(found).parameters


def marks(name: str, **is_so: bool | int) -> dict[str, object]:
    """What nbgrader reads of a cell."""
    kind = {"grade": False, "solution": False, "locked": False, "task": False, "schema_version": 3}
    return kind | {"grade_id": name, "cell_type": "code"} | is_so


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m notebooks.nbgrader", description=__doc__)
    parser.add_argument("lesson", type=int, choices=sorted(EXERCISES), metavar="LESSON", help="its number")
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="the folder source of nbgrader's course")
    parser.add_argument("--language", choices=LANGUAGES, default="en")
    args = parser.parse_args()
    name = lesson(args.lesson).file
    (args.folder / name).mkdir(parents=True, exist_ok=True)
    nbformat.write(assignment(args.lesson, args.language), args.folder / name / f"{name}.ipynb")
    print(args.folder / name / f"{name}.ipynb")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
