"""How plain Python's values are summed up: numbers, texts, sequences, mappings, enums, functions, exceptions."""

from __future__ import annotations

import itertools
import types
from typing import Any

from prefix_lab.debugger.look import (
    PARTS_LIMIT,
    RESTLESS,
    Look,
    composed,
    describe_object,
    dict_of,
    full_name,
    mro_of,
    name_of,
    names_in,
    register,
)
from prefix_lab.debugger.summary import ATOMS, TEXT_LIMIT, Summary, as_summary, cut, shortened

LABELS = tuple(map(str, range(PARTS_LIMIT)))

EXACT = {
    int: int.__pos__,
    float: float.__pos__,
    complex: complex.__pos__,
    str: lambda text: str.__getitem__(text, slice(None)),
    bytes: lambda text: bytes.__getitem__(text, slice(None)),
}


def describe_atom(value: Any, look: Look) -> Any:
    """Numbers, texts, None; of a subclass (an enum's member, say) the plain value and the name that it has."""
    cls = type(value)
    if cls not in ATOMS:
        exact = next(EXACT[base](value) for base in mro_of(cls) if base in EXACT)
        text = member_name(value, look) or f"{name_of(cls)}({shortened(exact)})"
        exact = exact if type(exact) not in (str, bytes) else exact[:TEXT_LIMIT]
        return look.shared((cls, text), (("", exact),), lambda: Summary(full_name(cls), text, {"value": exact}))
    if cls in (str, bytes) and len(value) > TEXT_LIMIT:
        return Summary(cls.__name__, shortened(value[:TEXT_LIMIT])[:-1] + "…", {"length": len(value)})
    return value


def member_name(value: Any, look: Look) -> str | None:
    """`Colour.RED`, of an enum's member that has a name."""
    name = dict_of(value, look).get("_name_") if "_member_map_" in names_in(type(value)) else None
    return f"{name_of(type(value))}.{name}" if type(name) is str else None


def describe_number(value: Any, look: Look) -> Summary:
    """A fraction or a decimal number, exactly; of a subclass, its fields."""
    cls, name = type(value), full_name(type(value))
    if name == "fractions.Fraction":
        exact, text = (value.numerator, value.denominator), "/".join(map(shortened, value.as_integer_ratio()))
    elif name == "decimal.Decimal":
        exact = text = str(value)
    else:
        return describe_object(value, look)
    return look.shared((cls, exact), (), lambda: Summary(name, cut(text), {"value": value}))


def describe_member(value: Any, look: Look) -> Summary:
    """An enum's member."""
    cls, number, held = type(value), look.number(value), dict_of(value, look).get("_value_")
    plain = type(held) in ATOMS
    text = member_name(value, look) or f"{name_of(cls)}({shortened(held) if plain else ''})"
    facts = {"value": held} if plain else {}
    return look.shared((cls, text, number), (), lambda: Summary(full_name(cls), text, facts, number=number))


def field_names(cls: type) -> tuple[str, ...]:
    """The names of a named tuple's fields; none of any other sequence."""
    for base in mro_of(cls):
        names = names_in(base).get("_fields")
        if type(names) is tuple and all(type(name) is str for name in names):
            return names
    return ()


def describe_sequence(value: list | tuple, look: Look) -> Summary:
    cls = type(value)
    if cls is tuple or cls is list:
        size, items = len(value), value
    else:
        kind = tuple if issubclass(cls, tuple) else list
        size, items = kind.__len__(value), list(kind.__iter__(value))
    parts = look.inside(zip(LABELS, items, strict=False), size)
    opened, closed = "()" if issubclass(cls, tuple) else "[]"
    number = None if issubclass(cls, tuple) else look.number(value)
    fields = field_names(cls) if cls is not tuple and cls is not list else ()
    if len(fields) == size > 0:
        named = tuple((name, part) for name, (_, part) in zip(fields, parts, strict=False))
        facts = {"length": size, "fields": fields}
        return look.shared((cls, size), named, lambda: composed(full_name(cls), name_of(cls), named, None, facts))

    def make() -> Summary:
        inner = cut(", ".join(as_summary(part).text for _, part in parts))
        more = f"{', ' if parts else ''}… {size} in all" if size > len(parts) else ""
        name = "" if cls in (list, tuple) else name_of(cls)
        return Summary(full_name(cls), f"{name}{opened}{inner}{more}{closed}", {"length": size}, parts, number)

    return look.shared((cls, size, number), parts, make)


def describe_mapping(value: dict, look: Look) -> Summary:
    cls, size = type(value), dict.__len__(value)
    items = itertools.islice(dict.items(value), PARTS_LIMIT)
    parts = look.inside(
        ((key if type(key) is str else as_summary(look(key)).text, item) for key, item in list(items)), size
    )

    def make() -> Summary:
        inner = cut(", ".join(f"{label}: {as_summary(part).text}" for label, part in parts))
        more = f"{', ' if parts else ''}… {size} in all" if size > len(parts) else ""
        name = "" if cls is dict else name_of(cls)
        return Summary(full_name(cls), f"{name}{{{inner}{more}}}", {"length": size}, parts)

    return look.shared((cls, size), parts, make)


def describe_set(value: set | frozenset, look: Look) -> Summary:
    cls = type(value)
    size = (set if issubclass(cls, set) else frozenset).__len__(value)
    return look.shared((cls, size), (), lambda: Summary(full_name(cls), f"{name_of(cls)} of {size}", {"length": size}))


def describe_function(value: Any, look: Look) -> Summary:
    kind = "method" if type(value) is types.MethodType else "function"
    function = value.__func__ if kind == "method" else value
    name = function.__qualname__ if type(function) is types.FunctionType else full_name(type(function))
    return look.shared((kind, name), (), lambda: Summary(kind, f"{kind} {name}"))


def describe_class(value: type, look: Look) -> Summary:
    name = full_name(value)
    return look.shared(("class", name), (), lambda: Summary("type", f"class {name}"))


def describe_module(value: types.ModuleType, look: Look) -> Summary:
    name = dict_of(value, look).get("__name__")
    name = name if type(name) is str else "?"
    return look.shared(("module", name), (), lambda: Summary("module", f"module {name}"))


def describe_exception(value: BaseException, look: Look) -> Summary:
    """The class, and the message as far as it is plain text; `__str__` may be anybody's and is not called."""
    args = BaseException.args.__get__(value)
    said = next((arg for arg in args if type(arg) is str), None) if type(args) is tuple else None
    plain = ", ".join(shortened(arg) for arg in args if type(arg) in ATOMS) if said is None else said
    cls = type(value)
    message = cut(plain, 5 * TEXT_LIMIT)
    text = f"{name_of(cls)}: {message}" if message else name_of(cls)
    bases = tuple(full_name(base) for base in mro_of(cls))
    return look.shared((cls, message), (), lambda: Summary(full_name(cls), text, {"message": message, "bases": bases}))


def register_all() -> None:
    """Tell `Look` about everything in this file."""
    RESTLESS.update((describe_sequence, describe_mapping))
    for cls in ATOMS:
        register(full_name(cls), describe_atom, touched=False)
    register("list", describe_sequence)
    register("tuple", describe_sequence)
    register("dict", describe_mapping)
    register("set", describe_set)
    register("frozenset", describe_set)
    register("enum.Enum", describe_member, touched=False)
    register("fractions.Fraction", describe_number)
    register("decimal.Decimal", describe_number)
    register("function", describe_function, touched=False)
    register("method", describe_function, touched=False)
    register("type", describe_class, touched=False)
    register("module", describe_module, touched=False)
    register("BaseException", describe_exception)
