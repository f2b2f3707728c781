"""A learner as a browser would be one: logs in, opens a lesson, runs its cells, types at its stop."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from tornado.httpclient import AsyncHTTPClient, HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect

from notebooks.build import SOURCE, build

LESSON = "02_a_prefix_by_hand"
SOLVED = [cell.source for cell in build(SOURCE / f"{LESSON}.py", "en", solved=True).cells if cell.cell_type == "code"]
FINDS = "check_same_line("  # the solution types at a stop of its own; a learner has typed at the one above
TYPED = "p self.keys.shape", "p key_states.shape", "n", "n", "p self.keys.shape", "u", "u", "p type(self)", "c"
HAND_IN = "!prefix-lab passport --save {file}"
SESSION = uuid.uuid4().hex
HAND = 0.2  # seconds from one cell to the next: who runs all cells in one breath is not asked at a stop
PATIENCE = 600  # seconds for one answer


class Took(NamedTuple):
    """Seconds since the login, to: the server is there, the first cell has run, the stop waits, the end."""

    server: float
    first_cell: float
    stop: float
    finish: float


class Learner:
    """One of them; `did` holds what each cell printed."""

    def __init__(self, url: str, token: str, name: str):
        self.url, self.token, self.name = url, token, name
        self.did: list[str] = []

    async def ask(self, path: str, method: str = "GET", sent: Any = None) -> Any:
        """What the hub or the learner's server answers. Raises `HTTPClientError` for a refusal."""
        answer = await AsyncHTTPClient().fetch(
            HTTPRequest(
                self.url + path,
                method,
                {"Authorization": f"token {self.token}"},
                json.dumps(sent or {}) if method != "GET" else None,
                request_timeout=PATIENCE,
            )
        )
        return json.loads(answer.body or "null")

    async def learn(self, handed_in: Path) -> Took:
        """The whole lesson, with every exercise solved, and the passport handed in."""
        began = time.perf_counter()
        await self.ask(f"/hub/api/users/{self.name}", "POST")
        await self.ask(f"/hub/api/users/{self.name}/server", "POST")
        while not (await self.ask(f"/hub/api/users/{self.name}"))["servers"].get("", {}).get("ready"):
            await asyncio.sleep(0.2)
        server = time.perf_counter() - began
        file = f"prefix_lab/en/{LESSON}.ipynb"
        notebook = await self.ask(f"/user/{self.name}/api/contents/{file}")
        shown = [cell["source"] for cell in notebook["content"]["cells"] if cell["cell_type"] == "code"]
        wanted = {"path": file, "name": LESSON, "type": "notebook", "kernel": {"name": "python3"}}
        session = await self.ask(f"/user/{self.name}/api/sessions", "POST", wanted)
        channels = f"/user/{self.name}/api/kernels/{session['kernel']['id']}/channels"
        socket = await websocket_connect(
            HTTPRequest(self.url.replace("http", "ws") + channels, headers={"Authorization": f"token {self.token}"}),
            max_message_size=100_000_000,
        )
        marks: dict[str, float] = {}
        for stub, solution in zip(shown, SOLVED, strict=True):
            if stub != solution:
                await self.run(socket, stub)  # as it stands first, and then solved
            if FINDS in solution:
                solution = solution[solution.index(FINDS) :]
            stopped = await self.run(socket, solution)
            marks.setdefault("first_cell", time.perf_counter() - began)
            if stopped:
                marks.setdefault("stop", stopped - began)
        await self.run(socket, HAND_IN.format(file=handed_in / f"{self.name}.json"))
        socket.close()
        return Took(server=server, finish=time.perf_counter() - began, **marks)

    async def run(self, socket: WebSocketClientConnection, code: str) -> float | None:
        """Run a cell to its end, and type at its stop; when that was, if there was one.

        Raises `RuntimeError` with what it printed where the cell fails.
        """
        await asyncio.sleep(HAND)
        header = {"msg_id": uuid.uuid4().hex, "msg_type": "execute_request", "session": SESSION, "version": "5.3"}
        asked = {"code": code, "silent": False, "store_history": True, "allow_stdin": True, "stop_on_error": True}
        await socket.write_message(message(header, asked, "shell"))
        typed, stopped, printed = iter(TYPED), None, []
        while True:
            line = await asyncio.wait_for(socket.read_message(), PATIENCE)
            if line is None:
                raise RuntimeError(f"{self.name}: the kernel's socket was closed.")
            said = json.loads(line)
            if said["parent_header"].get("msg_id") != header["msg_id"]:
                continue
            content = said["content"]
            if said["msg_type"] == "input_request":
                stopped = stopped or time.perf_counter()
                reply = header | {"msg_id": uuid.uuid4().hex, "msg_type": "input_reply"}
                await socket.write_message(message(reply, {"value": next(typed)}, "stdin", said["header"]))
            elif said["msg_type"] == "stream":
                printed.append(content["text"])
            elif said["msg_type"] in ("execute_result", "display_data"):
                printed.append(content["data"].get("text/plain", ""))
            elif said["msg_type"] == "error":
                raise RuntimeError("\n".join(content["traceback"]))
            elif said["msg_type"] == "status" and content["execution_state"] == "idle":
                self.did.append("".join(printed))
                return stopped


def message(header: dict[str, Any], content: dict[str, Any], channel: str, parent: Any = None) -> str:
    """As Jupyter's protocol has it, for the one socket of a browser."""
    header = header | {"username": "", "date": datetime.now(UTC).isoformat()}
    return json.dumps(
        {"header": header, "parent_header": parent or {}, "metadata": {}, "content": content, "channel": channel}
    )
