"""ES modules as one text, for places that take one: a widget's front end, a page on a disk.

The modules stay plain files that browsers, editors and the type checker read. They follow three rules, which a test
holds: imports stand at the head and name files of the folder, only the entry has a default export, and no two modules
give one name to different things.
"""

from __future__ import annotations

import re
from pathlib import Path

IMPORT = re.compile(r'^import\s+\{[^}]*\}\s+from\s+"\./([\w-]+\.js)";\n', re.MULTILINE)
EXPORT = re.compile(r"^export (?!default)", re.MULTILINE)


def linked(entry: Path) -> str:
    """The entry and everything that it imports, each once, in an order in which each finds what it needs."""
    return "\n".join(stripped(path.read_text(encoding="utf-8")) for path in in_order(entry))


def in_order(entry: Path) -> list[Path]:
    """A module after those that it imports."""
    found: list[Path] = []
    met: set[Path] = set()

    def add(path: Path) -> None:
        if path in met:
            return
        met.add(path)
        for name in IMPORT.findall(path.read_text(encoding="utf-8")):
            add(path.parent / name)
        found.append(path)

    add(entry)
    return found


def stripped(text: str) -> str:
    return EXPORT.sub("", IMPORT.sub("", text))
