"""The recordings that most of these tests walk through."""

import pytest

from prefix_lab.debugger import Recording
from tests.terminal.programs import recorded


@pytest.fixture(scope="session")
def doubles(tmp_path_factory) -> Recording:
    """The program `DOUBLES`: one function that calls another four times."""
    return recorded(tmp_path_factory.mktemp("doubles"))


@pytest.fixture(scope="session")
def long(tmp_path_factory) -> Recording:
    """More than 100,000 steps, most of them in one frame."""
    source = """
        def add(a, b):
            return a + b

        def main():
            total = 0
            for i in range(20_000):
                total = add(total, i)
                last = i
            return total

        main()
    """
    recording = recorded(tmp_path_factory.mktemp("long"), source)
    assert len(recording) > 100_000
    return recording
