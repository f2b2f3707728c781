"""The names of the axes, and how a name is held against a number before it is shown.

An axis expression is a product (`2·layers·hidden`), a part (`head_dim/2`, `heads/kv_heads`), or a sum
(`prefix_len+target`); several ways to write the same axis are separated by `|`.
"""

import re
from collections.abc import Mapping, Sequence

AXES = {
    "batch": "texts at once",
    "prefix_len": "virtual tokens (PEFT: num_virtual_tokens)",
    "layers": "attention layers that read the prefix",
    "heads": "attention heads",
    "kv_heads": "heads of keys and values, fewer than heads with grouped-query attention",
    "head_dim": "width of one head",
    "hidden": "width of a token's vector, often heads · head_dim",
    "source": "tokens of the input",
    "target": "tokens of the output",
    "vocab": "tokens that the model knows",
    "ff": "inner width of a feed-forward layer",
    "encoder_hidden": "inner width of the prefix projection",
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
