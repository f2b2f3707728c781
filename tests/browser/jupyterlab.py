"""A real JupyterLab, notebooks opened in it, and pictures of them: for the tests in this folder and for benchmarks."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from playwright.sync_api import Browser, Page

TOKEN = "prefix-lab-tests"
NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
PICTURES = Path(__file__).parents[2] / "build" / "pictures"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# JupyterLab loses a cell's widgets, or the command to run it, until it listens to the kernel.
READY = """() => {
    const kernel = jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel;
    return kernel?.connectionStatus === 'connected' && 'jupyter.widget' in kernel._targetRegistry;
}"""
THEMES = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}


class Lab(NamedTuple):
    """A running JupyterLab: its address, and the folder that it shows."""

    url: str
    root: Path
    settings: Path

    def set_theme(self, theme: str) -> None:
        folder = self.settings / "@jupyterlab" / "apputils-extension"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "themes.jupyterlab-settings").write_text(json.dumps({"theme": THEMES[theme]}))


@contextmanager
def jupyterlab(home: Path) -> Iterator[Lab]:
    """JupyterLab on copies of the notebooks in an empty folder, with settings of its own."""
    root, settings = home / "notebooks", home / "settings"
    shutil.copytree(NOTEBOOKS, root, ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
    tracker = settings / "@jupyterlab" / "notebook-extension"
    tracker.mkdir(parents=True)
    # A page that opens before the list of kernels is there would ask for one.
    (tracker / "tracker.jupyterlab-settings").write_text(json.dumps({"autoStartDefaultKernel": True}))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "jupyterlab", "--allow-root", "--no-browser"]
    command += [f"--port={port}", "--expose-app-in-browser"]
    command += [f"--IdentityProvider.token={TOKEN}", f"--ServerApp.root_dir={root}"]
    environment = os.environ | {
        "JUPYTERLAB_SETTINGS_DIR": str(settings),
        "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
        "JUPYTER_CONFIG_DIR": str(home / "config"),
    }
    log = (home / "log").open("w")
    server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until_up(f"{url}/api/status?token={TOKEN}", server, home / "log")
        yield Lab(url, root, settings)
    finally:
        server.terminate()
        server.wait(timeout=30)
        log.close()


def wait_until_up(address: str, server: subprocess.Popen, log: Path) -> None:
    end = time.monotonic() + 90
    while time.monotonic() < end:
        assert server.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    raise TimeoutError(f"JupyterLab did not answer within 90 s: {log.read_text()}")


def open_page(lab: Lab, browser: Browser, path: str, theme: str = "light", width: int = 1280) -> Page:
    """A page with a notebook and a live kernel, which JupyterLab listens to."""
    lab.set_theme(theme)
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.goto(f"{lab.url}/lab/tree/{path}?token={TOKEN}&reset")
    cells = len(json.loads((lab.root / path).read_text())["cells"])  # JupyterLab adds them little by little
    page.wait_for_function(f"document.querySelectorAll('.jp-Notebook .jp-Cell').length === {cells}", timeout=90_000)
    page.wait_for_selector(".jp-NotebookPanel-toolbar [data-status='idle']", timeout=90_000)
    page.wait_for_function(READY, timeout=90_000)
    return page


def run_all(page: Page) -> None:
    """Run every cell by the menu, and wait until the last one has its number and the kernel rests."""
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    page.wait_for_function(
        """() => {
            const panel = document.querySelector('.jp-NotebookPanel:not(.lm-mod-hidden)');
            const prompts = [...panel.querySelectorAll('.jp-CodeCell .jp-InputPrompt')].map(e => e.textContent);
            const done = !prompts.includes('[*]:') && panel.querySelector("[data-status='idle']");
            return done && (/[0-9]/.test(prompts.at(-1)) || panel.querySelector('.jp-OutputArea-output .ansi-red-fg'));
        }""",
        timeout=90_000,
    )
    errors = page.locator("[data-mime-type='application/vnd.jupyter.error'], .jp-OutputArea-output:has(.ansi-red-fg)")
    assert errors.all_inner_texts() == []


def take_picture(page: Page, name: str) -> None:
    """A screenshot in build/pictures, for somebody to look at."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.wait_for_timeout(1_000)  # JupyterLab draws a cell shortly after it comes into view
    page.screenshot(path=PICTURES / f"{name}.png")
