"""Sizes for the runs of a walk: small, consistent, and such that no two expressions of the axes agree in all runs."""

from __future__ import annotations

STANDARD = (
    {"batch": 2, "prefix_len": 5, "layers": 3, "kv_heads": 3, "group": 2, "head_dim": 14, "source": 13, "target": 17},
    {"batch": 3, "prefix_len": 7, "layers": 2, "kv_heads": 2, "group": 3, "head_dim": 10, "source": 19, "target": 11},
    {"batch": 5, "prefix_len": 4, "layers": 4, "kv_heads": 1, "group": 5, "head_dim": 6, "source": 11, "target": 23},
)
HELD_OUT = {
    "batch": 4,
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
    return sizes


def standard_runs() -> list[dict[str, int]]:
    """The sizes of the runs that names are found in."""
    return [complete(sizes, widths) for sizes, widths in zip(STANDARD, WIDTHS, strict=True)]


def held_out_run() -> dict[str, int]:
    """Sizes that no name was found with: a name that is right gives what is seen here, too."""
    return complete(HELD_OUT, HELD_OUT_WIDTHS)
