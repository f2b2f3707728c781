"""`python -m tests.parity.mutations`: plants single mistakes into the core, and sees each one caught by a parity test.

The mistakes are listed in `mistakes.txt`. Each is planted into a copy of the package in a temporary folder; the
repository is never touched. torch, transformers and peft are imported once, and each copy is tested in a fork of that
process, so that nothing is left over for the next. The copy without a mistake must pass all parity tests. Words on the
command line choose the mistakes whose name contains one of them.
"""

import gc
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]
AREAS = ("wrapping", "prompt", "forward", "learning", "dead_rows", "preparation", "warnings", "files", "generate")
AREAS += ("adapters", "checkpoints", "lora", "from_text", "/files", "/paper_layout", "/better_ways", "/ptuning_v2")
AT_ONCE = 2
TIMEOUT = 600  # seconds for one copy; a mistake that makes a test hang is reported, not waited for


class Mistake(NamedTuple):
    """In this file of the core, `old`, which is there exactly once, becomes `new`; `test` is to fail."""

    name: str
    file: str
    test: str
    old: str
    new: str


NONE = Mistake("no mistake", "", "", "", "")


class Verdict(NamedTuple):
    """What became of a copy: caught (by which test), SURVIVED, BROKEN (why), or passes, if there is no mistake."""

    mistake: Mistake
    outcome: str
    detail: str

    def __str__(self) -> str:
        return f"{self.outcome:8}  {self.mistake.file:13} {self.mistake.name:43} {self.detail}".rstrip()


def mistakes(text: str) -> list[Mistake]:
    """Read the list; its own first lines say how it is written."""
    found, file, test = [], "", ""
    for line in text[text.index("\n== ") :].splitlines():
        if line.startswith("== "):
            file = line.removeprefix("== ")
        elif line.startswith("-- "):
            test = line.removeprefix("-- ")
        elif line.startswith("<"):
            found[-1] = found[-1]._replace(old=found[-1].old + "\n" * bool(found[-1].old) + line[1:])
        elif line.startswith(">"):
            found[-1] = found[-1]._replace(new=found[-1].new + "\n" * bool(found[-1].new) + line[1:])
        elif line:
            found.append(Mistake(line, file, test, "", ""))
    return found


def plant(mistake: Mistake, folder: Path) -> None:
    """Copy the core there, with the mistake in it. Raises `LookupError` when its text is not there exactly once."""
    package = folder / "prefix_lab"
    package.mkdir()
    for path in (REPOSITORY / "prefix_lab").glob("*.py"):
        shutil.copy(path, package)
    if mistake is not NONE:
        text = (package / mistake.file).read_text()
        if (times := text.count(mistake.old)) != 1:
            raise LookupError(f"mutation is stale: {mistake.old!r} is there {times} times, expected once")
        (package / mistake.file).write_text(text.replace(mistake.old, mistake.new))


class FirstFailure:
    """A pytest plugin that keeps the first test that failed, or why the tests could not be read."""

    def __init__(self) -> None:
        self.test = self.broken = ""

    def pytest_runtest_logreport(self, report) -> None:
        if report.failed and not self.test:
            self.test = report.nodeid.removeprefix("tests/parity/test_")

    def pytest_collectreport(self, report) -> None:
        if report.failed:
            self.broken = str(report.longrepr).strip().splitlines()[-1]


def first_failure(tests: Sequence[str]) -> str:
    """Run these tests until one fails: its name, or nothing. Raises `RuntimeError` when they cannot be run."""
    import pytest

    seen = FirstFailure()
    # No type checks and no shrinking: a mistake is to be caught by its numbers, once.
    options = ["-o", "addopts=", "-x", "-q", "-p", "no:cacheprovider", f"--rootdir={REPOSITORY}"]
    options += ["-p", "_hypothesis_pytestplugin", "--hypothesis-profile=mutant", "-W", "ignore:Module already imported"]
    code = pytest.main([*options, *tests], plugins=[seen])
    if seen.broken or (not seen.test and code != pytest.ExitCode.OK):
        raise RuntimeError(seen.broken or f"pytest ended with {code!r} for {' '.join(tests)}")
    return seen.test


