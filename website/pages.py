"""The sources of a language of the site, as Sphinx takes them: lessons as they ran, the documents, what leads there."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from notebooks.build import joined, said
from prefix_lab.course.progress import LESSONS
from prefix_lab.locale import N_, for_page
from prefix_lab.widgets.stepper.page import linked
from website import functions, reference

HERE = Path(__file__).parent
ROOT = HERE.parent
DOCS = ("before-you-begin", "glossary", "cheat-sheet", "teachers-guide", "class", "what-is-taught", "world", "families")
ONLY_ENGLISH, FAMILIES = N_("This page is in English only."), N_("Families")
DOWNLOAD, BINDER = N_("Download this notebook"), N_("Run it in your browser, on Binder")
RUN = N_("How to run it in JupyterLab")
AT_A_STOP = N_(
    "In a notebook the program stands still here, and you type. On this page nobody was there, so the lesson typed "
    "what it suggests. {link}"
)
AT_AN_EXERCISE = N_("This is your turn, and the check needs Python. {link}")
HAS_RUN = N_(
    "This lesson has been run for you: on this page you can walk through its steppers, answer its questions and move "
    "its sliders. Where it asks you to run or change a cell, that needs Python."
)
AT_YOURS = N_("In a notebook this is yours, and fills as you go. Here nobody was there who could have done it. {link}")
AT_A_WIDGET = N_("On this page it is a picture; in a notebook you can use it. {link}")
VERDICT = '<p role="status"'
"""What a check says to a stub: not yet. Nobody has tried, so it is left out."""
STOPS = re.compile(r"\b(stop_at|break_at|interact|breakpoint|set_trace)\(")
YOURS = re.compile(r"\bshow_(passport|progress)\(")
FROM_DISK = 'if (location.protocol === "file:") DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;'
"""Sphinx's search reads each page that it has found for a line of it, which a page from the disk may not."""
REPOSITORY = "PREFIX_LAB_REPOSITORY"
"""The environment's name of `owner/name` on GitHub, for the links to Binder; without it there are none."""


def script(language: str) -> str:
    """The script of all pages: the stepper's modules and what fills its places, as one classic script, since a page
    from the disk may load no modules."""
    code = linked(HERE / "site.js")
    os.environ["PREFIX_LAB_LANGUAGE"] = language
    told = json.dumps(for_page(code), ensure_ascii=False, sort_keys=True)
    begin = f"begin(`${{document.documentElement.dataset.content_root}}../recordings/`, {told})"
    ready = f"addEventListener('DOMContentLoaded', () => {begin});"
    return f"(() => {{\n{code}\nglobalThis.prefixLab = arrived;\n{ready}\n}})();\n{FROM_DISK}\n"


def lay_out(language: str, folder: Path, executed: Path) -> None:
    """Write the sources of a language into a folder; `executed` has the lessons with their outputs."""
    walks = json.loads((executed / "walks.json").read_text(encoding="utf-8"))
    for page in (HERE / language).glob("*.md"):
        text = chosen(read(page), os.environ.get(REPOSITORY, ""))
        text = text.replace("{lessons}", lesson_list()).replace("{count}", str(len(LESSONS)))
        put(folder / page.name, text.replace("{walk}", functions.front(walks, language)))
    for name, text in functions.pages(walks, language).items():
        put(folder / "functions" / f"{name}.md", text)
    for name, text in reference.pages(language).items():
        put(folder / "reference" / f"{name}.md", text)
    for name in DOCS:
        twin = ROOT / "docs" / "zh" / f"{name}.md" if language == "zh" else ROOT / "docs" / f"{name}.md"
        path = twin if twin.is_file() else ROOT / "docs" / f"{name}.md"
        text = linked_anew(read(path), "")
        if repository := os.environ.get(REPOSITORY):
            text = text.replace("https://example.org/prefix-lab.git", f"https://github.com/{repository}.git")
        if path != twin:
            head, _, rest = text.partition("\n")
            text = f"# {said(head.removeprefix('# '), language)}\n\n*{said(ONLY_ENGLISH, language)}*\n{rest}"
        put(folder / f"{name}.md", text)
    for lesson in LESSONS:
        name = f"{lesson.file}.ipynb"
        if (executed / name).is_file():
            notebook = nbformat.read(executed / name, as_version=4)
            put(folder / "lessons" / name, nbformat.writes(with_notes(notebook, lesson.file, language)) + "\n")
    if (theme := HERE / language / "sphinx.po").is_file():
        put(folder / "locales" / "zh_CN" / "LC_MESSAGES" / theme.name, theme.read_text(encoding="utf-8"))
    pictures = ROOT / "notebooks" / language / "pictures"
    shutil.copytree(pictures, folder / "lessons" / "pictures")


