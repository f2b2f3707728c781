"""`python -m tests.planted [core|debugger] [words]`: plants single mistakes, and sees each one caught by a test.

`core.txt` and `debugger.txt` list the mistakes. Each is planted into a copy of the package in a temporary folder; the
repository is never touched. What all tests import is imported once, and each copy is tested in a fork of that process,
so that nothing is left over for the next. Without a mistake, the tests that are named must pass. Words on the command
line choose the mistakes whose name contains one of them.
"""

import gc
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import NamedTuple

from tests.planted.patterns import plant

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]
ROOMS = {
    "core": [*(REPOSITORY / "prefix_lab").glob("*.py"), *(REPOSITORY / "prefix_lab" / "beside").rglob("*.py")],
    "debugger": list((REPOSITORY / "prefix_lab" / "debugger").rglob("*.py")),
}
"""Where a list's mistakes may lie."""

AT_ONCE = 2
LIMIT = 120  # seconds for one copy: a test that does not end is one that does not pass


class Mistake(NamedTuple):
    """In this room, `old`, which fits one place there (in `where`), becomes `new`; `test` is to fail."""

    name: str
    test: str
    where: str = ""
    old: str = ""
    new: str = ""


class Verdict(NamedTuple):
    """What became of a copy: caught (by which test), SURVIVED, BROKEN or STALE (why), or passes, without a mistake."""

    name: str
    outcome: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.outcome:8}  {self.name:50} {self.detail}".rstrip()


class Copy(NamedTuple):
    """A copy to try: the file that has another source there, and the tests, in groups: the first failure ends it."""

    name: str
    path: Path | None
    source: str
    groups: list[list[str]]


def mistakes(text: str) -> list[Mistake]:
    """Read a list; its own first lines say how it is written."""
    found, test = [], ""
    for line in text[text.index("\n-- ") :].splitlines():
        if line.startswith("-- "):
            test = line.removeprefix("-- ")
        elif line.startswith("@ "):
            found[-1] = found[-1]._replace(where=line.removeprefix("@ "))
        elif line.startswith("<"):
            found[-1] = found[-1]._replace(old=found[-1].old + "\n" * bool(found[-1].old) + line[1:])
        elif line.startswith(">"):
            found[-1] = found[-1]._replace(new=found[-1].new + "\n" * bool(found[-1].new) + line[1:])
        elif line:
            found.append(Mistake(line, test))
    return found


def copies(known: Sequence[Mistake], asked: Sequence[Mistake], room: dict[Path, str]) -> Iterator[Copy | Verdict]:
    """The copy without a mistake, then one for each that is asked for; of a stale one, the verdict at once."""
    tests = list(dict.fromkeys(node_of(one.test) for one in known))
    files = list(dict.fromkeys(test.partition("::")[0] for test in tests))
    yield Copy("no mistake", None, "", [list(dict.fromkeys(node_of(one.test) for one in asked))])
    for one in asked:
        try:
            path, source = plant(room, one.old, one.new, one.where)
        except (LookupError, ValueError, SyntaxError) as error:
            yield Verdict(one.name, "STALE", str(error))
        else:
            yield Copy(one.name, path, source, [[node_of(one.test)], tests, files])


def node_of(test: str) -> str:
    """The test as pytest calls it: `parity/lora::test_x` is in tests/parity/test_lora.py."""
    file, _, name = test.partition("::")
    folder, _, area = file.rpartition("/")
    return f"{REPOSITORY}/tests/{folder}{'/' * bool(folder)}test_{area}.py" + f"::{name}" * bool(name)


class FirstFailure:
    """A pytest plugin that keeps the first test that failed, or why the tests could not be read."""

    def __init__(self) -> None:
        self.test = self.broken = ""

    def pytest_runtest_logreport(self, report) -> None:
        if report.failed and not self.test:
            self.test = report.nodeid.removeprefix("tests/")

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
    options += ["-c", str(REPOSITORY / "pyproject.toml")]
    code = pytest.main([*options, *tests], plugins=[seen])
    if seen.broken or (not seen.test and code != pytest.ExitCode.OK):
        raise RuntimeError(seen.broken or f"pytest ended with {code!r} for {' '.join(tests)}")
    return seen.test


