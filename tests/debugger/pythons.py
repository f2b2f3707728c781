"""`python -m tests.debugger.pythons`: the debugger's tests under every other Python from 3.11 on that is installed.

They need no torch. Each Python gets an environment of its own inside .venv, with pytest and hypothesis.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
VERSIONS = ("3.11", "3.12", "3.13", "3.14")
NEEDED = ("pytest", "hypothesis")


def interpreters() -> dict[str, str]:
    """Version → interpreter, for each version that is installed and is not the one that runs this."""
    found: dict[str, str] = {}
    for version in VERSIONS:
        candidates = [shutil.which(f"python{version}")]
        candidates += map(str, sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python{version}")))
        works = [path for path in candidates if path and answers(path) == version]
        if works and version != f"{sys.version_info.major}.{sys.version_info.minor}":
            found[version] = works[-1]
    return found


def answers(interpreter: str) -> str | None:
    """What an interpreter says of its version; a pyenv shim may say nothing at all."""
    said = "import sys; print('%d.%d' % sys.version_info[:2])"
    done = subprocess.run([interpreter, "-c", said], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None


def environment(version: str, interpreter: str) -> Path:
    """The Python of an environment that has what the tests need."""
    folder = ROOT / ".venv" / "pythons" / version
    python = folder / "bin" / "python"
    stamp = folder / "ready"
    if not stamp.exists():
        subprocess.run([interpreter, "-m", "venv", "--clear", str(folder)], check=True)
        pins = re.findall(r"^(?:pytest|hypothesis)==.*$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
        quiet = ["--quiet", "--disable-pip-version-check"]
        subprocess.run([str(python), "-m", "pip", "install", *quiet, *(pins or NEEDED)], check=True)
        stamp.touch()
    return python


def command(python: Path) -> list[str]:
    """The debugger's tests under that Python, but for those that look at tensors or start a kernel."""
    plain = ["-q", "-c", os.devnull, "--rootdir", str(ROOT), "-p", "no:cacheprovider", "-W", "error"]
    chosen = [f"--ignore=tests/debugger/{name}.py" for name in ("dap/test_looking", "test_progress")]
    chosen += ["--confcutdir", str(ROOT / "tests" / "debugger"), *sys.argv[1:], "tests/debugger"]
    return [str(python), "-m", "pytest", *plain, *chosen]


def main() -> int:
    """All of them at once, each one's output in a piece."""
    found = interpreters()
    print(f"Other Pythons here: {', '.join(found) or 'none'}.", flush=True)
    paths = os.environ | {"PYTHONPATH": str(ROOT)}
    running = {}
    for version, interpreter in found.items():
        python = environment(version, interpreter)
        said = tempfile.TemporaryFile("w+")  # noqa: SIM115 - it is open for as long as the tests run
        running[version] = subprocess.Popen(command(python), cwd=ROOT, env=paths, stdout=said, stderr=said), said
    failed = []
    for version, (process, said) in running.items():
        failed += [version] if process.wait() else []
        said.seek(0)
        print(f"Python {version}:\n{said.read()}", flush=True)
        said.close()
    if failed:
        print(f"Failed under Python {', '.join(failed)}.")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
