"""A recording as one HTML file: the stepper with everything in it, for any browser, with no kernel and no network.

The stepper's ES modules become one text here, which widgets take, too. They stay plain files that browsers, editors and
the type checker read, and follow three rules, which a test holds: imports stand at the head and name files of the
folder, only the entry has a default export, and no two modules give one name to different things.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefix_lab.debugger.cursor import COMPREHENSIONS
from prefix_lab.debugger.storage import write_whole
from prefix_lab.widgets.stepper.pieces import Pieces
from prefix_lab.widgets.stepper.questions import must_be_language
from prefix_lab.widgets.stepper.written import pack

if TYPE_CHECKING:
    from prefix_lab.debugger import Recording

HERE = Path(__file__).parent
IMPORT = re.compile(r'^import\s+\{[^}]*\}\s+from\s+"\./([\w-]+\.js)";\n', re.MULTILINE)
EXPORT = re.compile(r"^export (?!default)", re.MULTILINE)
COMMENT = re.compile(r"^ *(?:/\*\*.*?\*/|//[^\n]*)\n", re.MULTILINE | re.DOTALL)  # that has lines of its own
FRAME = """
:root { color-scheme: light dark; }
html, body { height: 100%; margin: 0; }
body { display: flex; flex-direction: column; font: 13px/1.4 system-ui, sans-serif;
  background: light-dark(#fff, #1b1b1d); color: light-dark(#1c1c1e, #e6e6e8); }
header { padding: 4px 10px; }
h1 { font-size: 14px; margin: 0; }
main { flex: 1; min-height: 0; }
#stepper { height: 100%; }
.pl-root { resize: none; border-width: 1px 0 0; border-radius: 0; }
@media print { :root { color-scheme: light; } html, body { height: auto; } }
"""


def write_page(recording: Recording, path: str | Path, *, title: str = "", language: str = "en") -> None:
    """Write the page, whole or not at all. `title` heads it; `language` is "en" or "zh".

    Raises `ValueError` that names the argument when the folder is not there or the language is another, `RuntimeError`
    for a recording that is not finished.
    """
    path = Path(path)
    must_be_language(language)
    if not path.parent.is_dir():
        raise ValueError(f"path={str(path)!r}: there is no folder {str(path.parent)!r}. Make it first.")
    if path.is_dir():
        raise ValueError(f"path={str(path)!r} is a folder. Give the name of a file, such as 'walk.html'.")
    write_whole(path, page_of(recording, title, language).encode("utf-8", errors="replace"))


def page_of(recording: Recording, title: str = "", language: str = "en") -> str:
    """The page as text."""
    pieces = Pieces(recording, title)
    packed = {key: pack(pieces.get(key)) for key in pieces.names()}
    settings = {"language": language, "breakpoints": [], "watches": [], "skip": COMPREHENSIONS}
    script = linked(HERE / "page.js")
    style = (HERE / "stepper.css").read_text(encoding="utf-8") + FRAME
    policy = f"default-src 'none'; script-src '{hashed(script)}'; style-src '{hashed(style)}'; base-uri 'none'"
    heading = title or "A recording"
    no_script = "This page needs JavaScript, which comes with it; nothing is loaded from elsewhere."
    return f"""<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(heading)}</title>
<style>{style}</style>
</head>
<body>
<header><h1>{escape(heading)}</h1></header>
<main id="stepper"></main>
<noscript>{no_script}</noscript>
<script type="application/json" id="settings">{as_data(settings)}</script>
<script type="application/json" id="pieces">{as_data(packed)}</script>
<script type="module">{script}</script>
</body>
</html>
"""


def as_data(value: Any) -> str:
    """JSON that can stand in a script element whatever it says."""
    return json.dumps(value).replace("<", "\\u003c")


def hashed(text: str) -> str:
    """What the page's policy says of a script or style that it has inside."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


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
    return EXPORT.sub("", COMMENT.sub("", IMPORT.sub("", text)))
