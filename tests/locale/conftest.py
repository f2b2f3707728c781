"""The pseudo-language, for tests that look for what is shown and does not come from the catalogue."""

import pytest

from prefix_lab import locale
from tests.locale import pseudo


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("pseudo")
    pseudo.write_catalogue(made)
    return made


@pytest.fixture
def brackets(folder, monkeypatch):
    """From here on, all that is translated stands in brackets."""
    monkeypatch.setattr(locale, "FOLDER", folder)
    monkeypatch.setenv("PREFIX_LAB_LANGUAGE", pseudo.CODE)