def try_copy(one: Copy, folder: Path, answer: Connection) -> Verdict:
    """Make the copy, then look for a test that fails: the one that is to catch it, and if it does not, any.

    Before each group of tests, `answer` gets what it means if they do not end: only of its own test that it is caught.
    """
    shutil.copytree(REPOSITORY / "prefix_lab", folder / "prefix_lab", copy_function=link)
    if one.path is not None:
        planted = folder / one.path.relative_to(REPOSITORY)
        planted.unlink()  # the copy is the same file until then
        planted.write_text(one.source)
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    os.environ["PYTHONPATH"] = f"{folder}{os.pathsep}{REPOSITORY}"  # for the programs that a test starts
    import prefix_lab

    assert Path(prefix_lab.__file__).is_relative_to(folder)
    failed = ""
    for number, tests in enumerate(one.groups):
        unending = "caught" if one.path is not None and number == 0 else "BROKEN"
        answer.send(Verdict(one.name, unending, f"its tests do not come to their end, or not within {LIMIT} s"))
        if failed := first_failure(tests):
            break
    if one.path is None:
        return Verdict(one.name, "BROKEN" if failed else "passes", failed)
    return Verdict(one.name, "caught" if failed else "SURVIVED", failed)


def link(source: str, target: str) -> None:
    """The same file under one more name, or a copy where the folders lie on two disks."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def work(one: Copy, folder: Path, answer: Connection) -> None:
    """The forked process: try the copy, answer, and be silent."""
    os.setpgrp()  # with the programs that its tests start
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    try:
        answer.send(try_copy(one, folder, answer))
    except BaseException as error:
        answer.send(Verdict(one.name, "BROKEN", f"{type(error).__name__}: {error}"))
    os._exit(0)  # threads that a mistake left behind would be waited for


def verdicts(waiting: Iterator[Copy | Verdict]) -> Iterator[Verdict]:
    """One verdict for each, in the order in which they come, with a few copies tried at once."""
    fork = multiprocessing.get_context("fork")
    running, verdict = {}, {}
    with tempfile.TemporaryDirectory() as top:
        while True:
            while len(running) < AT_ONCE and (one := next(waiting, None)) is not None:
                if isinstance(one, Verdict):
                    yield one
                    continue
                folder = Path(tempfile.mkdtemp(dir=top)).resolve()
                answer, question = fork.Pipe(duplex=False)
                process = fork.Process(target=work, args=(one, folder, question))
                process.start()
                question.close()  # so that a process that dies is noticed
                running[answer] = (process, folder, time.monotonic())
                verdict[answer] = Verdict(one.name, "BROKEN", "its process does not live to its tests")
            if not running:
                return
            wait(list(running), timeout=1)
            for answer, (process, folder, begun) in list(running.items()):
                try:
                    while answer.poll():
                        verdict[answer] = answer.recv()
                    if time.monotonic() - begun < LIMIT:
                        continue
                except EOFError:  # it is at its end, or has died in its tests
                    pass
                finish(process)
                shutil.rmtree(folder)
                del running[answer]
                yield verdict.pop(answer)


def finish(process: multiprocessing.Process) -> None:
    """End a forked process, and what its tests have started and not ended."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        process.kill()
    process.join()


def preload() -> None:
    """Import what every copy needs and nothing of prefix_lab; with one thread, so that a fork can go on."""
    import torch

    torch.set_num_threads(1)
    for name in ("_hypothesis_pytestplugin", "hypothesis.internal", "peft", "pytest", "tests.tiny_models"):
        __import__(name)
    assert "prefix_lab" not in sys.modules
    gc.freeze()  # a fork shares what is never collected


def main(words: Sequence[str]) -> int:
    """Try all copies, print what becomes of each, and return the exit code."""
    lists = [word for word in words if word in ROOMS] or list(ROOMS)
    words = [word for word in words if word not in ROOMS]
    os.environ |= {"HF_HUB_OFFLINE": "1", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # one plugin is enough
    preload()
    good = True
    for name in lists:
        begun = time.monotonic()
        known = mistakes((HERE / f"{name}.txt").read_text())
        asked = [one for one in known if not words or any(word in one.name for word in words)]
        room = {path: path.read_text() for path in sorted(ROOMS[name])}
        found = []
        for verdict in verdicts(copies(known, asked, room)) if asked else ():
            found.append(verdict)
            print(verdict, flush=True)
        caught = sum(verdict.outcome == "caught" for verdict in found)
        print(f"{name}: {caught} of {len(asked)} mistakes caught in {time.monotonic() - begun:.0f} s", flush=True)
        good = good and all(verdict.outcome in ("caught", "passes") for verdict in found)
    return 0 if good else 1
