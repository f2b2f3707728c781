"""Names for the axes of every tensor, proven: found by running a walk at several sizes, kept if one more run agrees."""

from __future__ import annotations

import functools
import itertools
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any, NamedTuple

from prefix_lab.debugger import Recording, record
from prefix_lab.debugger.summary import Summary, as_summary
from prefix_lab.shapes.axes import evaluate
from prefix_lab.shapes.expressions import table_of
from prefix_lab.shapes.sightings import Sighting, Spot, sightings
from prefix_lab.shapes.sizes import held_out_run, standard_runs
from prefix_lab.shapes.walks import WALKS, Walk

PACKAGES = ("prefix_lab", "peft", "transformers")
INCLUDE = (
    *("prefix_lab", "peft", "transformers.models", "transformers.cache_utils", "transformers.masking_utils"),
    *("transformers.generation.utils", "transformers.integrations.sdpa_attention", "transformers.loss"),
)
LATER = 1
ANY_WAY = (("*", "*", 0),)  # of an entry that holds by its sizes, however one came there
Axes = tuple[str, ...]


class Named(NamedTuple):
    """The axes of a tensor at one place: an expression each, or its number, or "" where nothing is proven."""

    way: tuple[tuple[str, str, int], ...]
    visits: dict[int, int]  # how often which call had been passed; those that make no difference are left out
    axes: Axes


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


@dataclass
class Names:
    """What each axis is called, for each place in the code. `apply` gives a recording's tensors their names."""

    places: dict[tuple[Spot, str], list[Named]] = field(default_factory=dict)
    counts: dict[str, Count] = field(default_factory=dict)

    def of(self, sighting: Sighting) -> Axes | None:
        """The axes of a tensor, by the entries that share the longest way with it; None where they do not agree."""
        known = self.places.get((sighting.spot, sighting.name), ())
        entries = [one for one in known if one.way != ANY_WAY and fits(one, sighting)]
        if not entries:
            return None
        shared = [common(one.way, sighting.way) for one in entries]
        found = {one.axes for one, count in zip(entries, shared, strict=True) if count == max(shared)}
        axes = found.pop()
        return axes if not found and len(axes) == len(sighting.shape) else None

    def of_all(self, seen: Sequence[Sighting]) -> dict[tuple, Axes]:
        """Tensor → its axes, for all that are named at one place at least: a tensor keeps its axes wherever it goes."""
        found: dict[tuple, Axes] = {}
        left: dict[tuple, Sighting] = {}
        for one in seen:
            key = identity(one.value)
            known = found.get(key)
            if known is None or "" in known:
                axes = self.of(one)
                if axes is None:
                    left.setdefault(key, one)
                elif known is None or axes.count("") < known.count(""):
                    found[key] = axes
        sizes = {axis: one.pop() for axis, one in sizes_in(found).items() if len(one) == 1}
        for key, one in left.items():
            if key not in found and (axes := self.of_size(one, sizes)) is not None:
                found[key] = axes
        return found

    def of_size(self, sighting: Sighting, sizes: Mapping[str, int]) -> Axes | None:
        """The axes of a tensor at a place where several kinds pass, by the one whose names give its very sizes."""
        entries = self.places.get((sighting.spot, sighting.name), ())
        fitting = {
            one.axes
            for one in entries
            if len(one.axes) == len(sighting.shape)
            and all(text and worth(text, sizes) == size for text, size in zip(one.axes, sighting.shape, strict=True))
        }
        return fitting.pop() if len(fitting) == 1 else None

    def apply(self, recording: Recording) -> list[Any]:
        """The recording's values, where tensors have the fact `axes`; a name that the sizes contradict is not shown."""
        axes_of = self.of_all(list(sightings(recording)))
        sizes = sizes_in(axes_of)
        shown = {
            key: tuple(held_against(sizes, text, size) for text, size in zip(axes, key[1], strict=True))
            for key, axes in axes_of.items()
        }
        return [with_axes(value, shown) for value in recording.columns.values]

    def count(self, first: Sequence[Sighting], last: Sequence[Sighting], value_of: Callable) -> None:
        """Count what is named in the first run, and what the held-out run says of it."""
        axes_of = self.of_all(first)
        for one in first:
            count = self.counts.setdefault(package_of(one.spot.file), Count())
            axes = axes_of.get(identity(one.value)) or ("",) * len(one.shape)
            count.seen += len(axes)
            count.named += sum(map(bool, axes))
            count.unnamed += axes.count("")
            count.ambiguous += sum("|" in text for text in axes)
        axes_of = self.of_all(last)
        for one in last:
            count = self.counts.setdefault(package_of(one.spot.file), Count())
            for text, size in zip(axes_of.get(identity(one.value), ()), one.shape, strict=False):
                if text:
                    count.proven += value_of(text) == size
                    count.wrong += value_of(text) != size

    def report(self) -> str:
        """A line for each package: how many dimensions were seen, named, proven, and how many not."""
        rows = [("", "dimensions", "named", "ambiguous", "unnamed", "share named", "held out: right", "wrong")]
        for package, count in self.counts.items():
            share = f"{100 * count.named / count.seen:.2f} %" if count.seen else "–"
            numbers = (count.seen, count.named, count.ambiguous, count.unnamed)
            said = [f"{number:,}" for number in numbers]
            rows.append((package, *said, share, f"{count.proven:,}", f"{count.wrong:,}"))
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        return "\n".join(
            "  ".join(
                f"{cell:<{width}}" if column == 0 else f"{cell:>{width}}"
                for column, (cell, width) in enumerate(zip(row, widths, strict=True))
            )
            for row in rows
        )

    def join(self, other: Names) -> None:
        """Take over another walk's names."""
        for key, entries in other.places.items():
            self.places.setdefault(key, []).extend(entries)
        for package, count in other.counts.items():
            self.counts.setdefault(package, Count()).add(count)


