"""A real JupyterLab, notebooks opened and run in it, and pictures of them: for these tests and for benchmarks."""

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
from typing import Any, NamedTuple

import nbformat
from playwright.sync_api import Browser, BrowserContext, Page

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
# By their kind: a debugger prints in red as well.
ERRORS = """() => jupyterapp.shell.currentWidget.content.model.toJSON().cells
    .flatMap(cell => cell.outputs ?? []).filter(output => output.output_type === 'error').map(one => one.evalue)"""
KERNEL = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
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


def open_page(
    lab: Lab, browser: Browser | BrowserContext, path: str, theme: str = "light", width: int = 1280, height: int = 900
) -> Page:
    """A page with a notebook and a live kernel, which JupyterLab listens to."""
    page = browser.new_page()
    page.set_viewport_size({"width": width, "height": height})
    lab.set_theme(theme)
    page.goto(f"{lab.url}/lab/tree/{path}?token={TOKEN}&reset")
    cells = len(json.loads((lab.root / path).read_text())["cells"])  # JupyterLab adds them little by little
    page.wait_for_function(f"document.querySelectorAll('.jp-Notebook .jp-Cell').length === {cells}", timeout=90_000)
    page.wait_for_selector(".jp-NotebookPanel-toolbar [data-status='idle']", timeout=90_000)
    page.wait_for_function(READY, timeout=90_000)
    return page


class Notebook:
    """A notebook that JupyterLab shows, and its kernel to ask."""

    def __init__(self, page: Page):
        self.page = page

    def python(self, code: str, wanted: str = "None") -> str:
        """Run code as a cell would, and give the repr of an expression."""
        reply = self.page.evaluate(
            """async ([code, wanted]) => {
                const { kernel } = jupyterapp.shell.currentWidget.sessionContext.session;
                const content = { code, user_expressions: { wanted }, store_history: false };
                return (await kernel.requestExecute(content).done).content;
            }""",
            [code, wanted],
        )
        assert reply["status"] == "ok", reply
        found = reply["user_expressions"]["wanted"]
        assert found["status"] == "ok", found
        return found["data"]["text/plain"]

    def until(self, wanted: str, expected: Any) -> None:
        """Wait until Python says so: what a view shares reaches the kernel by a thread of its own."""
        said = None
        for _ in range(100):
            said = self.python("", wanted)
            if said == repr(expected):
                return
            self.page.wait_for_timeout(30)
        raise AssertionError(f"{wanted} is {said}, expected {expected!r}")


@contextmanager
def notebook(
    lab: Lab, browser: Browser | BrowserContext, name: str, cells: list[str], run: bool = True, **look: Any
) -> Iterator[Notebook]:
    """A notebook with these cells, opened and, unless told otherwise, run; a module's tests share it."""
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in cells], metadata=KERNEL)
    nbformat.write(made, lab.root / name)
    page = open_page(lab, browser, name, **look)
    try:
        if run:
            run_all(page)
        page.set_default_timeout(20_000)
        yield Notebook(page)
    finally:
        page.close()


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
    assert page.evaluate(ERRORS) == []


def change(page: Page, theme: str, width: int) -> None:
    """Another theme and width, as a reader would choose them while the notebook is open."""
    page.evaluate("theme => jupyterapp.commands.execute('apputils:change-theme', { theme })", THEMES[theme])
    page.locator(f"[data-jp-theme-light='{'true' if theme == 'light' else 'false'}']").wait_for(state="attached")
    page.set_viewport_size({"width": width, "height": (page.viewport_size or {"height": 900})["height"]})


def take_picture(page: Page, name: str) -> None:
    """A screenshot in build/pictures, for somebody to look at."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    if page.context.browser.browser_type.name == "chromium":  # else it puts a style into a page that forbids them
        page.screenshot(path=PICTURES / f"{name}.png")


def take_both(page: Page, name: str) -> None:
    """Two screenshots: light at 1280 pixels, and dark at 1920."""
    take_picture(page, f"{name}-light-1280")
    change(page, "dark", 1920)
    take_picture(page, f"{name}-dark-1920")
    change(page, "light", 1280)
