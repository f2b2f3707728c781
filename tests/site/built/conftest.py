"""The built site, opened from the disk, in one test from a server under a sub-path; nothing else may be asked for."""

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
    server.server_close()


@pytest.fixture
def address(site: Path) -> str:
    return site.as_uri()


@pytest.fixture
def page(either, site, request):  # noqa: F811
    """A page; what it asks of another place, and what it complains of, fails the test."""
    context = either.new_context()
    context.set_default_timeout(60_000)  # a machine may have much else to do
    opened, wrong = context.new_page(), []
    own = (request.getfixturevalue("served") if "served" in request.fixturenames else site.as_uri(), "data:", "blob:")
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    # What a page had asked for that was left before it came is no failure.
    opened.on("requestfailed", lambda asked: "ABORTED" in asked.failure or wrong.append(f"failed: {asked.url}"))
    opened.on("request", lambda asked: asked.url.startswith(own) or wrong.append(asked.url))
    yield opened
    context.close()
    assert wrong == []
