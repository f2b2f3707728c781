"""The learner's passport: for each stage of the walk where they stood, what was there, and what they answered.

A check of an exercise with a stop stamps it (`checking.exercise`); the stamps are lines of the progress file. A saved
passport holds them once more as one line of JSON with a checksum: it shows that the line was changed by accident or by
a curious hand, and is no proof against somebody who reads this file.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from prefix_lab.course import progress
from prefix_lab.locale import N_, _, paragraph
from prefix_lab.stages import STAGES

if TYPE_CHECKING:
    from prefix_lab.breakpoints.stopping import StopAt

OPENED_BY = {"choose": 1, "prepare": 1, "wrap": 1, "encode": 1, "split": 7, "attend": 8, "learn": 3, "keep": 11}
"""Stage → the first lesson with an exercise that stamps it."""

TITLE = N_("Passport: what I saw in prefix tuning")
COUNT = N_("{seen} of {all} stages seen, {live} of them with my own hands.")
NAME = N_("Name:")
PLACE = N_("{function}, {file}, line {line}")
ASKED = N_("asked: {commands}")
ANSWERED = N_("answered: {answers}")
STAMPED = {
    "hand": N_("typed by hand, {date}"),
    "list": N_("typed from a list of commands, {date}"),
    "debugger": N_("in the debugger of JupyterLab or VS Code, {date}"),
    "lesson": N_("typed by the lesson, {date}"),
}
NOT_SEEN = N_("Not seen yet. Lesson {number:02} leads there: {title}.")
MISSED = N_(
    "Saved with it, for whoever teaches you: at which exercises an answer was wrong ({count} of them), and the hint "
    "that came. Not the answer."
)
FIRST = '{"prefix_lab_passport": 1, '  # how the line begins, in every kind of file
LONGEST, MOST = 600, 30
TIMES = 1_000_000  # that an answer can have been wrong
NO_TEXT = N_("it is no text")
NO_LINE = N_("it has no line of a passport")
DAMAGED = N_("the line of its passport is damaged")
ALTERED = N_("its passport was altered after it was saved")


class Stamp(NamedTuple):
    """One exercise that was solved at a stop: the frame, its tensors by name, and what was asked and answered."""

    stage: str
    exercise: str
    function: str
    file: str
    line: int
    shapes: dict[str, str]
    asked: list[str]
    answers: list[str]
    by: str
    date: str


class Missed(NamedTuple):
    """A wrong answer: at which exercise, its cause as the catalogue has it, and how many times."""

    exercise: str
    cause: str
    times: int


class Unreadable(Exception):
    """A file holds no passport, or not as it was saved; its argument is in the catalogue."""


def stamp(stage: str, key: str, stop: StopAt, answers: Sequence[str]) -> None:
    """An exercise at this stage was solved."""
    first = stop.visits[0]
    shapes = {name: text for one in stop.visits if one.function == first.function for name, text in one.shapes.items()}
    asked = [one.command for one in stop.asked if not one.answer.lstrip().startswith("***")]  # no slips
    date = datetime.now().astimezone().isoformat(timespec="seconds")
    noted = Stamp(stage, key, first.function, first.file, first.line, shapes, asked, [*answers], stop.by, date)
    progress.add({"passport": noted._asdict()})


def stamps() -> list[Stamp]:
    """Those in the progress file, of each exercise the last; a damaged one is passed over."""
    return checked(line.get("passport") for line in progress.lines() if isinstance(line, dict))


def checked(given: Any) -> list[Stamp]:
    """Stamps from what a file holds, in the order of the walk, of each exercise the last."""
    order = {stage.name: number for number, stage in enumerate(STAGES)}
    found = {one.exercise: one for one in map(read_stamp, given) if one is not None and one.stage in order}
    return sorted(found.values(), key=lambda one: order[one.stage])


def read_stamp(given: Any) -> Stamp | None:
    """None for what is none, or was damaged. What is too long is cut."""
    if not isinstance(given, dict) or set(given) != set(Stamp._fields):
        return None
    one = Stamp(**given)
    texts = [one.stage, one.exercise, one.function, one.file, one.by, one.date]
    if not isinstance(one.shapes, dict) or not isinstance(one.asked, list) or not isinstance(one.answers, list):
        return None
    texts += [*one.shapes, *one.shapes.values(), *one.asked, *one.answers]
    if not all(isinstance(text, str) for text in texts) or type(one.line) is not int or one.by not in STAMPED:
        return None
    shapes = {name[:LONGEST]: text[:LONGEST] for name, text in list(one.shapes.items())[:MOST]}
    asked, answers = ([text[:LONGEST] for text in some[:MOST]] for some in (one.asked, one.answers))
    return one._replace(shapes=shapes, asked=asked, answers=answers)


class Passport(NamedTuple):
    """HTML in a notebook, plain text everywhere else; `save` writes it as .html to print, .txt or .json."""

    stamps: tuple[Stamp, ...]
    solved: tuple[str, ...] = ()
    missed: tuple[Missed, ...] = ()  # the last ones last

    def of(self, stage: str) -> list[Stamp]:
        return [one for one in self.stamps if one.stage == stage]

    def count(self) -> str:
        seen = {one.stage for one in self.stamps}
        live = {one.stage for one in self.stamps if one.by in ("hand", "debugger")}
        return _(COUNT).format(seen=len(seen), all=len(STAGES), live=len(live))

    def kept_too(self) -> list[str]:
        """What is handed in and not shown, in a sentence; none where there is nothing."""
        exercises = {one.exercise for one in self.missed}
        return [_(MISSED).format(count=len(exercises))] if exercises else []

    def __repr__(self) -> str:
        lines = [_(TITLE), self.count(), *self.kept_too()]
        for stage in STAGES:
            found = self.of(stage.name)
            lines += ["", f"{'✓' if found else '○'} {stage.name}: {_(stage.sentence)}"]
            for one in found:
                width = max(map(len, one.shapes), default=0)
                rows = [f"  {name:<{width}}  {text}" for name, text in one.shapes.items()]
                lines += [f"    {line}" for line in (place_of(one), *rows, *told(one))]
            lines += [] if found else [f"    {lesson_for(stage.name)}"]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        parts = [f"<h2>{escape(_(TITLE))}</h2><p>{escape(paragraph(self.count(), *self.kept_too()))}</p>"]
        for stage in STAGES:
            found = self.of(stage.name)
            said = "".join(map(html_of, found)) or f"<p>{escape(lesson_for(stage.name))}</p>"
            sign = "✓" if found else "○"
            head = f"<h3>{sign} {escape(stage.name)}</h3><p>{escape(_(stage.sentence))}</p>"
            parts.append(f"<section class='{'seen' if found else 'open'}'>{head}{said}</section>")
        return f"<style>{STYLE}</style><div class='prefix-lab-passport'>{''.join(parts)}</div>"

    def page(self) -> str:
        """A page of its own, which prints on a sheet or two."""
        title, line = escape(_(TITLE)), self.line().replace("<", "\\u003c")
        head = f"<head><meta charset='utf-8'><title>{title}</title><style>{PAGE}</style></head>"
        shown = f"<p class='name'>{escape(_(NAME))}</p>{self._repr_html_()}"
        kept = f"<script type='application/json'>\n{line}\n</script>"
        return f"<!DOCTYPE html>\n<html>{head}<body>{shown}\n{kept}</body></html>\n"

    def line(self) -> str:
        """All of it as one line of JSON, with its checksum."""
        stamps, missed = [one._asdict() for one in self.stamps], [[*one] for one in self.missed]
        held = {"prefix_lab_passport": 1, "solved": [*self.solved], "stamps": stamps, "missed": missed}
        return json.dumps(held | {"checksum": checksum(held)})

    def save(self, path: str | Path) -> Path:
        """Write it; the ending says how. Raises `ValueError` for another ending, `OSError` where it cannot be."""
        path = Path(path)
        wholes = {
            ".html": self.page,
            ".txt": lambda: f"{self!r}\n\n{self.line()}\n",
            ".json": lambda: f"{self.line()}\n",
        }
        if path.suffix not in wholes:
            raise ValueError(f"path={str(path)!r}: a passport is saved as .html, .txt or .json.")
        path.write_text(wholes[path.suffix](), encoding="utf-8")
        return path


def show_passport() -> Passport:
    """The passport as it stands."""
    times = Counter(reversed(progress.missed()))
    missed = tuple(Missed(*wrong, times=count) for wrong, count in reversed(times.items()))
    return Passport(tuple(stamps()), tuple(sorted(progress.done())), missed)


def read_passport(path: str | Path) -> Passport:
    """A passport that was saved. Raises `ValueError` for a file that holds none, or whose line was altered."""
    try:
        return from_bytes(Path(path).read_bytes())
    except Unreadable as error:
        raise ValueError(f"path={str(path)!r} is no saved passport: {error}.") from error


def from_bytes(content: bytes) -> Passport:
    """The passport that a file's content holds, whoever wrote it: nothing in it is run. Raises `Unreadable`."""
    try:
        lines = content.decode("utf-8-sig").splitlines()
    except ValueError as error:
        raise Unreadable(NO_TEXT) from error
    line = next((one for one in lines if one.startswith(FIRST)), None)
    if line is None:
        raise Unreadable(NO_LINE)
    try:
        held = json.loads(line)
        told = held.pop("checksum")
        solved = tuple(key for key in held["solved"] if isinstance(key, str))
        missed = [one for one in held.get("missed", []) if [*map(type, one)] == [str, str, int] and 0 < one[2] <= TIMES]
        found = Passport(tuple(checked(held["stamps"])), solved, tuple(Missed(*one) for one in missed))
        whole = told == checksum(held)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Unreadable(DAMAGED) from error
    if not whole:
        raise Unreadable(ALTERED)
    return found


