"""What is shown, in the reader's language: `_("… {name} …")` where a text is shown, one whole template each.

The standard library's gettext does the work, with one catalogue a language in `<language>/LC_MESSAGES/`; the English
text is its own key. `python -m notebooks.messages` writes the catalogue anew from the sources, and compiles it.

- `_(text)` where a text is shown, and `.format(…)` after it. Never at import: a reader may change the language.
- `N_(text)` marks a constant of a module, which is translated where it is shown. `NotYet` and `Verdict` do that with
  their sentences, `table` with its heads and the sentence below it; what stands in a cell is given translated.
- `ngettext(one, many, number)` where a number decides between forms.
- JavaScript marks its texts with `N_("…")`, too, and is handed their translations: `for_page`.

Rooms that show something import this one: breakpoints, course, shapes, terminal, walk, widgets. It imports nothing of
ours. The essence and the debugger do not know it: the sentences of `stages.STAGES`, and titles of lessons and
exercises, are taken into the catalogue as data, and whoever shows them says `_(stage.sentence)`; the debugger's own
texts are translated where a room that shows them has brought this one along (`debugger/text.py`). Errors about wrong
arguments stay English, as do those of torch and PEFT: every reader of theirs meets them so.
"""

from __future__ import annotations

import gettext
import json
import os
import re
import sys
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
DOMAIN = "prefix_lab"
ENGLISH = "en"
SYSTEM = ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")
"""Where a system says its language; the first that is set counts."""
AMID_CHINESE = re.compile(r"(?<=[\u4e00-\u9fff]) (?=[\u4e00-\u9fff])")
IN_JAVASCRIPT = re.compile(r'\bN_\(("(?:[^"\\]|\\.)*")\)')


def _(text: str) -> str:
    """The text in the reader's language; as it is where there is no translation."""
    return translation(language()).gettext(text) if text else ""  # for "", gettext has the catalogue's own head


def N_(text: str) -> str:
    """The text itself: it is in the catalogue, and translated where it is shown."""
    return text


def ngettext(one: str, many: str, number: int) -> str:
    """The form for that number, in the reader's language."""
    return translation(language()).ngettext(one, many, number)


def paragraph(*sentences: str) -> str:
    """Sentences that were translated, one behind the other; behind a full-width stop no space is set.

    Nor between two Chinese signs: a template has a blank beside a place where a Latin name may stand.
    """
    text = ""
    for sentence in filter(None, sentences):
        text += " " * (text != "" and text[-1] not in "。！？：；”）") + sentence
    return AMID_CHINESE.sub("", text)


def for_page(script: str) -> dict[str, Any]:
    """What a page's JavaScript takes: the language, and English → translation of the texts that its `N_("…")` marks."""
    texts = map(json.loads, IN_JAVASCRIPT.findall(script)) if language() != ENGLISH else ()
    return {"code": language().replace("_", "-"), "texts": {text: said for text in texts if (said := _(text)) != text}}


def language() -> str:
    """A language that there is a catalogue for, or English.

    The notebook that this kernel runs decides by its folder, as notebooks/zh does; else PREFIX_LAB_LANGUAGE; else the
    system's language.
    """
    system = next(filter(None, map(os.environ.get, SYSTEM)), "")
    for told in (of_the_notebook(), os.environ.get("PREFIX_LAB_LANGUAGE"), *system.split(":")):
        if found := known(told or ""):
            return found
    return ENGLISH


def of_the_notebook() -> str:
    """The name of the folder of the notebook that is open; JupyterLab and VS Code say which one it is."""
    ipython = sys.modules.get("IPython")
    shell = ipython and ipython.get_ipython()
    told = (shell and shell.user_ns.get("__vsc_ipynb_file__")) or os.environ.get("JPY_SESSION_NAME")
    return Path(told).parent.name if shell and told else ""


def known(told: str) -> str:
    """The catalogue for a language as people and systems write it (zh, zh-CN, zh_CN.UTF-8); empty where none is."""
    code = told.partition(".")[0].replace("-", "_")
    short = code.partition("_")[0].lower()
    if short in (ENGLISH, "c", "posix"):
        return ENGLISH
    found = catalogues(FOLDER)
    return next((one for one in found if one == code), next((one for one in found if one.split("_")[0] == short), ""))


@cache
def catalogues(folder: Path) -> list[str]:
    """The languages that a folder has a catalogue for."""
    return sorted(path.parent.parent.name for path in folder.glob(f"*/LC_MESSAGES/{DOMAIN}.mo"))


def translation(name: str) -> gettext.NullTranslations:
    """The catalogue of a language, by the name that `known` gives it; English needs none."""
    return opened(FOLDER, name)


@cache
def opened(folder: Path, name: str) -> gettext.NullTranslations:
    return gettext.translation(DOMAIN, folder, [name], fallback=True)
