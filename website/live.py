"""What a lesson's kernel does with a widget while the site is built: a place in the page, and its recording beside.

A stepper, a mirror or a question becomes an element that `static/site.js` fills when it comes into view. Until then,
and where there is no JavaScript, it holds the same still as a notebook without its kernel. A recording is a script that
calls `prefixLab`, since a page from the disk may load scripts but no data; its name is a digest of what it says, so
that one recording is one file however often it is shown.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
from html import escape
from pathlib import Path
from typing import Any

from prefix_lab.locale import N_, _
from prefix_lab.widgets.moving import Moving
from prefix_lab.widgets.picture import TextForm
from prefix_lab.widgets.stepper import predict
from prefix_lab.widgets.stepper.mirror import Mirror
from prefix_lab.widgets.stepper.pieces import Pieces
from prefix_lab.widgets.stepper.predict import Prediction, explained, help_with, sizes_of
from prefix_lab.widgets.stepper.stepper import Stepper
from prefix_lab.widgets.stepper.written import pack
from website.steady import steady

FOLDER = "PREFIX_LAB_SITE"
"""The environment's name of the folder for recordings."""
SAID = {
    "right": predict.RIGHT,
    "rightAre": predict.RIGHT_ARE,
    "offer": predict.SHOW_ANSWER,
    "none": predict.NO_PARTS,
    "count": predict.HOW_MANY,
    "noAxis": predict.NOT_AN_AXIS,
    "numbers": predict.NUMBERS_ONLY,
    "notThis": predict.NOT_THIS,
    "notThisName": predict.NOT_THIS_NAME,
    "score": N_("{right} of {asked} right, {at_once} at the first try"),
}
"""What answering.js says, in predict.py's words."""
SHARED = ("breakpoints", "watches", "skip", "height", "question")


def begin() -> None:
    """Called by the kernel before the first cell."""
    from IPython import get_ipython

    shell, shown = get_ipython(), []

    def display(widget: TextForm) -> None:
        from IPython.display import display

        shown.append(widget)
        display({"text/html": place(widget, f"s{len(shown)}"), "text/plain": widget.text}, raw=True)

    TextForm._ipython_display_ = display  # type: ignore[method-assign]
    shell.events.register("pre_run_cell", lambda info: random.seed(0))  # what a lesson draws is the same each time


def place(widget: Any, name: str) -> str:
    """The element that stands for a widget; `name` is what an address calls it by."""
    if isinstance(widget, Moving):
        return moving(name, widget)
    if isinstance(widget, Mirror):
        sides = {"ours": widget._desks["ours"].pieces, "theirs": widget._desks["theirs"].pieces}
        traits = ("steps", "breakpoints", "watches", "skip", "labels", "height", "pairs")
    elif isinstance(widget, Stepper):
        sides, traits = {"": widget._desk.pieces}, ("step", *SHARED)
    else:
        return f'<div class="pl-still">{widget.still}</div>'
    settings = {trait: getattr(widget, trait) for trait in traits}
    if isinstance(widget, Prediction):
        settings["answers"] = answers_of(widget)
    recordings = {side: written(Pieces(one.recording, one.title)) for side, one in sides.items()}
    return element(name, recordings, settings, widget.still)


def element(name: str, recordings: dict[str, str], settings: dict[str, Any], still: str) -> str:
    """A place for a stepper, of recordings by their sides."""
    data = escape(json.dumps({"recordings": recordings, "settings": settings}, sort_keys=True))
    return (
        f'<div class="pl-site" id="{name}" data-live="{data}" style="min-height: {settings["height"]}">'
        f'<div class="pl-still">{still}</div></div>'
    )


def moving(name: str, widget: Moving) -> str:
    """A place for a widget that computes in the page; its module is a script beside the recordings."""
    kind = type(widget).__name__
    module = widget._esm.replace("export default ", "return ")
    code = f'prefixLab("{kind}",(() => {{\n{module}\n}})())\n'
    save(f"{kind}.js", code)
    save(f"{kind}.css", widget._css)
    data = escape(json.dumps({"module": kind, "state": widget.state}, sort_keys=True))
    return f'<div class="pl-site" id="{name}" data-live="{data}"><div class="pl-still">{widget.still}</div></div>'


def answers_of(asked: Prediction) -> dict[str, Any]:
    """What the page needs to say whether an answer is right."""
    return {
        "name": asked.name,
        "shape": list(asked.expected.facts["shape"]),
        "sizes": sizes_of(asked.recording),
        "reads": help_with(asked.asked),
        "explained": explained(asked.asked, asked.name),
        "texts": {name: _(text) for name, text in SAID.items()},
    }


def written(pieces: Pieces) -> str:
    """Write the recording where it is not there yet; its name."""
    packed = json.dumps({key: pack(steady(key, pieces.get(key))) for key in pieces.names()}, separators=(",", ":"))
    name = hashlib.sha256(packed.encode()).hexdigest()[:16]
    save(f"{name}.js", f'prefixLab("{name}",{packed})\n')
    return name


def save(name: str, text: str) -> None:
    """Write a file beside the recordings, whole or not at all: another lesson may write the same one."""
    path = Path(os.environ[FOLDER]) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(f".{os.getpid()}")
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(path)
