"""How many dimensions of a walk have a name, and how many of those the held-out run bore out, for each package."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePath

PACKAGES = ("prefix_lab", "peft", "transformers")
HEADINGS = ("", "dimensions", "named", "ambiguous", "unnamed", "share named", "held out: right", "wrong")


@dataclass
class Count:
    """Dimensions: seen in the first run, and how many of them have a name, two names, or none; and how many names the
    held-out run bore out, and how many it did not."""

    seen: int = 0
    named: int = 0
    ambiguous: int = 0
    unnamed: int = 0
    proven: int = 0
    wrong: int = 0

    def add(self, other: Count) -> None:
        for name in vars(self):
            setattr(self, name, getattr(self, name) + getattr(other, name))


@functools.cache
def package_of(file: str) -> str:
    """The package that a file belongs to, as far as the report tells them apart."""
    parts = PurePath(file).parts
    return next((part for part in reversed(parts) if part in PACKAGES), "elsewhere")


def table_text(counts: Mapping[str, Count]) -> str:
    """A line of headings, then one for each package."""
    rows = [HEADINGS]
    for package, count in counts.items():
        share = f"{100 * count.named / count.seen:.2f} %" if count.seen else "–"
        numbers = (count.seen, count.named, count.ambiguous, count.unnamed)
        said = [f"{number:,}" for number in numbers]
        rows.append((package, *said, share, f"{count.proven:,}", f"{count.wrong:,}"))
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    return "\n".join(
        "  ".join(
            f"{cell:<{width}}" if column == 0 else f"{cell:>{width}}"
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    )


def choice_made(name: str, other: str) -> str:
    """The sentence about two names that fit alike, of which one is shown."""
    return f"{name} and {other} were the same size in every run of the walk; where both fit, the name shown is {name}."


def not_seen(axes: Iterable[str]) -> str:
    """The sentence about axes that the walk was given and that no name has; empty when there are none."""
    axes = list(axes)
    return f"In no name: {', '.join(axes)}. The walk did not show them." if axes else ""
