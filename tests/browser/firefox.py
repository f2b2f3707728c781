"""A Firefox for the browser tests: `python -m tests.browser.firefox` finds one or installs one, or says how.

Playwright drives the installed Firefox by WebDriver BiDi, and sends one command at each new page that Firefox's
extended support release does not know yet. So Playwright starts `python -m tests.browser.firefox drive …` instead:
that starts Firefox, hands every message on, and answers this one itself.
"""

import asyncio
import json
import re
import sys
from pathlib import Path

from playwright.sync_api import Browser, Playwright
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application
from tornado.websocket import WebSocketClientConnection, WebSocketHandler, websocket_connect

from tests.browser.chromium import installed, with_apt

NAMES = ("firefox-esr", "firefox")
PLACES = ("/Applications/Firefox.app/Contents/MacOS/firefox",)
HELP = (
    "The browser tests need Firefox, and none could be found or installed. Install it with your system's packages "
    "(Debian: sudo apt-get install firefox-esr)."
)
NOT_YET_KNOWN = "emulation.setMediaFeaturesOverride"
# Without a screen it finds no mouse, and shows pages as on a phone; 1 + 4: it points finely, and can hover.
MOUSE = {"ui.primaryPointerCapabilities": 5, "ui.allPointerCapabilities": 5}
LARGEST = 256 * 2**20  # bytes of a message: pictures and pages


def find() -> str | None:
    """The path of an installed Firefox, or None."""
    return installed(NAMES, PLACES)


def launch(playwright: Playwright, folder: Path) -> Browser:
    """The installed Firefox, driven by Playwright; `folder` takes the program that Playwright starts."""
    assert find(), HELP
    program, root = folder / "firefox", Path(__file__).parents[2]
    program.write_text(f'#!/bin/sh\ncd "{root}"\nexec "{sys.executable}" -m {__spec__.name} drive "$@"\n')
    program.chmod(0o755)
    return playwright.firefox.launch(channel="moz-firefox", executable_path=str(program), firefox_user_prefs=MOUSE)


class Between(WebSocketHandler):
    """Stands between Playwright and Firefox."""

    def initialize(self, firefox: str) -> None:
        self.address = firefox

    async def open(self) -> None:
        self.firefox: WebSocketClientConnection = await websocket_connect(
            f"{self.address}/session", on_message_callback=self.answered, max_message_size=LARGEST
        )

    async def on_message(self, message: str) -> None:
        asked = json.loads(message)
        if asked["method"] == NOT_YET_KNOWN:
            self.answered(json.dumps({"type": "success", "id": asked["id"], "result": {}}))
        else:
            await self.firefox.write_message(message)

    def answered(self, message: str | None) -> None:
        if message is None:
            self.close()
        else:
            self.write_message(message)


async def drive(arguments: list[str]) -> int:
    """Start Firefox, say an address of our own where it says its own, and stay until it ends; its exit status."""
    process = await asyncio.create_subprocess_exec(find(), *arguments, stderr=asyncio.subprocess.PIPE)
    async for line in process.stderr:
        told = line.decode(errors="replace")
        if found := re.search(r"WebDriver BiDi listening on (ws://\S+)", told):
            ours = bind_sockets(0, "127.0.0.1")
            application = Application(
                [("/session", Between, {"firefox": found[1]})], websocket_max_message_size=LARGEST
            )
            HTTPServer(application).add_sockets(ours)
            told = told.replace(found[1], f"ws://127.0.0.1:{ours[0].getsockname()[1]}")
        print(told, end="", file=sys.stderr, flush=True)
    return await process.wait()


def main() -> None:
    if sys.argv[1:2] == ["drive"]:
        sys.exit(asyncio.run(drive(sys.argv[2:])))
    if find() is None:
        with_apt("firefox-esr")
    if find() is None:
        sys.exit(HELP)
    print(f"browser: {find()}")


if __name__ == "__main__":
    main()
