"""The reference: what is public, by its docstrings, with links to the source; English in each language."""

from __future__ import annotations

import re

from notebooks.build import said
from prefix_lab.locale import N_

REFERENCE, CORE = N_("Reference"), N_("The essence: prefix_lab")
HEAD = N_("What is public, by room, from the docstrings; “[source]” leads to the code.")
ESSENCE = ("stages", "config", "mapping", "prepare", "encoder", "past", "models", "tasks", "checkpoint")
ROOMS = {
    "prefix_lab.debugger": "record Recorder Recording Step Summary Cursor Breakpoint register",
    "prefix_lab.shapes": "name_axes named name_axes_of evaluate shape_error ShapeError with_kept_names Names",
    "prefix_lab.widgets": "Stepper Mirror predict ShapeFlow ReshapeView TensorView ParameterBars",
    "prefix_lab.breakpoints": "stop_at break_at breakpoints clear shapes explain",
    "prefix_lab.walk": "walk Stop StageResult Seen Check Difference Fact",
    "prefix_lab.years": "recorded.record_old_walk beside.then_and_now beside.ThenAndNow",
    "prefix_lab.course": "record_walk load_tiny world_task train task_from_file before_and_after",
}
"""Rooms whose face has names; the essence is shown whole, file by file."""


def pages(language: str) -> dict[str, str]:
    """Name → text of each page, and of the one that lists them."""
    found = {"essence": page(said(CORE, language), [automodule(f"prefix_lab.{name}", whole=True) for name in ESSENCE])}
    for room, names in ROOMS.items():
        parts = [automodule(room)] + [auto(f"{room}.{name}") for name in names.split()]
        found[room.rpartition(".")[2]] = page(room, [one for one in parts if one])
    names = "\n".join(found)
    index = f"# {said(REFERENCE, language)}\n\n{said(HEAD, language)}\n\n```{{toctree}}\n:maxdepth: 1\n\n{names}\n```\n"
    return {"index": index} | found


def page(title: str, parts: list[str]) -> str:
    return f"# {title}\n\n```{{eval-rst}}\n" + "\n".join(parts) + "```\n"


def automodule(name: str, whole: bool = False) -> str:
    """A module's docstring; with `whole`, under its name and with all that it holds."""
    head = f"{name}\n{'-' * len(name)}\n\n" if whole else ""
    return f"{head}.. automodule:: {name}\n   :{'members' if whole else 'no-members'}:\n"


def auto(name: str) -> str:
    """A class with its methods, or a function; nothing where there is none of that name."""
    import importlib

    module, _, last = name.rpartition(".")
    one = getattr(importlib.import_module(module), last, None)
    if one is None:
        return ""
    kind = "autoclass" if isinstance(one, type) else "autofunction"
    members = "   :members:\n" if kind == "autoclass" else ""
    return f".. {kind}:: {name}\n{members}"


def left_out(app, what, name, obj, skip: bool, options) -> bool | None:
    """A field of a tuple, about which Python only says its number; the signature has it."""
    return True if str(getattr(obj, "__doc__", "")).startswith("Alias for field") else None


def of_init(app, what, name, obj, options, signature: str, returns: str) -> tuple[str, str] | None:
    """A widget is made as its `__init__` says; Sphinx asks `__new__`, which traitlets has for all of them."""
    if what != "class" or not str(signature).startswith("(*args") or "__init__" not in vars(obj):
        return None
    from sphinx.util import inspect  # which is there where the site is built; who reads this file needs none

    return inspect.stringify_signature(inspect.signature(obj.__init__, bound_method=True)), returns


def as_rst(app, what, name, obj, options, lines: list[str]) -> None:
    """Our docstrings are plain text with code in backticks, and examples that are indented: as Sphinx reads them."""
    found: list[str] = []
    for at, line in enumerate(lines):
        indented = line.startswith("    ")
        if indented and (at == 0 or not lines[at - 1].strip() or not lines[at - 1].startswith("    ")):
            opened = next((one for one in reversed(found) if one.strip()), "")
            if not opened.startswith("    "):
                found += ["", "::", ""]
        parts = re.split(r"(`[^`]+`)", line) if not indented else [line]
        outside = (re.sub(r"([*|_\\])", r"\\\1", one) if not one.startswith("`") else f"`{one}`" for one in parts)
        if not indented and found and found[-1].startswith("    "):
            found.append("")
        found.append(line if indented else "".join(outside))
    lines[:] = found
