"""The ground: pyproject, constraints, environment.yml, Makefile and README say the same."""

import re
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PINS = {
    canonicalize_name(name): pinned
    for name, pinned in re.findall(r"^([\w.-]+)==(\S+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
}
WANTED = [Requirement(text) for text in PROJECT["dependencies"]] + [
    Requirement(text) for extra in PROJECT["optional-dependencies"].values() for text in extra
]


def makefile_targets() -> set[str]:
    return set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


@pytest.mark.parametrize("wanted", [row for row in WANTED if row.name != "prefix-lab"], ids=str)
def test_each_dependency_has_a_pin_inside_its_range(wanted):
    assert wanted.specifier.contains(PINS[canonicalize_name(wanted.name)])


@pytest.mark.parametrize(
    ("package", "pinned"),
    [
        ("torch", "2.13.0"),
        ("transformers", "5.23.0"),
        ("peft", "0.21.2"),
        ("jupyterlab", "4.6.6"),
        ("ipywidgets", "8.1.9"),
        ("anywidget", "0.11.0"),
        ("matplotlib", "3.11.2"),
    ],
)
def test_the_tested_set_is_pinned_and_is_what_the_tests_run_on(package, pinned):
    assert PINS[package] == pinned
    assert version(package).split("+")[0] == pinned


def test_the_core_mirrors_the_pinned_peft():
    from prefix_lab.config import MIRRORED_PEFT

    assert PINS["peft"] == MIRRORED_PEFT


def test_conda_installs_the_package_from_the_checkout_with_the_same_pins():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    assert environment["name"] == PROJECT["name"]
    python = next(row for row in environment["dependencies"] if str(row).startswith("python="))
    assert Requirement(f"python{PROJECT['requires-python']}").specifier.contains(python.removeprefix("python=") + ".0")
    (pip,) = (row["pip"] for row in environment["dependencies"] if isinstance(row, dict))
    assert pip == ["-c constraints.txt", "-e .[lab]"]
    assert "lab" in PROJECT["optional-dependencies"]


def test_every_make_command_in_the_readme_exists():
    promised = set(re.findall(r"`make ([a-z]+)", (ROOT / "README.md").read_text()))
    assert promised >= {"lab", "test", "walk"}
    assert promised <= makefile_targets()


def test_the_makefile_has_the_promised_targets():
    assert makefile_targets() >= {"lab", "test", "walk", "bench", "notebooks", "clean"}


def test_ci_runs_make_test():
    assert (ROOT / ".ci" / "run").read_text().rstrip().endswith("make test")


def test_an_interpreter_that_is_too_old_or_missing_is_refused_in_a_sentence(tmp_path):
    (tmp_path / "Makefile").write_text((ROOT / "Makefile").read_text())
    for name in ("pyproject.toml", "constraints.txt"):
        (tmp_path / name).touch()
    old = tmp_path / "python3.8"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    result = subprocess.run(["make", "walk", f"PYTHON={old}"], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert result.returncode != 0
    assert "needs Python 3.11 or newer" in result.stdout
    assert not (tmp_path / ".venv").exists()


def test_every_lesson_in_the_readme_exists_and_every_lesson_is_in_the_readme():
    named = set(re.findall(r"notebooks/en/([\w]+)\.ipynb", (ROOT / "README.md").read_text()))
    assert named == {path.stem for path in (ROOT / "notebooks" / "source").glob("[0-9]*.py")}


def test_the_package_holds_its_data():
    code = (
        "from importlib.resources import files; root = files('prefix_lab');"
        "assert (root / 'sizes' / 't5-base.json').is_file();"
        "names = ('tiny_t5', 'gpt2', 'bert', 't5');"
        "assert all((root / 'course' / 'weights' / name / 'model.safetensors').is_file() for name in names)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
