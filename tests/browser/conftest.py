"""A real JupyterLab in a real Chromium, each started once, for the tests in this folder."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.browser import chromium
from tests.browser.jupyterlab import FLAGS, Lab, jupyterlab, open_page


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = chromium.find()
    assert path, chromium.HELP
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def window(browser: Browser) -> BrowserContext:
    """The window in which pages of JupyterLab open: it keeps JupyterLab's own code from one page to the next."""
    return browser.new_context()


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with jupyterlab(tmp_path_factory.mktemp("lab")) as running:
        yield running


@pytest.fixture
def open_notebook(lab: Lab, window: BrowserContext) -> Iterator[Callable[[str], Page]]:
    """`open_notebook("en/02_….ipynb")` gives a page with that notebook and a live kernel."""
    pages: list[Page] = []

    def open_one(path: str) -> Page:
        pages.append(open_page(lab, window, path))
        return pages[-1]

    yield open_one
    for page in pages:
        page.close()
