"""Is everything there that a lesson needs? What is missing or too old is told before it begins, with advice.

And once it has begun: after a restart, or with cells run out of order, a name may be missing. Then the cell of the
notebook that makes it is named. The cells are read from the notebook that is open, as it was last saved, so that they
are the learner's own.
"""

from __future__ import annotations

import html
import json
import os
import platform
import re
import symtable
import sys
import warnings
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

from prefix_lab.config import MIRRORED_PEFT
from prefix_lab.course.progress import file
from prefix_lab.locale import N_, _
from prefix_lab.widgets.table import Table, table

CANNOT_BEGIN = N_(
    "The lessons cannot begin: {problems}. In a clone of prefix_lab, `make lab` sets up what the lessons need. (This "
    "is {python}.)"
)
OLDEST_PYTHON = (3, 11)
NEEDED = {
    **{"torch": (2, 6), "transformers": (5, 15), "peft": (0, 21), "accelerate": (1, 1)},
    **{"ipywidgets": (8, 1), "matplotlib": (3, 9)},
}
QUESTION, ANSWER = "reverse: garden", "nedrag"
MADE_IN = N_(
    "`{name}` is made in the cell that begins with `{begins}`, under “{heading}”: run that one first. (After a "
    "restart, “Run All Above Selected Cell” in the menu “Run” runs all that it takes.)"
)
MADE_HERE = N_(
    "The line of this very cell that makes `{name}` did not run. If you left a stop with `q`, run the cell again, and "
    "leave with `c`."
)
NOT_MADE = N_(
    "`{name}` is not there yet: run the cell that makes it first. (After a restart, “Run All Above Selected Cell” in "
    "the menu “Run” runs all that it takes.)"
)


PASSED, NOT_YET = N_("<b>Right</b>: {text}"), N_("<b>Not yet</b>: {text}")


class Verdict(NamedTuple):
    """What a check says, translated when it is shown; in a notebook it is shown in colour."""

    passed: bool
    text: str

    def __repr__(self) -> str:
        said = _("right: {text}") if self.passed else _("not yet: {text}")
        return said.format(text=_(self.text))

    def _repr_html_(self) -> str:
        colour = "--jp-success-color1, #2e7d32" if self.passed else "--jp-warn-color1, #e65100"
        text = re.sub(r"`(.+?)`", r"<code>\1</code>", html.escape(_(self.text)))
        said = _(PASSED if self.passed else NOT_YET)
        look = f"border-left: 4px solid var({colour}); padding: 2px 10px; margin: 4px 0"
        return f'<p role="status" style="{look}">{said.format(text=text)}</p>'


def make_ready(live: bool = True) -> None:
    """Raises `ImportError` that says what is wrong; quiets one warning that is not a lesson's subject.

    From then on, a cell that asks for a name that is not there says which cell to run first. `live` says whether
    `stop_at` opens a debugger for the reader; with False, the lesson types what it suggests.
    """
    problems = [problem for name, least in NEEDED.items() if (problem := wrong_with(name, least))]
    if problems:
        raise ImportError(_(CANNOT_BEGIN).format(problems="; ".join(problems), python=sys.executable))
    # PEFT 0.21.2 asks transformers for a name that transformers is about to drop.
    warnings.filterwarnings("ignore", message="`is_gradient_checkpointing` is deprecated", category=FutureWarning)
    from prefix_lab.breakpoints.live import switch  # which needs torch

    switch(live)
    if shell := running_shell():
        shell.events.register("post_run_cell", say_what_to_run)


def say_what_to_run(result: Any) -> None:
    """After each cell, below its output: the cell to run first, when a name was missing."""
    from IPython.display import display

    if sentence := cell_to_run(result.error_in_exec):
        display(Verdict(False, sentence))


def wrong_with(name: str, least: tuple[int, int]) -> str:
    """What is wrong with a package; empty when nothing is."""
    try:
        found = version(name)
    except PackageNotFoundError:
        return _("{name} is not installed").format(name=name)
    numbers = tuple(int(part) for part in found.split("+")[0].split(".")[:2] if part.isdigit())
    too_old = _("{name} is {found}, and {least} or newer is needed")
    return too_old.format(name=name, found=found, least=".".join(map(str, least))) if numbers < least else ""


def self_check() -> Table:
    """Python, the packages, the tiny T5 and where progress is noted, each with advice where something is off.

    Never raises; takes about a second.
    """
    rows = [python(), *map(package, NEEDED), anywidget(), tiny_t5(), notes()]
    well = not any(advice for _, _, advice in rows)
    verdict = N_("Everything is here.") if well else N_("Something needs a look: the advice stands beside it.")
    marked = [("✗" if advice else "✓", what, found, advice) for what, found, advice in rows]
    return table(("", N_("looked at"), N_("found"), N_("advice")), marked, verdict)


