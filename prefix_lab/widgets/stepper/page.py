"""A recording, or two side by side, as one HTML file, for any browser, with no kernel and no network.

The stepper's ES modules become one text here, which widgets take, too. They stay plain files that browsers, editors and
the type checker read, and follow four rules, which a test holds: imports stand at the head and name files of the
folder, only the widget has a default export, no two modules give one name to different things, no text spans lines.
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
from prefix_lab.debugger.progress import Progress
from prefix_lab.debugger.storage import is_recording, write_whole
from prefix_lab.widgets.stepper.pieces import Pieces
from prefix_lab.widgets.stepper.questions import must_be_language, must_be_text
from prefix_lab.widgets.stepper.written import pack, short_path

if TYPE_CHECKING:
    from prefix_lab.debugger import Recording

HERE = Path(__file__).parent
MAKING = "Making the page: {far:.0%} in {seconds:.0f} s"
NOT_MADE = "Stopped. No page was written; an older one is as it was."
BEGIN_ONE = 'start([""], (host, stores, ...rest) => new StepperView(host, stores[""], ...rest));'
BEGIN_TWO = "start(SIDES, (...given) => new MirrorView(...given));"
IMPORT = re.compile(r'^import\s+\{[^}]*\}\s+from\s+"\./([\w-]+\.js)";\n', re.MULTILINE)
EXPORT = re.compile(r"^export (?!default)", re.MULTILINE)
COMMENT = re.compile(r"^ *//.*\n|^ */\*[\s\S]*?\*/\n|/\*\*.*?\*/ ?", re.MULTILINE)
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


# How to begin, by language: for one recording, and for two.
HOW = {
    "en": (
        "Press over ▶ (or n) for the next line and ◀ over (or N) for the one before; ? shows every key. The address "
        "keeps the step: a copy of it leads here.",
        "Press over ▶ (or n) for the next line on both sides, ◀ over (or N) for the one before, stage ▶ (or ]) for the "
        "next stage; ? shows every key. The address keeps the place.",
    ),
    "zh": (
        "按 步过 ▶(或 n)到下一行,◀ 步过(或 N)回到上一行;? 显示所有按键。地址会记住步骤:复制的地址通向这里。",
        "按 步过 ▶(或 n)让两侧都到下一行,◀ 步过(或 N)回到上一行,阶段 ▶(或 ])到下一阶段;"
        "? 显示所有按键。地址会记住位置。",
    ),
}
STEPS = {"en": "{what} · {steps} steps", "zh": "{what} · {steps} 步"}
BESIDE = {"en": "{ours} beside {theirs} · {what}", "zh": "{ours} 与 {theirs} · {what}"}
EMPTY = {"en": "A recording with no steps", "zh": "没有步骤的录制"}
NO_SCRIPT = {
    "en": "This page needs JavaScript, which comes with it; nothing is loaded from elsewhere.",
    "zh": "本页需要 JavaScript,它已包含在页面中;不会从别处加载任何内容。",
}
NAMED = 3  # outermost functions in a title


def write_page(recording: Recording, path: str | Path, *, title: str = "", language: str = "en") -> None:
    """Write the page, whole or not at all. `title` heads it, else what was recorded; `language` is "en" or "zh".

    Raises `ValueError` that names the argument when the folder is not there or the language is another, `RuntimeError`
    for a recording that is not finished.
    """
    must_be_writable(path, title, language)
    write(path, page_of(recording, title, language))


def write_mirror(
    recordings: dict[str, Recording], settings: dict[str, Any], path: str | Path, *, title: str, language: str
) -> None:
    """Write a page with two recordings, by their sides; `settings` is what a mirror shares with its view."""
    must_be_writable(path, title, language)
    names = [outermost(one) for one in recordings.values()]
    what = [name for name in names[0] if name in names[1]] or names[0]
    ours, theirs = settings["labels"]
    heading = title or BESIDE[language].format(ours=ours, theirs=theirs, what=shortly(what))
    write(path, html({f"{side}/": Pieces(one) for side, one in recordings.items()}, settings, heading, language))


def must_be_writable(path: str | Path, title: str, language: str) -> None:
    path = Path(path)
    must_be_text("title", title, "My walk")
    must_be_language(language)
    if not path.parent.is_dir():
        raise ValueError(f"path={str(path)!r}: there is no folder {str(path.parent)!r}. Make it first.")
    if path.is_dir():
        raise ValueError(f"path={str(path)!r} is a folder. Give the name of a file, such as 'walk.html'.")
    if path.exists() and not path.is_file():
        raise ValueError(f"path={str(path)!r} is a device or a pipe. Give the name of a file, such as 'walk.html'.")
    if path.is_file() and is_recording(path):
        raise ValueError(
            f"path={str(path)!r} is a recording, and a page would take its place. Give another name, such as "
            "'walk.html'."
        )


def write(path: str | Path, page: str) -> None:
    write_whole(Path(path), page.encode("utf-8", errors="replace"))


def page_of(recording: Recording, title: str = "", language: str = "en") -> str:
    """The page of one recording as text."""
    heading = title or what_was_recorded(recording, language)
    settings = {"breakpoints": [], "watches": [], "skip": COMPREHENSIONS}
    return html({"": Pieces(recording, title)}, settings, heading, language)


def what_was_recorded(recording: Recording, language: str) -> str:
    names = outermost(recording)
    return STEPS[language].format(what=shortly(names), steps=f"{len(recording):,}") if names else EMPTY[language]


def outermost(recording: Recording) -> list[str]:
    """The outermost functions of a recording that have a name of their own; a script by the name of its file."""
    calls = recording.calls
    while any("<locals>" in call.function and call.calls for call in calls):
        calls = [inner for call in calls for inner in (call.calls if "<locals>" in call.function else [call])]
    names = (short_path(call.file) if call.function == "<module>" else call.function for call in calls)
    return [*dict.fromkeys(names)]


def shortly(names: list[str]) -> str:
    return ", ".join(names[:NAMED]) + (", …" if len(names) > NAMED else "")


def html(sides: dict[str, Pieces], settings: dict[str, Any], heading: str, language: str) -> str:
    """A page with the pieces of one recording, or of several under names of their own."""
    keys = [(side, key) for side, pieces in sides.items() for key in pieces.names()]
    packed = {}
    with Progress(MAKING, NOT_MADE) as done:
        for side, key in keys:
            packed[side + key] = pack(sides[side].get(key))
            done(len(packed) / len(keys))
    view, begin = ("mirror.js", BEGIN_TWO) if len(sides) > 1 else ("stepper.js", BEGIN_ONE)
    script = f"{linked(HERE / 'page.js', HERE / view)}\n{begin}\n"
    style = stripped((HERE / "stepper.css").read_text(encoding="utf-8") + FRAME)
    policy = f"default-src 'none'; script-src '{hashed(script)}'; style-src '{hashed(style)}'; base-uri 'none'"
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
<header><h1>{escape(heading)}</h1><p>{HOW[language][len(sides) > 1]}</p></header>
<main id="stepper"></main>
<noscript>{NO_SCRIPT[language]}</noscript>
<script type="application/json" id="settings">{as_data(settings | {"language": language})}</script>
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
    return "\n".join(stripped(path.read_text(encoding="utf-8")) for path in in_order(*entries))


def in_order(*entries: Path) -> list[Path]:
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

    for entry in entries:
        add(entry)
    return found


def stripped(text: str) -> str:
    """Without what only files need, and without comments, types and indents: a third of it, in every page and notebook.

    No text of the modules may begin a line, therefore: such a line would lose its indent.
    """
    return INDENT.sub("", COMMENT.sub("", EXPORT.sub("", IMPORT.sub("", text))))
