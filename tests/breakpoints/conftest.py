"""One kernel for the tests that need one with nothing set in it, and tiny models for the others."""

import sys
from collections.abc import Iterator

import pytest

from prefix_lab.breakpoints import clear
from tests.breakpoints.kernel import MAKE, Kernel


@pytest.fixture(scope="module")
def kernel(tmp_path_factory) -> Iterator[Kernel]:
    """A kernel in which `theirs` is a tiny T5 with PEFT's prefix tuning, `ours` the same with ours; no names are kept
    for their axes."""
    started = Kernel({"PREFIX_LAB_CACHE": str(tmp_path_factory.mktemp("names"))})
    try:
        assert started.run(MAKE) == ""
        yield started
    finally:
        started.close()


@pytest.fixture(autouse=True)
def nothing_is_set() -> Iterator[None]:
    clear()
    yield
    clear()


@pytest.fixture
def no_tracer() -> Iterator[None]:
    """Coverage or a debugger may watch the test run itself."""
    before = sys.gettrace()
    sys.settrace(None)
    yield
    sys.settrace(before)
