"""What a view asks of the kernel: pieces, and what it would have to read the whole recording to know: where the next
breakpoint stops, what a name was, where a value was made, where a text stands. `answers.js` gives the same answers in a
page that has no kernel.
"""

from __future__ import annotations

import json
import re
from array import array
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from prefix_lab.debugger import Breakpoint, Recording
from prefix_lab.debugger.comparing import changed
from prefix_lab.debugger.conditions import Condition
from prefix_lab.debugger.placing import PlacedBreakpoint
from prefix_lab.debugger.steps import EVENTS, NONE
from prefix_lab.debugger.stops import Stop, place_alone, placed, said
from prefix_lab.debugger.summary import Summary, as_summary
from prefix_lab.debugger.truth import truth_of
from prefix_lab.widgets.stepper.pieces import Pieces
from prefix_lab.widgets.stepper.written import as_json, headline, pack

PAGE = 128  # steps: less than in a page of its own, since each is waited for
MOST = 100  # things that are found, of each kind
LONGEST_HISTORY = 1_000
NAMED = 8  # names that are known instead
KINDS = ("line", "function", "condition")
HALF = re.compile("[\ud800-\udfff]")


class Questions:
    """Answers for one recording."""

    def __init__(self, pieces: Pieces):
        self.pieces, self.recording, self.columns = pieces, pieces.recording, pieces.columns
        self.tensors: dict[int, Any] = {}
        self.stops: dict[str, PlacedBreakpoint | None] = {}
        self.kinds: dict[str, Callable[..., Any]] = {
            "stop": self.stop,
            "times": self.times,
            "said": self.said,
            "unknown": self.unknown,
            "past": self.past,
            "history": self.history,
            "made": self.made,
            "changed": self.changed,
            "search": self.search,
            "tensor": self.tensor,
        }

    def answer(self, question: dict[str, Any]) -> Any:
        """The answer, as data for JSON. Raises `KeyError`, `TypeError` or `ValueError` for what is no question."""
        asked = dict(question)
        return self.kinds[asked.pop("ask")](**asked)

    def stop(self, step: int, breakpoints: list[Stop], back: bool = False) -> tuple[int, int] | None:
        """The next step, or the one before, where one of the breakpoints stops, and which of them."""
        found, best = None, None
        for number, one in enumerate(breakpoints):
            placed = self.placed(one)
            there = placed and placed.nearest(step, back, best, lambda: False)
            if there is not None:
                found, best = (there, number), there
        return found

    def times(self, breakpoint: Stop) -> int:
        """At how many steps it can stop, whatever its condition."""
        placed = self.placed(place_alone(breakpoint))
        return len(placed.steps) if placed else 0

    def said(self, breakpoints: list[Stop]) -> list[tuple[int, str]]:
        """What log points say, in the order of the steps."""
        return said(self.recording, filter(None, map(self.placed, breakpoints)))

    def past(self, step: int, skip: list[str], back: bool = False) -> int | None:
        """The first step from this one on that is in none of the functions that `skip` names."""
        cursor = self.recording.cursor(step)
        cursor.skip = skip
        return cursor.past(step, back)

    def unknown(self, breakpoint: dict[str, Any]) -> list[Any] | None:
        """What the condition of a breakpoint asks for and none of its steps knows, and the names known there, the most
        alike first; the first is empty where it is no name that is lacking. None where it has an answer."""
        condition, placed = breakpoint.get("condition"), self.placed(place_alone(breakpoint))
        if not condition or placed is None:
            return None
        why = truth_of(self.recording, condition).unanswered(placed.steps)
        return None if why is None else [why.asked, why.known[:NAMED]]

    def placed(self, one: Stop) -> PlacedBreakpoint | None:
        """Where a view's breakpoint stops; None for one that never does."""
        key = json.dumps(one, sort_keys=True)
        if key not in self.stops:
            try:
                self.stops[key] = placed(self.recording, self.stop_of(one))
            except ValueError:
                self.stops[key] = None
        return self.stops[key]

    def check(self, one: Any) -> None:
        """Raises `ValueError` for what is no breakpoint of a view's, or names what this recording has not."""
        says = isinstance(one, dict) and [one.get(key) for key in KINDS]
        if not says or (one.get("raises") is None and all(said in (None, "") for said in says)):
            raise ValueError(
                f"breakpoints has {one!r}, expected a file and a line, a function or stage, a name and its function, "
                "or a condition: {'file': 'a/b.py', 'line': 300}, {'function': 'forward'}, {'condition': 'i == 5'}."
            )
        if "line" in one and one.get("file") not in self.pieces.paths:
            raise ValueError(f"file={one.get('file')!r} is not in this recording: {', '.join(self.pieces.paths)}.")
        if "line" in one:
            Breakpoint(file=one["file"], line=one["line"])  # one that never ran is shown as such
        elif any(key in one for key in ("function", "raises")):
            placed(self.recording, place_alone(one))
        placed(self.recording, {"raises": "", "hits": one.get("hits"), "log": one.get("log")})
        if one.get("condition"):
            Condition(one["condition"])

    def stop_of(self, one: Stop) -> Stop:
        """A view's breakpoint as the debugger's, which has the whole path of a file."""
        pieces = self.pieces
        return one | {"file": pieces.files[pieces.paths.index(one["file"])]} if "line" in one else one

    def tensor(self, value: int) -> str:
        """The id of a widget, a TensorView of a tensor whose numbers were kept (`record(keep="small")`)."""
        if value not in self.tensors:
            import torch

            from prefix_lab.widgets.tensor import TensorView

            facts = self.columns.values[value].facts
            tensor = torch.tensor(facts["numbers"], dtype=getattr(torch, facts["dtype"]))
            self.tensors[value] = TensorView(tensor, facts.get("axes"))
        return self.tensors[value].model_id

    def history(self, step: int, name: int) -> list[list[Any]]:
        """Each value that a name, given by its number, took in the frame of a step: step, value's number, its line."""
        columns, found = self.columns, []
        at = columns.frame_first[columns.step_frame[step]]
        while at != NONE and len(found) < LONGEST_HISTORY:
            for one in self.recording.bindings(at):
                if columns.binding_name[one] == name:
                    value = columns.binding_value[one]
                    found.append([at, *((None, None) if value == NONE else (value, headline(columns.values[value])))])
            at = columns.step_after[at]
        return found

    def changed(self, since: int, step: int) -> list[list[Any]]:
        """What is not as it was at another step: function, name, and the lines of the values before and now."""
        rows = changed(self.recording, since, step)
        lines = [[None if value is None else headline(value) for value in (one.before, one.now)] for one in rows]
        return [[one.step.function, one.name, *values] for one, values in zip(rows, lines, strict=True)]

    def made(self, value: int) -> int | None:
        """The first step that bound or gave the object that a value is of."""
        one = self.columns.values[value]
        if not isinstance(one, Summary) or one.number is None:
            return self.first_step({value})
        same = {
            number
            for number, other in enumerate(self.columns.values)
            if isinstance(other, Summary) and other.number == one.number and other.type == one.type
        }
        return self.first_step(same)

    def first_step(self, values: set[int]) -> int | None:
        """The step that bound one of the values before all others."""
        columns = self.columns
        wanted = {one for one, value in enumerate(columns.binding_value) if value in values}
        runs = {start for start, run in self.runs() if not wanted.isdisjoint(run)}
        steps = (step for step, start in enumerate(columns.step_bound) if start in runs)
        return min(steps, key=self.bound_when, default=None)

    def bound_when(self, step: int) -> float:
        """A line binds when it has run, and what it calls has bound before: just before the frame's next step."""
        columns = self.columns
        if EVENTS[columns.places[columns.step_place[step]][0]] not in ("line", "resume"):
            return step
        after = columns.step_after[step]
        return (len(columns) if after == NONE else after) - 0.5

    def runs(self) -> Iterator[tuple[int, array]]:
        """Every run of bindings, in the order of the steps: where it starts, and the bindings in it."""
        columns = self.columns
        for start in dict.fromkeys(columns.step_bound):
            if start != NONE:
                yield start, columns.runs[start + 1 : start + 1 + columns.runs[start]]

    def search(self, text: str) -> list[list[Any]]:
        """Functions, lines and values with this text in them, capitals aside: kind, first step, how often, text."""
        wanted = text.lower().strip()
        if not wanted:
            return []
        return [*self.places_with(wanted), *self.values_with(wanted)]

    def places_with(self, wanted: str) -> list[list[Any]]:
        """Functions by their names, then lines by their text, each kind in the order of its first step."""
        columns, found = self.columns, {"function": [], "line": []}
        for (event, function, number), steps in zip(columns.places, columns.steps_at, strict=True):
            file, name, _ = columns.functions[function]
            kind = {"call": "function", "line": "line"}.get(EVENTS[event])
            text = self.recording.line_text(file, number).strip() if kind == "line" else name
            if kind and len(steps) and wanted in text.lower():
                found[kind].append([kind, steps[0], len(steps), text])
        return [row for rows in found.values() for row in sorted(rows, key=lambda row: row[1])[:MOST]]

    def values_with(self, wanted: str) -> list[list[Any]]:
        columns = self.columns
        texts = {
            number: text
            for number, value in enumerate(columns.values)
            if wanted in (text := as_summary(value).text).lower()
        }
        found: list[list[Any]] = []
        if not texts:
            return found
        seen: set[int] = set()
        for start, run in self.runs():
            for one in run:
                value = columns.binding_value[one]
                if value in texts and value not in seen:
                    seen.add(value)
                    name = columns.names[columns.binding_name[one]].removeprefix("watch: ") or "→"
                    found.append(["value", columns.step_bound.index(start), 1, f"{name} = {texts[value]}"])
                    if len(found) == MOST:
                        return found
        return found


