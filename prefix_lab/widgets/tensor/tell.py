"""A tensor in words: its shape with names, its statistics, and the numbers at a slice's edge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from prefix_lab.widgets.tensor.slices import Slice, chosen_in_words
from prefix_lab.widgets.tensor.source import Source
from prefix_lab.widgets.tensor.statistics import Statistics

EDGE = 4  # rows and columns that the text shows from either end


def facts_in_words(source: Source, axes: Sequence[str]) -> str:
    """`(batch, hidden) = (2, 8), float32, cpu, requires_grad`."""
    sizes = f"({', '.join(map(str, source.shape))}{',' if len(source.shape) == 1 else ''})"
    names = f"({', '.join(axes)}{',' if len(axes) == 1 else ''}) = " if any(axes) and axes else ""
    shape = f"{names}{sizes}" if source.shape else "() = one number"
    return ", ".join([shape, source.dtype, source.device, *source.more])


def statistics_rows(found: Statistics, kind: str) -> list[tuple[str, str]]:
    """Name and value of each statistic, as text."""
    of = " of the magnitude" if kind == "complex" else ""
    rows = [
        (f"min{of}", number(found.least)),
        (f"max{of}", number(found.greatest)),
        (f"mean{of}", number(found.mean)),
        (f"std{of}", number(found.std)),
        ("zeros", f"{100 * found.zeros:.3g} %"),
    ]
    faults = [("NaN", f"{found.nan:,}"), ("+Inf", f"{found.plus_inf:,}"), ("-Inf", f"{found.minus_inf:,}")]
    return rows + (faults if kind in ("float", "complex") else [])


def number(value: float | int | None) -> str:
    """A number in four digits; whole ones in full, "–" where there is none."""
    if value is None:
        return "–"
    return str(value) if isinstance(value, bool | int) else f"{value:.4g}"


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
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join("  ".join(f"{one:>{width}}" for one, width in zip(line, widths, strict=True)) for line in lines)


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


def largest(numbers: np.ndarray) -> float:
    """The greatest finite magnitude, 0 where there is none."""
    found = np.abs(numbers.astype(np.float64))
    return float(found[np.isfinite(found)].max(initial=0.0))
