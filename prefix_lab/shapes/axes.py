"""The names of the axes, and how a name is held against a number before it is shown.

An axis expression is a product (`2·layers·hidden`), a part (`head_dim/2`, `heads/kv_heads`), or a sum
(`prefix_len+target`); several ways to write the same axis are separated by `|`.
"""

import itertools
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from prefix_lab.locale import N_

Axes = tuple[str, ...]
AXES = {
    "batch": N_("texts at once"),
    "prefix_len": N_("virtual tokens (PEFT: num_virtual_tokens)"),
    "layers": N_("attention layers that read the prefix"),
    "heads": N_("attention heads"),
    "kv_heads": N_("heads of keys and values, fewer than heads with grouped-query attention"),
    "head_dim": N_("width of one head"),
    "hidden": N_("width of a token's vector, often heads · head_dim"),
    "source": N_("tokens of the input"),
    "target": N_("tokens of the output"),
    "vocab": N_("tokens that the model knows"),
    "ff": N_("inner width of a feed-forward layer"),
    "encoder_hidden": N_("inner width of the prefix projection"),
}


NAME = re.compile(r"[^\W\d]\w*")  # not str.isidentifier: to Python, heads·head_dim is one identifier


def is_axis(text: str) -> bool:
    """Whether a text is the name of one axis, and no number, product or sum."""
    return NAME.fullmatch(text) is not None


def names_in(expression: str) -> list[str]:
    """The axes that an expression names, each once, in its order."""
    return list(dict.fromkeys(NAME.findall(expression)))


def evaluate(expression: str, sizes: Mapping[str, int]) -> int | None:
    """The number that a sum of products stands for, or None when one of its names has no size here."""
    total = 0
    for term in expression.replace("-", "+-").split("+"):
        product = -1 if term.startswith("-") else 1
        term = term.removeprefix("-")
        for factor in term.split("·"):
            name, _, divisor = factor.partition("/")
            size = int(name) if name.isdigit() else sizes.get(name)
            parts = int(divisor or 1) if divisor.isdigit() or not divisor else sizes.get(divisor)
            if size is None or not parts or size % parts:
                return None
            product *= size // parts
        total += product
    return total


def name_axes_of(shape: Sequence[int], axes: Sequence[str], sizes: Mapping[str, int]) -> tuple[str, ...]:
    """One name an axis: the first way of writing it that gives the seen size, or else the bare number.

    Raises `ValueError` when there are more or fewer names than axes.
    """
    if len(shape) != len(axes):
        raise ValueError(
            f"axes names {len(axes)} axes, {' '.join(axes)!r}, but the shape {tuple(shape)} has {len(shape)}."
        )
    names = []
    for seen, ways in zip(shape, axes, strict=True):
        names.append(next((way for way in ways.split("|") if evaluate(way, sizes) == seen), str(seen)))
    return tuple(names)


def named(shape: Sequence[int], axes: Sequence[str] | str, sizes: Mapping[str, int]) -> str:
    """`(batch, prefix_len) = (4, 20)`: the names that hold for these sizes, then the numbers.

    `axes` is a list of expressions, or one string with spaces between them. A name that does not give the seen size is
    not shown; the number stands in its place.
    """
    axes = axes.split() if isinstance(axes, str) else axes
    numbers = ", ".join(map(str, shape))
    if not axes and not shape:
        return "() = one number"
    return f"({', '.join(name_axes_of(shape, axes, sizes))}) = ({numbers})"


def worth(text: str, sizes: Mapping[str, int]) -> int | None:
    """What a name gives at these sizes; None when its ways give different ones."""
    values = {evaluate(one, sizes) for one in text.split("|")}
    return values.pop() if len(values) == 1 else None


# A name that was proven in the runs of a walk may still be wrong in a recording of another model. Only what the sizes
# seen there allow is shown.

Sizes = Mapping[str, set[int]]  # axis → its sizes in a recording


def borne_out(axes_of: Mapping[tuple, Axes], same: Mapping[str, str]) -> dict[tuple, Axes]:
    """The axes of the tensors of a recording as they may be shown: a name that the sizes contradict is the number.

    A tensor's key has its shape as second item. `same` has, for an axis, what was as large in every run of the walk.
    """
    sizes = told_apart(sizes_in(axes_of), same)
    return {
        key: tuple(name_for(size, text, sizes, same) for text, size in zip(axes, key[1], strict=True))
        for key, axes in axes_of.items()
    }


def sizes_in(axes_of: Mapping[tuple, Axes]) -> dict[str, set[int]]:
    """The sizes that each axis has in a recording, wherever it stands alone."""
    sizes: dict[str, set[int]] = defaultdict(set)
    for (_, shape, *_), axes in axes_of.items():
        for text, size in zip(axes, shape, strict=True):
            if is_axis(text):
                sizes[text].add(size)
    return sizes


def only_sizes(axes_of: Mapping[tuple, Axes]) -> dict[str, int]:
    """The size of each axis that has but one."""
    return {axis: next(iter(found)) for axis, found in sizes_in(axes_of).items() if len(found) == 1}


def told_apart(sizes: Sizes, same: Mapping[str, str]) -> dict[str, set[int]]:
    """The sizes, where `same` names two axes that no run could tell apart, but this recording can.

    hidden was heads·head_dim in every run. In a model where it is not, both sizes were found under the name hidden;
    those that heads·head_dim explains are then not hidden's.
    """
    told = dict(sizes)
    for axis, other in same.items():
        if axis in sizes and is_known(other, sizes):
            told[axis] = (sizes[axis] - set(values_of(other, sizes))) or sizes[axis]
    return told


def name_for(size: int, text: str, sizes: Sizes, same: Mapping[str, str]) -> str:
    """Those ways of a name that this recording's sizes allow, else the number.

    Where an axis does not fit and what `same` has for it does, that is shown.
    """
    ways = text.split("|")
    fitting = [way for way in ways if way and allowed(way, size, sizes)]
    if not fitting:
        others = [NAME.sub(lambda found: same.get(found[0], found[0]), way) for way in ways]
        fitting = [way for way in others if way not in ways and is_known(way, sizes) and allowed(way, size, sizes)]
    return " | ".join(fitting) if fitting else str(size)


def is_known(way: str, sizes: Sizes) -> bool:
    return all(name in sizes for name in names_in(way))


def allowed(way: str, size: int, sizes: Sizes) -> bool:
    """Whether this recording's sizes bear out a name, or at least do not contradict it."""
    if way.isdigit():
        return int(way) == size
    if is_axis(way):
        return size in sizes.get(way, {size})  # it says itself what its sizes are
    return not is_known(way, sizes) or size in values_of(way, sizes)


def values_of(way: str, sizes: Sizes) -> Iterable[int | None]:
    """What an expression is worth at all sizes that its axes have together; of very many the first ones."""
    names = names_in(way)
    chosen = itertools.islice(itertools.product(*(sorted(sizes[name]) for name in names)), 1000)
    return (evaluate(way, dict(zip(names, one, strict=True))) for one in chosen)
