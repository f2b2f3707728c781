"""A Chromium for the browser tests: `python -m tests.browser.chromium` finds one or installs one, or says how.

An installed Chromium or Chrome is used as it is; else Debian's package is installed where apt and rights allow; else
Playwright fetches its own build.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome", "msedge")
PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
HELP = (
    "The browser tests need Chromium, and none could be found or installed. Install Chromium or Chrome with your "
    "system's packages (Debian: sudo apt-get install chromium), or run: .venv/bin/python -m playwright install chromium"
)


def find() -> str | None:
    """The path of an installed Chromium or Chrome, Playwright's own included; None when there is none."""
    return installed(NAMES, PLACES) or playwrights_own()


def installed(names: Sequence[str], places: Sequence[str]) -> str | None:
    """The first of these programs that is on the path, or of these files that is there."""
    found = [shutil.which(name) for name in names] + [place for place in places if Path(place).exists()]
    return next((path for path in found if path), None)


def playwrights_own() -> str | None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if Path(path).exists() else None


def install() -> str | None:
    """Try apt, then Playwright; the path of what was installed, or None."""
    with_apt("chromium")
    if find() is None:
        quietly(sys.executable, "-m", "playwright", "install", "chromium")
    return find()


def with_apt(package: str) -> None:
    """Install a package of Debian's, where apt and rights allow."""
    if shutil.which("apt-get"):
        rights = () if os.geteuid() == 0 else ("sudo", "-n")  # -n: never asks for a password
        quietly(*rights, "apt-get", "update")
        quietly(*rights, "apt-get", "install", "-y", "--no-install-recommends", package)


def quietly(*command: str) -> None:
    """Run it; what it says goes to standard error, and a failure is answered by looking for a browser again."""
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    if shutil.which(command[0]):
        subprocess.run(command, env=environment, stdout=sys.stderr, check=False)


def main() -> None:
    path = find() or install()
    if path is None:
        sys.exit(HELP)
    print(f"browser: {path}")


if __name__ == "__main__":
    main()
