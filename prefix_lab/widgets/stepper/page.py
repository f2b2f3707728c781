"""A recording, or two side by side, as one HTML file, for any browser, with no kernel and no network.

The stepper's ES modules become one text here, which widgets take, too. They stay plain files that browsers, editors and
the type checker read, and follow four rules, which a test holds: imports stand at the head and name files by
where they are, only the widget has a default export, no two modules give one name to different things, no text spans
lines.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefix_lab.debugger.cursor import COMPREHENSIONS
from prefix_lab.debugger.moves import PAGE, SHOWN, moves_of
from prefix_lab.debugger.progress import Progress
from prefix_lab.debugger.storage import is_recording, must_be_for_a_file, write_whole
from prefix_lab.locale import N_, _, for_page
from prefix_lab.widgets.stepper.pieces import Pieces
from prefix_lab.widgets.stepper.questions import must_be_text
from prefix_lab.widgets.stepper.written import pack, short_path

if TYPE_CHECKING:
    from prefix_lab.debugger import Recording

HERE = Path(__file__).parent
MAKING = N_("Making the page: {far:.0%} in {seconds:.0f} s")
NOT_MADE = N_("Stopped. No page was written; an older one is as it was.")
BEGIN_ONE = 'start([""], (host, stores, ...rest) => new StepperView(host, stores[""], ...rest));'
BEGIN_TWO = "start(SIDES, (...given) => new MirrorView(...given));"
IMPORT = re.compile(r'^import\s+\{[^}]*\}\s+from\s+"(\.\.?/[\w/-]+\.js)";\n', re.MULTILINE)
EXPORT = re.compile(r"^export (?!default)", re.MULTILINE)
COMMENT = re.compile(r"^ *//.*\n|^ */\*[\s\S]*?\*/\n|/\*\*.*?\*/ ?", re.MULTILINE)
NO_KEYS, NO_SIGNS = "const KEYS = [];", "const SHOWN = {};"
INDENT = re.compile(r"^\s+", re.MULTILINE)
FRAME = """
:root { color-scheme: light dark; }
html, body { height: 100%; margin: 0; }
body { display: flex; flex-direction: column; font: 13px/1.4 system-ui, sans-serif;
  background: light-dark(#fff, #1b1b1d); color: light-dark(#1c1c1e, #e6e6e8); }
header { padding: 4px 10px; }
h1 { font-size: 14px; margin: 0; overflow-wrap: anywhere; }
header p { margin: 0; font-size: 12px; color: light-dark(#595959, #ababab); }
main { flex: 1; min-height: 0; }
#stepper { height: 100%; }
.pl-root { resize: none; border-width: 1px 0 0; border-radius: 0; }
@media print { :root { color-scheme: light; } html, body { height: auto; } }
"""


HOW_ONE = N_(
    "Press over ▶ (or n) for the next line and ◀ over (or N) for the one before; ? shows every key. The address keeps "
    "the step: a copy of it leads here."
)
HOW_TWO = N_(
    "Press over ▶ (or n) for the next line on both sides, ◀ over (or N) for the one before, stage ▶ (or ]) for the "
    "next stage; ? shows every key. The address keeps the place."
)
STEPS = N_("{what} · {steps} steps")
BESIDE = N_("{ours} beside {theirs} · {what}")
EMPTY = N_("A recording with no steps")
NO_SCRIPT = N_("This page needs JavaScript, which comes with it; nothing is loaded from elsewhere.")
NAMED = 3  # outermost functions in a title


def write_page(recording: Recording, path: str | Path, *, title: str = "") -> None:
    """Write the page, whole or not at all. `title` heads it, else what was recorded.

    Raises `ValueError` that names the argument when the folder is not there, `RuntimeError` for a recording that is not
    finished.
    """
    must_be_writable(path, title)
    write(path, page_of(recording, title))


def write_mirror(recordings: dict[str, Recording], settings: dict[str, Any], path: str | Path, *, title: str) -> None:
    """Write a page with two recordings, by their sides; `settings` is what a mirror shares with its view."""
    must_be_writable(path, title)
    names = [outermost(one) for one in recordings.values()]
    what = [name for name in names[0] if name in names[1]] or names[0]
    ours, theirs = settings["labels"]
    heading = title or _(BESIDE).format(ours=ours, theirs=theirs, what=shortly(what))
    write(path, html({f"{side}/": Pieces(one) for side, one in recordings.items()}, settings, heading))


def must_be_writable(path: str | Path, title: str) -> None:
    path = Path(path)
    must_be_text("title", title, "My walk")
    must_be_for_a_file(path, ", such as 'walk.html'")
    if path.is_file() and is_recording(path):
        raise ValueError(
            f"path={str(path)!r} is a recording, and a page would take its place. Give another name, such as "
            "'walk.html'."
        )


def write(path: str | Path, page: str) -> None:
    write_whole(Path(path), page.encode("utf-8", errors="replace"))


def page_of(recording: Recording, title: str = "") -> str:
    """The page of one recording as text."""
    heading = title or what_was_recorded(recording)
    settings = {"breakpoints": [], "watches": [], "skip": COMPREHENSIONS}
    return html({"": Pieces(recording, title)}, settings, heading)


def what_was_recorded(recording: Recording) -> str:
    names = outermost(recording)
    return _(STEPS).format(what=shortly(names), steps=f"{len(recording):,}") if names else _(EMPTY)


def outermost(recording: Recording) -> list[str]:
    """The outermost functions of a recording that have a name of their own; a script by the name of its file."""
    calls = recording.calls
    while any("<locals>" in call.function and call.calls for call in calls):
        calls = [inner for call in calls for inner in (call.calls if "<locals>" in call.function else [call])]
    names = (short_path(call.file) if call.function == "<module>" else call.function for call in calls)
    return [*dict.fromkeys(names)]


def shortly(names: list[str]) -> str:
    return ", ".join(names[:NAMED]) + (", …" if len(names) > NAMED else "")


def html(sides: dict[str, Pieces], settings: dict[str, Any], heading: str) -> str:
    """A page with the pieces of one recording, or of several under names of their own."""
    keys = [(side, key) for side, pieces in sides.items() for key in pieces.names()]
    packed = {}
    with Progress(_(MAKING), _(NOT_MADE)) as done:
        for side, key in keys:
            packed[side + key] = pack(sides[side].get(key))
            done(len(packed) / len(keys))
    view, begin = ("mirror.js", BEGIN_TWO) if len(sides) > 1 else ("stepper.js", BEGIN_ONE)
    script = f"{linked(HERE / 'page.js', HERE / view)}\n{begin}\n"
    said = for_page(script)
    style = stripped((HERE / "stepper.css").read_text(encoding="utf-8") + FRAME)
    policy = f"default-src 'none'; script-src '{hashed(script)}'; style-src '{hashed(style)}'; base-uri 'none'"
    return f"""<!doctype html>
<html lang="{said["code"]}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(heading)}</title>
<style>{style}</style>
</head>
<body>
<header><h1>{escape(heading)}</h1><p>{escape(_(HOW_TWO if len(sides) > 1 else HOW_ONE))}</p></header>
<main id="stepper"></main>
<noscript>{escape(_(NO_SCRIPT))}</noscript>
<script type="application/json" id="settings">{as_data(settings | {"said": said})}</script>
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


def linked(*entries: Path) -> str:
    """The entries and everything that it imports, each once, in an order in which each finds what it needs."""
    text = "\n".join(stripped(path.read_text(encoding="utf-8")) for path in in_order(*entries))
    return text.replace(NO_KEYS, keys()).replace(NO_SIGNS, f"const SHOWN = {json.dumps(SHOWN)};")


def keys() -> str:
    """The table of keys, as keys.js has it, its texts marked for `for_page`."""
    rows = []
    for one in moves_of(PAGE):
        row = {name: getattr(one, name) for name in ("does", "keys", "by", "back", "travels", "group", "main")}
        row |= {name: f"N_({getattr(one, name)})" for name in ("says", "word") if getattr(one, name)}
        rows.append({name: value for name, value in row.items() if value})
    text = json.dumps(rows, ensure_ascii=False, separators=(",", ":"))
    return f"const KEYS = {text};".replace('"N_(', 'N_("').replace(')"', '")')


def in_order(*entries: Path) -> list[Path]:
    """A module after those that it imports."""
    found: list[Path] = []
    met: set[Path] = set()

    def add(path: Path) -> None:
        if path in met:
            return
        met.add(path)
        for name in IMPORT.findall(path.read_text(encoding="utf-8")):
            add(Path(os.path.normpath(path.parent / name)))
        found.append(path)

    for entry in entries:
        add(entry)
    return found


def stripped(text: str) -> str:
    """Without what only files need, and without comments, types and indents: a third of it, in every page and notebook.

    No text of the modules may begin a line, therefore: such a line would lose its indent.
    """
    return INDENT.sub("", COMMENT.sub("", EXPORT.sub("", IMPORT.sub("", text))))
