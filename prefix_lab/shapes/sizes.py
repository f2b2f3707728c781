"""Sizes for the runs of a walk: small, consistent, and such that no two expressions of the axes agree in all runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from prefix_lab.shapes.axes import AXES, is_axis

STANDARD = (
    {"batch": 2, "prefix_len": 5, "layers": 3, "kv_heads": 3, "group": 2, "head_dim": 14, "source": 13, "target": 17},
    {"batch": 4, "prefix_len": 7, "layers": 2, "kv_heads": 2, "group": 3, "head_dim": 10, "source": 19, "target": 11},
    {"batch": 7, "prefix_len": 4, "layers": 4, "kv_heads": 1, "group": 5, "head_dim": 6, "source": 11, "target": 23},
)
HELD_OUT = {
    "batch": 3,
    "prefix_len": 9,
    "layers": 5,
    "kv_heads": 2,
    "group": 4,
    "head_dim": 8,
    "source": 17,
    "target": 13,
}
WIDTHS = (
    {"vocab": 401, "ff": 62, "encoder_hidden": 37},
    {"vocab": 409, "ff": 46, "encoder_hidden": 53},
    {"vocab": 419, "ff": 58, "encoder_hidden": 41},
)
HELD_OUT_WIDTHS = {"vocab": 431, "ff": 74, "encoder_hidden": 47}


def complete(sizes: dict[str, int], widths: dict[str, int]) -> dict[str, int]:
    """All standard axes: heads is a multiple of kv_heads, by another factor in each run; hidden is heads · head_dim."""
    sizes = sizes | widths
    sizes["heads"] = sizes["kv_heads"] * sizes.pop("group")
    sizes["hidden"] = sizes["heads"] * sizes["head_dim"]
    return {axis: sizes[axis] for axis in AXES}


def standard_runs() -> list[dict[str, int]]:
    """The sizes of the runs that names are found in."""
    return [complete(sizes, widths) for sizes, widths in zip(STANDARD, WIDTHS, strict=True)]


def held_out_run() -> dict[str, int]:
    """Sizes that no name was found with: a name that is right gives what is seen here, too."""
    return complete(HELD_OUT, HELD_OUT_WIDTHS)


def check_sizes(runs: Any, held_out: Any) -> list[dict[str, int]]:
    """The sizes of all runs, the held-out one last.

    Raises `ValueError` for runs too few or alike, for runs that do not have the same axes, for names that an
    expression could not be written with, and for sizes that are no whole numbers from 1 on.
    """
    for name, one in [*((f"runs[{at}]", run) for at, run in enumerate(listed(runs))), ("held_out", held_out)]:
        if not isinstance(one, Mapping):
            raise ValueError(f"{name}={one!r}, expected a dict of sizes such as {{'batch': 2, 'source': 7}}.")
    found = [dict(run) for run in runs]
    if len(found) < 2:
        raise ValueError(f"runs has {len(found)}, expected at least 2, and one held out: one run alone proves nothing.")
    for run in [*found, dict(held_out)]:
        if run.keys() != found[0].keys():
            raise ValueError(f"The runs have different axes: {sorted(found[0])} and {sorted(run)}. Give each the same.")
        for axis, size in run.items():
            if not isinstance(axis, str) or not is_axis(axis):
                raise ValueError(
                    f"The axis {axis!r} has a name that cannot be told from an expression or a number. Take letters, "
                    "digits and _, as in 'prefix_len'."
                )
            if not isinstance(size, int) or isinstance(size, bool) or size < 1:
                raise ValueError(f"The axis {axis!r} has the size {size!r}, expected a whole number of at least 1.")
    if found[0] and all(run == found[0] for run in found):
        raise ValueError(f"All runs have the same sizes, {found[0]}: nothing could be told apart. Change some.")
    if found[0] and dict(held_out) in found:
        raise ValueError(
            f"held_out={dict(held_out)} has the sizes of one of the runs, so it proves nothing. Give it others."
        )
    return [*found, dict(held_out)]


def listed(runs: Any) -> list[Any]:
    """The runs as a list. Raises `ValueError` for a single dict of sizes."""
    if isinstance(runs, Mapping | str) or not isinstance(runs, Iterable):
        raise ValueError(f"runs={runs!r}, expected a list of dicts of sizes, one for each run: runs=[{{…}}, {{…}}].")
    return list(runs)
