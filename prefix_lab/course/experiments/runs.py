"""An experiment: settings, each measured with several seeds, kept in one small file, told with mean and interval.

A cell is one setting with one seed. It is written down as soon as it is measured, the whole file anew and in one move,
so that a run that was broken off goes on where it was, and a file never holds half a cell.
"""

from __future__ import annotations

import json
import math
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import torch
from tqdm.auto import tqdm

from prefix_lab.checkpoint import write_whole
from prefix_lab.course.training import versions

DATA = Path(__file__).with_name("data")
SEEDS = (0, 1, 2, 3, 4)
STUDENT = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)
"""Student's t for 95 %, two-sided, with 1, 2, 3, … degrees of freedom: the table in any book on statistics."""

Setting = dict[str, Any]  # what is varied, by name; plain values that JSON can hold
Measured = dict[str, int | float]  # what came out, by name


class Interval(NamedTuple):
    """A mean, and how far on both sides of it the 95 % interval reaches."""

    mean: float
    half: float

    @property
    def low(self) -> float:
        return self.mean - self.half

    @property
    def high(self) -> float:
        return self.mean + self.half


def interval(values: Sequence[int | float]) -> Interval:
    """Mean and 95 % interval by Student's t of 2 to 10 values. Raises `ValueError` for fewer or more."""
    if not 2 <= len(values) <= len(STUDENT) + 1:
        raise ValueError(f"values has {len(values)} of them, expected 2 to {len(STUDENT) + 1}: one for each seed.")
    spread = statistics.stdev(values) / math.sqrt(len(values))
    return Interval(statistics.fmean(values), STUDENT[len(values) - 2] * spread)


@dataclass(frozen=True)
class Experiment:
    """What is claimed, by whom, and how it is measured here.

    `measure(setting, seed)` gives the numbers of one cell, `conclude(results)` one plain sentence from all of them.
    `key` is the number that it is about, drawn over `x`, a line for each value of `by`, a panel for each of `panel`.
    """

    name: str
    title: str
    claim: str
    how: str | tuple[str, ...]  # sentences: which model, which task, and why
    settings: tuple[Setting, ...]
    measure: Callable[[Setting, int], Measured]
    conclude: Callable[[Results], str]
    columns: tuple[str, ...]  # what the table shows of a cell, settings and numbers
    key: str
    x: str
    by: str | None = None
    panel: str | None = None
    log: bool = False  # whether the axis of `x` is drawn in powers


class Results:
    """What was measured of an experiment so far, in one file of a folder."""

    def __init__(self, experiment: Experiment, folder: Path = DATA, seeds: Sequence[int] = SEEDS):
        self.experiment, self.seeds = experiment, tuple(seeds)
        self.path = folder / f"{experiment.name}.json"
        self.made: dict[str, Any] = {}
        self.cells: dict[str, Measured] = {}
        if self.path.is_file():
            self.read()

    def read(self) -> None:
        """Take what the file holds of this experiment's settings. Raises `ValueError` for a file of another kind."""
        try:
            self.made = json.loads(self.path.read_text(encoding="utf-8"))
            found = {cell_name(one["setting"], one["seed"]): one["measured"] for one in self.made.pop("cells")}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(
                f"{self.path} is not a file of measured cells ({error!r}). Move it away, or give another folder."
            ) from error
        self.cells = {name: found[name] for name in map(cell_name, *zip(*self.wanted(), strict=True)) if name in found}

    def wanted(self) -> list[tuple[Setting, int]]:
        """Every cell: seed by seed, so that what is there early is a fair part of the whole."""
        return [(setting, seed) for seed in self.seeds for setting in self.experiment.settings]

    def missing(self) -> list[tuple[Setting, int]]:
        """The cells that are still to be measured."""
        return [cell for cell in self.wanted() if cell_name(*cell) not in self.cells]

    def run(self, progress: bool = True) -> Results:
        """Measure what is missing, and write each cell down when it is there. Ctrl-C loses the cell at work alone."""
        missing = self.missing()
        with tqdm(missing, desc=self.experiment.name, unit="cell", disable=not progress or not missing) as bar:
            for setting, seed in bar:
                started = time.process_time()
                measured = self.experiment.measure(setting, seed)
                spent = {"cpu_seconds": round(time.process_time() - started, 1)}
                self.cells[cell_name(setting, seed)] = measured | spent
                self.write()
        return self

    def write(self) -> None:
        """The file, whole: what made it, and a line for each cell."""
        cells = [
            {"setting": setting, "seed": seed, "measured": self.cells[cell_name(setting, seed)]}
            for setting, seed in self.wanted()
            if cell_name(setting, seed) in self.cells
        ]
        self.made = {"experiment": self.experiment.name, **made_by(self.experiment.name), "seeds": self.seeds}
        head = json.dumps(self.made)
        lines = ",\n".join(json.dumps(cell) for cell in cells)
        write_whole(self.path, f'{head[:-1]}, "cells": [\n{lines}\n]}}\n'.encode())

    def of(self, key: str, **chosen: Any) -> list[int | float]:
        """The numbers named `key` of the one setting that is `chosen`, in the order of the seeds.

        Raises `ValueError` when more or fewer settings than one are meant, `LookupError` when a cell is missing.
        """
        settings = [one for one in self.experiment.settings if chosen.items() <= one.items()]
        if len(settings) != 1:
            raise ValueError(f"{chosen} means {len(settings)} settings of {self.experiment.name}, expected one.")
        names = [cell_name(settings[0], seed) for seed in self.seeds]
        if lost := [name for name in names if name not in self.cells]:
            raise LookupError(f"{self.path} has no cell {lost[0]} yet. Run the experiment first.")
        return [self.cells[name][key] for name in names]

    def mean(self, key: str, **chosen: Any) -> Interval:
        """Their mean and interval."""
        return interval(self.of(key, **chosen))

    def more(self, key: str, one: Setting, other: Setting) -> Interval:
        """By how much `one` has more than `other`, seed by seed, so that what a seed does to both cancels out."""
        pairs = zip(self.of(key, **one), self.of(key, **other), strict=True)
        return interval([first - second for first, second in pairs])

    def values(self, name: str) -> list[Any]:
        """The values that a setting's name takes, each once, in the order of the settings."""
        return list(dict.fromkeys(one[name] for one in self.experiment.settings if name in one))


def percent(share: Interval) -> str:
    """A share with its interval, `86.3 ± 2.1`."""
    return f"{100 * share.mean:.1f} ± {100 * share.half:.1f}"


def cell_name(setting: Setting, seed: int) -> str:
    """One text for a cell, whatever order its names stand in."""
    return json.dumps({**setting, "seed": seed}, sort_keys=True)


def made_by(name: str) -> dict[str, Any]:
    """The command, and the versions that measured: another machine's sums round differently."""
    command = f"OMP_NUM_THREADS=1 python -m prefix_lab.course.experiments {name}"
    return {"command": command, "versions": versions(), "threads": torch.get_num_threads()}


def grid(**values: Iterable[Any]) -> tuple[Setting, ...]:
    """Every combination of the values of each name."""
    return tuple(dict(zip(values, chosen, strict=True)) for chosen in product(*values.values()))
