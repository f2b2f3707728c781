"""debugpy finds the extension however prefix_lab is installed: as a copy, or from the folder where it is worked on."""

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# The project's own back end, as pip asks it; what pip then does with a wheel is to unpack it.
BUILD = "import sys, setuptools.build_meta as backend; getattr(backend, sys.argv[1])(sys.argv[2])"
FOUND = """
import site, sys
folder, others = sys.argv[1:]
sys.path[:0] = [folder]
site.addsitedir(folder)
sys.path.append(others)
import debugpy._vendored.force_pydevd
from _pydevd_bundle.pydevd_extension_utils import ExtensionManager
manager = ExtensionManager()
manager._load_modules()
print(*[one.__file__ for one in manager.loaded_extensions if "prefix_lab" in one.__name__], sep="\\n")
assert "torch" not in sys.modules  # debugpy loads this in every process that it debugs
"""


def run(code: str, *arguments: object, **options: object) -> str:
    quiet = {"PYDEVD_DISABLE_FILE_VALIDATION": "1", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": ""}
    command = [sys.executable, *options.pop("flags", ()), "-W", "ignore", "-c", code, *map(str, arguments)]
    done = subprocess.run(command, env=os.environ | quiet, capture_output=True, text=True, **options)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("hook", "folder"),
    [("build_wheel", "site"), ("build_editable", "project/prefix_lab/breakpoints/for_debugpy")],
)
def test_debugpy_finds_the_extension_in_a_plain_and_in_an_editable_install(tmp_path, hook, folder):
    project, site = tmp_path / "project", tmp_path / "site"
    shutil.copytree(
        ROOT / "prefix_lab", project / "prefix_lab", ignore=shutil.ignore_patterns("weights", "__pycache__")
    )
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, project / name)
    run(BUILD, hook, tmp_path, cwd=project)
    [wheel] = tmp_path.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(site)
    # -S: the environment that runs the tests has an installation of its own.
    found = run(FOUND, site, sysconfig.get_path("purelib"), cwd=tmp_path, flags=["-S"]).split()
    assert found == [str(tmp_path / folder / "pydevd_plugins/extensions/pydevd_plugin_prefix_lab.py")]
