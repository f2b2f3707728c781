"""What is recorded: which functions `include` means.

A name means a module and all modules inside it; a function, the code written in it; a class, that of its methods,
properties and inner classes, wherever it was made; an object that can be called, that of its class and of its call; a
path, a file, or all files of a folder or zip, by whatever links it is reached. The debugger's own code is never
recorded.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.machinery
import inspect
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import CodeType, FrameType, MethodType, ModuleType
from typing import Any

OWN = "prefix_lab.debugger"
OWN_FOLDER = str(Path(__file__).parent) + os.sep
STANDARD = os.path.dirname(os.__file__) + os.sep
NAMED = 3  # functions that did run, named where nothing was recorded
Included = Any

# What Python's own wrappers call the functions that they hold.
WRAPPERS = (staticmethod, classmethod, MethodType, property, functools.cached_property, functools.partial)
WRAPPERS += (functools.partialmethod, functools.singledispatchmethod)
HELD = ("__func__", "fget", "fset", "fdel", "func", "dispatcher")


class Scope:
    """Whether a frame's function is to be recorded. Raises `ValueError` for something that includes nothing."""

    def __init__(self, include: Included | Iterable[Included]):
        self.modules: set[str] = set()
        self.codes: list[CodeType] = []  # alive, so that no other code gets the id of one that is a place
        self.places: set[tuple] = set()
        self.paths: set[str] = set()
        several = isinstance(include, Iterable) and not isinstance(include, str) and not callable(include)
        self.include = list(include) if several else [include]
        if not self.include:
            raise ValueError("include=[] would record nothing. Name a package, module, function or file.")
        for one in self.include:
            self.add(one)
        self.files: dict[str, bool] = {}

    def add(self, one: Included) -> None:
        if isinstance(one, ModuleType):
            self.modules.add(one.__name__)
        elif isinstance(one, os.PathLike) or (isinstance(one, str) and (os.sep in one or one.endswith(".py"))):
            self.add_path(os.fspath(one))
        elif isinstance(one, str) and is_module(one):
            self.modules.add(one)
        elif isinstance(one, str) and os.path.exists(one):
            self.add_path(one)
        elif isinstance(one, str):
            raise ValueError(
                f"include: there is no module {one!r}. Name an installed package or module, give a path, or the "
                "function itself."
            )
        elif isinstance(one, (CodeType, *WRAPPERS)) or callable(one):
            codes = list(codes_of(one))
            if not codes:
                instead = "one of its base classes" if inspect.isclass(one) else "what calls it"
                raise ValueError(f"include: {one!r} has no line written in Python. Name {instead}.")
            self.codes += codes
            self.places |= set(map(place_of, codes))
        else:
            raise ValueError(
                f"include: {one!r} is a {type(one).__name__}, expected the name of a package or module, a module, "
                "function, class, or path."
            )

    def add_path(self, path: str) -> None:
        if not os.path.exists(path):
            raise ValueError(f"include: there is no file or folder {path!r}. Give a path that exists.")
        self.paths |= {path, os.path.abspath(path), os.path.realpath(path)}

    @staticmethod
    def is_own(module: str) -> bool:
        return module == OWN or module.startswith(OWN + ".")

    def has_module(self, module: str) -> bool:
        return module in self.modules or any(module.startswith(name + ".") for name in self.modules)

    def has_file(self, file: str) -> bool:
        known = self.files.get(file)
        if known is None:
            path = located(file)
            known = self.files[file] = any(
                name == one or name.startswith(os.path.join(one, ""))
                for name in {file, path, os.path.realpath(path)}
                for one in self.paths
            )
        return known

    def covers(self, code: CodeType, frame: FrameType) -> bool:
        """Whether this function, running in this frame, is in scope."""
        names = module_names(frame.f_globals)
        if any(map(self.is_own, names)):
            return False
        if any(map(self.has_module, names)) or place_of(code) in self.places:
            return True
        return bool(self.paths) and self.has_file(code.co_filename)

    def nothing_ran(self, codes: Iterable[CodeType]) -> str:
        """Says that none of what was asked for ran, and what did: of these codes, those that are not on the stack."""
        running = set()
        frame: FrameType | None = sys._getframe()
        while frame is not None:
            running.add(id(frame.f_code))
            frame = frame.f_back
        ran = [code for code in codes if id(code) not in running and is_a_learners(code.co_filename)]
        named = [f"{code.co_qualname} of {os.path.basename(code.co_filename)}" for code in ran[:NAMED]]
        said = [f"Nothing was recorded: no line of {', '.join(map(name_of, self.include))} ran."]
        for name in sorted(self.modules - sys.modules.keys()):
            path = f"; the path of that name is {os.path.join(os.curdir, name)!r}" if os.path.exists(name) else ""
            said.append(f"No module {name!r} was imported{path}.")
        if ran:
            said.append(f"What ran: {', '.join(named)}{', …' if len(ran) > NAMED else ''}. Include one, or its module.")
        said.append("What is not written in Python, what a class inherits, and threads begun earlier are not recorded.")
        return " ".join(said)