def name_axes(
    walk: Walk | str | Iterable[str],
    include: Sequence[Any] = (),
    runs: Sequence[Mapping[str, int]] | None = None,
    held_out: Mapping[str, int] | None = None,
) -> Names:
    """Find the names of all axes in a walk, by running it at several sizes and once more to prove them.

    `walk(axes)` gets a dict with every standard axis (batch, prefix_len, layers, heads, kv_heads, head_dim, hidden,
    source, target, vocab, ff, encoder_hidden) and runs something at those sizes; or it is the name of a standard walk
    in `walks.WALKS`, or several. `include` adds to what is recorded: the walk's own module, the packages prefix_lab
    and peft, and the models of transformers. The names of a walk are found once and then remembered.

    Raises `ValueError` for sizes that leave axes apart, for an unknown walk, and when the walk itself fails at some
    size, which it then names.
    """
    if isinstance(walk, str):
        if walk not in WALKS:
            raise ValueError(f"walk={walk!r} is not a standard walk. They are: {', '.join(WALKS)}.")
        walk = WALKS[walk]
    elif not callable(walk):
        names = Names()
        for one in walk:
            names.join(name_axes(one, include, runs, held_out))
        return names
    runs = standard_runs() if runs is None else [dict(run) for run in runs]
    held_out = held_out_run() if held_out is None else dict(held_out)
    return found_names(walk, tuple(include), frozen(runs), frozen([held_out]))


def frozen(runs: Sequence[Mapping[str, int]]) -> tuple[tuple[tuple[str, int], ...], ...]:
    return tuple(tuple(run.items()) for run in runs)