def checksum(held: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(held, sort_keys=True).encode()).hexdigest()


def place_of(one: Stamp) -> str:
    return _(PLACE).format(function=one.function, file=one.file, line=one.line)


def told(one: Stamp) -> list[str]:
    """What was asked and answered, how and when."""
    runs = [(command, len([*same])) for command, same in itertools.groupby(one.asked)]
    commands = "  ·  ".join(command if times == 1 else f"{command} × {times}" for command, times in runs)
    lines = [_(ASKED).format(commands=commands)] if commands else []
    lines += [_(ANSWERED).format(answers=", ".join(one.answers))] if one.answers else []
    return [*lines, _(STAMPED[one.by]).format(date=one.date[:10])]


def lesson_for(stage: str) -> str:
    lesson = progress.lesson(OPENED_BY[stage])
    return _(NOT_SEEN).format(number=lesson.number, title=_(lesson.title))


def html_of(one: Stamp) -> str:
    rows = "".join(
        f"<tr><th scope='row'>{escape(name)}</th><td>{escape(text)}</td></tr>" for name, text in one.shapes.items()
    )
    *lines, date = told(one)
    said = "".join(f"<p>{escape(line)}</p>" for line in lines)
    shapes = f"<table><tbody>{rows}</tbody></table>" if rows else ""
    return f"<div><p><b>{escape(place_of(one))}</b></p>{shapes}{said}<p class='stamp'>{escape(date)}</p></div>"


