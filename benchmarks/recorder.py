"""What recording costs: ours beside the other tools that follow lines; a real walk; memory, files and cursor moves."""

import functools
import statistics
import sys
from collections.abc import Iterable
from types import ModuleType

from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from benchmarks import plain, walk, workload
from benchmarks.peers import Side, fast, lines_of, ours, sides
from benchmarks.recordings import move_table, size_table
from benchmarks.timing import columns, interleaved, verdict

EMPTY_TIMES = 7 if sys.version_info < (3, 12) else 9  # the empty callback of sys.monitoring is the cheaper one
FEWER = {"PySnooper": 150, "snoop": 200}


def main(runs: int) -> None:
    tqdm.monitor_interval = 0  # no thread that watches the bar: with one, ours takes the slower way for threads
    found, missing = sides()
    check_that_ours_sees_all()
    made = [
        lines_table(found, runs, workload, "Python and NumPy"),
        lines_table(list(fast(plain)), runs, plain, "a dozen plain locals"),
    ]
    try:
        made.append(walk.table(runs))
    except ImportError as error:
        missing.append(f"The walk is not measured: {type(error).__name__}: {error}")
    made += [size_table(), move_table()]
    console = Console(width=max(120, Console().width))
    for one in (*made, *missing):
        console.print(one)


def check_that_ours_sees_all() -> None:
    """Lines and shapes; a recorder that sees less would be faster."""
    recording = ours(1)
    lines = len(recording.find(event="line"))
    if lines != lines_of(1) or not recording.find(shape=(4, 8)) or recording.notes:
        raise RuntimeError(
            f"The recorder saw {lines:,} of {lines_of(1):,} lines, and notes {recording.notes}. If shapes are missing, "
            "prefix_lab was not installed with its entry points: pip install -e ."
        )


def lines_table(found: list[Side], runs: int, load: ModuleType, what: str) -> Table:
    """Nanoseconds that each tool adds to a line of the load, and how they compare."""
    rounds = {side.name: load.ROUNDS // side.share for side in found}
    lines = {count: lines_of(count, load) for count in set(rounds.values())}
    calls = {side.name: functools.partial(side.run, rounds[side.name]) for side in found}
    with tqdm(total=len(calls) * (1 + runs), desc="following lines", leave=False) as progress:
        times = interleaved(calls, runs, progress.update)
    untraced = [one["untraced"] / lines[load.ROUNDS] for one in times]
    added = {
        name: [1e9 * (one[name] / lines[rounds[name]] - base) for one, base in zip(times, untraced, strict=True)]
        for name in calls
    }
    table = columns(
        f"added to each line of {what}, medians of {runs} interleaved runs "
        f"(untraced: {1e9 * statistics.median(untraced):.0f} ns a line)",
        *("followed by", "lines", "added ns a line", "× an empty tracer's", "× ours", "aim"),
    )
    for name in list(calls)[1:]:
        empties, others = ratio(added[name], added["empty tracer"]), ratio(added[name], added["ours"])
        aim = ""
        if name == "ours":
            aim = verdict(f"≤ {EMPTY_TIMES}× an empty one", empties <= EMPTY_TIMES)
        elif name in FEWER:
            aim = verdict(f"≥ {FEWER[name]}× ours", others >= FEWER[name])
        number = f"{statistics.median(added[name]):,.0f}"
        table.add_row(name, f"{lines[rounds[name]]:,}", number, f"{empties:,.1f}", f"{others:,.1f}", aim)
    return table


def ratio(some: Iterable[float], others: Iterable[float]) -> float:
    return statistics.median(one / other for one, other in zip(some, others, strict=True))
