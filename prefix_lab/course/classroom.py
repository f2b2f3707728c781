"""A class, from the passports that its learners handed in: who stands where, and where most are stuck, and on what.

Whoever wrote the files, nothing in them is run or followed: links, devices and what is too large are named and left
out, as is what is no passport or was altered. Of what is read, only keys that are the course's own are shown. Nothing
is sent anywhere.
"""

from __future__ import annotations

import csv
import io
import os
import re
import stat
from collections import Counter, defaultdict
from pathlib import Path
from typing import NamedTuple

from prefix_lab.course.passport import Passport, Unreadable, from_bytes
from prefix_lab.course.progress import EXERCISES
from prefix_lab.debugger.storage import write_whole
from prefix_lab.locale import FOLDER, N_, _, catalogues, translation
from prefix_lab.locale.room import columns, wrapped
from prefix_lab.stages import STAGES
from prefix_lab.widgets.table import in_columns

AS_IT_IS = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)  # since that look, it may be another
LARGEST, MOST = 4_000_000, 10_000  # bytes of a file, files of a folder
WIDTH, LONGEST, SHOWN = 79, 24, 8  # of a line, of a name, and exercises that are listed
PLACES = {one.key: (number, place) for number, all in EXERCISES.items() for place, one in enumerate(all, 1)}
TITLES = {one.key: one.title for all in EXERCISES.values() for one in all}

LINK = N_("it is a link, and was not followed")
NO_FILE = N_("it is no plain file")
TOO_LARGE = N_("it is larger than any passport")
NOT_READ = N_("it cannot be read")
HEADS = N_("learner"), N_("solved"), N_("stages"), N_("by hand"), N_("lessons"), N_("stuck at")
STUCK_HEADS = N_("exercise"), N_("stuck"), N_("solved later")
SIGNS = N_(
    "Lessons in their order: ✓ all exercises solved, ◐ some, · none. Stuck: a wrong answer, and no right one yet."
)
STUCK = N_("Where most are stuck, and on what")
NOBODY = N_("Nobody has given a wrong answer.")
MORE = N_("{count} more exercises had wrong answers; --csv has all.")
MOST_OFTEN = N_("{count} of {all}: {cause}")
OTHER_CAUSE = N_("an answer that this version has no hint for")
SAME = N_("The same stamps, to the second: {names}. One may be a copy.")
LEFT_OUT = N_("Left out:")
WHY_LEFT_OUT = N_("{file}: {why}.")


class Learner(NamedTuple):
    """Who handed in which file, and what it holds."""

    name: str
    file: str
    passport: Passport

    def solved(self, lesson: int) -> int:
        """How many exercises of a lesson."""
        return sum(one.key in self.passport.solved for one in EXERCISES[lesson])

    def missed(self) -> dict[str, Counter[str]]:
        """Exercise → cause → how many times; the exercise that was missed last comes last."""
        found: dict[str, Counter[str]] = defaultdict(Counter)
        for exercise, cause, times in self.passport.missed:
            if exercise in PLACES:
                found[exercise][cause if is_ours(cause) else ""] += times
                found[exercise] = found.pop(exercise)
        return found

    def stuck(self) -> list[str]:
        """Exercises with a wrong answer and no right one, the last one first."""
        return [key for key in reversed(self.missed()) if key not in self.passport.solved]


class Class(NamedTuple):
    """Those whose passports could be read, in the order of their names, and file → why of what was left out."""

    learners: tuple[Learner, ...]
    left_out: dict[str, str]

    def __repr__(self) -> str:
        parts = [standing(self), where_stuck(self)]
        parts += [wrapped(_(SAME).format(names=", ".join(map(plain, names))), WIDTH) for names in copies(self)]
        refused = [_(WHY_LEFT_OUT).format(file=plain(file), why=_(why)) for file, why in self.left_out.items()]
        parts += (
            [[_(LEFT_OUT), *(line for one in refused for line in wrapped(f"  {one}", WIDTH, 4))]] if refused else []
        )
        return "\n\n".join("\n".join(part) for part in parts)


