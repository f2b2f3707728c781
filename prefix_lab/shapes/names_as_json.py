"""Names as JSON and back: plain lists, in which files, functions and the calls that lead somewhere stand once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from prefix_lab.shapes.names import Names
from prefix_lab.shapes.report import Count
from prefix_lab.shapes.sightings import Spot
from prefix_lab.shapes.visits import CallLine, Named


class Table:
    """Things in the order in which they were first met, each with its number."""

    def __init__(self):
        self.numbers: dict[Any, int] = {}

    def number(self, thing: Any) -> int:
        return self.numbers.setdefault(thing, len(self.numbers))


def as_json(names: Names) -> dict[str, Any]:
    """Lists, texts and numbers that say all there is in `names`."""
    texts, ways, axes = Table(), Table(), Table()

    def way_number(way: tuple[CallLine, ...]) -> int:
        """Ways share their outer ends: each is one call and the number of the rest, -1 for none."""
        rest = -1
        for file, function, line in reversed(way):
            rest = ways.number((texts.number(file), texts.number(function), line, rest))
        return rest

    places = [
        [
            *(texts.number(spot.file), texts.number(spot.function), spot.line, texts.number(spot.event)),
            texts.number(name),
            [[way_number(one.way), list(one.visits.items()), axes.number(one.axes)] for one in entries],
        ]
        for (spot, name), entries in names.places.items()
    ]
    return {
        "places": places,
        "texts": list(texts.numbers),
        "ways": list(ways.numbers),
        "axes": list(axes.numbers),
        "counts": {package: vars(count) for package, count in names.counts.items()},
        "given": names.axes,
        "same": names.same,
    }


def from_json(told: Any) -> Names:
    """What `as_json` made. Raises `ValueError`, `KeyError`, `TypeError` or `IndexError` for anything else."""
    texts = [exactly(str, text) for text in told["texts"]]
    axes = [tuple(exactly(str, text) for text in one) for one in told["axes"]]
    ways: list[tuple[CallLine, ...]] = []
    item = picked(texts)
    for file, function, line, rest in told["ways"]:
        ways.append(((item(file), item(function), exactly(int, line)), *(picked(ways)(rest) if rest != -1 else ())))
    names = Names(axes=tuple(told["given"]), same=dict(told["same"]))
    way_of, axes_of = picked(ways), picked(axes)
    for file, function, line, event, name, entries in told["places"]:
        spot = Spot(item(file), item(function), exactly(int, line), item(event))
        names.places[spot, item(name)] = [
            Named(
                way_of(way) if way != -1 else (), {exactly(int, at): exactly(int, n) for at, n in visits}, axes_of(one)
            )
            for way, visits, one in entries
        ]
    for package, count in told["counts"].items():
        names.counts[package] = Count(**{name: exactly(int, number) for name, number in count.items()})
    return names


def files_in(names: Names) -> list[str]:
    """The files that the names lead through."""
    spots = {spot.file for spot, _ in names.places}
    ways = {one.way for entries in names.places.values() for one in entries}
    return sorted((spots | {file for way in ways for file, _, _ in way}) - {"*"})


def exactly(kind: type, value: Any) -> Any:
    if type(value) is not kind:
        raise ValueError(f"{value!r} where a {kind.__name__} belongs")
    return value


def picked(things: list[Any]) -> Callable[[int], Any]:
    """The thing of a number; a negative number is refused."""

    def pick(number: int) -> Any:
        if exactly(int, number) < 0:
            raise IndexError(number)
        return things[number]

    return pick
