"""Which expression of the axes names a dimension at one place in the code: in all runs, and in one more, held out.

Expressions are products of axes and a small factor, and sums, written as in `axes`: `2·layers·hidden`. The sizes of the
runs are chosen so that no two agree in all of them; where two fit all the same, both are kept. For each way that leads
to a place, the sizes in the runs are looked up among the expressions; visits that make no difference become one entry;
what the held-out run contradicts is struck out.
"""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any

from prefix_lab.shapes.axes import Axes, is_axis
from prefix_lab.shapes.sightings import ANY_WAY, LATER, CallLine, KnownAxes, passed

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


Way = tuple[tuple[CallLine, ...], tuple[int, ...]]
Table = Mapping[tuple[int, ...], tuple[str, ...]]


def solve(
    first: Mapping[Way, tuple[int, ...]],
    others: Sequence[Mapping[Way, tuple[int, ...]]],
    last: Mapping[Way, tuple[int, ...]],
    table: Table,
    value_of: Callable[[str], int | None],
) -> list[KnownAxes]:
    """The names at one place in the code, for each way that leads there; none that the last run contradicts."""
    axes_of: dict[Way, Axes] = {}
    for way, shape in first.items():
        shapes = [shape, *(other[way] for other in others if way in other)]
        if len(shapes) == len(others) + 1 and len({len(one) for one in shapes}) == 1:
            axes_of[way] = tuple(name_of(sizes, table) for sizes in zip(*shapes, strict=True))
    entries = simplified(axes_of) + by_shape(first, others, last, axes_of, table)
    refuted: set[tuple[int, int]] = set()
    on_way: dict[tuple, list[int]] = defaultdict(list)
    for number, one in enumerate(entries):
        on_way[one.way].append(number)
    for (way, visits), shape in last.items():
        for number in on_way[way]:
            one = entries[number]
            if len(one.axes) == len(shape) and all(passed(visits, one.visits, at) for at in one.visits):
                for at, (text, size) in enumerate(zip(one.axes, shape, strict=True)):
                    if text and value_of(text) != size:
                        refuted.add((number, at))
    kept = [
        one._replace(axes=tuple("" if (number, at) in refuted else text for at, text in enumerate(one.axes)))
        for number, one in enumerate(entries)
    ]
    return [one for one in kept if any(one.axes) or not one.axes]


def by_shape(
    first: Mapping[Way, tuple[int, ...]],
    others: Sequence[Mapping[Way, tuple[int, ...]]],
    last: Mapping[Way, tuple[int, ...]],
    solved: Mapping[Way, Axes],
    table: Table,
) -> list[KnownAxes]:
    """Names for a loop over things of many shapes, such as a model's parameters, whose order depends on the sizes.

    A shape of the first run is taken together with those of the other runs that a name could make of it; it is named
    when that can be done in one way, with shapes that were all seen; weights may have products of two axes.
    """
    shapes = {shape for way, shape in first.items() if "" in solved.get(way, ("",))}
    seen = [set(other.values()) for other in (*others, last)]
    if not shapes or not all(seen):
        return []
    found = []
    for shape in sorted(shapes):
        for kind in (is_axis, is_pair) if len(shape) <= 2 else (is_axis,):
            dimensions = [candidates(size, kind, table, len(others)) for size in shape]
            fitting = [
                tuple(text for _, text in chosen)
                for chosen in itertools.islice(itertools.product(*dimensions), 1000)
                if all(tuple(sizes[run] for sizes, _ in chosen) in seen[run - 1] for run in range(1, len(others) + 1))
            ]
            if len(fitting) == 1:
                found.append(KnownAxes(ANY_WAY, {}, fitting[0]))
            if fitting:
                break
    return found


def is_pair(text: str) -> bool:
    """Whether a text is one axis, or a product of two such as kv_heads·head_dim."""
    return text.count("·") <= 1 and all(map(is_axis, text.split("·")))


def candidates(size: int, kind: Callable[[str], bool], table: Table, others: int) -> list[tuple[tuple[int, ...], str]]:
    """What a dimension of the first run may be: its sizes in all runs, and the name; itself where no name fits."""
    found = [(sizes, texts[0]) for sizes, texts in table.items() if sizes[0] == size and kind(texts[0])]
    return found or [((size,) * (others + 1), str(size))]


def name_of(sizes: tuple[int, ...], table: Table) -> str:
    """A dimension's expression, or both if two fit, or its number if that never changes; "" if nothing fits."""
    if len(set(sizes)) == 1:
        return str(sizes[0])
    return "|".join(table.get(sizes, ()))


def simplified(axes_of: Mapping[Way, Axes]) -> list[KnownAxes]:
    """One entry for all visits of a way that have the same axes; where they differ, one for each count that matters."""
    ways: dict[tuple, dict[tuple[int, ...], Axes]] = defaultdict(dict)
    for (way, visits), axes in axes_of.items():
        ways[way][visits] = axes
    entries = []
    for way, by_visits in ways.items():
        left: dict[tuple, Axes] = {tuple(enumerate(visits)): axes for visits, axes in by_visits.items()}
        for position in range(len(next(iter(by_visits)))):
            for as_one in (lambda count: None, lambda count: LATER if count else 0):
                merged = merge(left, position, as_one)
                if merged is not None:
                    left = merged
                    break
        entries += [KnownAxes(way, dict(visits), axes) for visits, axes in left.items()]
    return entries


def merge(left: Mapping[tuple, Axes], position: int, as_one: Any) -> dict[tuple, Axes] | None:
    """The entries with one of the counts left out, or with all but the first taken as one; None if axes then differ."""
    merged: dict[tuple, Axes] = {}
    for visits, axes in left.items():
        pairs = ((at, as_one(count) if at == position else count) for at, count in visits)
        rest = tuple((at, count) for at, count in pairs if count is not None)
        if merged.setdefault(rest, axes) != axes:
            return None
    return merged
