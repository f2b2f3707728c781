"""Names for the axes of every tensor by the place where it was bound: in a recording, or in frames that are alive."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from types import TracebackType
from typing import TYPE_CHECKING, Any

from prefix_lab.debugger import Recording
from prefix_lab.debugger.look import full_name, mro_of
from prefix_lab.debugger.search import everything_in
from prefix_lab.debugger.summary import Summary, as_summary
from prefix_lab.locale import N_, _
from prefix_lab.shapes.axes import Axes, borne_out, names_in, only_sizes, worth
from prefix_lab.shapes.operands import Unreadable, fields_of, is_tensor, own, seen
from prefix_lab.shapes.sightings import ANY_WAY, CallLine, KnownAxes, Sighting, Spot, common, passed, sightings

if TYPE_CHECKING:
    import torch

LEVELS, PARTS = 2, 24  # how deep a frame's lists and caches are looked into, and at how many of their parts


@dataclass(repr=False)
class Names:
    """What each axis is called, for each place in the code. `apply` gives a recording's tensors their names.

    `same` has, for an axis, an expression that was the same size in every run: {"hidden": "heads·head_dim"}.
    """

    places: dict[tuple[Spot, str], list[KnownAxes]] = field(default_factory=dict)
    same: dict[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"<Names for the axes at {len(self.places):,} places>"

    def of(self, sighting: Sighting) -> Axes | None:
        """The axes of a tensor, by the entries that share the longest way with it; None where they do not agree."""
        known = self.places.get((sighting.spot, sighting.name), ())
        found = by_way([one for one in known if one.way != ANY_WAY and fits(one, sighting)], sighting.way)
        axes = found.pop() if len(found) == 1 else None
        return axes if axes is not None and len(axes) == len(sighting.shape) else None

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


def by_way(entries: Sequence[KnownAxes], way: Sequence[CallLine]) -> set[Axes]:
    """The axes of those entries that share the longest way with this one."""
    shared = [common(one.way, way) for one in entries]
    return {one.axes for one, count in zip(entries, shared, strict=True) if count == max(shared)}


def fits(entry: KnownAxes, sighting: Sighting) -> bool:
    """Whether the calls that matter were passed as often, as far as the two ways are the same."""
    shared = common(entry.way, sighting.way) + sighting.name.count("#")
    return all(at > shared or passed(sighting.visits, entry.visits, at) for at in entry.visits)


def choice_made(name: str, other: str) -> str:
    """The sentence about two names that fit alike, of which one is shown."""
    if (name, other) == ("hidden", "heads·head_dim"):
        return N_(
            "A token's vector is as wide as all heads side by side, heads·head_dim; both widths are called hidden here."
        )
    said = _("{name} and {other} are equally large here; an axis that could be either is called {name}.")
    return said.format(name=name, other=other)


def live_axes(names: Names | None, traceback: TracebackType | None) -> dict[int, Axes]:
    """Tensor, by its id, → its axes, for what the frames' locals hold.

    How often a line had been passed is not known of a live frame; a name is given where that makes no difference, or
    the sizes leave only one.
    """
    if names is None:
        return {}
    index: dict[tuple[str, str, str], list[tuple[int, KnownAxes]]] = defaultdict(list)
    for (spot, name), entries in names.places.items():
        index[spot.file, spot.function, name] += [(spot.line, one) for one in entries]
    files = {file for file, _, _ in index}
    files |= {file for entries in names.places.values() for one in entries for file, _, _ in one.way}
    found: dict[tuple[int, tuple[int, ...]], Axes] = {}
    doubtful: dict[tuple[int, tuple[int, ...]], set[Axes]] = {}
    way: tuple[CallLine, ...] = ()
    while traceback is not None:
        frame, line = traceback.tb_frame, traceback.tb_lineno
        here = (frame.f_code.co_filename, frame.f_code.co_qualname)
        dotted = [name for *place, name in index if (*place,) == here and "." in name and "#" not in name]
        held = dict(frame.f_locals)
        named = [(name, value) for name in dotted if is_tensor(value := reached(held, name))]
        for name, value in held.items():
            named += [(seen_as, one) for _, seen_as, one in tensors_below(value, name, name)]
        for name, tensor in named:
            shape = seen(tensor, name, None).shape
            fitting = possible(index.get((*here, name), []), line, way, len(shape))
            if len(fitting) == 1:
                found.setdefault((id(tensor), shape), fitting.pop())
            elif fitting:
                doubtful[id(tensor), shape] = fitting
        if here[0] in files:
            way = ((*here, line), *way)
        traceback = traceback.tb_next
    sizes = only_sizes(found)
    for key, several in doubtful.items():
        right = [axes for axes in several if all(worth(t, sizes) == n for t, n in zip(axes, key[1], strict=True))]
        if key not in found and len(right) == 1:
            found[key] = right[0]
    return {number: axes for (number, _), axes in borne_out(found, names.same).items()}


def tensors_below(
    value: Any, written: str, sighted: str = "", depth: int = LEVELS
) -> Iterator[tuple[str, str, torch.Tensor]]:
    """A value, if it is a tensor, and the tensors in a list, dict, encoding or cache.

    Each comes with how one writes it, `past.layers[0].keys`, and how a sighting does, `past.#.keys`.
    """
    if is_tensor(value):
        yield written, sighted, value
        return
    kinds, held = set(map(full_name, mro_of(type(value)))), fields_of(value)
    parts: Iterable[tuple[str, str, Any]] = ()
    if "transformers.tokenization_utils_base.BatchEncoding" in kinds:
        value = held.get("data")
    if isinstance(value, list | tuple):
        items = (list if isinstance(value, list) else tuple).__iter__(value)  # whatever a subclass defines
        parts = ((f"{written}[{at}]", f"{sighted}.#", one) for at, one in enumerate(items))
    elif isinstance(value, dict):
        parts = ((f"{written}[{key!r}]", f"{sighted}.{key}", one) for key, one in dict.items(value))
    elif "transformers.cache_utils.Cache" in kinds and isinstance(held.get("layers"), list):
        layers = [(at, name, fields_of(one)) for at, one in enumerate(held["layers"]) for name in ("keys", "values")]
        parts = ((f"{written}.layers[{at}].{name}", f"{sighted}.#.{name}", own.get(name)) for at, name, own in layers)
    elif "transformers.cache_utils.Cache" in kinds:  # an encoder-decoder's: two caches in one
        parts = ((f"{written}.{name}", f"{sighted}.{name}", one) for name, one in held.items())
    for one, seen_as, part in islice(parts, PARTS if depth else 0):
        yield from tensors_below(part, one, seen_as, depth - 1)


def reached(held: dict[str, Any], path: str) -> Any:
    """What a path of attributes leads to, by plain reads; None where it does not."""
    first, *rest = path.split(".")
    value = held.get(first)
    for name in rest:
        try:
            value = own(value, name)
        except Unreadable:
            return None
    return value


def possible(entries: list[tuple[int, KnownAxes]], line: int, way: tuple[CallLine, ...], rank: int) -> set[Axes]:
    """What a tensor's axes may be called: by where its name was bound last before this line, and who called."""
    fitting = [(at, one) for at, one in entries if len(one.axes) == rank and one.way != ANY_WAY and "" not in one.axes]
    before = [(at, one) for at, one in fitting if at < line] or fitting
    last = max((at for at, _ in before), default=0)
    return by_way([one for at, one in before if at == last], way)
