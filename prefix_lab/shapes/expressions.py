"""Which expression of the axes gives a size, in every run of a walk? Products of axes and a small factor, and sums.

The sizes of the runs are chosen so that no two expressions agree in all of them; where two fit all the same, both are
kept. An expression is written as in `axes`: `2·layers·hidden`, `prefix_len+target`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from math import prod

FACTORS = (1, 2, 3, 4, 8)
CONSTANTS = range(1, 9)
GROUPS = (("heads", "kv_heads"),)  # so many heads ask for each that is cached
ORDER = ("batch", "prefix_len", "layers")  # comes first in a product, then the others as they are given


def table_of(runs: Sequence[Mapping[str, int]]) -> dict[tuple[int, ...], tuple[str, ...]]:
    """The sizes in all runs → the simplest expressions that give them, those that are equally simple together.

    Raises `ValueError` when two single axes have the same sizes in every run: no size could tell them apart.
    """
    axes = list(runs[0])
    table: dict[tuple[int, ...], tuple[int, tuple[str, ...]]] = {}
    for cost, text, sizes in expressions(axes, runs):
        known = table.get(sizes)
        if known is None or cost < known[0]:
            table[sizes] = (cost, (text,))
        elif cost == known[0] and text not in known[1]:
            if cost == 0:
                raise ValueError(
                    f"The axes {known[1][0]!r} and {text!r} have the same sizes in every run: {sizes}. Give them "
                    "different ones, so that they can be told apart."
                )
            table[sizes] = (cost, (*known[1], text))
    return {sizes: texts for sizes, (_, texts) in table.items()}


def same_in(runs: Sequence[Mapping[str, int]]) -> dict[str, str]:
    """Axis → the simplest other expression that was as large in every run: {"hidden": "heads·head_dim"}."""
    axes = list(runs[0])
    single = {tuple(run[axis] for run in runs): axis for axis in axes}
    found: dict[str, tuple[int, str]] = {}
    for cost, text, sizes in expressions(axes, runs):
        axis = single.get(sizes)
        if axis is not None and cost and cost < found.get(axis, (math.inf, ""))[0]:
            found[axis] = (cost, text)
    return {axis: text for axis, (_, text) in found.items()}


def expressions(axes: Sequence[str], runs: Sequence[Mapping[str, int]]) -> list[tuple[int, str, tuple[int, ...]]]:
    """Every expression with what it costs to read, its text, and its sizes; those aside that never change."""
    found: list[tuple[int, str, tuple[int, ...]]] = []
    products: list[tuple[int, str, tuple[int, ...]]] = []
    for count in (1, 2, 3):
        for chosen in itertools.combinations(axes, count):
            for factor in FACTORS:
                if factor > 1 and count > 2 and factor > 4:
                    continue
                cost = 2 * (count - 1) + (factor > 1)
                text = "·".join([*([str(factor)] if factor > 1 else []), *sorted(chosen, key=place)])
                sizes = tuple(factor * prod(run[axis] for axis in chosen) for run in runs)
                products.append((cost, text, sizes))
    found += products
    for axis in axes:
        if all(run[axis] % 2 == 0 for run in runs):
            found.append((1, f"{axis}/2", tuple(run[axis] // 2 for run in runs)))
    for axis, parts in GROUPS:
        if all(axis in run and parts in run and run[axis] % run[parts] == 0 for run in runs):
            found.append((3, f"{axis}/{parts}", tuple(run[axis] // run[parts] for run in runs)))
    short = [one for one in products if one[0] <= 2]
    for (cost, text, sizes), (other_cost, other, other_sizes) in itertools.combinations(short, 2):
        if cost + other_cost <= 2:
            total = tuple(one + two for one, two in zip(sizes, other_sizes, strict=True))
            found.append((3 + cost + other_cost, f"{text}+{other}", total))
    for cost, text, sizes in [one for one in products if one[0] <= 1]:
        for constant in CONSTANTS:
            found.append((4 + cost, f"{text}+{constant}", tuple(size + constant for size in sizes)))
            if min(sizes) > constant:
                found.append((4 + cost, f"{text}-{constant}", tuple(size - constant for size in sizes)))
    grow = [axis for axis in ("prefix_len", "target", "source") if axis in axes]  # as `generate` goes on
    for one, two in itertools.combinations(grow, 2):
        for constant in (1, 2, 3, -1, -2):
            total = tuple(run[one] + run[two] + constant for run in runs)
            found.append((6, f"{one}+{two}{constant:+d}", total))
    return [one for one in found if len(set(one[2])) > 1]


def place(axis: str) -> tuple[int, str]:
    return (ORDER.index(axis), "") if axis in ORDER else (len(ORDER), "")
