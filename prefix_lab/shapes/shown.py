"""What may be shown of a name in one recording: only what the sizes seen there allow."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from prefix_lab.debugger.summary import Summary, as_summary
from prefix_lab.shapes.axes import NAME, evaluate, is_axis, names_in
from prefix_lab.shapes.sightings import Axes

Sizes = Mapping[str, set[int]]  # axis → its sizes in a recording


def identity(value: Summary) -> tuple[int | None, tuple[int, ...], int | None]:
    """What tells a tensor, at one size and version, from all others of its recording."""
    return value.number, tuple(value.facts["shape"]), value.facts.get("version")


def worth(text: str, sizes: Mapping[str, int]) -> int | None:
    """What a name gives at these sizes; None when its ways give different ones."""
    values = {evaluate(one, sizes) for one in text.split("|")}
    return values.pop() if len(values) == 1 else None


def sizes_in(axes_of: Mapping[tuple, Axes]) -> dict[str, set[int]]:
    """The sizes that each axis has in a recording, wherever it stands alone."""
    sizes: dict[str, set[int]] = defaultdict(set)
    for (_, shape, *_), axes in axes_of.items():
        for text, size in zip(axes, shape, strict=True):
            if is_axis(text):
                sizes[text].add(size)
    return sizes


def told_apart(sizes: Sizes, same: Mapping[str, str]) -> dict[str, set[int]]:
    """The sizes, where `same` names two axes that no run could tell apart, but this recording can.

    hidden was heads·head_dim in every run. In a model where it is not, both sizes were found under the name hidden;
    those that heads·head_dim explains are then not hidden's.
    """
    told = dict(sizes)
    for axis, other in same.items():
        names = names_in(other)
        if axis in sizes and all(name in sizes for name in names):
            explained = {evaluate(other, dict(zip(names, chosen, strict=True))) for chosen in choices(names, sizes)}
            told[axis] = (sizes[axis] - explained) or sizes[axis]
    return told


def held_against(sizes: Sizes, text: str, size: int, same: Mapping[str, str] | None = None) -> str:
    """A name as it may be shown for this size: one of its ways that the recording's sizes allow, else the number.

    `same` has another way of writing an axis, which is shown where the axis does not fit and this way does.
    """
    ways = [way for way in text.split("|") if way and allowed(way, size, sizes)]
    if not ways:
        others = (written_otherwise(way, same or {}) for way in text.split("|") if way)
        ways = [way for way in others if way and known(way, sizes) and allowed(way, size, sizes)]
    return " | ".join(ways) if ways else str(size)


def written_otherwise(way: str, same: Mapping[str, str]) -> str:
    """`2·layers·hidden` as `2·layers·heads·head_dim`; empty where nothing is written otherwise."""
    written = NAME.sub(lambda found: same.get(found[0], found[0]), way)
    return written if written != way else ""


def known(way: str, sizes: Sizes) -> bool:
    return all(name in sizes for name in names_in(way))


def allowed(way: str, size: int, sizes: Sizes) -> bool:
    """Whether this recording's sizes bear out a name, or at least do not contradict it."""
    if way.isdigit():
        return int(way) == size
    if is_axis(way):
        return size in sizes.get(way, {size})  # it says itself what its sizes are
    names = names_in(way)
    if not known(way, sizes):
        return True  # nothing is known that could contradict it
    return any(evaluate(way, dict(zip(names, chosen, strict=True))) == size for chosen in choices(names, sizes))


def choices(names: Sequence[str], sizes: Sizes) -> Iterable[tuple[int, ...]]:
    return itertools.islice(itertools.product(*(sorted(sizes[name]) for name in names)), 1000)


def with_axes(value: Any, shown: Mapping[tuple, Axes]) -> Any:
    """A value whose tensors, also those inside it, have the fact `axes` where it is known."""
    if not isinstance(value, Summary):
        return value
    parts = tuple(
        (label, with_axes(as_summary(part), shown) if isinstance(part, Summary) else part)
        for label, part in value.parts
    )
    facts = value.facts
    if "shape" in facts and (axes := shown.get(identity(value))) is not None:
        facts = facts | {"axes": axes}
    return Summary(value.type, value.text, facts, parts, value.number)
