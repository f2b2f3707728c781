"""How large a recording is, in memory and as a file, and how long it takes to open it and to move in it."""

import gc
import inspect
import random
import statistics
import tempfile
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.table import Table
from tqdm import tqdm

from benchmarks import workload
from benchmarks.peers import lines_of, ours
from benchmarks.timing import columns, seconds, verdict

SIZES = (1_000, 100_000, 1_000_000)
MOVES = 1_000
IN_MEMORY, IN_FILE = 40, 10  # bytes a line
MOVE_MS = 10


def size_table() -> Table:
    """Bytes by tracemalloc: what was allocated since the recording began, and is held."""
    ours(1)  # what is read once only, such as the tables of functions, is not counted
    lines = lines_of(workload.ROUNDS)
    tape, opened, peak = held()
    recording = ours(workload.ROUNDS)
    opening = seconds(lambda: recording.steps)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "recording"
        saving = seconds(lambda: recording.save(path))
        file = path.stat().st_size
        loading = seconds(lambda: type(recording).load(path).steps)
    made = columns(
        f"one recording of {lines:,} lines, {len(recording):,} steps; memory by tracemalloc",
        *("", "MB", "bytes a line", "ms", "aim"),
    )
    for name, size, time, aim in (
        ("on the tape, before it is opened", tape, None, None),
        ("opened, by the first access to steps: columns and tables", opened, opening, IN_MEMORY),
        ("while it is opened, at the peak", peak, None, None),
        ("as a file, by save()", file, saving, IN_FILE),
        ("opened again, by Recording.load()", None, loading, None),
    ):
        made.add_row(
            name,
            "" if size is None else f"{size / 1e6:.2f}",
            "" if size is None else f"{size / lines:.1f}",
            "" if time is None else f"{1e3 * time:.0f}",
            "" if aim is None else verdict(f"≤ {aim} bytes a line", size <= aim * lines),
        )
    return made


def held() -> tuple[int, int, int]:
    """Bytes that a recording holds as a tape, then when it is opened, and at the peak between the two."""
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        recording = ours(workload.ROUNDS)
        gc.collect()
        tape = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        assert len(recording)
        gc.collect()
        opened, peak = tracemalloc.get_traced_memory()
        return tape - before, opened - before, peak - before
    finally:
        tracemalloc.stop()


def move_table() -> Table:
    lines = lines_of(1)
    found: dict[str, list[list[float]]] = {}
    for size in tqdm(SIZES, desc="moving", leave=False):
        recording = ours(1 + size // lines, max_steps=size)
        assert len(recording) == size
        for name, times in moved(recording).items():
            found.setdefault(name, []).append(times)
    made = columns(
        f"cursor moves from {MOVES:,} steps drawn at random, in ms: median and 95th percentile",
        *("move", *(f"{size:,} steps" for size in SIZES), "aim"),
    )
    for name, each in found.items():
        late = [statistics.quantiles(times, n=20)[-1] for times in each]
        cells = [
            f"{1e3 * statistics.median(times):.3f}, {1e3 * p95:.3f}" for times, p95 in zip(each, late, strict=True)
        ]
        made.add_row(name, *cells, verdict(f"< {MOVE_MS} ms", 1e3 * max(late) < MOVE_MS))
    return made


def moved(recording: Any) -> dict[str, list[float]]:
    """Seconds of each kind of move, all from the same steps."""
    from prefix_lab.debugger import Breakpoint

    cursor, drawn = recording.cursor(), random.Random(0)
    places = [drawn.randrange(len(recording)) for _ in range(MOVES)]
    functions = [name for name, _ in inspect.getmembers(workload, inspect.isfunction)]
    often, never = Breakpoint("halved"), Breakpoint("halved", condition="array.shape[0] > 4")

    def times(move: Callable[[], Any], places: list[int]) -> list[float]:
        found = []
        for place in places:
            cursor.goto(place)
            found.append(seconds(move))
        return found

    return {
        "step_in": times(cursor.step_in, places),
        "step_over": times(cursor.step_over, places),
        "step_over, backwards": times(lambda: cursor.step_over(backwards=True), places),
        "step_out": times(cursor.step_out, places),
        "goto + locals": [seconds(lambda place=place: (cursor.goto(place), cursor.locals)) for place in places],
        "stack": times(lambda: cursor.stack, places),
        "run_to a function, the first time": [seconds(lambda f=f: cursor.run_to(Breakpoint(f))) for f in functions],
        "run_to a function, then": times(lambda: cursor.run_to(often), places),
        "run_to a condition that never holds": times(lambda: cursor.run_to(never), places[:20]),
    }
