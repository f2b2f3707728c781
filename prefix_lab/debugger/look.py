"""How a value is looked at: turned into a summary, with nothing of it run.

`Look` knows objects by their fields; plain Python's values are in `plain_values`, and other packages register what they
know (tensors, modules) by the full name of a class, so that nothing has to be imported for it. What a class defines
(`__repr__`, `__len__`, properties) is never called; what could not be looked at is shown as its type.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import pkgutil
import signal
import threading
import types
import weakref
from collections.abc import Callable, Iterator
from importlib.metadata import entry_points
from types import GetSetDescriptorType, MemberDescriptorType
from typing import Any

from prefix_lab.debugger.secrets import HIDDEN, is_secret
from prefix_lab.debugger.summary import QUICK, Summary, as_summary, cut

PARTS_LIMIT = 24
DEPTH_LIMIT = 3
PLUGINS = "prefix_lab.summaries"
RECORDS = ("__dataclass_fields__", "__attrs_attrs__")
KEEPS = ("shapes", "statistics", "small")

Describe = Callable[[Any, "Look"], Any]
_known: dict[str, tuple[Describe | str, bool]] = {}


def register(class_name: str, describe: Describe | str, touched: bool = True) -> None:
    """Say how instances of a class, named in full, and of its subclasses are summed up.

    `describe(value, look)` gives a `Summary`, or a plain value; named as "module:function", it is imported when the
    first such value is met. `touched=False` says that a line which uses the value without binding it need not look
    again, since nothing that is told can change.
    """
    _known[class_name] = (describe, touched)


@functools.cache
def load_plugins() -> None:
    """Once: let installed packages register what they know, by the entry points named `prefix_lab.summaries`."""
    for point in entry_points(group=PLUGINS):
        point.load()()


mro_of = type.__dict__["__mro__"].__get__
names_in = type.__dict__["__dict__"].__get__  # `vars` of a class, without asking its metaclass
name_of = type.__dict__["__qualname__"].__get__
module_of = type.__dict__["__module__"].__get__


def full_name(cls: type) -> str:
    """`package.module.Class`, without asking the class or its metaclass; builtins by their name alone."""
    try:
        module = module_of(cls)
    except AttributeError:  # a class made in C may have none
        module = None
    module = module if isinstance(module, str) else "?"
    return name_of(cls) if module == "builtins" else f"{module}.{name_of(cls)}"


def from_signal(error: BaseException) -> bool:
    """Whether the handler of a signal raised it, which runs wherever the main thread is just then; for the program."""
    handlers = map(signal.getsignal, signal.valid_signals())
    functions = (handler for handler in handlers if type(handler) in (types.FunctionType, types.MethodType))
    codes = [getattr(function, "__code__", None) for function in functions]
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code not in codes:
        trace = trace.tb_next
    return trace is not None


class Depth(threading.local):
    """How deep inside a value a thread looks just now; another one may take its turn in between."""

    levels = 0


class Look:
    """Sums values up for one recording, each kind in its own way, and remembers what it made."""

    def __init__(self, keep: str = "shapes", secrets: bool = True):
        self.keep, self.secrets = keep, secrets
        self.hid = False  # whether a text was left out, since its name says that it is secret
        self.memo: dict[Any, Summary] = {}
        self.depth = Depth()
        self.errors = 0
        self.last: dict[int | None, Any] = {}  # what was told last of an object, by its number
        self.met: object = None  # another one whenever something is looked at that may change without being named
        self.when_met: Callable[[], None] = lambda: None  # called the first time
        self.dicts: dict[type, Callable[[Any], Any]] = {}  # what gives the own dict of a class's objects
        self.members: dict[type, dict[str, Any]] = {}  # the slots of a class
        self._kinds: dict[type, tuple[Describe, bool]] = {}
        self.quiet: set[type] = set()  # what needs no second look while a line merely uses it
        self._numbers: dict[int, tuple[weakref.ref, int]] = {}
        self._count = itertools.count(1)

    def __call__(self, value: Any) -> Any:
        """The summary of a value, or a plain value itself. Raises nothing but what a signal's handler raises."""
        cls = type(value)
        try:
            return (self._kinds.get(cls) or self.kind(cls))[0](value, self)
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt) or from_signal(error):
                raise
            self.errors += 1
            return self.plain(cls)

    def named(self, name: str, value: Any) -> Any:
        """As calling, of what this name stands for."""
        if (type(value) is str or type(value) is bytes) and not self.secrets and is_secret(name, value):
            self.hid = True
            return HIDDEN
        return self(value)

    def touched(self, value: Any) -> Any:
        """As calling; but None for what a line that merely uses it need not look at again."""
        cls = type(value)
        return self(value) if (self._kinds.get(cls) or self.kind(cls))[1] else None

    def is_touched(self, value: Any) -> bool:
        """Whether a line that merely uses this value may change what is told of it."""
        cls = type(value)
        touched = (self._kinds.get(cls) or self.kind(cls))[1]
        if not touched:
            self.quiet.add(cls)
        return touched

    def meet(self) -> None:
        """Say that what is looked at may change without being named."""
        first, self.met = self.met is None, object()
        if first:
            self.when_met()

    def may_change(self, value: Any) -> bool:
        """Whether it is something that may change without being named, or is looked into."""
        cls = type(value)
        return (self._kinds.get(cls) or self.kind(cls))[0] in RESTLESS

    def kind(self, cls: type) -> tuple[Describe, bool]:
        """How to describe instances of a class: the way registered for the first of its bases that has one."""
        names = [full_name(base) for base in mro_of(cls)]
        describe, touched = next((_known[name] for name in names if name in _known), (describe_object, True))
        if isinstance(describe, str):
            describe = pkgutil.resolve_name(describe)
        if describe is describe_object and any(mark in names_in(base) for mark in RECORDS for base in mro_of(cls)):
            describe = describe_fields
        elif describe is describe_object and not members_of(cls) and own_dict(cls) is None:
            describe, touched = describe_by_class, False
        self._kinds[cls] = found = describe, touched
        return found

    def plain(self, cls: type) -> Summary:
        """What is known of a value by its class alone."""
        summary = self.memo.get(cls)
        if summary is None:
            summary = self.memo[cls] = Summary(full_name(cls), f"<{name_of(cls)}>")
        return summary

    def number(self, value: Any) -> int | None:
        """A number that this object alone has in this recording; None if it cannot be told. Keeps nothing alive."""
        entry = self._numbers.get(id(value))
        if entry is not None and entry[0]() is value:
            return entry[1]
        try:
            entry = self._numbers[id(value)] = (weakref.ref(value), next(self._count))
        except TypeError:
            return None
        return entry[1]

    def inside(self, items: Iterator[tuple[str, Any]], count: int) -> tuple[tuple[str, Any], ...]:
        """Summaries of the first parts of something that has `count` of them; none when it lies too deep."""
        if self.depth.levels >= DEPTH_LIMIT:
            return ()
        self.depth.levels += 1
        try:
            found = []
            for label, item in itertools.islice(items, min(count, PARTS_LIMIT)):
                found.append((label, item if type(item) in QUICK else self.named(label, item)))
            return tuple(found)
        finally:
            self.depth.levels -= 1

    def shared(self, key: tuple, parts: tuple[tuple[str, Any], ...], make: Callable[[], Summary]) -> Summary:
        """The one summary for this key and these parts, made when it is met first."""
        # Equal numbers of different types are different parts; a summary is told by which one it is.
        told = [*key]
        for label, part in parts:
            exact = repr(part) if type(part) is float or type(part) is complex else part
            told += (label, id(part)) if type(part) is Summary else (label, exact, type(part))
        summary = self.memo.get(known := tuple(told))
        if summary is None:
            summary = self.memo[known] = make()
        return summary


