"""Lesson 14: what a learner suspects of a branch of Mika's file, and has seen, is held against a run; then the mend."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from prefix_lab.course import hunts, trials
from prefix_lab.course.checking import TODO, NotYet, Verdict, brief, exercise, is_open, kind
from prefix_lab.locale import N_, _
from prefix_lab.widgets.table import Table, table

PRAISE = (
    N_(
        "Right shape, right mean, and each number in the wrong place: to_rows has to move axes, and reshape moves none."
    ),
    N_("The virtual tokens stand before the text, and so do their ones. pad takes (before, behind)."),
    N_("The table trains again. .data gives the numbers without the way back to them, and nothing warns."),
    N_("Each call gets a cache of its own. A model writes into the cache that it is given."),
    N_("The table stays in float32, on the model's device. .to(tensor) takes over the tensor's dtype as well."),
    N_("Each adapter is kept by its own name, whichever is in use."),
    N_("Every token stands behind the whole prefix, at each call, not only at the first."),
)
NO_REPORT = N_(
    "The second argument is the report itself: run the hunt's first cell, and give `report` without brackets."
)
REPORT_FAILS = N_("The report raised {kind}: {said}. Put the hunt's first cell back as it was.")
NO_BUG = N_(
    "This report gives the same with Mika's branch and without the bug: it is another hunt's, or was changed. Run the "
    "first cell of this hunt again, as it was."
)
NO_NAME = N_("where is {given}; a function's name is wanted, as text, in quotes.")
NO_FUNCTION = N_("The file has no function {given!r}. The table at the top has their names.")
NOT_RUN = N_("{where} does not run in this report at all: a stop there is never reached.")
INSIDE = N_("What goes wrong happens inside {where}: in a function that it calls, or in one that those call. Step in.")
NOT_FIRST = N_("What {where} gives is wrong, but it was handed something wrong already: go back towards the beginning.")
RIGHT_EACH_TIME = N_("Each time that {where} runs in this report ({count}), it gives what it gives without the bug.")
EARLIER = N_("When it last returns, nothing is wrong yet: look at what comes after it.")
BESIDE = N_("What goes wrong does not pass through it: look beside it.")
SEEN_OPEN = N_("Now look. `seen` is still open: what does {where} give in Mika's file, while this report runs?")
NO_EVIDENCE = N_("seen is {given}; a tuple, a list, a number, a dtype's name, True or False is wanted.")
SO_IN_BOTH = N_("That is true of what {where} gives, and without the bug it would be true as well: {given}.")
LOOK_ON = N_(
    "What else is there, or at another of its calls? The shape, the dtype, the mean, a row of the numbers, whether a "
    "gradient flows."
)
AS_WITHOUT = N_("That is what {where} would give without the bug: {given}. What does it give in Mika's file?")
NOT_SEEN = N_("{where} gives nothing of the kind in this report: {given}.")
ANEW = N_("Words and sizes are drawn anew whenever the hunt's first cell runs. Perhaps this was an earlier draw?")
FOUND = N_("Well seen: what {where} gives is the first thing that is wrong. Now mend it, with `wrong` and `right`.")


def functions() -> dict[str, str]:
    """Each function of Mika's file, and what its first line says that it gives."""
    found = {}
    for top in ast.parse(hunts.ORIGINAL.read_text(encoding="utf-8")).body:
        inside = top.body if isinstance(top, ast.ClassDef) else [top]
        for one in inside:
            if isinstance(one, ast.FunctionDef) and one.name not in ("__init__", "config"):
                name = one.name if one is top else f"{top.name}.{one.name}"
                found[name] = (ast.get_docstring(one) or "").partition("\n")[0]
    return found


def show_functions() -> Table:
    """The functions of Mika's file, from top to bottom."""
    return table((_("function"), _("what it is to do")), list(functions().items()))


def check_hunt(number: int, report: Any, where: Any, seen: Any, wrong: Any, right: Any) -> Verdict:
    """Where the first wrong thing is given and what was seen there; then the line, and what should stand there."""
    return exercise(f"hunt_{number}")(hunted)(number, report, where, seen, wrong, right)


def hunted(number: int, report: Any, where: Any, seen: Any, wrong: Any, right: Any) -> str:
    if is_open(where):
        raise NotYet(TODO)
    broken = hunts.branch(number)
    name = observed(broken, report, where, seen)
    if is_open(wrong) or is_open(right):
        raise NotYet(FOUND, where=name)
    trials.hold_against_peft(trials.mend(broken, wrong, right), report)
    return _(PRAISE[number - 1])


def observed(broken: ModuleType, report: Any, where: Any, seen: Any) -> str:
    """The function's name, where it is the first that gives something wrong and this was seen there."""
    name = named(where)
    mine, right = (ran(report, module) for module in (broken, hunts.branch(0)))
    apart = hunts.differences(mine, right)
    if not apart:
        raise NotYet(NO_BUG)
    if name != apart[0].function:
        raise elsewhere(name, mine, apart)
    if is_open(seen):
        raise NotYet(SEEN_OPEN, where=name)
    if not isinstance(seen, bool | int | float | str | tuple | list | torch.dtype | Tensor):
        raise NotYet(NO_EVIDENCE, given=brief(seen))
    calls = [one for one in apart if one.function == name]
    if any(hunts.places(seen, one.gave) - hunts.places(seen, one.right) for one in calls):
        return name
    if any(hunts.places(seen, one.gave) for one in mine if one.function == name):
        raise NotYet(SO_IN_BOTH, LOOK_ON, where=name, given=brief(seen))
    if any(hunts.places(seen, one.right) for one in calls):
        raise NotYet(AS_WITHOUT, where=name, given=brief(seen))
    raise NotYet(NOT_SEEN, ANEW, where=name, given=brief(seen))


def named(where: Any) -> str:
    """A function's whole name; the end of it is enough where there is one such function."""
    known = functions()
    if callable(where) and getattr(where, "__qualname__", None) in known:
        return where.__qualname__
    if not isinstance(where, str):
        raise NotYet(NO_NAME, given=brief(where))
    given = where.strip().removesuffix("()")
    found = [name for name in known if name == given or name.endswith(f".{given}")]
    if len(found) != 1:
        near = difflib.get_close_matches(given, found or known, n=1, cutoff=0.4)
        raise NotYet(NO_FUNCTION, trials.NEAR if near else "", given=brief(where)[1:-1], line=near[0] if near else "")
    return found[0]


def ran(report: Any, module: ModuleType) -> list[hunts.Visit]:
    if not callable(report):
        raise NotYet(NO_REPORT)
    try:
        return hunts.visits(module, trials.fixed(report))
    except (Exception, SystemExit) as error:
        raise NotYet(REPORT_FAILS, kind=kind(error), said=str(error).rstrip(".")) from error


def elsewhere(name: str, mine: Sequence[hunts.Visit], apart: Sequence[hunts.Difference]) -> NotYet:
    """Why the first wrong number is not this function's."""
    at = [place for place, one in enumerate(mine) if one.function == name]
    if not at:
        return NotYet(NOT_RUN, where=name)
    if name in apart[0].callers:
        return NotYet(INSIDE, where=name)
    if any(one.function == name for one in apart):
        return NotYet(NOT_FIRST, where=name)
    first = next(place for place, one in enumerate(mine) if one.gave is apart[0].gave)
    return NotYet(RIGHT_EACH_TIME, EARLIER if at[-1] < first else BESIDE, where=name, count=len(at))
