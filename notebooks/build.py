"""Make the notebooks that people open from the lessons in notebooks/source: `python -m notebooks.build`.

A lesson is one py:percent file. Its text cells say their language (`# %% [markdown] lang="en"`); code is shared. A
cell tagged `exercise` holds a stub, and the cell after it, tagged `solution`, the answer, which the notebook shows
folded. A text cell tagged `hint` is folded too, and numbered among those beside it. The last cell leads to the next
lesson. Below the heading of an exercise stands how hard it is, and how long it takes. Notebooks are written without
outputs. What is said here, and the comments of the code, come from the catalogue (see notebooks/messages.py); the code
itself is the same in every language.
"""

import argparse
import io
import re
import sys
import tokenize
from pathlib import Path

import jupytext
import nbformat
from nbformat import NotebookNode

from prefix_lab.course.progress import EXERCISES, LESSONS, lesson
from prefix_lab.locale import N_, known, translation

HERE = Path(__file__).parent
SOURCE = HERE / "source"
LANGUAGES = ("en", "zh")
HINT, HINTS, SOLUTION = N_("Hint"), N_("Hint {number} of {count}"), N_("Solution")
EFFORT_SAID = N_("*{level} · about {minutes} minutes*")
LEVELS = (N_("a warm-up"), N_("takes some thought"), N_("hard"))
EXERCISE = re.compile(r"^##+ (?:Exercise|Hunt|练习|捉虫) (\d+) · .*$", re.MULTILINE)
NEXT = N_("## Next\n\n{link} takes about {minutes} minutes.")
END = N_("## The end\n\nThat was the last lesson. {link} has the map: by now you have stood in each of its boxes.")
WHERE_EXPORTED = "if (location.pathname.endsWith('.html')) this.href = this.href.replace('.ipynb', '.html')"
"""In JupyterLab the link opens the notebook; in pages that nbconvert has made, the page beside."""
METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def said(text: str, language: str) -> str:
    """A text of the catalogue in the language of a notebook."""
    return translation(known(language)).gettext(text)


def lessons() -> list[Path]:
    """The lessons' sources, in their order."""
    return sorted(SOURCE.glob("[0-9]*.py"))


def build(source: Path, language: str, solved: bool = False) -> NotebookNode:
    """The notebook of one lesson in one language; `solved` puts each solution where its stub stands.

    Raises `ValueError` for a text cell without a language, a language that is not known, or a solution that follows
    no exercise.
    """
    cells: list[NotebookNode] = []
    hints: list[str] = []  # those in a row, not yet put into cells
    for number, cell in enumerate(jupytext.read(source, fmt="py:percent").cells):
        if cell.cell_type == "code":
            cell.source = commented(cell.source, language)
        tags = cell.metadata.get("tags", [])
        where = f"{source.name}, cell {number + 1}"
        if cell.cell_type == "markdown":
            if cell.metadata.get("lang") not in LANGUAGES:
                raise ValueError(f'{where}: a text cell needs lang="en" or lang="zh" behind [markdown].')
            if cell.metadata["lang"] != language:
                continue
            if "hint" in tags:
                hints.append(joined(cell.source))
                continue
        cells += hints_in_a_row(hints, language)
        hints = []
        if cell.cell_type == "markdown":
            cells.append(nbformat.v4.new_markdown_cell(with_effort(joined(cell.source), source, language)))
        elif "solution" in tags:
            if not cells or "exercise" not in cells[-1].metadata.get("tags", []):
                raise ValueError(f"{where}: a solution stands right behind its exercise.")
            if solved:
                cells[-1].source = cell.source
            cells.append(folded(said(SOLUTION, language), f"```python\n{cell.source}\n```"))
        else:
            cells.append(nbformat.v4.new_code_cell(cell.source, metadata={"tags": tags} if tags else {}))
    cells += hints_in_a_row(hints, language)
    if source.parent == SOURCE:
        cells.append(nbformat.v4.new_markdown_cell(next_lesson(int(source.stem[:2]), language)))
    for number, cell in enumerate(cells):
        cell.id = f"{source.stem[:2]}-{number:03}"  # the same at every build
    return nbformat.v4.new_notebook(cells=cells, metadata=METADATA)