Row = tuple[str, str, str]
"""What was looked at, what was found, and advice; the last is empty where all is well."""


def python() -> Row:
    too_old = _("Python 3.11 or newer is needed: make lab PYTHON=python3.13.")
    return "Python", platform.python_version(), "" if sys.version_info >= OLDEST_PYTHON else too_old


def package(name: str) -> Row:
    """One that the lessons need; PEFT's version is also the one that ours is held against."""
    problem = wrong_with(name, NEEDED[name])
    found = "" if problem else version(name)
    if name == "peft" and found not in ("", MIRRORED_PEFT):
        other = _("ours mirrors {version}: where the two differ, that is why. make lab installs it.")
        problem = other.format(version=MIRRORED_PEFT)
    return name, found or "–", problem


def anywidget() -> Row:
    """The stepper needs it; the pictures do without."""
    try:
        return "anywidget", version("anywidget"), ""
    except PackageNotFoundError:
        return "anywidget", "–", _("the stepper needs it: make lab installs it.")


def tiny_t5() -> Row:
    """The model that ships, asked one question."""
    try:
        from prefix_lab.course.small_models import load_tiny_t5

        model, tokenizer = load_tiny_t5()
        tokens = model.generate(**tokenizer([QUESTION], return_tensors="pt"))
        said = tokenizer.decode(tokens[0], skip_special_tokens=True)
    except Exception as error:  # whatever is wrong with the weights or the packages, the table says it
        found = f"{type(error).__name__}: {error}"
        return _("the tiny T5"), found, _("get its weights back: git status shows them.")
    wrong = _("it should say {answer}: are its weights whole?").format(answer=repr(ANSWER))
    return _("the tiny T5"), f"{QUESTION!r} → {said!r}", "" if said == ANSWER else wrong


def notes() -> Row:
    """Where progress is noted; keeping none is a choice, and no mistake."""
    return _("your progress"), str(file() or _("not kept (PREFIX_LAB_PROGRESS is empty)")), ""


def running_shell() -> Any:
    """The notebook's IPython; None elsewhere."""
    module = sys.modules.get("IPython")
    return module and module.get_ipython()


def cell_to_run(error: BaseException | None) -> str:
    """A sentence about a `NameError` in a notebook of the course; empty where no cell of it makes the name."""
    if type(error) is not NameError or running_shell() is None:
        return ""
    cells = open_notebook()
    if cells is None:
        return _(NOT_MADE).format(name=error.name)
    ran = running_shell().user_ns.get("In", [""])[-1].strip()
    for heading, source in cells:
        if source.strip() != ran and error.name in names_made(source):
            begins = source.strip().partition("\n")[0]
            return _(MADE_IN).format(name=error.name, begins=begins, heading=heading)
    return _(MADE_HERE).format(name=error.name) if error.name in names_made(ran) else ""


def names_made(source: str) -> set[str]:
    """The names that a cell's code makes, those inside its functions left out; none where it is not plain Python."""
    try:
        symbols = symtable.symtable(source, "cell", "exec").get_symbols()
    except SyntaxError:
        return set()
    return {symbol.get_name() for symbol in symbols if symbol.is_assigned() or symbol.is_imported()}


def open_notebook() -> list[tuple[str, str]] | None:
    """The notebook that this kernel runs, each code cell's heading and text; None where it is not found.

    JupyterLab and VS Code say which file it is. Elsewhere, it is the one in the kernel's folder with a lesson's number.
    """
    told = [os.environ.get("JPY_SESSION_NAME"), running_shell().user_ns.get("__vsc_ipynb_file__")]
    lessons = re.findall(r"course\.lessons\.lesson_(\d+)", " ".join(sys.modules))
    for path in [*filter(None, told), *(path for number in lessons for path in Path().glob(f"{number}_*.ipynb"))]:
        try:
            return code_cells(json.loads(Path(path).read_text(encoding="utf-8"))["cells"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return None


def code_cells(cells: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Heading and text of each code cell."""
    heading, found = "", []
    for cell in cells:
        text = "".join(cell["source"])  # a text, or a list of its lines
        if cell["cell_type"] == "code":
            found.append((heading, text))
        elif not text.startswith("<details>"):  # folded code has comments, which look like headings
            heading = [heading, *re.findall(r"^#+ (.+)", text, re.MULTILINE)][-1]
    return found
