"""Build the site: `python -m website [lesson …]` runs the lessons, lays out their pages, and calls Sphinx.

A lesson that has run is kept in build/lessons until it, or anything of the package, is changed. With numbers of
lessons, only those are in the site: it is a quick look.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from notebooks.build import LANGUAGES, lessons
from prefix_lab.years.environment import CannotHave, have, release
from website.pages import HERE, ROOT, lay_out
from website.place import Place, place

BUILD = ROOT / "build"
SITE = BUILD / "site"
AT_ONCE = 2
THEN = "peft==0.4.0"
RAN_BY = tuple(f"website/{name}.py" for name in ("__init__", "execute", "live", "place", "shapes", "steady", "walks"))
RUNS = ("prefix_lab/**/*.*", "notebooks/**/*.py", "notebooks/capstone/*", ".vscode/launch.json", *RAN_BY)


def main() -> None:
    wanted = [path for path in lessons() if path.stem[:2] in (sys.argv[1:] or path.stem[:2])]
    if any(path.stem.startswith("16") for path in wanted):
        try:
            have(release(THEN), lambda asked: True)
        except CannotHave as error:
            sys.exit(f"Lesson 16 shows {THEN} beside today's. {error} Other lessons: python -m website 00 01 …")
    files = what_runs()
    state = digest(files)
    jobs = [(name, language) for name in ["walks", *(path.stem for path in wanted)] for language in LANGUAGES]
    with place(files) as here, ThreadPoolExecutor(AT_ONCE) as pool:
        failed = [why for why in pool.map(lambda job: run(*job, state, here), jobs) if why]
    if failed:
        sys.exit("\n".join(failed))
    shutil.rmtree(SITE, ignore_errors=True)
    SITE.mkdir(parents=True)
    for language in LANGUAGES:
        build(language, state)
    shutil.copytree(recordings(state), SITE / "recordings")
    shutil.copy(HERE / "root.html", SITE / "index.html")
    print(f"the site: {SITE / 'index.html'}")


def digest(files: list[Path]) -> str:
    """What the lessons' outputs come from: our files that run, and the versions that are pinned."""
    said = hashlib.sha256((ROOT / "constraints.txt").read_bytes())
    for path in files:
        said.update(path.relative_to(ROOT).as_posix().encode() + path.read_bytes())
    return said.hexdigest()[:12]


def what_runs() -> list[Path]:
    files = {path for pattern in RUNS for path in ROOT.glob(pattern) if path.suffix != ".pyc" and path.is_file()}
    return sorted(files)


def executed(state: str) -> Path:
    return BUILD / "lessons" / state


def recordings(state: str) -> Path:
    return executed(state) / "recordings"


def run(name: str, language: str, state: str, here: Place) -> str:
    """Run a lesson, or PEFT's walks, where it has not run yet; what went wrong, or nothing."""
    to = executed(state) / language / (f"{name}.json" if name == "walks" else f"{name}.ipynb")
    if to.is_file():
        return ""
    print(f"running {name}, {language}", flush=True)
    what = ["website.walks"] if name == "walks" else ["website.execute", name]
    done = subprocess.run(
        [here.python, "-m", *what, language, recordings(state), to],
        cwd=here.folder,
        env=os.environ | here.environment | {"PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
    )
    return f"{name}, {language}: {done.stderr}" if done.returncode else ""


def build(language: str, state: str) -> None:
    """The pages of one language."""
    sources, pages = BUILD / "pages" / language, SITE / language
    shutil.rmtree(sources, ignore_errors=True)
    lay_out(language, sources, executed(state) / language)
    environment = os.environ | {"PREFIX_LAB_LANGUAGE": language, "SOURCE_DATE_EPOCH": "0", "PYTHONHASHSEED": "0"}
    command = [sys.executable, "-m", "sphinx", "-q", "-E", "-b", "html", "-c", HERE]
    command += ["-d", BUILD / "doctrees" / language]
    subprocess.run([*command, sources, pages], cwd=ROOT, env=environment, check=True)
    notebooks = SITE / "notebooks" / language
    shutil.copytree(ROOT / "notebooks" / language, notebooks)
    sheet = ROOT / "docs" / ("zh/cheat-sheet.html" if language == "zh" else "cheat-sheet.html")
    text = sheet.read_text(encoding="utf-8").replace('.md"', '.html"')
    other = "../en" if language == "zh" else "../zh"
    text = re.sub(r'"(?:\.\./|zh/)cheat-sheet\.html"', f'"{other}/cheat-sheet-print.html"', text)
    (pages / "cheat-sheet-print.html").write_text(text, encoding="utf-8")
    for left in (pages / ".buildinfo", pages / "objects.inv"):
        left.unlink(missing_ok=True)
    shutil.rmtree(SITE / "jupyter_execute", ignore_errors=True)  # the notebooks as they ran, which are in the pages


if __name__ == "__main__":
    main()
