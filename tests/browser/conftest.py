"""A real JupyterLab in a real Chromium, for the tests in this folder."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser import chromium
from tests.browser.jupyterlab import (
    FLAGS,
    NOTEBOOKS,
    PICTURES,
    THEMES,
    TOKEN,
    Lab,
    jupyterlab,
    open_page,
    run_all,
    take_picture,
)

__all__ = ["FLAGS", "NOTEBOOKS", "PICTURES", "THEMES", "TOKEN", "Lab", "run_all", "take_picture"]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = chromium.find()
    assert path, chromium.HELP
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with jupyterlab(tmp_path_factory.mktemp("lab")) as running:
        yield running


@pytest.fixture
def open_notebook(lab: Lab, browser: Browser) -> Iterator[Callable[..., Page]]:
    """`open_notebook("en/02_….ipynb", theme="dark", width=1280)` gives a page with that notebook and a live kernel."""
    pages: list[Page] = []

    def open_one(path: str, theme: str = "light", width: int = 1280) -> Page:
        pages.append(open_page(lab, browser, path, theme, width))
        return pages[-1]

    yield open_one
    for page in pages:
        page.close()