def comments(source: Path) -> list[str]:
    """What the comments in a lesson's code say, each once and in order."""
    return [*dict.fromkeys(text for code in code_of(source) for _, _, text in comments_in(code))]


def code_of(source: Path) -> list[str]:
    """The code cells of a lesson, solutions as well."""
    return [cell.source for cell in jupytext.read(source, fmt="py:percent").cells if cell.cell_type == "code"]


def comments_in(code: str) -> list[tuple[int, int, str]]:
    """Line, column and words of each comment of a cell; one that only names axes says nothing to translate."""
    tokens = tokenize.generate_tokens(io.StringIO(code).readline)
    found = [(*one.start, one.string.lstrip("# ")) for one in tokens if one.type == tokenize.COMMENT]
    return [one for one in found if re.search(r"[^\W\d_]{2}", re.sub(r"\([^()]*\)", "", one[2]))]


def commented(code: str, language: str) -> str:
    """A cell's code with its comments in that language; all else stays as it is."""
    lines = code.split("\n")
    for row, column, text in comments_in(code):
        lines[row - 1] = f"{lines[row - 1][:column]}# {said(text, language)}"
    return "\n".join(lines)


WIDE = "[，。：；？！、（）《》]"
BROKEN = re.compile(
    rf"(?<=[\u4e00-\u9fff])\n *(?=[\u4e00-\u9fff“])|(?<={WIDE})\n *(?![-#>|\s]|```|\d+\. )|(?<=\S)\n *(?={WIDE})"
)


def joined(text: str) -> str:
    """A text without line breaks between Chinese signs, or beside full-width ones: a page would show a blank."""
    return BROKEN.sub("", text)


def with_effort(text: str, source: Path, language: str) -> str:
    """A lesson's text, with how hard an exercise is and how long it takes below the exercise's heading."""

    def below(heading: re.Match[str]) -> str:
        one = EXERCISES[int(source.stem[:2])][int(heading[1]) - 1]
        level = said(LEVELS[one.level - 1], language)
        return f"{heading[0]}\n\n{said(EFFORT_SAID, language).format(level=level, minutes=one.minutes)}"

    return EXERCISE.sub(below, text) if source.parent == SOURCE else text


def hints_in_a_row(texts: list[str], language: str) -> list[NotebookNode]:
    """Folded, each with its number and how many there are."""
    title = said(HINT if len(texts) == 1 else HINTS, language)
    return [folded(title.format(number=number, count=len(texts)), text) for number, text in enumerate(texts, 1)]


def folded(title: str, text: str) -> NotebookNode:
    """A text that opens with a click; two quick clicks do not turn it into markup to edit."""
    text = f"<details><summary>{title}</summary>\n\n{text}\n\n</details>"
    return nbformat.v4.new_markdown_cell(text, metadata={"editable": False})


def next_lesson(number: int, language: str) -> str:
    """The last words of a lesson, with the way to the next one; the last lesson leads back to the first."""
    last = number == LESSONS[-1].number
    one = LESSONS[0] if last else lesson(number + 1)
    link = f'<a href="{one.file}.ipynb" onclick="{WHERE_EXPORTED}">{one.number:02} · {said(one.title, language)}</a>'
    return said(END if last else NEXT, language).format(link=link, minutes=one.minutes)


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
    made = built()
    stale = [path for path, text in made.items() if not path.is_file() or path.read_text(encoding="utf8") != text]
    left_over = [path for language in LANGUAGES for path in (HERE / language).glob("*.ipynb") if path not in made]
    if check and (stale or left_over):
        sys.exit("Out of date, run `make notebooks`: " + ", ".join(path.name for path in stale + left_over))
    for path in stale:
        path.parent.mkdir(exist_ok=True)
        path.write_text(made[path], encoding="utf8")
        print(f"wrote {path.relative_to(HERE.parent)}")
    for picture in (HERE / "en" / "pictures").iterdir():  # JupyterLab shows nothing from above a notebook's own folder
        beside = HERE / "zh" / "pictures" / picture.name
        if not beside.is_file() or beside.read_bytes() != picture.read_bytes():
            beside.parent.mkdir(exist_ok=True, parents=True)
            beside.write_bytes(picture.read_bytes())
    for path in left_over:
        path.unlink()
        print(f"removed {path.relative_to(HERE.parent)}")


if __name__ == "__main__":
    main()
