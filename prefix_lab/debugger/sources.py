"""The text of the files that a recording ran through: as it was when it ran, where that can be had.

A file may have been edited since it was imported, so what stands in it may not be what ran. Whether it may have been is
asked of its times, which costs next to nothing; whether it was, of Python: the text is compiled, and must give the code
that ran.
"""

from __future__ import annotations

import functools
import importlib.util
import linecache
import os
import time
import warnings
from collections.abc import Iterable
from types import CodeType
from typing import Any

from prefix_lab.debugger.scope import codes_of, located

BEGAN = time.time()  # a file that changed after this may have been imported before
ANNOTATIONS = annotations.compiler_flag  # the import above binds it


def sources_of(codes: Iterable[CodeType], spaces: dict[str, dict[str, Any]]) -> tuple[dict[str, str], list[str]]:
    """The text of each file that these functions are of, and notes on those that are not what ran.

    `spaces` has the globals of one function of each file: a file's loader may know what the file system does not.
    """
    by_file: dict[str, set[CodeType]] = {}
    for code in codes:
        by_file.setdefault(code.co_filename, set()).add(code)
    texts, notes = {}, []
    for file in sorted(by_file):
        texts[file], changed = text_of(file, spaces[file], by_file[file])
        if changed:
            notes.append(
                f"{file} was changed after it was imported, so the lines shown may not be those that ran. Load it anew "
                "(importlib.reload, or a restart), and record again."
            )
    return texts, notes


def source_of(file: str) -> str:
    """The text of a file as it is now, or of a notebook's cell; empty when there is none."""
    linecache.checkcache(file)
    return "".join(linecache.getlines(file)).rstrip("\n")


def text_of(file: str, space: dict[str, Any], codes: set[CodeType]) -> tuple[str, bool]:
    """The text that these functions of a file were made from, and whether all there is of it is another one by now.

    The text is empty when nobody knows it.
    """
    path = located(file)
    entry = linecache.cache.get(path, ())
    before = "".join(entry[2]).rstrip("\n") if len(entry) > 2 else ""
    text = source_of(path)
    if text and not may_have_changed(path, space):
        return text, False
    for one in (text, before) if text else (before, loaded(space)):
        if one and gives(one, file, space, codes):
            if one is before:
                linecache.cache[path] = entry  # for the next recording
            return one, False
    return text, bool(text)


def loader_of(space: dict[str, Any]) -> Any:
    return space.get("__loader__") or getattr(space.get("__spec__"), "loader", None)


def loaded(space: dict[str, Any]) -> str:
    """What a module's loader says of its text: it may be in a zip, or made while the program runs."""
    name = getattr(space.get("__spec__"), "name", None) or space.get("__name__")
    try:
        return loader_of(space).get_source(name).rstrip("\n")
    except Exception:  # of anybody's loader, which may have none
        return ""


def may_have_changed(path: str, space: dict[str, Any]) -> bool:
    """Whether a file's times leave it open that it is not what was imported."""
    loader = loader_of(space)
    if loader is not None and not hasattr(loader, "source_to_code"):
        return False  # what it makes of a text is not for us to say, as with the rewritten asserts of pytest
    try:
        seen = os.stat(path)
    except OSError:
        return False
    if max(seen.st_mtime, seen.st_ctime) > BEGAN:
        return True
    try:
        with open(importlib.util.cache_from_source(path), "rb") as compiled:
            head = compiled.read(16)
    except (OSError, NotImplementedError):
        return False
    flags, *known = (int.from_bytes(head[at : at + 4], "little") for at in (4, 8, 12))
    return not flags and known != [int(seen.st_mtime) & 0xFFFFFFFF, seen.st_size & 0xFFFFFFFF]


def gives(text: str, file: str, space: dict[str, Any], codes: set[CodeType]) -> bool:
    """Whether this text, compiled as its module is, gives all these functions."""
    inherited = ANNOTATIONS * any(code.co_flags & ANNOTATIONS for code in codes)  # by what `exec` is given
    plain = functools.partial(compile, mode="exec", flags=inherited, dont_inherit=True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            whole = getattr(loader_of(space), "source_to_code", plain)(text.encode(), file)
    except Exception:  # half an edit is no Python; and a loader may be anybody's
        return False
    return codes <= set(codes_of(whole))
