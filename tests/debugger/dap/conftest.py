"""The programs that these tests walk through, recorded once."""

from __future__ import annotations

import runpy
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from prefix_lab.debugger import Recording
from tests.debugger.dap.client import Client, connected
from tests.debugger.recorded import recorded

DOUBLES = '''
def double(
    x,
    more=0,
):
    """Twice."""

    y = [x]
    y.append(x)
    if more:
        y = [more]
    return sum(y)


def main():
    total = 0
    for i in range(4):
        total += double(i)
    # a comment
    return total


main()
'''

FAILS = """
import threading


def inner(x):
    try:
        return 1 / x
    finally:
        y = 2


def caught():
    try:
        inner(0)
    except ZeroDivisionError as error:
        z = 1
    return z


def numbers(n):
    for i in range(n):
        got = yield i


def outer():
    caught()
    thread = threading.Thread(target=caught, name="other")
    thread.start()
    thread.join()
    total = 0
    for one in numbers(2):
        total += one
    inner(0)


outer()
"""


def of_program(folder: Path, source: str, **options) -> tuple[Recording, Path]:
    path = folder / "program.py"
    path.write_text(dedent(source).lstrip("\n"))
    return recorded(lambda: runpy.run_path(str(path)), [path], **options), path


@pytest.fixture(scope="session")
def doubles(tmp_path_factory) -> tuple[Recording, Path]:
    """`main` calls `double` four times; there is a line that never runs, a comment, a header of several lines."""
    return of_program(tmp_path_factory.mktemp("doubles"), DOUBLES, watch="len(y)")


@pytest.fixture(scope="session")
def fails(tmp_path_factory) -> tuple[Recording, Path]:
    """The same exception caught, caught in a second thread, and not caught; and a generator."""
    return of_program(tmp_path_factory.mktemp("fails"), FAILS)


@pytest.fixture
def walk(doubles) -> Iterator[tuple[Client, Path]]:
    """A client that stands at the first step of `doubles`, and the path of the program."""
    with connected(doubles[0]) as client:
        client.start()
        yield client, doubles[1]


@pytest.fixture
def failing_walk(fails) -> Iterator[tuple[Client, Path]]:
    with connected(fails[0]) as client:
        client.start()
        yield client, fails[1]


@pytest.fixture(scope="session")
def saved(doubles, tmp_path_factory) -> Path:
    file = tmp_path_factory.mktemp("saved") / "doubles.recording"
    doubles[0].save(file)
    return file


def line_of(path: Path, text: str) -> int:
    """The number of the one line in which a text stands."""
    (found,) = (number for number, line in enumerate(path.read_text().splitlines(), 1) if text in line)
    return found
