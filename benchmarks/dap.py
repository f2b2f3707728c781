"""How long a step takes over the Debug Adapter Protocol: from the request until the variables are there to be shown."""

import itertools
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from benchmarks.timing import columns
from benchmarks.walk import WORDS, recorded

STEPS = 200
MOVES = ("next", "stepIn", "stepOut", "stepBack")


class Client:
    """Speaks to `prefix-lab dap` on its standard input and output, one request after the other."""

    def __init__(self, process: subprocess.Popen):
        self.process, self.seqs = process, itertools.count(1)

    def request(self, command: str, until: str = "", **arguments: Any) -> dict:
        """The answer's body; with `until`, once that event has come too."""
        message = {"seq": next(self.seqs), "type": "request", "command": command, "arguments": arguments}
        body = json.dumps(message).encode()
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        self.process.stdin.flush()
        answer, waiting = None, until
        while answer is None or waiting:
            found = self.read()
            if found["type"] == "response":
                answer = found
                if not answer["success"]:
                    raise RuntimeError(answer["message"])
            elif found["event"] == waiting:
                waiting = ""
        return answer.get("body", {})

    def read(self) -> dict:
        _, _, length = self.process.stdout.readline().partition(b":")
        self.process.stdout.readline()
        return json.loads(self.process.stdout.read(int(length)))

    def look(self) -> int:
        """What a client shows at a stop: the stack, the scopes, their variables. How many variables there are."""
        frames = self.request("stackTrace", threadId=1, startFrame=0, levels=20)["stackFrames"]
        scopes = self.request("scopes", frameId=frames[0]["id"])["scopes"]
        panes = [self.request("variables", variablesReference=scope["variablesReference"]) for scope in scopes]
        return sum(len(pane["variables"]) for pane in panes)


@contextmanager
def serving(file: Path) -> Iterator[Client]:
    command = [sys.executable, "-m", "prefix_lab", "dap", str(file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            yield Client(process)
        finally:
            process.kill()


def walk_recording() -> Any:
    """PEFT's own walk on the tiny T5, forward and backward."""
    import peft

    from prefix_lab.course import load_tiny_t5

    base, tokenizer = load_tiny_t5()
    batch = tokenizer(WORDS, padding=True, return_tensors="pt")
    config = peft.PrefixTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=20)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # PEFT asks transformers for a name that is going
        return recorded(lambda: peft.get_peft_model(base, config)(**batch, labels=batch.input_ids).loss.backward())


def measured(file: Path, steps: int, moves: int = STEPS) -> tuple[float, dict[str, list[float]], float]:
    """Seconds until the first stop; of each move, from steps drawn at random; how many variables a stop shows."""
    drawn, found, shown = random.Random(0), {move: [] for move in MOVES}, 0
    places = iter(drawn.choices(range(steps), k=moves + 1))
    started = time.perf_counter()
    with serving(file) as client:
        client.request("initialize", adapterID="prefix-lab", supportsVariableType=True)
        client.request("launch", until="initialized", step=next(places))
        client.request("configurationDone", until="stopped")
        client.look()
        beginning = time.perf_counter() - started
        for place in tqdm(places, total=moves, desc="stepping", leave=False):
            client.request("restart", until="stopped", arguments={"step": place})
            move = drawn.choice(MOVES)
            began = time.perf_counter()
            client.request(move, until="stopped", threadId=1)
            shown += client.look()
            found[move].append(time.perf_counter() - began)
        client.request("disconnect")
    return beginning, found, shown / moves


def table() -> Table:
    recording = walk_recording()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "walk.recording"
        recording.save(file)
        beginning, times, shown = measured(file, len(recording))
    made = columns(
        f"prefix-lab dap over stdio, a walk of {len(recording):,} steps: from a request to the stack, scopes and "
        f"variables ({shown:.0f} a stop); {1e3 * beginning:.0f} ms from the command to the first stop",
        *("request", "times", "median ms", "95th percentile ms"),
    )
    for name, each in {**times, "all": [one for some in times.values() for one in some]}.items():
        late = statistics.quantiles(each, n=20)[-1]
        made.add_row(name, str(len(each)), f"{1e3 * statistics.median(each):.2f}", f"{1e3 * late:.2f}")
    return made


def main(runs: int) -> None:
    """One session of `STEPS` moves, each of which is a run of its own."""
    console = Console(width=max(120, Console().width))
    try:
        console.print(table())
    except ImportError as error:
        console.print(f"prefix-lab dap is not measured: {type(error).__name__}: {error}")
