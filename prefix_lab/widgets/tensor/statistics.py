"""What is said of all numbers of a tensor; of a big one, of numbers taken at equal distances, and it says so."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from prefix_lab.widgets.tensor.source import DENSE, Source

SAMPLE = 2**20


@dataclass(frozen=True)
class Statistics:
    """`looked_at` of `count` numbers were looked at, all that there are where `exact`. `least`, `greatest`, `mean` and
    `std` (divided by n - 1, as torch does) are those of the finite ones, None where there are too few; of a complex
    tensor they are those of the magnitude. `zeros` is a share between 0 and 1."""

    count: int
    looked_at: int
    exact: bool
    least: float | int | None
    greatest: float | int | None
    mean: float | None
    std: float | None
    zeros: float
    nan: int
    plus_inf: int
    minus_inf: int

    @property
    def scope(self) -> str:
        if self.exact:
            return f"all {self.count:,} numbers" if self.count != 1 else "the one number"
        return f"{self.looked_at:,} of {self.count:,} numbers, taken at equal distances: the others may differ"


def statistics_of(source: Source) -> Statistics:
    """Exact up to four million different numbers; an axis that repeats the same ones is read once."""
    repeated = [stride == 0 and size > 1 for stride, size in zip(source.strides, source.shape, strict=False)]
    repeated += [False] * (len(source.shape) - len(repeated))
    shape = [1 if again else size for again, size in zip(repeated, source.shape, strict=True)]
    steps = steps_for(shape) if math.prod(shape) > DENSE else [1] * len(shape)
    index = tuple(slice(0, size, step) for size, step in zip(shape, steps, strict=True))
    numbers = np.abs(source.read(index)) if source.kind == "complex" else source.read(index)
    times = math.prod(size for again, size in zip(repeated, source.shape, strict=True) if again)
    return summed_up(numbers.ravel(), source.count, times, all(step == 1 for step in steps))


def steps_for(shape: list[int]) -> list[int]:
    """Distances along each axis that leave about a million numbers: the longest axis gives way first.

    They are odd, so that they do not fall in step with sizes that are powers of two.
    """
    steps = [1] * len(shape)
    while math.prod(-(-size // step) for size, step in zip(shape, steps, strict=True)) > SAMPLE:
        longest = max(range(len(shape)), key=lambda axis: shape[axis] / steps[axis])
        steps[longest] = 2 * steps[longest] + 1
    return steps


def summed_up(numbers: np.ndarray, count: int, times: int, exact: bool) -> Statistics:
    """Statistics of a flat array, each of whose numbers stands for `times` of them."""
    whole = numbers.dtype.kind in "biu"
    nan = plus = minus = 0
    finite = numbers
    if not whole:
        nan = int(np.isnan(numbers).sum())
        plus, minus = int(np.isposinf(numbers).sum()), int(np.isneginf(numbers).sum())
        finite = numbers[np.isfinite(numbers)] if nan or plus or minus else numbers
    least = greatest = mean = std = None
    if finite.size:
        least, greatest = finite.min().item(), finite.max().item()
        mean, std = mean_and_std(finite, max(abs(float(least)), abs(float(greatest))), times)
    zeros = float((numbers == 0).mean()) if numbers.size else 0.0
    looked_at = numbers.size * times
    return Statistics(
        count, looked_at, exact, least, greatest, mean, std, zeros, nan * times, plus * times, minus * times
    )


def mean_and_std(finite: np.ndarray, scale: float, times: int) -> tuple[float, float | None]:
    """In units of the largest number, so that neither a sum nor a square can overflow."""
    scale = scale or 1.0
    parts = finite.astype(np.float64) / scale
    mean, total = float(parts.mean()), finite.size * times
    spread = math.sqrt(float(np.square(parts - mean).mean()) * total / (total - 1)) * scale if total > 1 else None
    return mean * scale, spread