def read_class(folder: str | Path) -> Class:
    """All passports in a folder, and in the folders inside it; hidden files are passed over.

    A learner is called as the file is, or as the folder that it lies in alone. Raises `ValueError` where there is no
    folder, nothing in it, or no passport at all.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ValueError(f"folder={str(folder)!r} is no folder. Give the one with the passports that were handed in.")
    found: dict[str, Passport] = {}
    left_out: dict[str, str] = {}
    for file in files(folder):
        name = file.relative_to(folder).as_posix()
        try:
            found[name] = from_bytes(content(file))
        except Unreadable as error:
            left_out[name] = error.args[0]
    if not found:
        held = "; ".join(f"{plain(file)}: {_(why)}" for file, why in [*left_out.items()][:SHOWN]) or "it is empty"
        raise ValueError(
            f"folder={str(folder)!r} has no passport ({held}). A learner saves one with "
            "`prefix-lab passport --save NAME.json`."
        )
    named = names([*found])
    learners = sorted(Learner(named[file], file, passport) for file, passport in found.items())
    return Class(tuple(learners), left_out)


def files(folder: Path) -> list[Path]:
    """What is no folder in it and below, in order; links to folders too, and nothing behind them."""
    found: list[Path] = []
    for path, inside, here in os.walk(folder):
        inside[:] = sorted(name for name in inside if not name.startswith("."))
        links = [name for name in inside if os.path.islink(os.path.join(path, name))]
        found += [Path(path, name) for name in sorted([*here, *links]) if not name.startswith(".")]
        if len(found) > MOST:
            raise ValueError(f"folder={str(folder)!r} holds more than {MOST:,} files: is it the right one?")
    return found


def content(path: Path) -> bytes:
    """What a plain file holds. Raises `Unreadable` for anything else, and waits for nothing."""
    try:
        kind = os.lstat(path)
        if stat.S_ISLNK(kind.st_mode):
            raise Unreadable(LINK)
        if not stat.S_ISREG(kind.st_mode):
            raise Unreadable(NO_FILE)
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | AS_IT_IS)) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise Unreadable(NO_FILE)
            held = file.read(LARGEST + 1)
    except OSError as error:
        raise Unreadable(NOT_READ) from error
    if len(held) > LARGEST:
        raise Unreadable(TOO_LARGE)
    return held


def names(given: list[str]) -> dict[str, str]:
    """File → what its learner is called: the folder where it lies alone, else the file without its ending."""
    alone = Counter(file.split("/")[0] for file in given)
    called = {file: file.split("/")[0] if alone[file.split("/")[0]] == 1 else file for file in given}
    stems = {file: name if name != file else Path(file).with_suffix("").as_posix() for file, name in called.items()}
    several = Counter(stems.values())
    return {file: name if several[name] == 1 else file for file, name in stems.items()}


def is_ours(cause: str) -> bool:
    """Whether the catalogue has it: then it has another text in another language."""
    return any(translation(code).gettext(cause) != cause for code in catalogues(FOLDER)) if cause else False


def said(cause: str) -> str:
    """A cause in the reader's language; where a learner's value stood is …"""
    text = re.sub(r"\{[^{}]*\}", "…", _(cause or OTHER_CAUSE))
    return re.sub("^(… ?)+[:：] ?", "", text)


def plain(text: str) -> str:
    """A name of a file, without what a terminal would obey."""
    return "".join(sign if sign.isprintable() else "?" for sign in text)


def short(name: str) -> str:
    text = plain(name)
    while columns(text) > LONGEST:
        text = text.removesuffix("…")[:-1] + "…"
    return text


def number(key: str) -> str:
    """An exercise by its lesson and its place there."""
    return "{:02} · {}".format(*PLACES[key])


def titled(key: str) -> str:
    return f"{number(key)} · {_(TITLES[key])}"


def standing(found: Class) -> list[str]:
    """A line for each learner."""
    rows = [tuple(map(_, HEADS))]
    for one in found.learners:
        passport, stuck = one.passport, one.stuck()
        live = {stamp.stage for stamp in passport.stamps if stamp.by in ("hand", "debugger")}
        signs = [sign(one.solved(lesson), len(exercises)) for lesson, exercises in EXERCISES.items()]
        rows.append(
            (
                short(one.name),
                f"{sum(map(one.solved, EXERCISES))}/{len(PLACES)}",
                f"{len({stamp.stage for stamp in passport.stamps})}/{len(STAGES)}",
                str(len(live)),
                "".join(signs),
                number(stuck[0]) if stuck else "",
            )
        )
    return [*in_columns(rows, right=(1, 2, 3)), "", *wrapped(_(SIGNS), WIDTH)]


def sign(solved: int, all: int) -> str:
    return "✓" if solved == all else "◐" if solved else "·"


class Hard(NamedTuple):
    """An exercise: how many are stuck at it, how many found it after a wrong answer, and cause → of how many."""

    key: str
    stuck: int
    found: int
    causes: Counter[str]


def hardest(found: Class) -> list[Hard]:
    """Exercises with a wrong answer: where most are stuck comes first, then where most have missed."""
    causes: dict[str, Counter[str]] = defaultdict(Counter)
    stuck: Counter[str] = Counter()
    missed: Counter[str] = Counter()
    for one in found.learners:
        for key, of_one in one.missed().items():
            causes[key].update(dict.fromkeys(of_one, 1))
            missed[key] += 1
            stuck[key] += key not in one.passport.solved
    order = sorted(causes, key=lambda key: (-stuck[key], -missed[key], PLACES[key]))
    return [Hard(key, stuck[key], missed[key] - stuck[key], causes[key]) for key in order]


def where_stuck(found: Class) -> list[str]:
    """Each exercise with its numbers, and below it the cause that most had."""
    hard = hardest(found)
    if not hard:
        return [_(NOBODY)]
    shown = hard[:SHOWN]
    rows = [tuple(map(_, STUCK_HEADS)), *((titled(one.key), str(one.stuck), str(one.found)) for one in shown)]
    head, *lines = in_columns(rows, right=(1, 2))
    told = [_(STUCK), head]
    for one, line in zip(shown, lines, strict=True):
        told += [line, *(f"     {part}" for part in wrapped(most_often(one), WIDTH - 5))]
    return [*told, *([_(MORE).format(count=len(hard) - SHOWN)] if len(hard) > SHOWN else [])]


def most_often(one: Hard) -> str:
    cause, count = min(one.causes.items(), key=lambda item: (-item[1], item[0]))
    return _(MOST_OFTEN).format(count=count, all=one.stuck + one.found, cause=said(cause))


def copies(found: Class) -> list[list[str]]:
    """Learners whose stamps are all the same, time included."""
    same: dict[str, list[str]] = defaultdict(list)
    for one in found.learners:
        if one.passport.stamps:
            same[repr(one.passport.stamps)].append(one.name)
    return [names for names in same.values() if len(names) > 1]


def save_csv(found: Class, path: str | Path) -> None:
    """A line for each learner and exercise. What a spreadsheet would take for a formula begins with an apostrophe."""
    with io.StringIO(newline="") as text:
        heads = "learner", "lesson", "exercise", "title", "solved", "typed", "wrong", "cause"
        lines = csv.writer(text)
        lines.writerow(heads)
        for one in found.learners:
            typed = {stamp.exercise: stamp.by for stamp in one.passport.stamps}
            missed = one.missed()
            name = "'" * one.name.startswith(("=", "+", "-", "@")) + plain(one.name)
            for key, (lesson, place) in PLACES.items():
                causes = missed.get(key, Counter())
                cause = said(causes.most_common(1)[0][0]) if causes else ""
                row = lesson, place, _(TITLES[key]), int(key in one.passport.solved), typed.get(key, ""), causes.total()
                lines.writerow([name, *row, cause])
        write_whole(Path(path), text.getvalue().encode("utf-8-sig"))  # a spreadsheet takes it for UTF-8 by this mark
