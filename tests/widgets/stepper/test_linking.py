"""Modules as one text: what a widget and a page take is a module that node takes, too."""

from __future__ import annotations

import re
import subprocess

import pytest

from prefix_lab.widgets.stepper.page import IMPORT, in_order, linked
from tests.widgets.stepper.javascript import STEPPER, node

ENTRIES = ["page.js", "widget.js"]


def test_every_module_of_the_stepper_is_part_of_an_entry():
    assert {path for entry in ENTRIES for path in in_order(STEPPER / entry)} == set(STEPPER.glob("*.js"))


@pytest.mark.parametrize("entry", ENTRIES)
def test_each_module_comes_once_after_those_that_it_needs(entry):
    order = in_order(STEPPER / entry)
    assert len(order) == len(set(order))
    for at, path in enumerate(order):
        needed = {(path.parent / name).resolve() for name in IMPORT.findall(path.read_text(encoding="utf-8"))}
        assert needed <= set(order[:at])


def checked(text: str, folder) -> str:
    """What node has against a module; two things of one name, above all."""
    (folder / "linked.mjs").write_text(text, encoding="utf-8")
    return subprocess.run([node(), "--check", folder / "linked.mjs"], capture_output=True, text=True).stderr


@pytest.mark.parametrize("entry", ENTRIES)
def test_the_text_is_a_module_that_node_takes_and_imports_nothing(entry, tmp_path):
    text = linked(STEPPER / entry)
    assert not re.search(r"^\s*import\b|\bimport\(", re.sub(r"/\*[\s\S]*?\*/|//.*", "", text), re.MULTILINE)
    exported = re.findall(r"^export\b.*", text, re.MULTILINE)
    assert exported == ([] if entry == "page.js" else ["export default { render };"])
    assert checked(text, tmp_path) == ""


def test_one_name_for_two_things_is_found_and_modules_that_need_each_other_are_linked_once(tmp_path):
    (tmp_path / "a.js").write_text('// A.\n\nimport { b } from "./b.js";\n\nexport const a = () => b;\n')
    (tmp_path / "b.js").write_text('import { a } from "./a.js";\nexport function b() {\n  return a;\n}\n')
    text = linked(tmp_path / "a.js")
    assert text.count("function b") == text.count("const a") == 1
    assert checked(text, tmp_path) == ""
    assert "already been declared" in checked(text + "function b() {}\n", tmp_path)


def test_a_text_that_is_linked_runs_as_its_modules_do(tmp_path):
    run = '\nconsole.log(new Condition("1 < i < 3").isTrueOf(new Map([["i", ["int", "2"]]])));\n'
    (tmp_path / "linked.mjs").write_text(linked(STEPPER / "condition.js") + run, encoding="utf-8")
    done = subprocess.run([node(), tmp_path / "linked.mjs"], capture_output=True, text=True, check=True)
    assert done.stdout == "true\n"
