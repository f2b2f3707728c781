"""Lessons by their source file."""

import pytest

from notebooks.build import lessons


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "lesson" in metafunc.fixturenames:
        metafunc.parametrize("lesson", lessons(), ids=lambda path: path.stem)
