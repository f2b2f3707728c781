"""A real JupyterLab, a real Chromium and a real Firefox, each started once, for the tests in this folder."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, sync_playwright

from tests.browser import chromium, firefox
from tests.browser.jupyterlab import FLAGS, Lab, jupyterlab, open_page


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    path = chromium.find()
    assert path, chromium.HELP
    opened = playwright.chromium.launch(executable_path=path, args=FLAGS)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def other_browser(playwright: Playwright, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    opened = firefox.launch(playwright, tmp_path_factory.mktemp("firefox"))
    yield opened
    opened.close()


@pytest.fixture(scope="module", params=["browser", "other_browser"], ids=["chromium", "firefox"])
def either(request: pytest.FixtureRequest) -> Browser:
    """Chromium, then Firefox."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def either_window(either: Browser) -> Iterator[BrowserContext]:
    """A window of each, whose pages share what a reader left in them."""
    opened = either.new_context()
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
