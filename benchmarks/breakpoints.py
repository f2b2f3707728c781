"""How long a learner waits in JupyterLab's debugger: from a click on Next until the variables are there.

    python -m benchmarks.breakpoints

A kernel, its debugger and a client on its control channel are real; the requests are those that JupyterLab makes after
a step: stackTrace, scopes, variables. Medians of 20 steps, if no other number is given.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

from tests.breakpoints.kernel import MAKE, Kernel

RUNS = 20


def main(runs: int = RUNS) -> None:
    kernel = Kernel()
    try:
        kernel.run(MAKE)
        kernel.switch_on()
        kernel.run("_ = break_at('split', where='peft', times=1), break_at('attend', where='transformers', times=1)")
        cell = kernel.start("_ = theirs(**batch)")
        rows = []
        for name in ("PEFT's get_prompt", "T5's attention"):
            stop = kernel.stopped()
            stepped, shown = [], []
            for _ in range(runs):
                began = time.perf_counter()
                stop = stop.step("next")  # with its stackTrace
                stepped.append(time.perf_counter() - began)
                stop.variables()
                shown.append(time.perf_counter() - began)
            rows.append((name, stepped, shown))
            stop.go("continue")
        kernel.finish(cell)
        for name, stepped, shown in rows:
            print(f"{name}: stopped again {told(stepped)}, variables shown {told(shown)}")
        print(f"any request: {told(several(lambda: kernel.debug('debugInfo'), runs))} (debugInfo, which asks nobody)")
    finally:
        kernel.close()


def several(call: Callable[[], object], runs: int) -> list[float]:
    """Seconds that a call takes, each of `runs` times."""
    found = []
    for _ in range(runs):
        began = time.perf_counter()
        call()
        found.append(time.perf_counter() - began)
    return found


def told(seconds: list[float]) -> str:
    return (
        f"after {statistics.median(seconds) * 1e3:.0f} ms (median of {len(seconds)}, {max(seconds) * 1e3:.0f} at most)"
    )


if __name__ == "__main__":
    main()
