"""Names for the axes of every tensor, by the place in the code where it was bound."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from prefix_lab.debugger import Recording
from prefix_lab.debugger.search import everything_in
from prefix_lab.debugger.summary import Summary, as_summary
from prefix_lab.shapes.axes import Axes, borne_out, names_in, only_sizes, worth
from prefix_lab.shapes.sightings import ANY_WAY, KnownAxes, Sighting, Spot, common, passed, sightings


@dataclass
class Names:
    """What each axis is called, for each place in the code. `apply` gives a recording's tensors their names.

    `same` has, for an axis, an expression that was the same size in every run: {"hidden": "heads·head_dim"}.
    """

    places: dict[tuple[Spot, str], list[KnownAxes]] = field(default_factory=dict)
    same: dict[str, str] = field(default_factory=dict)

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
                if axes is None or "" in axes:
                    left.setdefault(key, one)
                if axes is not None and (known is None or axes.count("") < known.count("")):
                    found[key] = axes
        sizes = only_sizes(found)
        for key, one in left.items():
            if "" in found.get(key, ("",)) and (axes := self.of_size(one, sizes)) is not None:
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
        shown = borne_out(self.of_all(list(sightings(recording))), self.same)
        return [with_axes(value, shown) for value in recording.columns.values]

    def remarks(self, recording: Recording) -> list[str]:
        """What a reader of a named recording should know: of two names that fit alike, which one is shown.

        It is said where the other's axes are seen as well, and somebody may wonder; not where the two are told apart.
        """
        tensors = (one for value in recording.columns.values for one in everything_in(as_summary(value)))
        texts = {text for one in tensors for text in one.facts.get("axes", ())}
        shown = {name for text in texts for name in names_in(text)}
        return [
            choice_made(name, other)
            for name, other in self.same.items()
            if shown.issuperset([name, *names_in(other)]) and not any(other in text for text in texts)
        ]

    def join(self, other: Names) -> None:
        """Take over another walk's names."""
        for key, entries in other.places.items():
            self.places.setdefault(key, []).extend(entries)
        self.same |= other.same


def identity(value: Summary) -> tuple[int | None, tuple[int, ...], int | None]:
    """What tells a tensor, at one size and version, from all others of its recording."""
    return value.number, tuple(value.facts["shape"]), value.facts.get("version")


def with_axes(value: Any, shown: Mapping[tuple, Axes]) -> Any:
    """A value whose tensors, also those inside it, have the fact `axes` where it is known."""
    if not isinstance(value, Summary):
        return value
    parts = tuple((label, with_axes(part, shown)) for label, part in value.parts)
    facts = value.facts
    if "shape" in facts and (axes := shown.get(identity(value))) is not None:
        facts = facts | {"axes": axes}
    return Summary(value.type, value.text, facts, parts, value.number)


def fits(entry: KnownAxes, sighting: Sighting) -> bool:
    """Whether the calls that matter were passed as often, as far as the two ways are the same."""
    shared = common(entry.way, sighting.way) + sighting.name.count("#")
    return all(at > shared or passed(sighting.visits, entry.visits, at) for at in entry.visits)


def choice_made(name: str, other: str) -> str:
    """The sentence about two names that fit alike, of which one is shown."""
    if (name, other) == ("hidden", "heads·head_dim"):
        return (
            "A token's vector is as wide as all heads side by side, heads·head_dim; both widths are called hidden here."
        )
    return f"{name} and {other} are equally large here; an axis that could be either is called {name}."