def is_a_learners(file: str) -> bool:
    """Whether a file is neither the debugger's nor Python's own."""
    python = file.startswith((STANDARD, "<frozen ")) and "-packages" + os.sep not in file
    return not python and not file.startswith(OWN_FOLDER)


def name_of(one: Included) -> str:
    """What was included, in a sentence."""
    if isinstance(one, str | os.PathLike):
        return os.fspath(one)
    return getattr(one, "__qualname__", None) or getattr(one, "__name__", None) or f"a {type(one).__qualname__}"


def module_names(space: dict[str, Any]) -> list[str]:
    """The name of the module that has these globals; that of `python -m` is both `__main__` and what was asked for."""
    name = dict.get(space, "__name__")  # of a subclass, too, whose own methods are the program's
    spec = dict.get(space, "__spec__") if name == "__main__" else None
    return [one for one in (name, getattr(spec, "name", None)) if isinstance(one, str)]


def place_of(code: CodeType) -> tuple:
    """What a function keeps when its module is loaded anew. In `<string>` it is only itself: there are many."""
    if code.co_filename.startswith("<"):
        return (id(code),)
    one_of_many = (code.co_linetable, code) if "<lambda>" in code.co_qualname else None  # columns, and what it does
    return code.co_filename, code.co_qualname, code.co_firstlineno, one_of_many


def located(file: str) -> str:
    """The path of a code's file, which may be relative; what names no file, such as a cell, stays as it is."""
    path = os.path.abspath(file)
    return path if os.path.exists(path) else file


def codes_of(one: Any, held: bool = False) -> Iterator[CodeType]:
    """All code that a function, property, class or object means, beneath decorators, with the functions inside it.

    What a class or wrapper holds is looked into where it is a function or descriptor, and left alone if it is a value.
    """
    if isinstance(one, CodeType):
        yield one
        for inner in one.co_consts:
            if isinstance(inner, CodeType):
                yield from codes_of(inner)
    elif inspect.isclass(one):
        for name, part in vars(one).items():
            if not inspect.isclass(part) or part.__qualname__ == f"{one.__qualname__}.{name}":
                yield from codes_of(part, held=True)
    elif isinstance(one, WRAPPERS):
        for name in HELD:
            yield from codes_of(getattr(one, name, None), held=True)
    elif inspect.isfunction(one):
        beneath = inspect.unwrap(one)
        yield from codes_of(one.__code__ if beneath is one else beneath)
        for part in getattr(vars(one).get("registry"), "values", tuple)():  # what a singledispatch chooses from
            yield from codes_of(part, held=True)
    elif held:
        for part in vars(one).values() if hasattr(type(one), "__get__") and hasattr(one, "__dict__") else ():
            if inspect.isfunction(part) or isinstance(part, WRAPPERS):
                yield from codes_of(part, held=True)
    elif (beneath := inspect.unwrap(one)) is not one:
        yield from codes_of(beneath)
    else:
        yield from codes_of(type(one))
        if inspect.isfunction(type(one).__call__):
            yield from codes_of(type(one).__call__)


def is_module(name: str) -> bool:
    """Whether a module of that dotted name is there, imported or not. Imports nothing."""
    path, whole = None, ""
    for part in name.split("."):
        if whole and path is None:  # what it would be in is no package
            return False
        whole = f"{whole}.{part}".lstrip(".")
        if whole in sys.modules:
            path = getattr(sys.modules[whole], "__path__", None)
        elif (found := find_spec(whole, path)) is not None:
            path = found.submodule_search_locations
        else:
            return False
    return True


def find_spec(name: str, path: Any) -> importlib.machinery.ModuleSpec | None:
    """What `importlib.util.find_spec` gives, without the import of what the module is in."""
    for finder in sys.meta_path:
        with contextlib.suppress(AttributeError, ImportError, ValueError):
            found = finder.find_spec(name, path, None)
            if found is not None:
                return found
    return None