def path_of(area: str) -> str:
    """The file of an area's tests: among the parity tests, or with a slash before it, where PEFT has no equal."""
    return f"tests/test_{area[1:]}.py" if area.startswith("/") else f"tests/parity/test_{area}.py"


def try_copy(mistake: Mistake, folder: Path) -> Verdict:
    """Plant the mistake, then look for a test that fails: the one that is to catch it, and if it does not, any."""
    plant(mistake, folder)
    sys.path.insert(0, str(folder))
    import prefix_lab

    assert Path(prefix_lab.__file__).is_relative_to(folder)
    everything = [path_of(area) for area in AREAS]
    if mistake is NONE:
        failed = first_failure(everything)
        return Verdict(mistake, "BROKEN" if failed else "passes", failed)
    area, _, test = mistake.test.partition("::")
    failed = first_failure([f"{path_of(area)}::{test}"]) or first_failure(everything)
    return Verdict(mistake, "caught" if failed else "SURVIVED", failed)


def work(mistake: Mistake, answer: Connection) -> None:
    """The forked process: try the copy, answer, and be silent."""
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    with tempfile.TemporaryDirectory() as folder:
        try:
            answer.send(try_copy(mistake, Path(folder).resolve()))
        except BaseException as error:
            answer.send(Verdict(mistake, "BROKEN", f"{type(error).__name__}: {error}"))


def verdicts(waiting: Sequence[Mistake]) -> Iterator[Verdict]:
    """One verdict for each, in the order in which they come, with a few copies tried at once."""
    fork = multiprocessing.get_context("fork")
    waiting, running = list(waiting), {}
    while waiting or running:
        while waiting and len(running) < AT_ONCE:
            answer, question = fork.Pipe(duplex=False)
            process = fork.Process(target=work, args=(waiting[0], question))
            process.start()
            question.close()  # so that a process that dies is noticed
            running[answer] = (waiting.pop(0), process, time.monotonic())
        ready = wait(list(running), timeout=1)
        for answer, (mistake, process, begun) in list(running.items()):
            if answer in ready:
                try:
                    yield answer.recv()
                except EOFError:
                    yield Verdict(mistake, "BROKEN", "its process ended without an answer")
            elif time.monotonic() - begun > TIMEOUT:
                process.kill()
                yield Verdict(mistake, "BROKEN", f"no answer after {TIMEOUT} seconds")
            else:
                continue
            process.join()
            del running[answer]


def preload() -> None:
    """Import what every copy needs and nothing of prefix_lab; with one thread, so that a fork can go on."""
    import torch

    torch.set_num_threads(1)
    for name in ("_hypothesis_pytestplugin", "hypothesis.internal", "peft", "pytest", "tests.tiny_models"):
        __import__(name)
    assert "prefix_lab" not in sys.modules
    gc.freeze()  # a fork shares what is never collected


def main(words: Sequence[str]) -> int:
    """Try all copies, print the table in the order of the list, and return the exit code."""
    os.chdir(REPOSITORY)
    os.environ |= {"HF_HUB_OFFLINE": "1", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # one plugin is enough
    begun = time.monotonic()
    known = mistakes((HERE / "mistakes.txt").read_text())
    asked = [one for one in known if not words or any(word in one.name for word in words)]
    preload()
    found = []
    for verdict in verdicts([NONE, *asked]):
        found.append(verdict)
        if sys.stderr.isatty():
            print(f"\r{len(found)} of {len(asked) + 1}", end="\r", file=sys.stderr, flush=True)
    order = [NONE.name, *(one.name for one in asked)]
    for verdict in sorted(found, key=lambda verdict: order.index(verdict.mistake.name)):
        print(verdict)
    caught = sum(verdict.outcome == "caught" for verdict in found)
    print(f"{caught} of {len(asked)} mistakes caught in {time.monotonic() - begun:.0f} s")
    return 0 if asked and all(verdict.outcome in ("caught", "passes") for verdict in found) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
