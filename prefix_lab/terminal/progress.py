"""How far a recording is: tqdm's line in a terminal, its widget in a notebook, nothing anywhere else.

with step_bar() as seen, record(include=["peft"], progress=seen) as recording:
    ...
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import RLock

from tqdm.auto import tqdm


class Bar(tqdm):
    """tqdm without what the recorded program could notice: no watching thread, and no lock between processes."""

    monitor_interval = 0


Bar.set_lock(RLock())


@contextmanager
def step_bar(description: str = "recording", patience: float = 1.0) -> Iterator[Callable[[int], None]]:
    """Gives the function that `record(progress=...)` asks for. The bar comes after `patience` seconds, and goes."""
    bar = Bar(
        desc=description,
        bar_format="{desc}: {n:,} steps, {elapsed}",
        delay=patience,
        leave=False,
        disable=None,  # tqdm's word for: only where the stream is a terminal, or a notebook shows it
    )
    try:
        yield lambda steps: bar.update(steps - bar.n) and None
    finally:
        bar.close()
