"""A request's arguments, each asked for by name and type; a wrong one is refused in a sentence that names it."""

from __future__ import annotations

from typing import Any

LARGEST = 2**31 - 1  # the protocol's largest number


class Refused(Exception):
    """What a client asked for cannot be done; the text says why, and what can."""


class Arguments:
    """The arguments of one request, or an object inside them."""

    def __init__(self, given: Any, path: str = ""):
        if not isinstance(given, dict):
            raise Refused(f"{path or 'arguments'}: {shown(given)} was given, expected an object.")
        self.given, self.path = given, path

    def named(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name

    def has(self, name: str) -> bool:
        return self.given.get(name) is not None

    def whole(self, name: str, default: int | None = None, least: int = 0) -> int:
        """A whole number from `least` up; `default` when it is not given, or an error when there is none."""
        value = self.given.get(name)
        if value is None and default is not None:
            return default
        if isinstance(value, float) and value.is_integer():  # to JSON, 5.0 is 5
            value = int(value)
        if type(value) is not int or not least <= value <= LARGEST:
            raise Refused(f"{self.named(name)}: {shown(value)} was given, expected a whole number of at least {least}.")
        return value

    def text(self, name: str, default: str | None = None, longest: int = 4096) -> str:
        value = self.given.get(name)
        if value is None and default is not None:
            return default
        if not isinstance(value, str) or len(value) > longest:
            raise Refused(f"{self.named(name)}: {shown(value)} was given, expected a text of at most {longest} signs.")
        return value

    def flag(self, name: str, default: bool) -> bool:
        value = self.given.get(name)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise Refused(f"{self.named(name)}: {shown(value)} was given, expected true or false.")
        return value

    def one_of(self, name: str, choices: tuple[str, ...], default: str) -> str:
        value = self.text(name, default)
        if value not in choices:
            raise Refused(f"{self.named(name)}: {shown(value)} was given, expected one of {', '.join(choices)}.")
        return value

    def inside(self, name: str) -> Arguments:
        return Arguments(self.given.get(name), self.named(name))

    def items(self, name: str, required: bool = False) -> list[Any]:
        value = self.given.get(name)
        if value is None and not required:
            return []
        if not isinstance(value, list):
            raise Refused(f"{self.named(name)}: {shown(value)} was given, expected a list.")
        return value

    def objects(self, name: str) -> list[Arguments]:
        return [Arguments(one, f"{self.named(name)}[{at}]") for at, one in enumerate(self.items(name))]

    def texts(self, name: str, required: bool = False) -> list[str]:
        found = self.items(name, required)
        for at, one in enumerate(found):
            if not isinstance(one, str):
                raise Refused(f"{self.named(name)}[{at}]: {shown(one)} was given, expected a text.")
        return found


def shown(value: Any) -> str:
    """What was given, in few words."""
    if value is None:
        return "nothing"
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    text = repr(value) if not isinstance(value, int) or abs(value) <= 2**64 else "a huge number"
    return text if len(text) <= 80 else text[:79] + "…"
