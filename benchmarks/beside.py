"""`python -m benchmarks.beside`: ours and the other tools on the same programs, as the page docs/peers.md.

Every cell was found in the run that wrote the page: each tool follows each program of `benchmarks/programs.py` in a
process of its own, what it keeps is searched for the programs' values, and its time is held against that of the program
alone. What cannot be installed, or fails, says so. py-tt-debug needs Python 3.12.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[1] / "docs" / "peers.md"
BEGIN, END = "<!-- the tables begin -->", "<!-- the tables end -->"
RUNS, SECONDS = 5, 240
EXCERPT = 70
ROWS = {
    "straight": "locals of a function",
    "in_place": "a list that is changed in place",
    "generator": "a generator's locals, after each pause",
    "exception": "an exception: argument, local, message, who caught it",
    "threads": "locals in two threads",
    "coroutines": "locals of two coroutines, around an `await`",
}


# What is to be seen of each program: locals, arguments, messages. Not in their own file, whose text some tools keep.
MARKS = {
    "straight": ("60001", "60002", "60003"),
    "exception": ("61001", "61002", "lost 61003", "61004"),
    "generator": ("62001", "62002", "62003"),
    "threads": ("63001", "63011"),
    "coroutines": ("64001", "64002", "64011", "64012"),
    "in_place": ("65001, 65002",),
    "secret": ("hunter-66001", "pad-66002"),
    "tensor": (),
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.beside", description=__doc__)
    parser.add_argument("--tool", help="one tool alone; prints what was found as JSON lines")
    parser.add_argument("--print", action="store_true", dest="printed", help="print the tables, and write no page")
    asked = parser.parse_args()
    if asked.tool:
        for key, found in follow_all(asked.tool):
            print("\n" + json.dumps([key, found]), flush=True)
        return
    text = tables(measured())
    if asked.printed:
        print(text)
        return
    before, _, rest = PAGE.read_text().partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n{text}\n{END}{rest.partition(END)[2]}")
    print(f"wrote {PAGE.name}")


def measured() -> dict[str, dict[str, Any]]:
    """What each tool's process has found, as far as it came, and how that process ended."""
    from benchmarks.peers import FOLLOWERS

    found: dict[str, dict[str, Any]] = {}
    quiet = {"OMP_NUM_THREADS": "1", "PREFIX_LAB_PROGRESS": "", "TQDM_DISABLE": "1"}
    for tool in FOLLOWERS:
        print(f"following with {tool}", file=sys.stderr)
        command = [sys.executable, "-W", "ignore", "-m", "benchmarks.beside", "--tool", tool]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, env=os.environ | quiet)
            said, ended = done.stdout, f"exit status {done.returncode}" if done.returncode else ""
        except subprocess.TimeoutExpired as error:
            said, ended = (error.stdout or b"").decode(), f"not done after {SECONDS} s"
        found[tool] = {"ended": ended}
        for line in said.splitlines():
            with contextlib.suppress(ValueError):
                key, value = json.loads(line)
                found[tool][key] = value
    return found


def follow_all(tool: str) -> Iterator[tuple[str, Any]]:
    """One tool on every program: marks seen, whether the result is the program's own; then time and bytes."""
    from benchmarks import plain, programs
    from benchmarks.peers import FOLLOWERS, lines_of

    follow, package, share = FOLLOWERS[tool]
    if package:
        try:
            yield "version", version(package)
        except PackageNotFoundError:
            yield "version", None
            return
    for name, marks in MARKS.items():
        expected = getattr(programs, name)()
        try:
            said = follow(programs, name)
        except BaseException as error:
            yield name, {"error": told(error)}
            continue
        same = said.result == expected
        try:
            _, text = said.kept()
        except Exception as error:
            yield name, {"error": told(error), "same": same}
            continue
        seen = [mark for mark in marks if re.search(rf"(?<!\d){re.escape(mark)}(?!\d)", text)]
        yield name, {"seen": seen, "same": same, "shown": excerpt(text, "twice")}
    if tool == "torchlens":
        return
    rounds = plain.ROUNDS // share
    lines = lines_of(rounds, plain)
    added, said = [], None
    try:
        for _ in range(1 + RUNS):
            gc.collect()
            alone = clocked(lambda: plain.run(rounds))[0]
            gc.collect()
            took, said = clocked(lambda: follow(plain, "run", rounds))
            added.append(1e9 * (took - alone) / lines)
    except BaseException as error:
        yield "time", {"error": told(error)}
        return
    try:
        size = f"{said.kept()[0] / lines:,.1f}"
    except Exception as error:
        size = told(error)
    yield "time", {"ns": statistics.median(added[1:]), "bytes": size, "lines": lines}


