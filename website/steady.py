"""What differs from run to run, or from machine to machine, is taken out of what the site shows."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
UNSTEADY = (
    (r"~?(?:/[\w.+-]+)+/site-packages/", ""),  # a debugger's colours may stand before it: \x1b[32m/…
    (r"\b0x[0-9a-f]{6,}\b", "0x…"),
    (r"(?<![\w.])\d{13,16}(?![\w.])", "…"),  # where a tensor's numbers lie in memory
    (r"/tmp/ipykernel_\d+/(\d+)\.py", r"cell \1"),
    (r"/tmp/tmp\w+", "/tmp/…"),
    (r"(?:/[\w.+-]+)*/prefix_lab-\w{0,8}(?:/|(?=…))", ""),  # of place.py; what was cut may end within its name
    (r"(?:/tmp/)?hunts-\w{8}\b", "hunts"),  # the folder of lesson 14
    (r"\bsession_id/[0-9a-f]{32}\b", "session_id/…"),  # what transformers calls a process
)
AS_WRITTEN = ("source/", "index", "raised")
"""Pieces of a recording that stay as they are: the colours of a source are counted by its signs."""


def cleaned(text: str) -> str:
    """The text without folders of this machine, and without places in memory."""
    for pattern, instead in UNSTEADY:
        text = re.sub(pattern, instead, text)
    return text.replace(f"{ROOT}/", "").replace(f"{Path.home()}/", "~/")


def steady(key: str, piece: Any) -> Any:
    """A piece of a recording as it is at each build: cleaned, and without how long calls took."""
    if key.startswith("calls/"):
        piece = [[*entry[:5], 0, *entry[6:]] for entry in piece]
    return piece if key.startswith(AS_WRITTEN) else each(piece)


def each(part: Any) -> Any:
    """Every text in it cleaned."""
    if isinstance(part, str):
        return cleaned(part) if len(part) > 7 else part
    if isinstance(part, dict):
        return {each(name): each(one) for name, one in part.items()}
    return [each(one) for one in part] if isinstance(part, (list, tuple)) else part
