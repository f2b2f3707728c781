"""Write the catalogue of all that is shown from the sources, and compile it: `python -m notebooks.messages`.

A translator edits `prefix_lab/locale/<language>/LC_MESSAGES/prefix_lab.po`; this keeps what stands there, adds what is
new (marked fuzzy where an old translation is like it, to be looked at), drops what is shown no more, and compiles it to
the `.mo` beside, which gettext reads. `--check` writes nothing, and fails where something is out of date.
"""

import argparse
import ast
import io
import sys
from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_file
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from notebooks.build import code_of, comments, lessons
from prefix_lab.course.lessons.lesson_12 import launched
from prefix_lab.course.progress import EXERCISES, LESSONS
from prefix_lab.debugger.moves import MOVES
from prefix_lab.debugger.shown import HAPPENS
from prefix_lab.locale import DOMAIN, FOLDER
from prefix_lab.stages import STAGES

ROOT = Path(__file__).parent.parent
LANGUAGES = ("zh_CN",)
COUNTED = ("{count} step", "{count} steps", "{count} call", "{count} calls")
PYTHON = ("_", "N_", "ngettext", "NotYet")  # whose texts in quotes are messages; of ngettext both forms are one
JAVASCRIPT = {"N_": (1,)}
HEAD = ("Language", "Plural-Forms", "MIME-Version", "Content-Type", "Content-Transfer-Encoding")
WIDTH = 110

Shown = tuple[str, str | tuple[str, ...]]
"""The file that shows a message, and its text; of one with a plural both forms."""


class Lasting(Catalog):
    """A catalogue with no dates and no versions in its head, and so the same at each run and on each machine."""

    mime_headers = property(
        lambda self: [one for one in Catalog.mime_headers.fget(self) if one[0] in HEAD], Catalog.mime_headers.fset
    )

    def __init__(self, language: str | None = None):
        super().__init__(language, charset="utf-8", fuzzy=False)
        self.header_comment = "# What prefix_lab shows; see notebooks/messages.py."


def messages() -> Iterator[Shown]:
    """All that is shown, in the order of the files."""
    for path in sorted(
        [*(ROOT / "prefix_lab").rglob("*.py"), *ROOT.glob("notebooks/*.py"), *ROOT.glob("website/*.py")]
    ):
        yield from ((name(path), text) for text in in_python(path))
    for path in sorted([*(ROOT / "prefix_lab").rglob("*.js"), *ROOT.glob("website/*.js")]):
        yield from ((name(path), text) for text in in_javascript(path))
    yield from (("prefix_lab/stages.py", row.sentence) for row in STAGES)
    flows = [flow.name for row in STAGES for flow in (*row.takes, *row.gives)]
    yield from (("prefix_lab/stages.py", said) for said in flows if " " in said)  # the others are names of the code
    titles = [*(one.title for one in LESSONS), *(one.title for all in EXERCISES.values() for one in all)]
    yield from (("prefix_lab/course/progress.py", title) for title in titles)
    yield from (("prefix_lab/debugger/shown.py", said) for said in HAPPENS.values())
    texts = [text for one in MOVES for text in (one.says, one.word, one.hint) if any(map(str.isalpha, text))]
    yield from (("prefix_lab/debugger/moves.py", text) for text in texts)
    yield from (("prefix_lab/debugger/calls.py", text) for text in COUNTED)
    yield from (("prefix_lab/course/lessons/lesson_12.py", note) for _, note in launched())
    for path in lessons():
        yield from ((name(path), text) for text in comments(path) + heads(path))


def heads(lesson: Path) -> list[str]:
    """What stands above the columns of the tables in a lesson's code; names of the code stay as they are."""
    calls = [node for code in code_of(lesson) for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call)]
    tables = [call.args[0].elts for call in calls if getattr(call.func, "id", "") == "table"]
    return [one.value for row in tables for one in row if isinstance(one, ast.Constant) and one.value[-1].isalpha()]


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def in_python(path: Path) -> list[str | tuple[str, ...]]:
    """Those of the calls of `PYTHON`, inside f-strings as well, where Babel does not look."""
    calls = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
    found = []
    for call in sorted(calls, key=lambda node: (node.lineno, node.col_offset)):
        name = getattr(call.func, "id", "")
        if name in PYTHON:
            texts = [text for one in call.args for text in texts_in(one)]
            found += [tuple(texts)] if name == "ngettext" and texts else filter(None, texts)
    return found


def texts_in(node: ast.expr) -> list[str]:
    """A text in quotes; where there is a choice of two, both."""
    if isinstance(node, ast.IfExp):
        return texts_in(node.body) + texts_in(node.orelse)
    return [node.value] if isinstance(node, ast.Constant) and isinstance(node.value, str) else []


def in_javascript(path: Path) -> list[str]:
    return [text for _, text, _, _ in extract_from_file("javascript", path, keywords=JAVASCRIPT) if any(text)]


def template() -> Lasting:
    """All messages, with the files that show them."""
    found = Lasting()
    for number, (file, text) in enumerate(messages()):
        found.add(text, locations=[(file, number)])
    return found


def translated(language: str) -> Lasting:
    """The catalogue of a language as it stands in its file."""
    path = folder(language) / f"{DOMAIN}.po"
    found = Lasting(language)
    if path.is_file():
        for message in read_po(io.BytesIO(path.read_bytes()), locale=language):
            if message.id:
                found[message.id] = message
    return found


def folder(language: str) -> Path:
    return FOLDER / language / "LC_MESSAGES"


def written() -> dict[Path, bytes]:
    """Path → bytes of each file that the sources and translations make."""
    source = template()
    files = {FOLDER / f"{DOMAIN}.pot": as_text(source)}
    for language in LANGUAGES:
        catalogue = translated(language)
        catalogue.update(source)
        catalogue.obsolete.clear()
        files[folder(language) / f"{DOMAIN}.po"] = as_text(catalogue)
        compiled = io.BytesIO()
        write_mo(compiled, catalogue)
        files[folder(language) / f"{DOMAIN}.mo"] = compiled.getvalue()
    return files


def forms(message: Message) -> tuple[str, ...]:
    """What a message is translated to: one text, or one for each form of the plural."""
    return message.string if isinstance(message.string, tuple) else (message.string,)


def as_text(catalogue: Catalog) -> bytes:
    found = io.BytesIO()
    write_po(found, catalogue, width=WIDTH, sort_by_file=True, include_lineno=False)
    return found.getvalue()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m notebooks.messages", description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="change nothing; fail when a file is out of date")
    check = parser.parse_args().check
    stale = {path: text for path, text in written().items() if not path.is_file() or path.read_bytes() != text}
    if check and stale:
        sys.exit("Out of date, run `python -m notebooks.messages`: " + ", ".join(map(name, stale)))
    for path, text in stale.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text)
        print(f"wrote {name(path)}")
    for language in LANGUAGES:
        every = [message for message in translated(language) if message.id]
        left = [message for message in every if message.fuzzy or not all(forms(message))]
        print(f"{language}: {len(every) - len(left)} of {len(every)} translated")


if __name__ == "__main__":
    main()