def told(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:EXCERPT]


def clocked(call: Any) -> tuple[float, Any]:
    """Seconds of the processor, in all threads, and what was given."""
    start = time.process_time()
    given = call()
    return time.process_time() - start, given


def excerpt(text: str, name: str) -> str:
    """What is said of a name, or else of a tensor, cut to a cell."""
    for pattern in (rf"\b{name}\W{{1,8}}(\w[^\n]*)", r"((?:tensor\(|f32\[3,4\])[^\n]*)"):
        for found in re.finditer(pattern, text, re.IGNORECASE):
            said = " ".join(re.sub(r"[│|`\\]", " ", found[1]).split())
            if "KEPT" not in said and "hidden * 2" not in said and not said.startswith("sum()"):
                return said[:EXCERPT] + ("…" if len(said) > EXCERPT else "")
    return ""


def tables(found: dict[str, dict[str, Any]]) -> str:
    """The page's tables, a tool a column's row."""
    from benchmarks import plain

    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    head = (
        f"Written by `python -m benchmarks.beside` on {machine}. The load is `benchmarks/plain.py`, {plain.ROUNDS:,} "
        f"rounds or a share of them. Times are the processor's, the median of {RUNS} runs, each beside one of the "
        "program alone, without what comes after the run (laying out, saving). Bytes are those of the file, or of the "
        "text where a tool prints."
    )
    cost = ["| tool | version | added ns a line | bytes a line | lines | results |", "|---|---|---:|---:|---:|---|"]
    sees = ["| tool | " + " | ".join(ROWS.values()) + " |", "|---" * (1 + len(ROWS)) + "|"]
    shown = ["| tool | `twice`, a tensor (3, 4) | a password | `pad_token` |", "|---|---|---|---|"]
    for tool, said in found.items():
        release = "" if "version" not in said else said["version"] or "not installed"
        if not any(name in said for name in ROWS):
            why = release if release == "not installed" else said["ended"] or "said nothing"
            cost.append(f"| {tool} | {release} | {why} | | | |")
            continue
        time_said = said.get("time", {"error": said["ended"] or "not line by line"})
        if "error" in time_said:
            numbers = f"{cell(time_said['error'])} | | "
        else:
            numbers = f"{time_said['ns']:,.0f} | {cell(time_said['bytes'])} | {time_said['lines']:,}"
        cost.append(f"| {tool} | {release} | {numbers} | {results(said)} |")
        sees.append(f"| {tool} | " + " | ".join(seen(said.get(name), name) for name in ROWS) + " |")
        tensor, secret = said.get("tensor", {}), said.get("secret", {})
        twice = cell(tensor.get("error") or tensor.get("shown") or "nothing")
        marks = [("shown" if mark in secret.get("seen", ()) else "not shown") for mark in ("hunter-66001", "pad-66002")]
        shown.append(f"| {tool} | {twice} | {' | '.join(marks)} |")
    return "\n\n".join(
        (
            head,
            "\n".join(cost),
            "How many of a program's values stand in what the tool keeps:",
            "\n".join(sees),
            "What it shows:",
            "\n".join(shown),
        )
    )


def seen(said: dict[str, Any] | None, name: str) -> str:
    if said is None:
        return "the process ended before"
    return cell(said["error"]) if "error" in said else f"{len(said['seen'])} of {len(MARKS[name])}"


def results(said: dict[str, Any]) -> str:
    """Whether the programs gave what they give alone."""
    wrong = [name for name in MARKS if not said.get(name, {}).get("same")]
    return f"another one, or none: {', '.join(wrong)}" if wrong else "the same"


def cell(text: str) -> str:
    return " ".join(re.sub(r"[|<>]", " ", text).split())


if __name__ == "__main__":
    main()
