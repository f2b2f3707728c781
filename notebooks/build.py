"""Make the notebooks that people open from the lessons in notebooks/source: `python -m notebooks.build`.

A lesson is one py:percent file. Its text cells say their language (`# %% [markdown] lang="en"`); code is shared. A
cell tagged `exercise` holds a stub, and the cell after it, tagged `solution`, the answer, which the notebook shows
folded. A text cell tagged `hint` is folded too. Notebooks are written without outputs.
"""

import argparse
import sys
from pathlib import Path

import jupytext
import nbformat
from nbformat import NotebookNode

HERE = Path(__file__).parent
SOURCE = HERE / "source"
LANGUAGES = ("en", "zh")
FOLDED = {"hint": {"en": "Hint", "zh": "提示"}, "solution": {"en": "Solution", "zh": "答案"}}
METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def lessons() -> list[Path]:
    """The lessons' sources, in their order."""
    return sorted(SOURCE.glob("[0-9]*.py"))


def build(source: Path, language: str, solved: bool = False) -> NotebookNode:
    """The notebook of one lesson in one language; `solved` puts each solution where its stub stands.

    Raises `ValueError` for a text cell without a language, a language that is not known, or a solution that follows
    no exercise.
    """
    cells: list[NotebookNode] = []
    for number, cell in enumerate(jupytext.read(source, fmt="py:percent").cells):
        tags = cell.metadata.get("tags", [])
        where = f"{source.name}, cell {number + 1}"
        if cell.cell_type == "markdown":
            if cell.metadata.get("lang") not in LANGUAGES:
                raise ValueError(f'{where}: a text cell needs lang="en" or lang="zh" behind [markdown].')
            if cell.metadata["lang"] == language:
                text = folded("hint", language, cell.source) if "hint" in tags else cell.source
                cells.append(nbformat.v4.new_markdown_cell(text))
        elif "solution" in tags:
            if not cells or "exercise" not in cells[-1].metadata.get("tags", []):
                raise ValueError(f"{where}: a solution stands right behind its exercise.")
            if solved:
                cells[-1].source = cell.source
            cells.append(nbformat.v4.new_markdown_cell(folded("solution", language, f"```python\n{cell.source}\n```")))
        else:
            cells.append(nbformat.v4.new_code_cell(cell.source, metadata={"tags": tags} if tags else {}))
    for number, cell in enumerate(cells):
        cell.id = f"{source.stem[:2]}-{number:03}"  # the same at every build
    return nbformat.v4.new_notebook(cells=cells, metadata=METADATA)


def folded(kind: str, language: str, text: str) -> str:
    """A text that opens with a click."""
    return f"<details><summary>{FOLDED[kind][language]}</summary>\n\n{text}\n\n</details>"


def languages_of(source: Path) -> list[str]:
    """English, and Chinese once every text cell has its Chinese twin. Raises `ValueError` for a half-translated one."""
    cells = [cell for cell in jupytext.read(source, fmt="py:percent").cells if cell.cell_type == "markdown"]
    count = {language: sum(cell.metadata.get("lang") == language for cell in cells) for language in LANGUAGES}
    if count["zh"] not in (0, count["en"]):
        raise ValueError(
            f"{source.name} has {count['en']} English text cells and {count['zh']} Chinese: each needs its twin."
        )
    return ["en", "zh"] if count["zh"] else ["en"]


def built() -> dict[Path, str]:
    """Path → text of every notebook that the sources make."""
    return {
        HERE / language / f"{source.stem}.ipynb": nbformat.writes(build(source, language)) + "\n"
        for source in lessons()
        for language in languages_of(source)
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m notebooks.build", description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="change nothing; fail when a notebook is out of date")
    check = parser.parse_args().check
    stale = [path for path, text in built().items() if not path.is_file() or path.read_text(encoding="utf8") != text]
    left_over = [path for language in LANGUAGES for path in (HERE / language).glob("*.ipynb") if path not in built()]
    if check and (stale or left_over):
        sys.exit("Out of date, run `make notebooks`: " + ", ".join(path.name for path in stale + left_over))
    for path in stale:
        path.parent.mkdir(exist_ok=True)
        path.write_text(built()[path], encoding="utf8")
        print(f"wrote {path.relative_to(HERE.parent)}")
    for path in left_over:
        path.unlink()
        print(f"removed {path.relative_to(HERE.parent)}")


if __name__ == "__main__":
    main()
