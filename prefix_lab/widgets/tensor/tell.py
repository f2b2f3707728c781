"""A tensor in words: its shape with names, its statistics, and the numbers of a slice.

Statistics are of all numbers; of a big tensor, of numbers taken at equal distances, and it says so.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from prefix_lab.widgets.table import in_columns
from prefix_lab.widgets.tensor.heat import Slice, number
from prefix_lab.widgets.tensor.source import DENSE, Source

SAMPLE = 2**20


@dataclass(frozen=True)
class Statistics:
    """`looked_at` of `count` numbers were looked at, all that there are where `exact`. `least`, `greatest`, `mean` and
    `std` (divided by n - 1, as torch does) are those of the finite ones, None where there are too few. `zeros` is a
    share between 0 and 1."""

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
    numbers = source.read(index)
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


EDGE = 4  # rows and columns that the text shows from either end


def facts_in_words(source: Source, axes: Sequence[str]) -> str:
    """`(batch, hidden) = (2, 8), float32, cpu, requires_grad`."""
    sizes = f"({', '.join(map(str, source.shape))}{',' if len(source.shape) == 1 else ''})"
    names = f"({', '.join(axes)}{',' if len(axes) == 1 else ''}) = " if any(axes) and axes else ""
    shape = f"{names}{sizes}" if source.shape else "() = one number"
    return ", ".join([shape, source.dtype, source.device, *source.more])


def statistics_rows(found: Statistics, kind: str) -> list[tuple[str, str]]:
    """Name and value of each statistic, as text."""
    rows = [
        ("min", number(found.least)),
        ("max", number(found.greatest)),
        ("mean", number(found.mean)),
        ("std", number(found.std)),
        ("zeros", f"{100 * found.zeros:.3g} %"),
    ]
    faults = [("NaN", f"{found.nan:,}"), ("+Inf", f"{found.plus_inf:,}"), ("-Inf", f"{found.minus_inf:,}")]
    return rows + (faults if kind == "float" else [])


def chosen_in_words(indices: np.ndarray, size: int, what: str) -> str:
    """`rows 0, 3, 6, … 189 of 192 (every 3rd)`, or nothing when all are shown."""
    if indices.size == size:
        return ""
    step = int(indices[1] - indices[0])
    ending = {1: "st", 2: "nd", 3: "rd"}.get(step % 10, "th") if step % 100 not in (11, 12, 13) else "th"
    first = ", ".join(f"{one:,}" for one in indices[:3].tolist())
    return f"{what} {first}, … {int(indices[-1]):,} of {size:,} (every {step:,}{ending})"


def sampling_in_words(shown: Slice) -> str:
    """What a thinned-out picture shows and what its marks stand for, or nothing when it shows the whole slice."""
    if not shown.sampled:
        return ""
    said = [
        chosen_in_words(shown.rows, shown.full[0], "rows"),
        chosen_in_words(shown.columns, shown.full[1], "columns"),
    ]
    marks = (
        "A mark for NaN or Inf stands also for those left out up to the next."
        if shown.marks_all
        else "NaN or Inf between them is not seen."
    )
    return f"Too big to draw whole; shown are {' and '.join(filter(None, said))}. {marks}"


def where_in_words(axes: Sequence[str], row: int | None, column: int | None, fixed: Mapping[int, int]) -> str:
    """`rows: prefix_len, columns: head_dim, at batch 0, heads 1`."""
    label = [name or f"axis {axis}" for axis, name in enumerate(axes)]
    said = [f"rows: {label[row]}"] if row is not None else []
    said += [f"columns: {label[column]}"] if column is not None else []
    held = ", ".join(f"{axes[axis] or f'axis {axis}:'} {index}" for axis, index in fixed.items())
    return ", ".join(said) + (f", at {held}" if held else "")


def table_in_words(shown: Slice) -> str:
    """The numbers at the corners of the slice, in columns, with the indices of their rows and columns."""
    rows, columns = edges(shown.rows.size), edges(shown.columns.size)
    head = ["", *("…" if one is None else str(shown.columns[one]) for one in columns)]
    lines = [head]
    for row in rows:
        if row is None:
            lines.append(["…"] * len(head))
            continue
        cells = ["…" if one is None else number(shown.numbers[row, one].item()) for one in columns]
        lines.append([str(shown.rows[row]), *cells])
    return "\n".join(in_columns(lines, right=range(len(head))))


def edges(size: int) -> list[int | None]:
    if size <= 2 * EDGE:
        return list(range(size))
    return [*range(EDGE), None, *range(size - EDGE, size)]


def in_words(facts: str, found: Statistics, kind: str, where: str, shown: Slice | None) -> str:
    """Everything as plain text, for a terminal and for screen readers."""
    said = ", ".join(f"{name} {value}" for name, value in statistics_rows(found, kind))
    lines = [f"tensor {facts}"]
    if not found.count:
        return "\n".join([*lines, "no numbers: an axis has size 0"])
    lines.append(f"{said}; of {found.scope}")
    if shown is not None:
        lines += [line for line in (where, sampling_in_words(shown)) if line]
        lines.append(table_in_words(shown))
    return "\n".join(lines)