def read(path: Path) -> str:
    """A page's text, in which no blank comes of a line that ends within Chinese; blocks of code as they are."""
    parts = re.split(r"(^```.*?^```)", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    return "".join(part if number % 2 else joined(part) for number, part in enumerate(parts))


def chosen(text: str, repository: str) -> str:
    """Of each passage in two wordings that for a site with a repository on GitHub, or that for one without."""
    two = r"<!-- published -->\n(.*?)<!-- or -->\n(.*?)<!-- end -->\n"
    text = re.sub(two, r"\1" if repository else r"\2", text, flags=re.DOTALL)
    return text.replace("{repository}", repository)


def put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def lesson_list() -> str:
    return "\n".join(f"lessons/{lesson.file}" for lesson in LESSONS)


def linked_anew(text: str, up: str) -> str:
    """A document's links as they lead on the site; `up` leads from its folder to the site's own."""
    text = re.sub(r"^(English · \[中文\]\(.*\)|\[English\]\(.*\) · 中文)\n\n", "", text, flags=re.MULTILINE)
    text = re.sub(r" ?\[(中文|English)\]\([\w./-]+\)[.。]", "", text)
    text = re.sub(r"\((?:\.\./)+notebooks/(?:en|zh)/(\w+\.ipynb)\)", rf"({up}lessons/\1)", text)
    text = re.sub(r"\((?:\.\./)+docs/(?:zh/)?([\w-]+\.md)(#[\w-]+)?\)", rf"({up}\1\2)", text)
    return re.sub(r"\[([^\]]+)\]\(cheat-sheet\.html\)", rf'<a href="{up}cheat-sheet-print.html">\1</a>', text)


def with_notes(notebook: NotebookNode, name: str, language: str) -> NotebookNode:
    """A lesson for the site: where it can be had and run, and below what needs a kernel, one line that says so."""
    cells = []
    for number, cell in enumerate(notebook.cells):
        if cell.cell_type == "markdown":
            cell.source = linked_anew(cell.source, "../")
            cell.source = re.sub(r'href="(\w+)\.ipynb" onclick="[^"]*"', r'href="\1.html"', cell.source)
            if number == 0:
                head, _, rest = cell.source.partition("\n")
                cell.source = f"{head}\n\n{ways(name, language)}\n{rest}"
        for output in cell.get("outputs", ()):
            if html := html_of(output):
                output.data["text/html"] = re.sub(r"""(href=["'])(\w+)\.ipynb""", r"\1\2.html", html)
        cells.append(cell)
        if is_exercise(cell):
            cell.outputs = [one for one in cell.outputs if not html_of(one).startswith(VERDICT)]
        if cell.cell_type == "code" and (note := note_for(cell)):
            link = f'<a href="../run.html">{said(RUN, language)}</a>'
            text = f'<p class="pl-note">{said(note, language).format(link=link)}</p>'
            cells.append(nbformat.v4.new_markdown_cell(text, id=f"{cell.id}-note"))
    notebook.cells = cells
    return notebook


def html_of(output: NotebookNode) -> str:
    return "".join(output.get("data", {}).get("text/html", ""))


def is_exercise(cell: NotebookNode) -> bool:
    return "exercise" in cell.metadata.get("tags", [])


def note_for(cell: NotebookNode) -> str:
    """What to say below a cell that needs a kernel; empty for any other."""
    if is_exercise(cell):
        return AT_AN_EXERCISE
    if STOPS.search(re.sub(r"#.*", "", cell.source)) and "import" not in cell.source.split("\n")[0]:
        return AT_A_STOP
    if YOURS.search(cell.source):
        return AT_YOURS
    shown = "".join(map(html_of, cell.outputs))
    return AT_A_WIDGET if shown.startswith('<div class="pl-still">') else ""


def ways(name: str, language: str) -> str:
    """The line below a lesson's heading: the notebook itself, and how to run it."""
    links = [f'<a href="../../notebooks/{language}/{name}.ipynb" download>{said(DOWNLOAD, language)}</a>']
    if repository := os.environ.get(REPOSITORY):
        path = f"notebooks%2F{language}%2F{name}.ipynb"
        binder = f"https://mybinder.org/v2/gh/{repository}/HEAD?labpath={path}"
        links.append(f'<a href="{binder}">{said(BINDER, language)}</a>')
    links.append(f'<a href="../run.html">{said(RUN, language)}</a>')
    return f'<p class="pl-note">{said(HAS_RUN, language)}<br>{" · ".join(links)}</p>'