@functools.cache
def found_names(walk: Walk, include: tuple, runs: tuple, held_out: tuple) -> Names:
    """The names of one walk; the arguments are hashable, so that they are found only once."""
    all_runs = [dict(run) for run in runs]
    check_sizes([*all_runs, dict(held_out[0])])
    table = table_of(all_runs)
    last_sizes = dict(held_out[0])
    runs_seen = [seen_in(walk, run, include) for run in [*all_runs, last_sizes]]
    *seen, last = map(by_place, runs_seen)
    names, value_of = Names(), functools.cache(lambda text: worth(text, last_sizes))
    for key in seen[0]:
        names.places[key] = solve(
            seen[0][key], [one.get(key, {}) for one in seen[1:]], last.get(key, {}), table, value_of
        )
    names.count(runs_seen[0], runs_seen[-1], value_of)
    return names


def check_sizes(runs: Sequence[Mapping[str, int]]) -> None:
    """Raise `ValueError` for runs that do not have the same axes, or sizes below 1."""
    if len(runs) < 3:
        raise ValueError(
            f"runs has {len(runs) - 1}, expected at least 2, and one held out: one run alone proves nothing."
        )
    for run in runs:
        if run.keys() != runs[0].keys():
            raise ValueError(f"The runs have different axes: {sorted(runs[0])} and {sorted(run)}. Give each the same.")
        for axis, size in run.items():
            if not isinstance(size, int) or size < 1:
                raise ValueError(f"The axis {axis!r} has the size {size!r}, expected a whole number of at least 1.")


Way = tuple[tuple[tuple[str, str, int], ...], tuple[int, ...]]
Shapes = dict[tuple[Spot, str], dict[Way, tuple[int, ...]]]


def seen_in(walk: Walk, sizes: Mapping[str, int], include: tuple) -> list[Sighting]:
    """Run the walk once, and say what tensors were seen where."""
    try:
        with record([*installed(INCLUDE), walk, *include]) as recording:
            walk(dict(sizes))
    except Exception as error:
        raise ValueError(
            f"The walk failed at the sizes {dict(sizes)}: {type(error).__name__}: {error}. Give runs= and held_out= "
            "sizes that the model can have."
        ) from error
    return list(sightings(recording))


def by_place(seen: Sequence[Sighting]) -> Shapes:
    found: Shapes = defaultdict(dict)
    for one in seen:
        found[one.spot, one.name].setdefault((one.way, one.visits), one.shape)
    return found


@functools.cache
def installed(names: tuple[str, ...]) -> tuple[str, ...]:
    from prefix_lab.debugger.scope import is_module

    return tuple(name for name in names if is_module(name))


@functools.cache
def package_of(file: str) -> str:
    """The package that a file belongs to, as far as the report tells them apart."""
    parts = PurePath(file).parts
    return next((part for part in reversed(parts) if part in PACKAGES), "elsewhere")


def solve(
    first: Mapping[Way, tuple[int, ...]],
    others: Sequence[Mapping[Way, tuple[int, ...]]],
    last: Mapping[Way, tuple[int, ...]],
    table: Mapping[tuple[int, ...], tuple[str, ...]],
    value_of: Callable[[str], int | None],
) -> list[Named]:
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
    table: Mapping[tuple[int, ...], tuple[str, ...]],
) -> list[Named]:
    """Names for a loop over things of many shapes, such as a model's parameters, whose order depends on the sizes.

    A shape of the first run is taken together with those of the other runs that a name could make of it; it is named
    when that can be done in one way, with shapes that were all seen.
    """
    shapes = {shape for way, shape in first.items() if "" in solved.get(way, ("",))}
    seen = [set(other.values()) for other in (*others, last)]
    if not shapes or not all(seen):
        return []
    found = []
    for shape in sorted(shapes):
        dimensions = [[(sizes, text) for sizes, texts in table.items() for text in texts[:1]
                       if sizes[0] == size and text.isidentifier()] or [((size,) * (len(others) + 1), str(size))]
                      for size in shape]  # fmt: skip
        fitting = [
            tuple(text for _, text in chosen)
            for chosen in itertools.islice(itertools.product(*dimensions), 100)
            if all(tuple(sizes[run] for sizes, _ in chosen) in seen[run - 1] for run in range(1, len(others) + 1))
        ]
        if len(fitting) == 1:
            found.append(Named(ANY_WAY, {}, fitting[0]))
    return found