def dict_of(value: Any, look: Look) -> dict[str, Any]:
    """An object's own dict, which `__dict__` need not be: a class may define a property of that name."""
    cls = type(value)
    read = look.dicts.get(cls)
    if read is None:
        own = own_dict(cls)
        read = look.dicts[cls] = (lambda _: {}) if own is None else own.__get__
    held = read(value)
    return held if type(held) is dict else {}


def own_dict(cls: type) -> Any:
    """What gives the own dict of a class's objects; None where they have none."""
    slots = (names_in(base).get("__dict__") for base in mro_of(cls))  # a module's is a member
    return next((slot for slot in slots if type(slot) in (GetSetDescriptorType, MemberDescriptorType)), None)


def members_of(cls: type) -> dict[str, Any]:
    """The slots of a class and its bases, by name."""
    return {
        name: slot
        for base in reversed(mro_of(cls))
        if "__slots__" in names_in(base) or base in (range, slice)
        for name, slot in names_in(base).items()
        if type(slot) is MemberDescriptorType and not name.startswith("__")
    }


def fields_of(value: Any, look: Look) -> dict[str, Any]:
    """What an object holds, in its slots and its dict. Properties are not run; a slot that is not set is left out."""
    cls, found = type(value), {}
    members = look.members.get(cls)
    if members is None:
        members = look.members[cls] = members_of(cls)
    for name, slot in members.items():
        with contextlib.suppress(AttributeError):
            found[name] = slot.__get__(value)
    found.update((name, item) for name, item in list(dict_of(value, look).items()) if type(name) is str)
    return found


def describe_by_class(value: Any, look: Look) -> Summary:
    """What has no fields."""
    return look.plain(type(value))


def describe_fields(value: Any, look: Look) -> Summary:
    """A dataclass, or another object of which it helps to see what is in its fields."""
    cls = type(value)
    own = fields_of(value, look) if look.depth.levels < DEPTH_LIMIT else None
    if not own:
        return look.plain(cls)
    parts, number = look.inside(iter(own.items()), len(own)), look.number(value)
    return look.shared((cls, number, len(own)), parts, lambda: composed(full_name(cls), name_of(cls), parts, number))


def describe_object(value: Any, look: Look) -> Summary:
    """Anything that nothing better is known of: its fields, in a line each, where it stands for itself; what they hold
    may be half the program, and is not looked into."""
    if look.depth.levels:
        return look.plain(type(value))
    look.depth.levels = DEPTH_LIMIT - 1
    try:
        return describe_fields(value, look)
    finally:
        look.depth.levels = 0


def composed(
    type_name: str,
    label: str,
    parts: tuple[tuple[str, Any], ...],
    number: int | None,
    facts: dict[str, Any] | None = None,
) -> Summary:
    inner = ", ".join(f"{name}={as_summary(part).text}" for name, part in parts if part is not None)
    return Summary(type_name, f"{label}({cut(inner)})", facts, parts, number)


RESTLESS: set[Describe] = {describe_fields, describe_object}
"""What sums up objects that may change without being named, or that may hold such objects; packages add theirs."""
