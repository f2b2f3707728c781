"""What the kernel does for a view of one recording: it hands out pieces, and answers questions."""

from __future__ import annotations

import json
import re
from typing import Any

from prefix_lab.debugger import Recording
from prefix_lab.widgets.stepper.pieces import PAGE, Pieces
from prefix_lab.widgets.stepper.questions import Questions
from prefix_lab.widgets.stepper.written import as_json, pack

HALF = re.compile("[\ud800-\udfff]")


class Desk:
    """The pieces and questions of a recording, as messages."""

    def __init__(self, recording: Recording, title: str = ""):
        self.recording = recording
        self.pieces = Pieces(recording, title)
        self.questions = Questions(self.pieces)

    def first(self, step: int) -> dict[str, Any]:
        """The pieces that the first picture needs: sent with the widget, and saved with the notebook."""
        opening = {"opening": sendable(self.pieces.opening())}
        if not 0 <= step < len(self.recording):
            return opening
        page = f"steps/{step // PAGE}"
        source = f"source/{self.pieces.files.index(self.recording.steps[step].file)}"
        return opening | {key: self.piece(key) for key in (page, source)}

    def piece(self, key: str) -> Any:
        """A piece as it goes over the wire: the text of a file packed, since it may be long."""
        found = self.pieces.get(key)
        return {"packed": pack(found)} if key.startswith("source/") else sendable(found)

    def reply(self, message: dict[str, Any]) -> dict[str, Any]:
        """The answer to a view's request, under its number; what is wrong with the request is said there, too."""
        said: dict[str, Any] = {"number": message.get("number")}
        try:
            if "get" in message:
                said["answer"] = {key: self.piece(key) for key in message["get"]}
            else:
                said["answer"] = sendable(self.questions.answer(message["question"]))
        except (KeyError, TypeError, ValueError, IndexError, AttributeError, RecursionError) as error:
            said["error"] = str(error)
        return said


def sendable(data: Any) -> Any:
    """Data for a message, which is UTF-8: half of a pair, as a program's text may have it, is spelled."""
    text = as_json(data)
    return json.loads(HALF.sub(lambda half: f"\\\\u{ord(half[0]):x}", text)) if HALF.search(text) else data
