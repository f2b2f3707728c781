"""The names of the axes of tensors that are alive in the frames of an error, as far as a walk's names reach there."""

from __future__ import annotations

from collections import defaultdict
from types import TracebackType
from typing import Any

from prefix_lab.shapes.axes import Axes, borne_out, only_sizes, worth
from prefix_lab.shapes.names import Names
from prefix_lab.shapes.operands import Unreadable, is_tensor, own, seen
from prefix_lab.shapes.sightings import ANY_WAY, CallLine, KnownAxes, common


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
        for name, tensor in tensors_of(dict(frame.f_locals), dotted):
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


def tensors_of(held: dict[str, Any], dotted: list[str]) -> list[tuple[str, Any]]:
    """The tensors of a frame, those in lists as `names` writes them: `rows.#`; and `dotted` ones such as self.keys."""
    found = [(name, value) for name in dotted if is_tensor(value := reached(held, name))]
    for name, value in held.items():
        if is_tensor(value):
            found.append((name, value))
        elif type(value) in (list, tuple):
            found += [(f"{name}.#", one) for one in value[:24] if is_tensor(one)]
    return found


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
    nearest = [one for at, one in before if at == last]
    shared = [common(one.way, way) for one in nearest]
    return {one.axes for one, count in zip(nearest, shared, strict=True) if count == max(shared)}