# Lines and colours are those of the page around it, light or dark.
STYLE = """
.prefix-lab-passport { columns: 2 26em; column-gap: 2em; line-height: 1.35; overflow-wrap: anywhere; }
.prefix-lab-passport h2, .prefix-lab-passport h2 + p { column-span: all; margin: 0 0 6px; }
.prefix-lab-passport section { border-top: 2px solid; padding: 4px 0; margin: 0 0 8px; }
.prefix-lab-passport section.open { border-top-style: dashed; opacity: 0.75; break-inside: avoid; }
.prefix-lab-passport div { border-left: 1px solid; padding: 0 0 0 8px; margin: 0 0 6px; break-inside: avoid; }
.prefix-lab-passport h3, .prefix-lab-passport h3 + p { break-after: avoid; }
.prefix-lab-passport section h3, .prefix-lab-passport section p { margin: 2px 0; break-inside: avoid; }
.prefix-lab-passport tbody th { white-space: nowrap; }
.prefix-lab-passport section table { border-collapse: collapse; font-size: 0.9em; margin: 2px 0; }
.prefix-lab-passport tbody th, .prefix-lab-passport tbody td { text-align: left; vertical-align: top;
  font-weight: normal; font-family: monospace; padding: 0 1em 0 0; }
.prefix-lab-passport section .stamp { font-style: italic; text-align: right; }
"""
PAGE = """
:root { color-scheme: light dark; }
body { font: 14px system-ui, sans-serif; max-width: 62em; margin: 1.5em auto; padding: 0 1em; }
.name { text-align: right; padding-right: 16em; }
@page { size: A4; margin: 12mm; }
@media print {
  :root { color-scheme: light; }
  body { font-size: 8pt; margin: 0; padding: 0; max-width: none; }
  .prefix-lab-passport { columns: 3 !important; column-gap: 1.5em; }
}
"""
