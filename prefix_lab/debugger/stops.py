"""Where to stop, as a person types it, and as it is kept: for the stepper, its page, the replay and an editor.

    stop  = place [ "if" condition ] [ "hit" count ] [ "log" text with {names} ]
    place = line | file ":" line | stage | function | name "changes" [ "in" function ] | "raises" [ class ] | condition

A stop is kept as a dict: `{"file": …, "line": …}`, `{"function": …}` (a stage's name, too), `{"name": …,
"function": …}`, `{"raises": …}`, or none of these for any step; with `condition`, `hits` and `log` where it has them.
`stops.js` reads and finds the same in a page; one table of cases, tests/debugger/stops.json, holds both.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import PurePath
from typing import Any

from prefix_lab.debugger.conditions import Condition, Unknown
from prefix_lab.debugger.placing import (
    GivenUp,
    PlacedBreakpoint,
    at_changes,
    at_exceptions,
    at_function,
    at_line,
    at_stage,
    listening,
)
from prefix_lab.debugger.steps import RecordedSteps, Step
from prefix_lab.debugger.summary import as_summary

Stop = dict[str, Any]

NAME = r"[^\W\d]\w*"
FUNCTION = rf"(?:{NAME}|<\w+>)(?:\.(?:{NAME}|<\w+>))*"
TYPED = re.compile(
    r"\s*(?P<place>.*?)(?:(?:^|\s+)if\s+(?P<condition>.*?))?(?:\s+hit\s+(?P<hits>(?:==|>=|<=|>|<|%)?\s*[0-9]+))?"
    r"(?:\s+log\s+(?P<log>.*?))?\s*"
)
LINE = re.compile(r"(?:(?P<file>.+):)?(?P<line>[0-9]{1,1000})")
CHANGES = re.compile(rf"(?P<name>{NAME})\s+changes(?:\s+in\s+(?P<function>{FUNCTION}))?")
RAISES = re.compile(rf"raises(?:\s+(?P<classes>{FUNCTION}(?:\s*,\s*{FUNCTION})*))?")
CALLED = re.compile(FUNCTION)
BRACES = re.compile(r"\{([^{}]+)\}")
understood = lru_cache(maxsize=64)(Condition)
SAID_AT_MOST = 1000  # lines of log points


def read(text: str, file: str, function: str, names: Iterable[str]) -> Stop | None:
    """What a text means, typed at a step of this function and file where these names have values; None for a text
    that begins with no place. A condition alone stops anywhere; a name alone is one where it is a name's."""
    found = TYPED.fullmatch(text)
    if found is None:
        return None
    place, limits = found["place"], {key: found[key].strip() for key in ("condition", "hits", "log") if found[key]}
    if line := LINE.fullmatch(place):
        return {"file": line["file"] or file, "line": int(line["line"])} | limits
    if changes := CHANGES.fullmatch(place):
        return {"name": changes["name"], "function": changes["function"] or function} | limits
    if raises := RAISES.fullmatch(place):
        return {"raises": raises["classes"] or ""} | limits
    if CALLED.fullmatch(place) and ("condition" in limits or place not in names):
        return {"function": place} | limits
    if "condition" in limits:
        return None if place else limits
    return {"condition": place} | limits if place else None


def place_of_stop(stop: Stop) -> str:
    """Where, as one types it; nothing for any step."""
    if "name" in stop:
        return f"{stop['name']} changes in {stop['function']}"
    if "raises" in stop:
        return f"raises {stop['raises']}".strip()
    return f"{PurePath(stop['file']).name}:{stop['line']}" if "line" in stop else stop.get("function", "")


def place_alone(stop: Stop) -> Stop:
    """A stop without what it asks for besides."""
    return {key: stop[key] for key in ("file", "line", "function", "name", "raises") if key in stop}


def written(stop: Stop) -> str:
    """A stop as one types it."""
    place, condition = place_of_stop(stop), stop.get("condition", "")
    found = [f"{place} if {condition}" if place and condition else place or condition]
    found += [f"{word} {stop[key]}" for word, key in (("hit", "hits"), ("log", "log")) if stop.get(key)]
    return " ".join(found)


def placed(recording: RecordedSteps, stop: Stop) -> PlacedBreakpoint:
    """The steps at which it stops. Raises `ValueError` for one that never could."""
    limits = stop.get("condition") or "", stop.get("hits") or ""
    if "name" in stop:
        found = at_changes(recording, stop["function"], stop["name"], *limits)
    elif "raises" in stop:
        found = at_exceptions(recording, False, stop["raises"], *limits)
    elif "line" in stop:
        found = at_line(recording, stop["file"], stop["line"], *limits)
    elif "function" in stop:
        name = stop["function"]
        found = at_stage(recording, name, *limits) or at_function(recording, name, *limits)
    else:
        found = PlacedBreakpoint(recording, "breakpoint", range(len(recording)), *limits)
    found.says = stop.get("log") or ""
    for asked in BRACES.findall(found.says):
        understood(asked)
    return found


def said(recording: RecordedSteps, stops: Iterable[PlacedBreakpoint], given_up: GivenUp = lambda: False) -> list:
    """What log points say, in the order of the steps: each step with its line, the first of them if there are many.
    Raises `debugger.placing.Interrupted`."""
    found = []
    for one in stops:
        one.settle(given_up)
        steps = filter(one.holds, listening(one.steps if one.says else (), given_up))
        for _, step in zip(range(SAID_AT_MOST), steps, strict=False):
            found.append((step, said_at(recording.steps[step], one.says)))
    return sorted(found, key=lambda row: row[0])[:SAID_AT_MOST]


def said_at(step: Step, says: str, why: Callable[[str, Exception], str] = lambda asked, error: asked) -> str:
    """A log point's text at a step, with what stands in braces worked out there; where that has no answer, what `why`
    makes of it."""
    names = step.locals

    def value_of(found: re.Match[str]) -> str:
        try:
            return as_text(understood(found[1]).worth(names))
        except (Unknown, ValueError) as error:
            return why(found[0], error)

    return BRACES.sub(value_of, says)


def as_text(value: Any) -> str:
    """A value as a line says it: texts without quotes, numbers as Python writes them, anything else by its text."""
    if isinstance(value, tuple):
        inner = ", ".join(f"'{one}'" if isinstance(one, str) else as_text(one) for one in value)
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    text = repr(as_summary(value))
    return value if isinstance(value, str) and not text.endswith("…") else text
