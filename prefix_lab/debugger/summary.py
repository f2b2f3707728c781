"""A value as a recording keeps it: its type, a short text, some facts. Never the value itself."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

TEXT_LIMIT = 200

Parts = tuple[tuple[str, Any], ...]


class Summary:
    """What a recording knows of a value.

    `type` is the class's full name, `text` a line to show, `parts` the summaries inside it, `number` tells objects
    apart: two summaries with the same number are of the same object. Facts (a tensor's shape and dtype, a number's
    value) are attributes.
    """

    __slots__ = ("facts", "inside", "number", "text", "type")

    def __init__(
        self,
        type: str,
        text: str,
        facts: dict[str, Any] | None = None,
        parts: Parts | Callable[[], Parts] = (),
        number: int | None = None,
    ):
        self.type, self.text, self.facts, self.number = type, text, facts or {}, number
        self.inside = parts

    @property
    def parts(self) -> Parts:
        """The summaries inside, by name; given as a function, they are made when they are asked for first."""
        if callable(self.inside):
            self.inside = self.inside()
        return self.inside

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name in Summary.__slots__:
            raise AttributeError(name)
        try:
            return self.facts[name]
        except KeyError:
            known = ", ".join(self.facts) or "none"
            raise AttributeError(f"A summary of {self.type} has no fact {name!r}; it has: {known}.") from None

    def __getitem__(self, name: str) -> Summary:
        """The part of that name: a field of a config, an item of a list."""
        for label, part in self.parts:
            if label == str(name):
                return as_summary(part)
        raise KeyError(name)

    def alike(self, other: object) -> bool:
        """Whether another summary says the same, whichever object it is of."""
        return (
            isinstance(other, Summary)
            and (self.type, self.text, exactly(self.facts)) == (other.type, other.text, exactly(other.facts))
            and [name for name, _ in self.parts] == [name for name, _ in other.parts]
            and all(
                as_summary(mine) == as_summary(theirs)
                for (_, mine), (_, theirs) in zip(self.parts, other.parts, strict=True)
            )
        )

    __eq__ = alike

    def __hash__(self) -> int:
        return hash((self.type, self.text))

    def __repr__(self) -> str:
        """The text; of a tensor whose axes have names, `Tensor (batch 4, prefix_len 20) int64`."""
        axes, shape = self.facts.get("axes"), self.facts.get("shape")
        if not axes or not shape or not all(isinstance(axis, str) for axis in axes):
            return self.text
        named = (str(size) if axis == str(size) else f"{axis} {size}" for axis, size in zip(axes, shape, strict=False))
        return self.text.replace(f"({', '.join(map(str, shape))})", f"({', '.join(named)})", 1)


def exactly(facts: dict[str, Any]) -> list[tuple[str, str]]:
    """Facts as text: NaN is then like NaN, and 1 not like 1.0. Python writes no more than 4,300 decimal digits."""
    found = []
    for name, fact in sorted(facts.items()):
        parts = (fact.numerator, fact.denominator) if type(fact) is Fraction else (fact,)
        found.append((name, "/".join(hex(part) if type(part) is int else repr(part) for part in parts)))
    return found


ATOMS = frozenset({int, float, bool, complex, type(None), str, bytes})
"""Plain values, which need no summary: they stand on the tape as they are."""


QUICK = ATOMS - {str, bytes}


def as_summary(value: Any) -> Summary:
    """The summary of what stands on a tape, which may be a plain value."""
    if isinstance(value, Summary):
        return value
    return Summary(type(value).__qualname__, shortened(value), {"value": value})


def shortened(value: Any) -> str:
    """A plain value as text; a number of thousands of digits by its size."""
    if type(value) is int and value.bit_length() > 256:
        return f"int of {value.bit_length()} bits"
    return cut(repr(value), TEXT_LIMIT)


def cut(text: str, limit: int = 100) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
