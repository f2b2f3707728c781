"""Modules as one text: the rules under which that works hold for every module, and node takes the text."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from prefix_lab.widgets.stepper.page import IMPORT, in_order, linked, stripped
from tests.widgets.stepper.javascript import STEPPER, WIDGETS, node

ENTRIES = [path.name for path in sorted(STEPPER.glob("*.js")) if "export default" in path.read_text()]
ENTRIES += ["page.js"]
DECLARED = re.compile(
    r"^(?:export\s+)?(?:default\s+)?(?:async\s+)?(?:function\*?|class|const|let|var)\s+(\{[^}]*\}|\[[^\]]*\]|[\w$]+)",
    re.MULTILINE,
)


def declared(text: str) -> list[str]:
    """The names that a module's own lines, those without indentation, declare."""
    return [name for said in DECLARED.findall(text) for name in re.findall(r"[\w$]+", said)]


def broken(folder: Path, entries: list[str]) -> list[str]:
    """Where the modules of a folder do not keep to the rules of `linking`."""
    texts = {path.name: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.js"))}
    homes: dict[str, str] = {}
    found = []
    for file, text in texts.items():
        rest = stripped(text)
        body = re.split(r"^(?!//|import |$)", text, maxsplit=1, flags=re.MULTILINE)[-1]
        if re.search(r"^\s*import\b|\bimport\(", without_comments(body), re.MULTILINE):
            found.append(f"{file} imports below its head, or as it runs")
        if re.search(r"^\s*import\b", rest, re.MULTILINE) or re.search(r"^import .*\bas\b", text, re.MULTILINE):
            found.append(f"{file} imports in a way that linking does not know")
        for name in IMPORT.findall(text):
            wanted = re.search(rf'^import\s+\{{([^}}]*)\}}\s+from\s+"\./{re.escape(name)}"', text, re.MULTILINE)[1]
            exported = set(
                re.findall(r"^export (?:async )?(?:function|class|const|let) ([\w$]+)", texts.get(name, ""), re.M)
            )
            missing = {one.strip() for one in wanted.split(",") if one.strip()} - exported
            found += [f"{file} imports {one} from {name}, which has none" for one in sorted(missing)]
        if ("export default" in text) != (file in entries and file != "page.js"):
            found.append(f"{file}: entries alone have a default export")
        if re.search(r"^export\s*[{*]", text, re.MULTILINE):
            found.append(f"{file} exports a list")
        for name in declared(text):
            if name in homes and not {file, homes[name]} <= set(entries):  # no text has two entries
                found.append(f"{file} and {homes[name]} both have {name}")
            homes[name] = file
    return found


def without_comments(text: str) -> str:
    """Types in comments name other modules, and may."""
    return re.sub(r"/\*[\s\S]*?\*/|//.*", "", text)


def test_every_module_keeps_to_the_rules():
    assert len(list(STEPPER.glob("*.js"))) > 10
    assert broken(STEPPER, ENTRIES) == []
    assert {"widget.js", "mirror.js", "page.js"} <= set(ENTRIES)


def test_every_folder_with_modules_is_looked_at():
    assert {path.parent for path in WIDGETS.rglob("*.js")} == {STEPPER}


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"a.js": "const one = 1;\n", "b.js": "export function one() {}\n"}, "both have one"),
        ({"a.js": "export class A {}\nlet { A, b } = c;\n"}, "both have A"),
        ({"a.js": 'const a = 1;\nimport { b } from "./b.js";\n', "b.js": "export const b = 1;\n"}, "below its head"),
        ({"a.js": 'const a = () => import("./b.js");\n', "b.js": "const b = 1;\n"}, "as it runs"),
        ({"a.js": 'import { b as c } from "./b.js";\n', "b.js": "export const b = 1;\n"}, "does not know"),
        ({"a.js": 'import b from "./b.js";\n', "b.js": "const b = 1;\n"}, "does not know"),
        ({"a.js": 'import * as b from "./b.js";\n', "b.js": "const b = 1;\n"}, "does not know"),
        ({"a.js": 'import "far";\n'}, "does not know"),
        ({"a.js": 'import { c } from "./b.js";\n', "b.js": "export const b = 1;\n"}, "which has none"),
        ({"a.js": "export default 5;\n"}, "entries alone"),
        ({"a.js": "const a = 1;\nexport { a };\n"}, "exports a list"),
    ],
)
def test_a_planted_breach_is_found(files, words, tmp_path):
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert any(words in one for one in broken(tmp_path, []))


@pytest.mark.parametrize("entry", ENTRIES)
def test_a_module_comes_after_those_that_it_needs_and_each_once(entry):
    order = in_order(STEPPER / entry)
    assert len(order) == len(set(order))
    assert order[-1].name == entry
    for at, path in enumerate(order):
        needed = {path.parent / name for name in IMPORT.findall(path.read_text(encoding="utf-8"))}
        assert needed <= set(order[:at])


@pytest.mark.parametrize("entry", ENTRIES)
def test_the_text_is_a_module_that_node_takes_and_imports_nothing(entry, tmp_path):
    text = linked(STEPPER / entry)
    assert not re.search(r"^import\b", text, re.MULTILINE)
    assert re.findall(r"^export\b.*", text, re.MULTILINE) == (
        [] if entry == "page.js" else ["export default { render };"]
    )
    (tmp_path / "linked.mjs").write_text(text, encoding="utf-8")
    done = subprocess.run([node(), "--check", tmp_path / "linked.mjs"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_text_that_is_linked_runs_as_its_modules_do(tmp_path):
    text = (
        linked(STEPPER / "condition.js")
        + '\nconsole.log(new Condition("1 < i < 3").isTrueOf(new Map([["i", ["int", "2"]]])));\n'
    )
    (tmp_path / "linked.mjs").write_text(text, encoding="utf-8")
    done = subprocess.run([node(), tmp_path / "linked.mjs"], capture_output=True, text=True, check=True)
    assert done.stdout == "true\n"


def test_modules_that_need_each_other_are_linked_once(tmp_path):
    (tmp_path / "a.js").write_text('// A.\n\nimport { b } from "./b.js";\n\nexport const a = () => b;\n')
    (tmp_path / "b.js").write_text('import { a } from "./a.js";\nexport function b() {\n  return a;\n}\n')
    text = linked(tmp_path / "a.js")
    assert text.count("function b") == text.count("const a") == 1
    assert "import" not in text
    assert "export" not in text