class Desk:
    """The pieces and questions of a recording, as messages."""

    def __init__(self, recording: Recording, title: str = ""):
        self.recording = recording
        self.pieces = Pieces(recording, title, PAGE)
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
            elif "around" in message:
                said["answer"] = {key: self.piece(key) for key in self.pieces.around(message["around"])}
            else:
                said["answer"] = sendable(self.questions.answer(message["question"]))
        except Exception as error:
            said["error"] = str(error)
        return said


def sendable(data: Any) -> Any:
    """Data for a message, which is UTF-8: half of a pair, as a program's text may have it, is spelled."""
    text = as_json(data)
    return json.loads(HALF.sub(lambda half: f"\\\\u{ord(half[0]):x}", text)) if HALF.search(text) else data


def must_be_recording(name: str, value: Any) -> None:
    """Raises `TypeError` for what is no recording, `RuntimeError` for one that still runs."""
    if not isinstance(value, Recording):
        raise TypeError(
            f"{name}={value!r} is no recording. Make one, `with record(...) as recording: ...`, or open one, "
            "`Recording.load(path)`."
        )
    _ = value.columns


def must_be_text(name: str, value: Any, example: str) -> None:
    if not isinstance(value, str):
        raise TypeError(f"{name}={value!r}, expected a text, such as {example!r}.")


def texts(name: str, value: str | Iterable[str], example: str) -> list[str]:
    """A list of texts; one alone stands for a list of one."""
    found = [value] if isinstance(value, str) else list(value) if isinstance(value, Iterable) else [None]
    if not all(isinstance(one, str) for one in found):
        raise TypeError(f"{name}={value!r}, expected a text or a list of texts, such as [{example!r}].")
    return [one for one in found if one]