def name_of(sizes: tuple[int, ...], table: Mapping[tuple[int, ...], tuple[str, ...]]) -> str:
    """A dimension's expression, or both if two fit, or its number if that never changes; "" if nothing fits."""
    if len(set(sizes)) == 1:
        return str(sizes[0])
    return "|".join(table.get(sizes, ()))


def worth(text: str, sizes: Mapping[str, int]) -> int | None:
    """What a name gives at these sizes; None when its ways give different ones."""
    values = {evaluate(one, sizes) for one in text.split("|")}
    return values.pop() if len(values) == 1 else None


def simplified(axes_of: Mapping[Way, Axes]) -> list[Named]:
    """One entry for all visits of a way that have the same axes; where they differ, one for each count that matters."""
    ways: dict[tuple, dict[tuple[int, ...], Axes]] = defaultdict(dict)
    for (way, visits), axes in axes_of.items():
        ways[way][visits] = axes
    entries = []
    for way, by_visits in ways.items():
        left: dict[tuple, Axes] = {tuple(enumerate(visits)): axes for visits, axes in by_visits.items()}
        for position in range(len(next(iter(by_visits)))):
            for as_one in (lambda count: None, lambda count: min(count, LATER)):
                merged = merge(left, position, as_one)
                if merged is not None:
                    left = merged
                    break
        entries += [Named(way, dict(visits), axes) for visits, axes in left.items()]
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


def passed(visits: Sequence[int], wanted: Mapping[int, int], at: int) -> bool:
    """Whether a call had been passed as often as an entry says; LATER stands for any number but none."""
    return visits[at] == wanted[at] or (wanted[at] == LATER and visits[at] > 0)


def fits(entry: Named, sighting: Sighting) -> bool:
    """Whether the calls that matter were passed as often, as far as the two ways are the same."""
    shared = common(entry.way, sighting.way) + sighting.name.count("#")
    return all(at > shared or passed(sighting.visits, entry.visits, at) for at in entry.visits)


def common(one: tuple, other: tuple) -> int:
    count = 0
    for mine, theirs in zip(one, other, strict=False):
        if mine != theirs:
            break
        count += 1
    return count


def identity(value: Summary) -> tuple[int | None, tuple[int, ...], int | None]:
    return value.number, tuple(value.facts["shape"]), value.facts.get("version")


def sizes_in(axes_of: Mapping[tuple, Axes]) -> dict[str, set[int]]:
    """The sizes that each axis has in a recording, wherever it stands alone."""
    sizes: dict[str, set[int]] = defaultdict(set)
    for (_, shape, _), axes in axes_of.items():
        for text, size in zip(axes, shape, strict=True):
            if text.isidentifier():
                sizes[text].add(size)
    return sizes


def held_against(sizes: Mapping[str, set[int]], text: str, size: int) -> str:
    """A name as it may be shown for this size: one of its ways that the recording's sizes allow, else the number."""
    ways = [way for way in text.split("|") if way and allowed(way, size, sizes)]
    return " | ".join(ways) if ways else str(size)


def allowed(way: str, size: int, sizes: Mapping[str, set[int]]) -> bool:
    if way.isdigit():
        return int(way) == size
    if way.isidentifier():
        return True  # it says what the size is
    names = [one for one in dict.fromkeys(split(way)) if not one.isdigit()]
    if any(name not in sizes for name in names):
        return True  # nothing is known that could contradict it
    return any(evaluate(way, dict(zip(names, chosen, strict=True))) == size for chosen in choices(names, sizes))


def choices(names: Sequence[str], sizes: Mapping[str, set[int]]) -> Iterable[tuple[int, ...]]:
    return itertools.islice(itertools.product(*(sorted(sizes[name]) for name in names)), 1000)


def split(way: str) -> list[str]:
    for sign in "+-·/":
        way = way.replace(sign, " ")
    return way.split()


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
