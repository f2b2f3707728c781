"""What is recorded: which functions `include` means.

A name means a module and all modules inside it; a function or class, the code written in it; a path, a file or all
files of a folder. The debugger's own code is never recorded.
"""

from __future__ import annotations

import functools
import importlib.machinery
import inspect
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from types import CodeType, FrameType, MethodType, ModuleType
from typing import Any

OWN = "prefix_lab.debugger"
Included = Any


class Scope:
    """Whether a frame's function is to be recorded. Raises `ValueError` for something that includes nothing."""

    def __init__(self, include: Iterable[Included]):
        self.modules: set[str] = set()
        self.codes: set[tuple[str, str]] = set()
        self.files: set[str] = set()
        self.folders: tuple[str, ...] = ()
        include = [include] if isinstance(include, str | Path | ModuleType) or callable(include) else list(include)
        if not include:
            raise ValueError("include=[] would record nothing. Name a package, module, function or file.")
        for one in include:
            self.add(one)
        self.decided: dict[str, bool] = {}
        self.by_place = bool(self.codes or self.files or self.folders)

    def add(self, one: Included) -> None:
        if isinstance(one, ModuleType):
            self.modules.add(one.__name__)
        elif isinstance(one, Path) or (isinstance(one, str) and (os.sep in one or one.endswith(".py"))):
            path = Path(one).resolve()
            if path.is_dir():
                self.folders += (str(path) + os.sep,)
            elif path.is_file():
                self.files |= {str(path), str(one)}
            else:
                raise ValueError(f"include: there is no file or folder {str(one)!r}. Give a path that exists.")
        elif isinstance(one, str):
            if not is_module(one):
                raise ValueError(
                    f"include: there is no module {one!r}. Name an installed package or module, give a path, or the "
                    "function itself."
                )
            self.modules.add(one)
        elif isinstance(one, CodeType):
            self.codes.add((one.co_filename, one.co_qualname))
        elif inspect.isclass(one):
            functions = [getattr(thing, "__func__", thing) for thing in vars(one).values()]
            codes = [thing.__code__ for thing in functions if inspect.isfunction(thing)]
            if not codes:
                raise ValueError(f"include: {one!r} has no function written in Python. Name one of its base classes.")
            self.codes |= {(code.co_filename, one.__qualname__) for code in codes}
        elif callable(one):
            code = code_of(one)
            if code is None:
                raise ValueError(f"include: {one!r} is not written in Python, so it has no lines. Name what calls it.")
            self.codes.add((code.co_filename, code.co_qualname))
        else:
            raise ValueError(
                f"include: {one!r} is a {type(one).__name__}, expected the name of a package or module, a module, "
                "function, class, or path."
            )

    @staticmethod
    def is_own(module: str) -> bool:
        return module == OWN or module.startswith(OWN + ".")

    def has_module(self, module: str) -> bool:
        named = module in self.modules or any(module.startswith(name + ".") for name in self.modules)
        return named and not self.is_own(module)

    def covers(self, code: CodeType, frame: FrameType) -> bool:
        """Whether this function, running in this frame, is in scope."""
        module = dict.get(frame.f_globals, "__name__")  # of a subclass, too, whose own methods are the program's
        module = module if isinstance(module, str) else ""
        inside = self.decided.get(module)
        if inside is None:
            inside = self.decided[module] = self.has_module(module)
        if inside or not self.by_place or self.is_own(module):
            return inside
        file, function = code.co_filename, code.co_qualname
        if file in self.files or (self.folders and file.startswith(self.folders)):
            return True
        if self.files and os.path.realpath(file) in self.files:
            return True
        return any(
            file == where and (function == name or function.startswith(name + ".")) for where, name in self.codes
        )


def code_of(function: Any) -> CodeType | None:
    """The code that runs when this is called, beneath decorators, methods and partials; None if it is not Python's."""
    function = inspect.unwrap(function)
    if isinstance(function, functools.partial):
        return code_of(function.func)
    if isinstance(function, MethodType):
        return code_of(function.__func__)
    if inspect.isfunction(function):
        return function.__code__
    call = type(function).__call__ if callable(function) else None
    return call.__code__ if inspect.isfunction(call) else None


def is_module(name: str) -> bool:
    """Whether a module of that dotted name is there, imported or not. Imports nothing."""
    if name in sys.modules:
        return True
    path = None
    parts = name.split(".")
    for end in range(1, len(parts) + 1):
        whole = ".".join(parts[:end])
        if whole in sys.modules:
            path = getattr(sys.modules[whole], "__path__", None)
            continue
        if end > 1 and path is None:
            return False
        found = find_spec(whole, path)
        if found is None:
            return False
        path = found.submodule_search_locations
    return True


def find_spec(name: str, path: Any) -> importlib.machinery.ModuleSpec | None:
    for finder in sys.meta_path:
        try:
            found = finder.find_spec(name, path, None)
        except (AttributeError, ImportError, ValueError):
            continue
        if found is not None:
            return found
    return None
