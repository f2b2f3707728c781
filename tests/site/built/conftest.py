"""The built site, opened from the disk and served under a sub-path, with the network off."""

import functools
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.conftest import browser, either, other_browser, playwright  # noqa: F401  fixtures
from website.__main__ import SITE


@pytest.fixture(scope="session")
def site() -> Path:
    assert (SITE / "index.html").is_file(), "there is no site: run `make site`"
    return SITE


@pytest.fixture(scope="session")
def served(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the site on a web server, under a path of its own."""
    root = tmp_path_factory.mktemp("root")
    (root / "some").mkdir()
    (root / "some" / "where").symlink_to(site)

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=root))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/some/where"
    server.shutdown()


@pytest.fixture(params=["disk", "server"])
def address(request: pytest.FixtureRequest, site: Path) -> str:
    return site.as_uri() if request.param == "disk" else request.getfixturevalue("served")


@pytest.fixture
def page(either, address):  # noqa: F811
    """A page; what it asks of another place, and what it complains of, fails the test."""
    context = either.new_context()
    opened, wrong = context.new_page(), []
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.on("requestfailed", lambda asked: wrong.append(f"failed: {asked.url}"))
    opened.on("request", lambda asked: asked.url.startswith((address, "data:", "blob:")) or wrong.append(asked.url))
    yield opened
    context.close()
    assert wrong == []
