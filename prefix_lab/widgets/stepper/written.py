"""How a recording's values, sources and files are written for a view: as JSON, in colours, by short names."""

from __future__ import annotations

import base64
import functools
import json
import math
import re
import sys
import zlib
from collections import Counter
from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

from pygments.lexers import PythonLexer
from pygments.token import Comment, Keyword, Name, Number, Operator, String

from prefix_lab.debugger.summary import Summary, shortened

LONGEST = 400  # characters of a value's line
CELL = re.compile(r"ipykernel_\d+[/\\](\d+)\.py$|^<ipython-input-(\d+)")
# What pygments calls a piece of source → the letter of its colour, as in source.js; the first that fits.
COLOURS = (
    (Comment, "c"),
    (String, "s"),
    (Number, "n"),
    (Keyword, "k"),
    (Operator.Word, "k"),
    (Name.Decorator, "d"),
    (Name.Function, "f"),
    (Name.Class, "f"),
    (Name.Builtin, "b"),
    (Name.Exception, "b"),
)


def headline(value: Any) -> list[Any]:
    """A value in one line: its type, its text; of a summary also the shape, the names of the axes, which object it is,
    and whether there is more inside."""
    if not isinstance(value, Summary):
        return [type(value).__qualname__, clipped(shortened(value))]
    shape, axes = value.facts.get("shape"), value.facts.get("axes")
    more = 1 if value.parts else 0
    found = [value.type, clipped(value.text), None if shape is None else list(shape), axes, value.number, more]
    while found[-1] in (None, 0):
        found.pop()
    return found


def clipped(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def whole(value: Any) -> Any:
    """A value with its facts and parts; one that is plain as its headline."""
    if not isinstance(value, Summary):
        return headline(value)
    return {
        "type": value.type,
        "text": value.text,
        "facts": {name: for_json(fact) for name, fact in value.facts.items()},
        "parts": [[label, whole(part)] for label, part in value.parts],
        "number": value.number,
    }


def for_json(fact: Any) -> Any:
    """A fact as JSON has it; a number that JSON or JavaScript cannot hold, and anything else, as its text in `py`."""
    if fact is None or isinstance(fact, bool | str):
        return fact
    if isinstance(fact, int) and abs(fact) < 2**53:
        return fact
    if isinstance(fact, float) and math.isfinite(fact) and not fact.is_integer():
        return fact
    if isinstance(fact, list | tuple):
        return [for_json(one) for one in fact]
    return {"py": shortened(fact)}


def as_json(piece: Any) -> str:
    return json.dumps(piece, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def pack(piece: Any) -> str:
    """A piece as base64 of deflated JSON."""
    return base64.b64encode(zlib.compress(as_json(piece).encode("utf-8", errors="backslashreplace"), 9)).decode()


def letter_of(kind: Any) -> str:
    """The letter of a colour for what pygments calls a piece of source; a dot for what has none."""
    return next((letter for known, letter in COLOURS if kind in known), ".")


@functools.lru_cache(maxsize=64)
def colours_of(source: str) -> str:
    """The colours of a source from its beginning on, as letters with how many signs each is for: `k3.1f7` for
    `def forward`, a dot for none. Signs are counted as JavaScript does."""
    runs: list[tuple[str, int]] = []
    for _, kind, text in PythonLexer().get_tokens_unprocessed(source):
        letter = letter_of(kind)
        if runs and (runs[-1][0] == letter or text.isspace()):
            letter, before = runs.pop()
            runs.append((letter, before + in_javascript(text)))
        else:
            runs.append((letter, in_javascript(text)))
    return "".join(f"{letter}{length}" for letter, length in runs)


def in_javascript(text: str) -> int:
    """How long a text is there: signs beyond the first 65,536 are two."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", errors="surrogatepass")) // 2


def short_paths(files: Sequence[str]) -> list[str]:
    """A short name for each file; two files never get the same one."""
    found = [short_path(file) for file in files]
    count = Counter(found)
    return [short if count[short] == 1 else file for short, file in zip(found, files, strict=True)]


def short_path(file: str) -> str:
    """`peft/peft_model.py` for a file of an installed package; `cell` and a number for a notebook's cell."""
    cell = CELL.search(file)
    if cell:
        return f"cell {cell[1] or cell[2]}"
    path = PurePath(file)
    roots = sorted((PurePath(root) for root in sys.path if root), key=lambda root: -len(root.parts))
    for root in roots:
        if path.is_relative_to(root) and len(root.parts) > 1:
            return path.relative_to(root).as_posix()
    for name in ("site-packages", "dist-packages"):
        if name in path.parts:
            return "/".join(path.parts[len(path.parts) - path.parts[::-1].index(name) :])
    return "/".join(path.parts[-2:])
